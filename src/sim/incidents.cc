#include "sim/incidents.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace komainu::sim {
namespace {

constexpr Span kSwitchedOnAgain{8s, 60s};
constexpr Duration kShortPause = 900ms;  // below max_pause
constexpr std::uint32_t kDelays = 18;    // after a moment: up to 2^17 us

// Where nobody is fenced a daemon has to hang longer for the others to take it for stopped.
Duration longer_hang(const Shape& shape) {
  const core::Timing& timing = shape.spec->timing;
  return shape.guard == Shape::Guard::kLease ? timing.lease + timing.watchdog + timing.drain : Duration{0};
}

Duration pause_of(const Fault& fault, const Shape& shape) {
  return shape.guard == Shape::Guard::kFencer ? fault.lasts : std::min(fault.lasts, kShortPause);
}

}  // namespace

Incidents::Incidents(Cluster& cluster, const Shape& shape)
    : cluster_(cluster), shape_(shape), random_(shape.options.seed ^ 0x5eed) {}

NodeId Incidents::node(std::uint32_t choice) const {
  return cluster_.nodes()[choice % cluster_.nodes().size()];
}
NodeId Incidents::other(NodeId than, std::uint32_t choice) const {
  const auto& nodes = cluster_.nodes();
  const auto at = static_cast<std::size_t>(std::ranges::find(nodes, than) - nodes.begin());
  return nodes[(at + 1 + choice % (nodes.size() - 1)) % nodes.size()];
}
GroupId Incidents::group(std::uint32_t choice) const {
  const auto& groups = cluster_.spec().groups;
  auto it = groups.begin();
  std::advance(it, choice % groups.size());
  return it->first;
}
std::optional<NodeId> Incidents::owner(std::uint32_t choice) const {
  const NodeSet running = cluster_.running(group(choice));
  return running.empty() ? std::nullopt : std::optional(running.first());
}

void Incidents::run_due() {
  while (!due_.empty() && due_.begin()->first <= cluster_.now()) {
    const Action action = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    action();
  }
}

void Incidents::happen(const Fault& fault) {
  if (fault.when != Moment::kAny) {
    waiting_.push_back(fault);
  } else {
    strike(fault);
  }
}
void Incidents::strike(const Fault& fault) {
  if (!happens(fault)) return;
  ++happened_;
  kinds_.set(static_cast<std::size_t>(fault.kind));
}
void Incidents::moment(Moment moment, NodeId in_it) {
  const auto at =
      static_cast<std::uint32_t>(std::ranges::find(cluster_.nodes(), in_it) - cluster_.nodes().begin());
  for (Fault fault : waiting_) {
    if (fault.when != moment) continue;
    // Short delays are as frequent as long ones.
    const Duration delay{1 << fault.choice[3] % kDelays};
    if (fault.choice[2] % 3 != 0) fault.choice[0] = at;
    later(delay, [this, fault] { strike(fault); });
  }
  std::erase_if(waiting_, [&](const Fault& fault) { return fault.when == moment; });
}

bool Incidents::happens(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kPowerOff:
    case FaultKind::kDaemonCrash:
    case FaultKind::kShutDown:
    case FaultKind::kFreeze:
    case FaultKind::kDaemonHang:
    case FaultKind::kCorosyncHang:
    case FaultKind::kDiskSlow:
    case FaultKind::kDiskFails:
    case FaultKind::kOldStore:
    case FaultKind::kLostStore:
      return to_machine(fault, node(fault.choice[0]));
    case FaultKind::kPowerOffOwner:
    case FaultKind::kFreezeOwner:
    case FaultKind::kIsolateOwner:
      return to_owner(fault);
    case FaultKind::kIsolate:
      return isolate(fault, node(fault.choice[0]));
    case FaultKind::kDaemonsHang:
      return hang_several(fault);
    case FaultKind::kPartition:
    case FaultKind::kOneWay:
    case FaultKind::kCutPair:
    case FaultKind::kSwizzle:
    case FaultKind::kLinkLoss:
      return to_network(fault);
    case FaultKind::kArbiterLoss:
    case FaultKind::kVoteMoves:
    case FaultKind::kSendsRefused:
      return to_arbiter(fault);
    case FaultKind::kProcessDies:
    case FaultKind::kStartFails:
    case FaultKind::kStopFails:
    case FaultKind::kStopLies:
    case FaultKind::kAgentsHang:
    case FaultKind::kAgentsSlow:
      return to_agents(fault);
    case FaultKind::kMonitorFails:
    case FaultKind::kPlaceFails:
    case FaultKind::kNicFails:
    case FaultKind::kCommonMode:
      return to_monitors(fault);
    case FaultKind::kDeviceSlow:
      return to_device(fault, Device::kSlow);
    case FaultKind::kDeviceDead:
      return to_device(fault, Device::kDead);
    case FaultKind::kDeviceLate:
      return to_device(fault, Device::kLate);
    case FaultKind::kDeviceRefuses:
      return to_device(fault, Device::kRefuses);
    case FaultKind::kPowerLoss:
      return lose_all_power(fault);
    case FaultKind::kFenceConfirm:
      return confirm_fence(fault);
    default:
      return by_operator(fault);
  }
}

