#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>
#include <tuple>
#include <utility>

namespace komainu::sim {

using core::Activity;

World::World(core::SpecPtr spec, Replicas& replicas, core::ReplicaOptions options, Immediate immediate)
    : spec_(std::move(spec)),
      replicas_(&replicas),
      options_(options),
      immediate_(immediate),
      channel_(*spec_) {
  assert(spec_->groups.size() <= kMaxGroups);
  for (std::uint32_t i = 0; i < size(); ++i) machines_[i].groups.resize(spec_->groups.size());
}

// ---- the replica and what it wants done

void World::step(NodeId node, const core::Input& input) {
  if (!up(node)) return;
  take(node, replicas_->step(machine(node).replica, now(node), input));
}

void World::take(NodeId node, const Outcome& outcome) {
  Machine& at = own(node);
  at.replica = outcome.replica;
  // A step inside (fast disks) overwrites the pool's list.
  const Few<Act, 8> acts(outcome.acts.begin(), outcome.acts.end());
  for (const Act& act : acts) {
    const GroupId group{act.subject};
    switch (act.kind) {
      case Act::Kind::kSend:
        channel_.send(node, act.ref);
        if (immediate_.order) channel_.order(node);
        break;
      case Act::Kind::kExecute:
        begin(node, group, act.ref);
        break;
      case Act::Kind::kProbe:
        here(node, group).probe = true;
        break;
      case Act::Kind::kFence:
        at.shots.push_back({static_cast<std::uint8_t>(act.subject), false, false, act.ref});
        break;
      case Act::Kind::kCancelFence:
        for (Shot& shot : at.shots)
          if (shot.order == act.ref) shot.cancelled = true;
        break;
      case Act::Kind::kYield:
        at.yields = true;
        for (const auto& [id, configured] : spec_->groups) stop_without_order(node, id);
        break;
      case Act::Kind::kStore:
        at.writing.push_back({act.token, act.ref});
        break;
      case Act::Kind::kSpecProposed:
        at.writing.push_back({act.token, 0});
        break;
      case Act::Kind::kRejoin:
        return daemon_is_gone(node);
      case Act::Kind::kRestartOs:
        return power_off(node);
    }
  }
  while (immediate_.store && can_write(node)) write(node, Disk::kWorks);
}

void World::deliver(NodeId node) {
  TestChannel::Next next = channel_.deliver(node);
  if (auto* message = std::get_if<MessageRef>(&next)) {
    take(node, replicas_->deliver(machine(node).replica, now(node), *message));
  } else if (auto* change = std::get_if<core::RingChange>(&next)) {
    step(node, *change);
    const std::uint8_t ring = up(node) ? channel_.port(node).stream.front().ring : 0;
    while (immediate_.verdict && can_judge(node) && channel_.port(node).verdicts.front().ring == ring)
      judge(node);
  }
}

void World::end(NodeId node, TestChannel::Hole hole) {
  channel_.end(node, hole);
  deliver(node);
}

void World::judge(NodeId node) {
  step(node, channel_.judge(node));
}

void World::write(NodeId node, Disk disk) {
  Machine& at = own(node);
  const Writing done = at.writing.front();
  at.writing.erase(at.writing.begin());
  if (disk == Disk::kWorks && done.durable != 0) {
    if (at.disk != done.durable) at.older_disk = at.disk;
    at.disk = done.durable;
  }
  step(node, core::Stored{done.token, disk == Disk::kWorks});
}

void World::say(NodeId node, const core::Body& body) {
  take(node, replicas_->say(machine(node).replica, body));
}

void World::observe(NodeId node, const core::Fact& fact) {
  step(node, core::Observed{fact, {}});
}

void World::pass(NodeId node, Duration time) {
  advance(node, time);
  step(node, core::Timer{});
}

// ---- the executor

void World::begin(NodeId node, GroupId group, OrderRef order) {
  Here& at = here(node, group);
  at.probe = false;
  const bool stops = replicas_->order(order).kind == core::OrderKind::kStop;
  if (!stops) own(node).yields = false;
  // A newer order ends an older start; what that had done, or does while it is killed, the newer one finds.
  for (const Job& job : at.jobs)
    at.old_start |= job.kind == Job::Kind::kStart && job.stage == Job::Stage::kBegun;
  auto ended = [&](const Job& job) { return stops || job.kind == Job::Kind::kStart; };
  at.jobs.erase(std::remove_if(at.jobs.begin(), at.jobs.end(), ended), at.jobs.end());
  at.jobs.push_back({stops ? Job::Kind::kStop : Job::Kind::kStart, Job::Stage::kBegun, order});
}

void World::stop_without_order(NodeId node, GroupId group) {
  Here& at = here(node, group);
  for (Job& job : at.jobs) {
    if (job.kind != Job::Kind::kStop || job.stage != Job::Stage::kBegun) continue;
    job.order = kNoOrder;  // its result is the yield's now
    return;
  }
  const bool idle = at.jobs.empty() && !at.runs && !at.old_start;
  if (idle && (!up(node) || !replica(node).holds().contains(group))) return;
  for (const Job& job : at.jobs)
    at.old_start |= job.kind == Job::Kind::kStart && job.stage == Job::Stage::kBegun;
  at.jobs.clear();
  at.jobs.push_back({Job::Kind::kStop, Job::Stage::kBegun, kNoOrder});
}

bool World::can_act(NodeId node, GroupId group) const {
  const Here& at = here(node, group);
  return powered(node) && !at.jobs.empty() && at.jobs.front().stage == Job::Stage::kBegun;
}

void World::act(NodeId node, GroupId group, Luck luck) {
  Here& at = here(node, group);
  Job& job = at.jobs.front();
  job.stage = luck == Luck::kGood ? Job::Stage::kDone : Job::Stage::kFailed;
  at.old_start = false;  // awaited before anything else is done
  if (luck != Luck::kNothing) at.runs = job.kind == Job::Kind::kStart;
  if (immediate_.report && up(node)) report(node, group);
}

bool World::can_old_start_act(NodeId node, GroupId group) const {
  const Here& at = here(node, group);
  return powered(node) && at.old_start && !at.runs && can_act(node, group);
}

void World::old_start_acts(NodeId node, GroupId group) {
  Here& at = here(node, group);
  at.runs = true;
  at.old_start = false;
}

bool World::can_report(NodeId node, GroupId group) const {
  const Here& at = here(node, group);
  return up(node) && !at.jobs.empty() && at.jobs.front().stage != Job::Stage::kBegun;
}

void World::report(NodeId node, GroupId group) {
  Here& at = here(node, group);
  const Job job = at.jobs.front();
  at.jobs.erase(at.jobs.begin());
  core::GroupReport report{group, core::Spec::place_of(node), {}, {}, 0, {}};
  if (job.order != kNoOrder) report.order = replicas_->order(job.order).id;
  const bool good = job.stage == Job::Stage::kDone;
  if (job.kind == Job::Kind::kStart) {
    report.activity = good ? Activity::kOnline : Activity::kFailed;
  } else if (!good) {
    report.activity = Activity::kUnsafe;
  }
  observe(node, report);
}

bool World::can_probe(NodeId node, GroupId group) const {
  const Here& at = here(node, group);
  return up(node) && at.probe && at.jobs.empty();
}

void World::probe(NodeId node, GroupId group) {
  Here& at = here(node, group);
  at.probe = false;
  core::GroupReport report{group, core::Spec::place_of(node), {}, {}, 0, {}};
  if (at.runs) report.activity = Activity::kOnline;
  observe(node, report);
}

void World::die(NodeId node, GroupId group) {
  here(node, group).runs = false;
  observe(node, core::ResourceFailed{group, core::Spec::place_of(node), 0, "exited"});
}

bool World::can_shoot(NodeId node, std::size_t shot) const {
  return powered(node) && shot < machine(node).shots.size() && !machine(node).shots[shot].acted;
}

void World::shoot(NodeId node, std::size_t shot) {
  Shot& fired = own(node).shots[shot];
  fired.acted = true;
  const NodeId target{fired.target};
  if (powered(target)) power_off(target);
  if (immediate_.report && up(node)) report_shot(node, shot);
}

void World::report_shot(NodeId node, std::size_t shot) {
  Machine& at = own(node);
  const Shot ended = at.shots[shot];
  at.shots.erase(at.shots.begin() + static_cast<std::ptrdiff_t>(shot));
  observe(node,
          core::FenceResult{
              NodeId{ended.target}, replicas_->fence(ended.order).id, ended.acted && !ended.cancelled, {}});
}

// ---- faults and their ends

void World::boot(NodeId node) {
  ++own(node).boots;
  channel_.power_on(node);
}

void World::power_off(NodeId node) {
  Machine& at = own(node);
  if (up(node)) replicas_->stop(at.replica);
  at.replica = kNoReplica;
  at.yields = false;
  at.last_flow.reset();
  at.writing.clear();
  at.shots.clear();
  for (Here& group : at.groups) group = Here{};
  channel_.power_off(node);
}

// A new daemon kills and awaits its predecessor's agents before it says or looks at anything.
void World::start_daemon(NodeId node) {
  Machine& at = own(node);
  at.shots.clear();
  for (Here& group : at.groups) group = Here{.runs = group.runs, .probe = true};
  at.yields = false;
  ++at.runs;
  core::ReplicaOptions options = options_;
  options.self = node;
  options.incarnation = core::Incarnation{at.runs * 8U + node.value + 1};
  options.boot = at.boots * 8U + node.value + 1;
  options.last_flow = at.last_flow;
  at.replica = replicas_->start(options, at.disk);
  if (spec_->timing.watchdog > 0s) step(node, core::Observed{core::Watchdog{spec_->timing.watchdog}, {}});
  channel_.join(node, at.runs);
}

// Applications and agents of the daemon live on.
void World::daemon_is_gone(NodeId node) {
  Machine& at = own(node);
  at.last_flow = replica(node).last_flow();
  replicas_->stop(at.replica);
  at.replica = kNoReplica;
  at.writing.clear();
  channel_.leave(node);
}

void World::crash_daemon(NodeId node) {
  daemon_is_gone(node);
}

void World::lose_store(NodeId node, Store left) {
  Machine& at = own(node);
  assert(!up(node));
  at.disk = left == Store::kOld ? at.older_disk : DurableRef{0};
  at.older_disk = 0;
}

// ---- judging

NodeSet World::running(GroupId group) const {
  NodeSet nodes;
  for (std::uint32_t i = 0; i < size(); ++i)
    if (runs(NodeId{i}, group)) nodes.insert(NodeId{i});
  return nodes;
}

std::optional<std::string> World::violation() const {
  for (const auto& [id, group] : spec_->groups) {
    NodeSet nodes = running(id);
    if (nodes.size() < 2) continue;
    std::string names;
    for (NodeId node : nodes) names += fmt::format(" {}", node.value);
    return fmt::format("group {} runs on nodes{}", id.value, names);
  }
  return std::nullopt;
}

std::optional<std::string> World::crowded() const {
  for (const auto& [id, group] : spec_->groups) {
    for (GroupId other : group.apart) {
      const NodeSet shared = running(id) & running(other);
      if (!shared.empty())
        return fmt::format("groups {} and {} share node {}", id.value, other.value, shared.first().value);
    }
  }
  return std::nullopt;
}

std::optional<std::string> World::divergence() const {
  return Comparison().divergence(*this);
}

std::optional<std::string> Comparison::divergence(const World& world) {
  // Who is the first to be so far in a view.
  std::map<std::pair<core::ViewId, std::uint64_t>, std::uint32_t> first;
  for (std::uint32_t node = 0; node < world.size(); ++node) {
    if (!world.up(NodeId{node})) continue;
    const core::Replica& member = world.replica(NodeId{node});
    if (member.phase() != core::Phase::kEstablished) continue;
    const std::pair place{member.view(), member.position()};
    Reached& reached = reached_[node];
    if (!reached.digest || reached.place != place) reached = {place, member.state().digest()};
    const auto [other, inserted] = first.try_emplace(place, node);
    if (inserted || reached_[other->second].digest == reached.digest) continue;
    return fmt::format("nodes {} and {} differ at position {} of one view", other->second, node,
                       member.position());
  }
  return std::nullopt;
}

namespace {
// Rings that share a member are ordered by their numbers.
bool after(const core::OrderId& one, const core::OrderId& other) {
  auto when = [](const core::OrderId& id) {
    return std::tuple(id.view.ring.seq, id.view.round, id.position);
  };
  return when(one) > when(other);
}
}  // namespace

std::optional<std::string> World::endangered() const {
  for (std::uint32_t by = 0; by < size(); ++by) {
    for (const Shot& shot : machines_[by].shots) {
      const core::OrderId& fence = replicas_->fence(shot.order).id;
      for (const auto& [id, configured] : spec_->groups) {
        for (const Job& job : here(NodeId{shot.target}, id).jobs) {
          if (job.kind != Job::Kind::kStart || !after(replicas_->order(job.order).id, fence)) continue;
          return fmt::format("group {} is started on node {}, which node {} may still fence", id.value,
                             shot.target, by);
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace komainu::sim
