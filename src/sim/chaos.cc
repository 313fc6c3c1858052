#include "sim/chaos.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace komainu::sim {

Choices choices_of(std::uint64_t seed) {
  return [state = seed](std::uint32_t bound) mutable {
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<std::uint32_t>((z ^ (z >> 31)) % bound);
  };
}

Choices choices_of(std::vector<std::uint16_t> numbers) {
  return [numbers = std::move(numbers), next = std::size_t{0}](std::uint32_t bound) mutable {
    return next < numbers.size() ? numbers[next++] % bound : 0U;
  };
}

namespace {

// What time_passes() moves the clocks at most, at once.
constexpr Duration kLongestStep = 1'001ms;

// Short, so that a schedule sees many of them run out.
constexpr Duration kLeaseStep = 201ms;
core::Timing lease_timing_of_schedules(std::uint32_t nodes) {
  const std::uint32_t times = nodes > 3 ? 3 : 1;  // more nodes have more to say before one is renewed
  core::Timing timing;
  timing.lease = times * 1s;
  timing.grace = times * 800ms;
  timing.watchdog = 1s;
  timing.drain = kLeaseStep;  // a watchdog that fires is noticed after the step
  timing.max_pause = 3 * kLeaseStep;
  return timing;
}

core::SpecPtr spec_of(const Scenario& scenario) {
  core::SpecPtr spec = spec_for(scenario.quorum, scenario.nodes, scenario.groups);
  if (scenario.fencing == Scenario::Fencing::kFencer) return spec;
  auto leased = std::make_shared<core::Spec>(*spec);
  leased->fencing.clear();
  leased->timing = lease_timing_of_schedules(scenario.nodes);
  return leased;
}

core::ReplicaOptions options_of(const Scenario& scenario) {
  core::ReplicaOptions options;
  options.plans = scenario.planner == Scenario::Planner::kReplicas;
  return options;
}

}  // namespace

Chaos::Chaos(const Scenario& scenario, Choices choices)
    : scenario_(scenario),
      choose_(std::move(choices)),
      spec_(spec_of(scenario)),
      replicas_(spec_),
      world_(spec_, replicas_, options_of(scenario), {}) {
  for (std::uint32_t i = 0; i < world_.size(); ++i) world_.boot(NodeId{i});
  const NodeSet all = spec_->node_ids();
  world_.form({&all, 1}, 0, TestChannel::Merge::kAtOnce);
  for (NodeId node : all) world_.start_daemon(node);
}

std::optional<std::string> Chaos::run() {
  for (std::uint32_t done = 0; done < scenario_.steps; ++done) {
    step();
    if (auto wrong = judge()) return wrong;
  }
  return std::nullopt;
}

std::optional<std::string> Chaos::judge() {
  if (auto wrong = world_.violation()) return wrong;
  if (scenario_.holes == Scenario::Holes::kSome) return std::nullopt;
  return comparison_.divergence(world_);
}

void Chaos::step() {
  change_weather();
  const bool faulty = storm_ ? choose_(100) + scenario_.faults_percent * 2 >= 100 : one_in(200);
  if (faulty && scenario_.faults_percent != 0) return fault();
  if (one_in(64)) forget_messages();
  if (one_in(8)) return time_passes();
  if (scenario_.planner == Scenario::Planner::kRandom && one_in(8)) return say_something(any_node());
  const std::uint32_t first = choose_(world_.size());
  for (std::uint32_t i = 0; i < world_.size(); ++i) {
    if (progress(NodeId{(first + i) % world_.size()})) return;
  }
  time_passes();
}

// Faults come in storms. In a calm the cluster comes to order, or there would be nothing to lose in the next.
void Chaos::change_weather() {
  if (weather_lasts_-- != 0) return;
  storm_ = !storm_;
  weather_lasts_ = 20 + choose_(storm_ ? 60 : 400);
  if (storm_) return;
  refuses_sends_ = {};
  if (!one_in(4)) repair();
}