// ---- machines

bool Incidents::keep_off(NodeId node, Duration time) {
  if (!cluster_.is_on(node)) return false;
  Duration& until = kept_off_until_[node];
  until = std::max(until, cluster_.now() + time);
  cluster_.power_off(node, "a loss of power");
  later(time, [this, node] {
    if (kept_off_until_[node] <= cluster_.now()) cluster_.power_on(node);
  });
  return true;
}
void Incidents::went_off(NodeId node) {
  later(random_.within(kSwitchedOnAgain), [this, node] {
    if (kept_off_until_[node] <= cluster_.now()) cluster_.power_on(node);
  });
}

bool Incidents::to_machine(const Fault& fault, NodeId node) {
  const auto at_end = [&](auto what) { later(fault.lasts, [this, node, what] { (cluster_.*what)(node); }); };
  const bool has_daemon = cluster_.replica(node) != nullptr;
  switch (fault.kind) {
    case FaultKind::kPowerOff:
    case FaultKind::kPowerOffOwner:
      return keep_off(node, fault.lasts);
    case FaultKind::kDaemonCrash:
      cluster_.crash_daemon(node, std::min<Duration>(fault.lasts / 4, 30s));
      return has_daemon;
    case FaultKind::kShutDown:
      if (!cluster_.corosync_runs(node)) return false;
      cluster_.shut_down(node);
      later(fault.lasts + 10s, [this, node] {
        if (cluster_.is_on(node)) cluster_.power_on(node);
      });
      return true;
    case FaultKind::kFreeze:
    case FaultKind::kFreezeOwner:
      if (!cluster_.is_on(node) || cluster_.is_frozen(node)) return false;
      cluster_.freeze(node);
      later(pause_of(fault, shape_), [this, node] { cluster_.thaw(node); });
      return true;
    case FaultKind::kDaemonHang:
      cluster_.hang_daemon(node);
      later(fault.lasts + longer_hang(shape_), [this, node] { cluster_.resume_daemon(node); });
      return has_daemon;
    case FaultKind::kCorosyncHang:
      if (!cluster_.corosync_runs(node)) return false;
      cluster_.hang_corosync(node);
      at_end(&Cluster::resume_corosync);
      return true;
    case FaultKind::kDiskSlow:
    case FaultKind::kDiskFails:
      cluster_.set_disk(node, fault.kind == FaultKind::kDiskSlow ? Disk::kSlow : Disk::kFails);
      later(fault.lasts, [this, node] { cluster_.set_disk(node, Disk::kWorks); });
      return true;
    default:  // a store that is not the latest is found by the next daemon
      cluster_.set_next_boot_store(node, fault.kind == FaultKind::kOldStore ? Stored::kOld : Stored::kLost);
      return fault.choice[1] % 2 == 0 ? keep_off(node, fault.lasts)
                                      : (cluster_.crash_daemon(node, fault.lasts / 4), has_daemon);
  }
}

bool Incidents::to_owner(const Fault& fault) {
  const std::optional<NodeId> owner = this->owner(fault.choice[0]);
  if (!owner) return false;
  return fault.kind == FaultKind::kIsolateOwner ? isolate(fault, *owner) : to_machine(fault, *owner);
}

