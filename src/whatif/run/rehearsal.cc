#include "whatif/run/rehearsal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/admit/admit.h"

namespace komainu::whatif {
namespace {

constexpr Duration kFirstRest = 1h;  // a cluster that is not at rest by then never will be
constexpr Duration kMargin = 2s;     // beyond the longest wait that the configuration knows
constexpr std::size_t kMaxLines = 20'000;
constexpr std::size_t kMaxResources = 63;  // sim::Cluster keeps them as bits

sim::Span exactly(Duration duration) {
  return {duration, duration};
}

sim::Cluster::Options options_for(const core::SpecPtr& spec, const Assumptions& assume) {
  sim::Cluster::Options options;
  sim::Latencies& takes = options.latencies;
  takes.order = exactly(assume.network / 2);
  takes.deliver = exactly(assume.network - assume.network / 2);
  takes.verdict = exactly(1ms);
  takes.vote = exactly(assume.arbiter);
  takes.store = exactly(assume.store);
  takes.probe = exactly(20ms);
  takes.report = exactly(1ms);
  takes.fence = exactly(assume.fence);
  takes.confirm = exactly(0ms);
  takes.gives_up = exactly(assume.fence_gives_up);
  takes.boot = exactly(assume.boot);
  takes.daemon = exactly(assume.daemon);
  options.chance = sim::Chance::kNone;
  options.works = [spec, assume](GroupId group, std::uint32_t resource, sim::Work work) {
    const core::Group& of = spec->groups.at(group);
    return work == sim::Work::kStart ? assume.start_of(of, resource) : assume.stop_of(of, resource);
  };
  return options;
}

// The longest that the cluster waits for something before it acts.
Duration longest_wait(const core::Spec& spec) {
  const core::Timing& t = spec.timing;
  Duration wait =
      std::max({t.lost_after, t.daemon_restart, t.startup_wait, t.grace, t.suspend_after, t.token * 3});
  const bool leased = spec.fencing.empty() && spec.nodes.size() > 1;
  if (leased) wait = std::max(wait, (t.lease + t.watchdog + t.drain + t.max_pause) * 101 / 100);
  for (const auto& [id, monitor] : spec.monitors) wait = std::max(wait, monitor.common_mode_wait);
  return wait + kMargin;
}

// Somebody is to be fenced once the brake lets go.
bool is_held_by_the_brake(const core::State& state) {
  return core::is_braked(state) && std::ranges::any_of(state.nodes, [](const auto& entry) {
           const core::NodeState& node = entry.second;
           return node.standing == core::Standing::kLost || node.standing == core::Standing::kUnknown;
         });
}

// A group goes home once its best node has been steady for long enough.
bool waits_for_a_steady_node(const core::State& state) {
  return std::ranges::any_of(state.spec->groups, [&](const auto& entry) {
    const core::Group& group = entry.second;
    if (group.failback != core::Failback::kAutomatic || group.prefer.empty()) return false;
    const core::NodeState* home = state.node(core::Spec::node_of(group.prefer.front()));
    const auto online = state.groups.at(group.id).online();
    return online && online != group.prefer.front() && home && home->standing == core::Standing::kMember &&
           core::is_unsteady(state, *home);
  });
}

}  // namespace

std::optional<Error> cannot_rehearse(const core::Spec& spec) {
  if (spec.nodes.size() > sim::kMaxMachines)
    return Error{fmt::format("the configuration has {} nodes", spec.nodes.size()),
                 fmt::format("this version simulates clusters of at most {}", sim::kMaxMachines)};
  for (const auto& [id, group] : spec.groups)
    if (group.resources.size() > kMaxResources)
      return Error{fmt::format("group \"{}\" has {} resources", group.name, group.resources.size()),
                   fmt::format("this version simulates groups of at most {}", kMaxResources)};
  return std::nullopt;
}

Rehearsal::Rehearsal(core::SpecPtr spec, const Assumptions& assumptions)
    : spec_(std::move(spec)),
      assume_(assumptions),
      cluster_(spec_, options_for(spec_, assume_)),
      quiet_(longest_wait(*spec_)) {
  cluster_.observe(this);
  for (const auto& [id, group] : spec_->groups) services_[id] = {};
}

// ---- time

void Rehearsal::later(Duration delay, std::function<void()> look) {
  looks_.emplace(cluster_.now() + delay, std::move(look));
}

// The next thing up to `moment` (on the cluster's clock); false: there is none.
bool Rehearsal::step(Duration moment) {
  const Duration next = cluster_.next_event();
  const Duration look = looks_.empty() ? Duration::max() : looks_.begin()->first;
  if (std::min(next, look) > moment) return false;
  if (look < next) {
    cluster_.run_until(look);
    auto due = looks_.extract(looks_.begin());
    due.mapped()();
    touched_ = true;
    last_happening_ = cluster_.now();
  } else {
    cluster_.step();
  }
  look_around();
  return true;
}

void Rehearsal::run_until(Duration moment) {
  while (step(zero_ + moment)) {
  }
  cluster_.run_until(zero_ + moment);
}

bool Rehearsal::run_to_rest(Duration most) {
  const Duration end = zero_ + most;
  while (cluster_.now() < end) {
    const Duration rest = last_happening_ + quiet_;
    if (cluster_.now() < rest) {
      const Duration until = std::min(end, rest);
      if (!step(until)) cluster_.run_until(until);
    } else if (busy()) {
      last_happening_ = cluster_.now();  // what ends without a word may still be the beginning of something
    } else {
      return true;
    }
  }
  return !busy();
}

bool Rehearsal::busy() const {
  if (!looks_.empty()) return true;
  for (NodeId node : cluster_.nodes()) {
    if (cluster_.is_on(node) && !cluster_.is_frozen(node) && !cluster_.replica(node))
      return true;  // it starts
  }
  const core::Replica* spokesman = cluster_.spokesman();
  if (!spokesman) return false;
  const core::State& state = spokesman->state();
  if (is_held_by_the_brake(state) || waits_for_a_steady_node(state)) return true;
  return std::ranges::any_of(state.groups,
                             [](const auto& entry) { return entry.second.order.has_value(); }) ||
         std::ranges::any_of(state.nodes, [](const auto& entry) { return !entry.second.fences.empty(); });
}

// ---- the beginning

Result<void> Rehearsal::begin(const Initial& initial) {
  cluster_.power_on_all();
  run_to_rest(kFirstRest);
  const auto step_to = [&](decltype(core::Request::what) what) {
    request(std::move(what));
    run_to_rest(cluster_.now() + kFirstRest);
  };
  for (MonitorId id : initial.suspended) step_to(core::MonitorSuspend{id, true});
  for (GroupId id : initial.stopped) step_to(core::GroupStop{id});
  for (const auto& [id, node] : initial.placed) {
    const core::State* known = state();
    const bool online = known && known->groups.at(id).online().has_value();
    const PlaceId place = core::Spec::place_of(node);
    if (online)
      step_to(core::GroupMove{id, place});
    else
      step_to(core::GroupStart{id, place});
  }
  for (NodeId node : initial.off) {
    shut_down(node);
    run_to_rest(cluster_.now() + kFirstRest);
  }
  for (NodeId node : initial.drained) step_to(core::NodeDuty{node, core::Duty::kDrained});
  for (NodeId node : initial.standby) step_to(core::NodeDuty{node, core::Duty::kStandby});
  if (std::string why = come_about(initial); !why.empty())
    return failure("the scenario's beginning does not come about: " + why);

  zero_ = cluster_.now();
  begun_ = true;
  lines_.clear();
  causes_.clear();
  deeds_.clear();
  detection_.reset();
  last_happening_ = cluster_.now();
  for (auto& [id, service] : services_) service.outages.clear(), service.twice = false;
  return {};
}

// Why the cluster does not stand as it was told to; empty: it does.
std::string Rehearsal::come_about(const Initial& initial) const {
  const core::State* known = state();
  if (!known) return "no node comes to be in a view of the cluster";
  for (NodeId node : spec_->node_ids() - initial.off)
    if (known->nodes.at(node).standing != core::Standing::kMember) return name(node) + " is not a member";
  for (const auto& [id, node] : initial.placed) {
    const auto online = known->groups.at(id).online();
    if (online == core::Spec::place_of(node)) continue;
    return fmt::format("{} is {}, not on {}", name(id),
                       online ? "on " + name(core::Spec::node_of(*online)) : std::string("not online"),
                       name(node));
  }
  return {};
}

// ---- what sim::Cluster tells

void Rehearsal::write(Topic topic, core::Severity severity, std::string text, std::optional<NodeId> node,
                      std::optional<GroupId> group, std::optional<MonitorId> monitor, core::Cause cause) {
  last_happening_ = cluster_.now();
  if (lines_.size() >= kMaxLines) return;
  if (lines_.size() + 1 == kMaxLines) text = "more happens than is written down from here on";
  std::uint32_t number = 0;
  if (cause)
    number = causes_.try_emplace(cause, static_cast<std::uint32_t>(causes_.size()) + 1).first->second;
  lines_.push_back({now(), topic, severity, number, node, group, monitor, std::move(text)});
}

namespace {

Topic topic_of(core::EventKind kind) {
  switch (kind) {
    case core::EventKind::kOrder:
    case core::EventKind::kFence:
      return Topic::kOrder;
    case core::EventKind::kRefused:
      return Topic::kRefused;
    case core::EventKind::kOperator:
      return Topic::kRequest;
    default:
      return Topic::kFact;
  }
}

// What noticed the fault that this event tells of.
std::string noticed_by(const core::Spec& spec, const core::Event& event) {
  switch (event.kind) {
    case core::EventKind::kMonitor:
      return event.monitor ? spec.monitors.at(*event.monitor).name : "a monitor";
    case core::EventKind::kGroup:
      return event.group ? "the resources of " + spec.groups.at(*event.group).name : "a resource";
    case core::EventKind::kView:
      return event.text.ends_with("does not answer") ? "acknowledgements" : "membership";
    case core::EventKind::kNode:
      return "link watch";
    case core::EventKind::kFence:
      return "fencing";
    default:
      return "komainu";
  }
}

}  // namespace

// Every member tells what it applies; the first one is enough.
void Rehearsal::tells(NodeId node, const core::Event& event) {
  const core::Replica* replica = cluster_.replica(node);
  if (!replica) return;
  const bool own = event.kind == core::EventKind::kView && event.text == "the view has ended";
  std::string text = own ? name(node) + ": the view has ended" : event.text;
  Told& told = told_[{replica->view(), text}];
  if (++told.by[node] <= told.times) return;
  told.times = told.by[node];
  write(topic_of(event.kind), event.severity, text, event.node, event.group, event.monitor, event.cause);
  if (event.kind == core::EventKind::kFence && event.node) {
    if (event.text.find("is fenced, confirmed") != std::string::npos)
      deeds_.push_back({Deed::What::kFence, now(), *event.node, {}});
    if (event.text.find("is not confirmed") != std::string::npos)
      deeds_.push_back({Deed::What::kFenceFailed, now(), *event.node, {}});
  }
  notice(event);
}

void Rehearsal::notice(const core::Event& event) {
  if (!begun_ || detection_ || event.severity == core::Severity::kInfo) return;
  detection_ = Detection{now(), noticed_by(*spec_, event)};
}

void Rehearsal::answers(NodeId, const core::Answer& answer) {
  if (!answer.accepted) write(Topic::kRefused, core::Severity::kWarning, answer.text);
}

void Rehearsal::executes(NodeId node, GroupId group, const core::Order& order) {
  ++lives_[{node, group}];
  static constexpr Deed::What kWhat[] = {Deed::What::kStart, Deed::What::kStop, Deed::What::kRestart};
  deeds_.push_back({kWhat[static_cast<int>(order.kind)], now(), node, group});
  last_happening_ = cluster_.now();
}

void Rehearsal::yields(NodeId node, const std::string&) {
  for (const auto& [id, group] : spec_->groups) ++lives_[{node, id}];
  deeds_.push_back({Deed::What::kYield, now(), node, {}});
}

void Rehearsal::runs(NodeId node, GroupId group, std::uint64_t resources) {
  touched_ = true;
  const std::uint64_t all = (std::uint64_t{1} << spec_->groups.at(group).resources.size()) - 1;
  if (resources != all) sick_.erase({node, group});  // what hung has been stopped, or is gone
  last_happening_ = cluster_.now();
}

void Rehearsal::powered(NodeId node) {
  booted_[node] = cluster_.now();
  write(Topic::kWorld, core::Severity::kInfo, name(node) + " has power and boots", node);
}

void Rehearsal::off(NodeId node, const std::string& by) {
  touched_ = true;
  const bool fenced = by.starts_with("fenced");
  write(Topic::kWorld, core::Severity::kWarning,
        name(node) + (fenced ? " is off: it was fenced" : " is off: " + by), node);
}

const core::State* Rehearsal::state() const {
  const core::Replica* spokesman = cluster_.spokesman();
  if (spokesman) return &spokesman->state();
  return state_ ? &*state_ : nullptr;
}

// ---- looking at it

void Rehearsal::look_around() {
  if (std::exchange(touched_, false)) judge_services();
  const core::Replica* spokesman = cluster_.spokesman();
  if (!spokesman) return;
  const std::pair seen{spokesman->view(), spokesman->position()};
  if (seen == seen_) return;
  seen_ = seen;
  judge_places(spokesman->state());
  if (std::exchange(kept_at_, lines_.size()) != lines_.size()) state_ = spokesman->state();
}

void Rehearsal::judge_places(const core::State& state) {
  for (const auto& [id, node] : spec_->nodes) {
    const core::Row& row = core::judge(state, core::Spec::place_of(id));
    const core::Row*& before = verdicts_[id];
    if (std::exchange(before, &row) == &row) continue;
    const bool good = row.verdict == core::Verdict::kHealthy;
    write(Topic::kVerdict, good ? core::Severity::kInfo : core::Severity::kWarning,
          fmt::format("{}: {}: {}", node.name, core::to_string(row.verdict), row.text), id);
  }
}

bool Rehearsal::serves(NodeId node, GroupId group) const {
  const core::Group& of = spec_->groups.at(group);
  const std::uint64_t all = (std::uint64_t{1} << of.resources.size()) - 1;
  if (cluster_.resources_up(node, group) != all || cluster_.is_frozen(node) || sick_.contains({node, group}))
    return false;
  // Clients come the way that the group's monitors watch.
  for (const auto& [id, monitor] : spec_->monitors) {
    if (std::ranges::find(monitor.affects, group) == monitor.affects.end()) continue;
    if (monitor.type == "nic-link") {
      const auto interface = monitor.params.find("interface");
      const auto* text =
          interface == monitor.params.end() ? nullptr : std::get_if<std::string>(&interface->second);
      if (text && interfaces_down_.contains({node, *text})) return false;
    } else if (monitor.type == "ping") {
      const auto targets = monitor.params.find("targets");
      const auto* list =
          targets == monitor.params.end() ? nullptr : std::get_if<std::vector<std::string>>(&targets->second);
      if (!list) continue;
      const auto lost = [&](const std::string& address) {
        const auto who = unreachable_.find(address);
        return who != unreachable_.end() && who->second.contains(node) && who->second != spec_->node_ids();
      };
      if (!list->empty() && std::ranges::all_of(*list, lost)) return false;
    }
  }
  return true;
}

void Rehearsal::judge_services() {
  for (auto& [id, service] : services_) {
    NodeSet by;
    for (NodeId node : cluster_.nodes())
      if (serves(node, id)) by.insert(node);
    NodeSet active = cluster_.running(id);
    for (NodeId node : cluster_.nodes())
      if (cluster_.is_frozen(node)) active.erase(node);  // until it is thawed
    if (active.size() > 1 && !std::exchange(service.twice, true))
      write(Topic::kWorld, core::Severity::kAlarm, name(id) + " is active on two nodes at once", {}, id);
    if (by == service.served_by) continue;
    const bool before = service.served();
    service.served_by = by;
    if (before && by.empty()) {
      service.outages.push_back({now(), {}});
      write(Topic::kWorld, core::Severity::kWarning, name(id) + " serves nobody", {}, id);
    } else if (!before && !by.empty()) {
      Duration lasted{0};
      if (!service.outages.empty() && !service.outages.back().to) {
        service.outages.back().to = now();
        lasted = now() - service.outages.back().from;
      }
      write(
          Topic::kWorld, core::Severity::kInfo,
          fmt::format("{} serves its clients from {}{}", name(id), name(by.first()),
                      lasted > 0s ? fmt::format(", after {:.1f} s", static_cast<double>(lasted.count()) / 1e6)
                                  : std::string()),
          by.first(), id);
    }
  }
}

}  // namespace komainu::whatif