// One thing that the machine can do now.
bool Chaos::progress(NodeId node) {
  std::vector<std::function<void()>> can;
  auto offer = [&](bool possible, auto what) {
    if (possible) can.emplace_back(what);
  };
  offer(world_.can_deliver(node), [&] {
    if (traces_) {
      TestChannel copy = world_.channel();
      const TestChannel::Next next = copy.deliver(node);
      if (auto* message = std::get_if<MessageRef>(&next))
        note(fmt::format("{} delivers {}", node.value, describe(replicas_.message(*message))));
      if (auto* change = std::get_if<core::RingChange>(&next))
        note(fmt::format("{} is told of ring {}.{} with {} members", node.value, change->ring.leader,
                         change->ring.seq, change->members.size()));
    }
    ++seen_.delivered;
    world_.deliver(node);
  });
  offer(world_.can_end(node), [&] {
    const bool hole =
        scenario_.holes == Scenario::Holes::kSome && world_.channel().can_end_with_hole(node) && one_in(8);
    note(fmt::format("{}'s old ring ends{}", node.value, hole ? " with a hole" : ""));
    world_.end(node, hole ? TestChannel::Hole::kOne : TestChannel::Hole::kNone);
  });
  offer(world_.can_judge(node), [&] {
    note(fmt::format("{} hears of quorum", node.value));
    world_.judge(node);
  });
  offer(world_.can_order(node) && !refuses_sends_[node.value], [&] {
    while (world_.can_order(node)) {
      world_.order(node);
      if (one_in(4)) break;
    }
  });
  offer(world_.can_write(node), [&] {
    note(fmt::format("{} has written its store", node.value));
    world_.write(node, World::Disk::kWorks);
  });
  for (const auto& [group, configured] : spec_->groups) {
    offer(world_.can_act(node, group), [&, id = group] {
      const bool fails = scenario_.faults_percent != 0 && one_in(12);
      const World::Luck luck = !fails      ? World::Luck::kGood
                               : one_in(2) ? World::Luck::kHalf
                                           : World::Luck::kNothing;
      note(fmt::format("{} executes on group {}{}", node.value, id.value, fails ? ", badly" : ""));
      const Job& job = world_.machine(node).groups[id.value - World::kFirstGroup].jobs.front();
      ++(job.kind == Job::Kind::kStart ? seen_.started : seen_.stopped);
      world_.act(node, id, luck);
    });
    offer(world_.can_old_start_act(node, group), [&, id = group] {
      note(fmt::format("{}: a killed start of group {} acts", node.value, id.value));
      world_.old_start_acts(node, id);
    });
    offer(world_.can_report(node, group), [&, id = group] {
      note(fmt::format("{} reports group {}", node.value, id.value));
      world_.report(node, id);
    });
    offer(world_.can_probe(node, group), [&, id = group] {
      note(fmt::format("{} probes group {}", node.value, id.value));
      world_.probe(node, id);
    });
  }
  for (std::size_t shot = 0; shot < world_.machine(node).shots.size(); ++shot) {
    const Shot& fired = world_.machine(node).shots[shot];
    offer(world_.can_shoot(node, shot), [&, shot] {
      note(fmt::format("{} shoots {}", node.value, fired.target));
      ++seen_.fenced;
      world_.shoot(node, shot);
    });
    const bool ended = fired.acted || fired.cancelled;
    offer(world_.up(node) && (ended || one_in(6)), [&, shot] {
      note(fmt::format("{}'s shot at {} reports", node.value, fired.target));
      world_.report_shot(node, shot);
    });
  }
  if (can.empty()) return false;
  can[choose_(static_cast<std::uint32_t>(can.size()))]();
  return true;
}

// All clocks go alike; a daemon that is not scheduled finds out later what time it is.
void Chaos::time_passes() {
  const bool leased = scenario_.fencing == Scenario::Fencing::kLease;
  const Duration most = leased ? kLeaseStep : one_in(16) ? kLongestStep : Duration{61ms};
  const Duration time = std::chrono::milliseconds(1 + choose_(static_cast<std::uint32_t>(most / 1ms)));
  for (std::uint32_t i = 0; i < world_.size(); ++i) {
    world_.advance(NodeId{i}, time);
    late_[i] += time;
    // A lease survives no longer pauses than max_pause: docs/protocol.md says who checks that.
    const bool must = leased && late_[i] + kLeaseStep > spec_->timing.max_pause;
    if (must || !one_in(5)) timer_rings(NodeId{i});
  }
  if (leased) guard_by_watchdogs(time);
  count_settled();
}

void Chaos::count_settled() {
  NodeSet settled;
  for (NodeId node : spec_->node_ids()) {
    if (!world_.up(node) || world_.replica(node).phase() != core::Phase::kEstablished) continue;
    for (const auto& [id, known] : world_.replica(node).state().nodes)
      if (known.standing == core::Standing::kSettled) settled.insert(id);
  }
  seen_.settled += (settled - settled_).size();
  settled_ = settled;
}

void Chaos::timer_rings(NodeId node) {
  late_[node.value] = Duration{0};
  world_.pass(node, Duration{0});
}