bool Incidents::isolate(const Fault& fault, NodeId node) {
  for (NodeId other : cluster_.nodes()) {
    cluster_.cut(node, other);
    cluster_.cut(other, node);
  }
  if (fault.choice[1] % 2 == 0) cluster_.cut_arbiter(node);
  later(fault.lasts, [this, node] {
    cluster_.join_arbiter(node);
    for (NodeId other : cluster_.nodes()) {
      cluster_.join(node, other);
      cluster_.join(other, node);
    }
  });
  return true;
}

bool Incidents::hang_several(const Fault& fault) {
  const NodeId spared = node(fault.choice[0]);
  for (NodeId node : cluster_.nodes()) {
    if (node == spared) continue;
    cluster_.hang_daemon(node);
    later(fault.lasts, [this, node] { cluster_.resume_daemon(node); });
  }
  return true;
}

bool Incidents::lose_all_power(const Fault& fault) {
  bool any = false;
  std::uint32_t number = 0;
  for (NodeId node : cluster_.nodes()) {
    // Some come back much later: a cold start with nodes missing.
    const bool late = (fault.choice[0] >> number++ & 3) == 0;
    any |= keep_off(node, fault.lasts / 4 + (late ? fault.lasts : Duration{0}));
  }
  return any;
}

// ---- network

bool Incidents::to_network(const Fault& fault) {
  const NodeId one = node(fault.choice[0]);
  const NodeId two = other(one, fault.choice[1]);
  switch (fault.kind) {
    case FaultKind::kPartition: {
      std::vector<NodeSet> parts(2 + fault.choice[0] % 2);
      for (NodeId node : cluster_.nodes())
        parts[(fault.choice[1] >> (2 * node.value) & 3) % parts.size()].insert(node);
      cluster_.partition(parts);
      later(fault.lasts, [this] { cluster_.heal_network(); });
      return true;
    }
    case FaultKind::kOneWay:
      cluster_.cut(one, two);
      later(fault.lasts, [this, one, two] { cluster_.join(one, two); });
      return true;
    case FaultKind::kCutPair:
      cluster_.cut(one, two);
      cluster_.cut(two, one);
      later(fault.lasts, [this, one, two] {
        cluster_.join(one, two);
        cluster_.join(two, one);
      });
      return true;
    case FaultKind::kSwizzle:
      swizzle(fault);
      return true;
    default:
      cluster_.set_link(one, two, fault.choice[2] % 2, false);
      later(fault.lasts,
            [this, one, two, link = fault.choice[2] % 2] { cluster_.set_link(one, two, link, true); });
      return true;
  }
}

// Links go down one by one in random order, and come up again in another.
void Incidents::swizzle(const Fault& fault) {
  std::vector<std::pair<NodeId, NodeId>> links;
  for (NodeId from : cluster_.nodes())
    for (NodeId to : cluster_.nodes())
      if (from != to && !random_.one_in(3)) links.emplace_back(from, to);
  const auto shuffle = [&] {
    for (std::size_t i = links.size(); i > 1; --i)
      std::swap(links[i - 1], links[random_.below(static_cast<std::uint32_t>(i))]);
  };
  const Duration half = fault.lasts / 2;
  shuffle();
  for (const auto& [from, to] : links)
    later(random_.within({Duration{0}, half}), [this, from, to] { cluster_.cut(from, to); });
  shuffle();
  for (const auto& [from, to] : links)
    later(half + random_.within({Duration{0}, half}), [this, from, to] { cluster_.join(from, to); });
}

bool Incidents::to_arbiter(const Fault& fault) {
  const NodeId one = node(fault.choice[0]);
  if (fault.kind == FaultKind::kSendsRefused) {
    cluster_.refuse_sends(one, fault.lasts);
    return true;
  }
  if (!cluster_.channel().has_arbiter()) return false;
  if (fault.kind == FaultKind::kVoteMoves) {
    cluster_.move_vote(fault.choice[1] % 4 == 0 ? std::nullopt : std::optional(one));
    return true;
  }
  const bool all = fault.choice[1] % 3 == 0;
  for (NodeId node : cluster_.nodes()) {
    if (!all && node != one) continue;
    cluster_.cut_arbiter(node);
    later(fault.lasts, [this, node] { cluster_.join_arbiter(node); });
  }
  return true;
}