// As the device's owner has it (engine/watchdog): fed from the daemon's loop, while its lease runs or nothing
// runs there. Only a machine that runs nothing is spared a reset without a daemon: it would change nothing.
void Chaos::guard_by_watchdogs(Duration time) {
  for (std::uint32_t i = 0; i < world_.size(); ++i) {
    const NodeId node{i};
    const Machine& machine = world_.machine(node);
    const bool runs =
        std::ranges::any_of(machine.groups, [](const Here& here) { return here.runs || !here.jobs.empty(); });
    const bool loop_ran = world_.up(node) && late_[i] == Duration{0};
    const bool fed = !runs || (loop_ran && world_.replica(node).may_run(LocalTime{machine.clock}));
    unfed_[i] = fed ? Duration{0} : unfed_[i] + time;
    if (!world_.powered(node) || unfed_[i] < spec_->timing.watchdog) continue;
    note(fmt::format("{}'s watchdog resets it", i));
    ++seen_.reset;
    unfed_[i] = Duration{0};
    world_.power_off(node);
  }
}

void Chaos::say_something(NodeId node) {
  if (!world_.up(node) || scenario_.planner == Scenario::Planner::kReplicas) return;
  const core::Replica& replica = world_.replica(node);
  const core::State& state = replica.state();
  if (replica.phase() == core::Phase::kOut) return;
  const NodeId other = any_node();
  const core::NodeState& known = state.nodes.at(other);
  const GroupId group = any_group();
  const PlaceId place = core::Spec::place_of(other);
  const std::uint64_t version = state.groups.at(group).version;
  std::optional<core::Body> body;
  switch (choose_(8)) {
    case 0:
    case 1:
    case 2:
      body = core::Proposal{core::StartGroup{group, place, version, known.incarnation, state.spec->version}};
      break;
    case 3:
      body = core::Proposal{core::StopGroup{group, place, version, "", one_in(2), false}};
      break;
    case 4:
      body = core::Proposal{core::RestartGroup{group, place, 0, version, known.incarnation}};
      break;
    case 5:
      if (known.standing == core::Standing::kMember && !known.suspended && !one_in(10)) return;
      body = core::Proposal{core::FenceNode{other, known.incarnation, known.version, any_node(), 0, ""}};
      break;
    case 6:
      body = core::Suspend{other};
      break;
    case 7:
      body = core::Resume{other};
      break;
  }
  if (traces_) {
    core::Message message;
    message.from = node;
    message.body = *body;
    note(fmt::format("{} says {}", node.value, describe(message)));
  }
  world_.say(node, *body);
}

void Chaos::fault() {
  const NodeId node = any_node();
  switch (choose_(12)) {
    case 0:
    case 1:
    case 2: {  // the powered nodes part into rings, or merge
      std::vector<NodeSet> parts;
      for (NodeId powered : world_.channel().powered()) {
        if (one_in(6)) continue;  // its Corosync hangs: it stays in its old ring
        const bool alone = parts.empty() || one_in(3);
        const std::size_t part = choose_(static_cast<std::uint32_t>(parts.size()) + (alone ? 1 : 0));
        if (part == parts.size()) parts.emplace_back();
        parts[part].insert(powered);
      }
      if (parts.empty()) return;
      // Rings that nobody has left yet pile up: wait for the slowest.
      if (world_.channel().rings().size() > 8) return;
      std::optional<std::size_t> vote;
      if (!one_in(4)) vote = choose_(static_cast<std::uint32_t>(parts.size()));
      if (traces_) {
        std::string text = "rings form:";
        for (NodeSet part : parts) {
          text += " {";
          for (NodeId member : part) text += fmt::format(" {}", member.value);
          text += " }";
        }
        note(text);
      }
      for (NodeSet part : parts) drop_unsent(part);
      return world_.form(parts, vote, one_in(2) ? TestChannel::Merge::kGradual : TestChannel::Merge::kAtOnce);
    }
    case 3:
      if (!world_.powered(node)) return;
      note(fmt::format("the vote moves to {}", node.value));
      return world_.move_vote(one_in(4) ? std::nullopt : std::optional(node));
    case 4:
      if (!world_.up(node)) return;
      note(fmt::format("{}'s daemon crashes", node.value));
      drop_unsent(companions_of(node));
      return world_.crash_daemon(node);
    case 5:
    case 6:
      if (!world_.powered(node) || world_.up(node)) return;
      return start_daemon(node);
    case 7:
      if (!world_.powered(node) || !one_in(2)) return;
      note(fmt::format("{} loses power", node.value));
      return world_.power_off(node);
    case 8:
    case 9:
      if (world_.powered(node)) return;
      note(fmt::format("{} boots", node.value));
      return world_.boot(node);
    case 10:
      refuses_sends_[node.value] = !refuses_sends_[node.value];
      return;
    case 11: {
      const GroupId group = any_group();
      if (!world_.up(node) || !world_.runs(node, group)) return;
      note(fmt::format("group {} dies on {}", group.value, node.value));
      return world_.die(node, group);
    }
  }
}

void Chaos::start_daemon(NodeId node) {
  note(fmt::format("{}'s daemon starts", node.value));
  late_[node.value] = Duration{0};
  drop_unsent(companions_of(node));
  world_.start_daemon(node);
}

// Those whose Corosync is in the same ring.
NodeSet Chaos::companions_of(NodeId node) const {
  const TestChannel& channel = world_.channel();
  NodeSet companions;
  for (NodeId other : channel.powered())
    if (channel.port(other).ring == channel.port(node).ring) companions.insert(other);
  return companions;
}

// A change of the membership: what Corosync had not taken yet was meant for the view that ends, and the
// channel drops it. What it had taken goes out in the next ring.
void Chaos::drop_unsent(NodeSet nodes) {
  for (NodeId node : nodes) {
    while (!world_.channel().port(node).queue.empty() && one_in(2)) world_.drop_newest(node);
  }
}

// Machines boot, daemons start, all are in one ring.
void Chaos::repair() {
  const NodeSet all = spec_->node_ids();
  bool repaired = false;
  for (NodeId node : all) {
    if (!world_.powered(node)) world_.boot(node), repaired = true;
  }
  for (NodeId node : all)
    repaired |= world_.channel().port(node).ring != world_.channel().port(all.first()).ring;
  if (repaired) {
    note("rings form: all");
    drop_unsent(all);
    world_.form({&all, 1}, 0, TestChannel::Merge::kGradual);
  }
  for (NodeId node : all) {
    if (!world_.up(node)) start_daemon(node);
  }
}

std::optional<std::string> Chaos::heal(Duration bound) {
  note("the faults have ended");
  refuses_sends_ = {};
  scenario_.faults_percent = 0;
  repair();
  if (world_.channel().has_arbiter()) world_.move_vote(NodeId{0});
  std::optional<std::string> wrong;
  const auto rounds = bound / 10ms;
  std::int64_t good = 0;
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (bool busy = true; busy;) {
      busy = false;
      for (NodeId node : spec_->node_ids()) busy |= progress(node);
      if (auto violated = judge()) return violated;
    }
    // A fence that was ordered before the end of the faults may still come: its target boots again.
    repair();
    for (NodeId node : spec_->node_ids()) {
      world_.advance(node, 10ms);
      timer_rings(node);
    }
    if (spec_->fencing.empty()) guard_by_watchdogs(10ms);
    forget_messages();
    wrong = disorder();
    good = wrong ? 0 : good + 1;
    if (good > 100) return std::nullopt;
  }
  if (wrong) wrong = "after healing: " + *wrong;
  return wrong;
}

// What is not as it should be once all is well.
std::optional<std::string> Chaos::disorder() const {
  for (NodeId node : spec_->node_ids()) {
    if (!world_.up(node)) return fmt::format("node {} is down", node.value);
    const core::Replica& replica = world_.replica(node);
    if (replica.phase() != core::Phase::kEstablished) return fmt::format("node {} has no view", node.value);
    if (replica.responsive() != spec_->node_ids())
      return fmt::format("node {} misses others in its view", node.value);
    for (const auto& [id, state] : replica.state().nodes)
      if (!state.fences.empty()) return fmt::format("a fence of node {} is open for ever", id.value);
    for (const auto& [id, group] : replica.state().groups) {
      if (group.order) return fmt::format("an order for group {} is open for ever", id.value);
      for (const auto& [place, activity] : group.at)
        if (activity != core::Activity::kOnline && activity != core::Activity::kFailed &&
            activity != core::Activity::kUnsafe)
          return fmt::format("nobody knows what group {} does on {}", id.value, place.value);
      // Without a fencer nobody but the operator can end a failed stop.
      const bool stuck = spec_->fencing.empty() && std::ranges::any_of(group.at, [](const auto& entry) {
                           return entry.second == core::Activity::kUnsafe;
                         });
      const bool left_alone = group.given_up || stuck;
      if (scenario_.planner == Scenario::Planner::kReplicas && !left_alone && !group.online())
        return fmt::format("group {} is not online", id.value);
    }
  }
  return std::nullopt;
}

void Chaos::forget_messages() {
  MessageRef oldest = replicas_.next_message();
  for (const Ring& ring : world_.channel().rings())
    for (const Entry& entry : ring.log)
      if (entry.kind == Entry::Kind::kMessage) oldest = std::min(oldest, entry.message);
  for (NodeId node : spec_->node_ids())
    for (MessageRef message : world_.channel().port(node).queue) oldest = std::min(oldest, message);
  replicas_.forget_before(oldest);
}

}  // namespace komainu::sim