// ---- agents, monitors, devices

bool Incidents::to_agents(const Fault& fault) {
  const GroupId id = group(fault.choice[0]);
  const NodeId at = fault.choice[1] % 2 == 0 ? owner(fault.choice[0]).value_or(node(fault.choice[2]))
                                             : node(fault.choice[2]);
  const auto until_end = [&](Agents starts, Agents stops) {
    cluster_.set_agents(at, id, starts, stops);
    later(fault.lasts, [this, at, id] { cluster_.set_agents(at, id, Agents::kWork, Agents::kWork); });
    return true;
  };
  switch (fault.kind) {
    case FaultKind::kProcessDies: {
      const std::optional<NodeId> owner = this->owner(fault.choice[0]);
      if (!owner) return false;
      cluster_.kill_resource(*owner, id, fault.choice[2] % 2);
      return true;
    }
    case FaultKind::kStartFails:
      return until_end(fault.choice[3] % 2 == 0 ? Agents::kFail : Agents::kFailHalf, Agents::kWork);
    case FaultKind::kStopFails:
      return until_end(Agents::kWork, fault.choice[3] % 2 == 0 ? Agents::kFail : Agents::kFailHalf);
    case FaultKind::kStopLies:
      if (cluster_.replica(at)) ask(at, core::GroupMove{id, {}});
      return until_end(Agents::kWork, Agents::kLie);
    case FaultKind::kAgentsHang:
      return until_end(fault.choice[3] % 2 == 0 ? Agents::kHang : Agents::kWork,
                       fault.choice[3] % 2 == 0 ? Agents::kWork : Agents::kHang);
    default:
      cluster_.set_agent_delay(at, 500ms + fault.lasts / 10);
      later(fault.lasts, [this, at] { cluster_.set_agent_delay(at, Duration{0}); });
      return true;
  }
}

bool Incidents::to_monitors(const Fault& fault) {
  const auto& monitors = cluster_.spec().monitors;
  std::vector<MonitorId> fitting;
  const bool of_groups = fault.kind == FaultKind::kMonitorFails;
  for (const auto& [id, monitor] : monitors)
    if (monitor.group.has_value() == of_groups) fitting.push_back(id);
  if (fitting.empty()) return false;
  const auto lasts =
      of_groups && fault.choice[1] % 3 != 0 ? Cluster::Lasts::kUntilRestart : Cluster::Lasts::kUntilSet;
  const auto fails = [&](NodeId at, MonitorId id) {
    cluster_.set_monitor(at, id, core::Health::kFailed, "it does not answer", lasts);
    later(fault.lasts, [this, at, id] {
      cluster_.set_monitor(at, id, core::Health::kHealthy, "", Cluster::Lasts::kUntilSet);
    });
  };
  if (fault.kind == FaultKind::kNicFails) {
    for (MonitorId id : fitting) fails(node(fault.choice[2]), id);
    return true;
  }
  const MonitorId id = fitting[fault.choice[0] % fitting.size()];
  const std::optional<GroupId> of = monitors.at(id).group;
  for (NodeId at : cluster_.nodes()) {
    const bool hit = of_groups                              ? cluster_.running(*of).contains(at)
                     : fault.kind == FaultKind::kCommonMode ? true
                                                            : at == node(fault.choice[2]);
    if (hit) fails(at, id);
  }
  return true;
}

bool Incidents::to_device(const Fault& fault, Device device) {
  if (cluster_.spec().fencing.empty()) return false;
  const NodeId target = node(fault.choice[0]);
  const auto levels = static_cast<std::uint32_t>(cluster_.spec().fencing.size());
  const std::uint32_t level = fault.choice[1] % levels;
  cluster_.set_device(target, level, device);
  later(fault.lasts, [this, target, level] { cluster_.set_device(target, level, Device::kWorks); });
  // A device that nobody uses proves nothing.
  if (fault.choice[2] % 2 == 0) return true;
  return fault.choice[3] % 2 == 0
             ? keep_off(target, fault.lasts)
             : (cluster_.hang_daemon(target),
                later(fault.lasts, [this, target] { cluster_.resume_daemon(target); }), true);
}

// ---- operators

bool Incidents::by_operator(const Fault& fault) {
  const NodeId at = node(fault.choice[0]);
  const core::Replica* replica = cluster_.replica(at);
  if (!replica) return false;
  const GroupId id = group(fault.choice[1]);
  const NodeId other = node(fault.choice[2]);
  const auto put = [&](core::Duty duty) {
    ask(at, core::NodeDuty{other, duty});
    if (duty == core::Duty::kActive) return;
    later(fault.lasts, [this, at, other] { ask(at, core::NodeDuty{other, core::Duty::kActive}); });
  };
  switch (fault.kind) {
    case FaultKind::kGroupStart:
      ask(at, core::GroupStart{
                  id, fault.choice[3] % 2 == 0 ? std::nullopt : std::optional(core::Spec::place_of(other))});
      return true;
    case FaultKind::kGroupStop:
      ask(at, core::GroupStop{id});
      later(fault.lasts, [this, at, id] { ask(at, core::GroupStart{id, {}}); });
      return true;
    case FaultKind::kGroupMove:
      ask(at, core::GroupMove{
                  id, fault.choice[3] % 2 == 0 ? std::nullopt : std::optional(core::Spec::place_of(other))});
      return true;
    case FaultKind::kGroupClear:
      ask(at, core::GroupClear{id});
      return true;
    case FaultKind::kDrain:
      put(core::Duty::kDrained);
      return true;
    case FaultKind::kStandby:
      put(core::Duty::kStandby);
      return true;
    case FaultKind::kResume:
      put(core::Duty::kActive);
      return true;
    case FaultKind::kDisarm:
      if (shape_.guard != Shape::Guard::kFencer) return false;
      ask(at, core::ClusterDisarm{fault.lasts, "work on what is below"});
      return true;
    case FaultKind::kFenceOff:
      if (shape_.guard != Shape::Guard::kFencer) return false;
      ask(at, core::FenceOff{other});
      return true;
    case FaultKind::kConfigApply:
      ask(at, core::ConfigApply{changed(*replica->state().spec, random_)});
      return true;
    default: {
      const auto& monitors = cluster_.spec().monitors;
      if (monitors.empty()) return false;
      auto it = monitors.begin();
      std::advance(it, fault.choice[3] % monitors.size());
      ask(at, core::MonitorSuspend{it->first, true});
      later(fault.lasts, [this, at, id = it->first] { ask(at, core::MonitorSuspend{id, false}); });
      return true;
    }
  }
}

// The operator's word is true: the node is off, and stays off for as long as a request could be on its way.
bool Incidents::confirm_fence(const Fault& fault) {
  const NodeId off = node(fault.choice[0]);
  keep_off(off, fault.lasts + 20s);
  kept_off_until_[off] = std::max(kept_off_until_[off], cluster_.now() + fault.lasts + 20s);
  const NodeId at = other(off, fault.choice[1]);
  later(std::min<Duration>(fault.lasts / 2, 10s), [this, at, off] {
    if (!cluster_.is_on(off) && kept_off_until_[off] > cluster_.now() + 10s) ask(at, core::FenceConfirm{off});
  });
  return true;
}

void Incidents::quiet(NodeSet left_off) {
  due_.clear();
  waiting_.clear();
  kept_off_until_.clear();
  cluster_.heal_network();
  for (NodeId node : cluster_.nodes()) {
    cluster_.thaw(node);
    cluster_.resume_corosync(node);
    cluster_.resume_daemon(node);
    cluster_.set_disk(node, Disk::kWorks);
    cluster_.set_agent_delay(node, Duration{0});
    for (std::uint32_t level = 0; level < cluster_.spec().fencing.size(); ++level)
      cluster_.set_device(node, level, Device::kWorks);
    for (const auto& [id, group] : cluster_.spec().groups)
      cluster_.set_agents(node, id, Agents::kWork, Agents::kWork);
    for (const auto& [id, monitor] : cluster_.spec().monitors)
      cluster_.set_monitor(node, id, core::Health::kHealthy, "", Cluster::Lasts::kUntilSet);
    left_off.contains(node) ? (void)keep_off(node, 24h) : cluster_.power_on(node);
    if (left_off.contains(node)) kept_off_until_[node] = cluster_.now() + 24h;
  }
}

}  // namespace komainu::sim
