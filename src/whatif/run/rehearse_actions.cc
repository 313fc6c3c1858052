// What each action of a scenario does to the cluster.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "whatif/run/rehearsal.h"

namespace komainu::whatif {
namespace {

// Corosync notices a dead link after this; komainu looks twice, every 500 ms, before it says so.
Duration link_notice(const core::Spec& spec) {
  return std::max<Duration>(600ms, spec.timing.token / 2) + 1s;
}

constexpr Duration kLeaveLook = 100ms;
constexpr int kLeaveLooks = 1300;  // systemd's TimeoutStopSec of komainud, and a little more

template <class T>
const T* param(const core::Monitor& monitor, const char* name) {
  const auto given = monitor.params.find(name);
  return given == monitor.params.end() ? nullptr : std::get_if<T>(&given->second);
}

std::tuple<NodeId, NodeId, std::uint32_t> key(NodeId one, NodeId other, std::uint32_t link) {
  return {std::min(one, other), std::max(one, other), link};
}

}  // namespace

void Rehearsal::perform(const Action& action) {
  const KindRow& row = row_of(action.kind);
  static constexpr Topic kTopics[] = {Topic::kFault, Topic::kRepair, Topic::kReport, Topic::kRequest};
  const core::Severity severity = row.sort == Sort::kFault ? core::Severity::kWarning : core::Severity::kInfo;
  write(kTopics[static_cast<int>(row.sort)], severity, describe(*spec_, action), action.node, action.group,
        action.monitor);
  switch (row.sort) {
    case Sort::kReport:
      report_of_monitor(action);
      break;
    case Sort::kRequest:
      ask(action);
      break;
    case Sort::kFault:
    case Sort::kRepair:
      perform_on_server(action);
      perform_on_network(action);
      perform_on_application(action);
      perform_on_agents(action);
      perform_on_device(action);
      break;
  }
  touched_ = true;
  look_around();
}

// ---- servers

void Rehearsal::perform_on_server(const Action& action) {
  switch (action.kind) {
    case Kind::kPowerOff:
      return cluster_.power_off(*action.node, "its power");
    case Kind::kOsCrash:
      cluster_.power_off(*action.node, "its operating system");
      return cluster_.power_on(*action.node);
    case Kind::kFreeze:
      return cluster_.freeze(*action.node);
    case Kind::kThaw:
      return cluster_.thaw(*action.node);
    case Kind::kShutdown:
      return shut_down(*action.node);
    case Kind::kPowerLoss:
      for (NodeId node : cluster_.nodes()) cluster_.power_off(node, "its power");
      return;
    case Kind::kPowerOn:
      if (cluster_.is_on(*action.node))
        return write(Topic::kRefused, core::Severity::kWarning, name(*action.node) + " is on already",
                     action.node);
      return cluster_.power_on(*action.node);
    case Kind::kPowerBack:
      for (NodeId node : cluster_.nodes())
        if (!cluster_.is_on(node) && !action.missing.contains(node)) cluster_.power_on(node);
      return;
    case Kind::kDaemonCrash:
      return cluster_.crash_daemon(*action.node, assume_.daemon);
    case Kind::kDaemonHang:
      return hang_daemon(*action.node);
    case Kind::kDaemonResume:
      return cluster_.resume_daemon(*action.node);
    case Kind::kCorosyncHang:
      return cluster_.hang_corosync(*action.node);
    case Kind::kCorosyncResume:
      return cluster_.resume_corosync(*action.node);
    default:
      return;
  }
}

void Rehearsal::hang_daemon(NodeId node) {
  cluster_.hang_daemon(node);
  const core::Replica* hung = cluster_.replica(node);
  const core::Incarnation incarnation = hung ? hung->incarnation() : core::Incarnation{};
  later(assume_.daemon_hang, [this, node, incarnation] {
    const core::Replica* now_there = cluster_.replica(node);
    if (!now_there || now_there->incarnation() != incarnation || !cluster_.daemon_hangs(node)) return;
    write(Topic::kWorld, core::Severity::kInfo,
          "systemd kills the hung komainud on " + name(node) + " and restarts it", node);
    cluster_.crash_daemon(node, assume_.daemon);
  });
}

// In order: the power goes when the daemon has ended.
void Rehearsal::shut_down(NodeId node) {
  cluster_.shut_down(node);
  struct Wait {
    Rehearsal* self;
    NodeId node;
    int looks;
    void operator()() const {
      if (!self->cluster_.is_on(node)) return;
      if (!self->cluster_.corosync_runs(node) || looks == 0)
        return self->cluster_.power_off(node, "shut down");
      self->later(kLeaveLook, Wait{self, node, looks - 1});
    }
  };
  later(kLeaveLook, Wait{this, node, kLeaveLooks});
}

// ---- networks

std::uint32_t Rehearsal::links() const {
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(spec_->nodes.begin()->second.links.size()));
}

void Rehearsal::perform_on_network(const Action& action) {
  switch (action.kind) {
    case Kind::kLinkDown:
    case Kind::kLinkUp:
      return set_links(action, action.kind == Kind::kLinkUp ? Condition::kWorks : Condition::kBroken);
    case Kind::kPartition:
      for (NodeSet part : action.parts)
        for (NodeId inside : part)
          for (NodeId outside : spec_->node_ids() - part)
            for (std::uint32_t link = 0; link < links(); ++link)
              set_link(inside, outside, link, Condition::kBroken);
      return tell_links();
    case Kind::kHeal:
      for (const auto& [one, other, link] : std::set(links_down_))
        set_link(one, other, link, Condition::kWorks);
      return tell_links();
    case Kind::kNicDown:
    case Kind::kNicUp:
      return set_interface(*action.node, action.name,
                           action.kind == Kind::kNicUp ? Condition::kWorks : Condition::kBroken);
    case Kind::kUnreachable:
    case Kind::kReachable:
      return set_reach(action, action.kind == Kind::kReachable ? Condition::kWorks : Condition::kBroken);
    case Kind::kArbiterLost:
      for (NodeId node : cluster_.nodes()) cluster_.cut_arbiter(node);
      return;
    case Kind::kArbiterBack:
      for (NodeId node : cluster_.nodes()) cluster_.join_arbiter(node);
      return;
    default:
      return;
  }
}

void Rehearsal::set_links(const Action& action, Condition now) {
  for (NodeId one : cluster_.nodes()) {
    for (NodeId other : cluster_.nodes()) {
      if (other <= one) continue;
      const bool meant = !action.node || ((one == action.node || other == action.node) &&
                                          (!action.peer || one == action.peer || other == action.peer));
      if (!meant) continue;
      for (std::uint32_t link = 0; link < links(); ++link)
        if (!action.link || *action.link == link) set_link(one, other, link, now);
    }
  }
  tell_links();
}

// Two nodes hear each other as long as one link is left.
void Rehearsal::set_link(NodeId one, NodeId other, std::uint32_t link, Condition now) {
  if (now == Condition::kWorks)
    links_down_.erase(key(one, other, link));
  else
    links_down_.insert(key(one, other, link));
  bool any = false;
  for (std::uint32_t i = 0; i < links(); ++i) any |= !links_down_.contains(key(one, other, i));
  for (const auto& [from, to] : {std::pair(one, other), std::pair(other, one)})
    any ? cluster_.join(from, to) : cluster_.cut(from, to);
}

// A link is said to be down where another one still works; where none does, membership tells.
void Rehearsal::tell_links() {
  later(link_notice(*spec_), [this] {
    for (NodeId from : cluster_.nodes()) {
      for (NodeId to : cluster_.nodes()) {
        if (from == to || !cluster_.corosync_runs(to) || cluster_.is_cut(from, to)) continue;
        for (std::uint32_t link = 0; link < links(); ++link) {
          const bool down = links_down_.contains(key(from, to, link));
          const std::tuple said{from, to, link};
          if (links_told_down_.contains(said) == down || !cluster_.replica(from)) continue;
          down ? (void)links_told_down_.insert(said) : (void)links_told_down_.erase(said);
          cluster_.set_link(from, to, link, !down);
        }
      }
    }
  });
}

void Rehearsal::set_interface(NodeId node, const std::string& interface, Condition now) {
  if (now == Condition::kWorks)
    interfaces_down_.erase({node, interface});
  else
    interfaces_down_.insert({node, interface});
  for (const auto& [id, monitor] : spec_->monitors) {
    const auto* watched = param<std::string>(monitor, "interface");
    if (monitor.type != "nic-link" || !watched || *watched != interface) continue;
    const bool is_down = now == Condition::kBroken;
    monitor_notices(
        node, monitor, Sickness::kDies, is_down ? interface + " has no link" : "",
        [this, node, interface, is_down] { return interfaces_down_.contains({node, interface}) == is_down; });
  }
}

void Rehearsal::set_reach(const Action& action, Condition now) {
  const NodeSet who = action.node ? NodeSet{*action.node} : spec_->node_ids();
  NodeSet& lost = unreachable_[action.name];
  if (now == Condition::kWorks)
    lost -= who;
  else
    lost |= who;
  for (const auto& [id, monitor] : spec_->monitors) {
    const auto* targets = param<std::vector<std::string>>(monitor, "targets");
    if (monitor.type != "ping" || !targets || std::ranges::find(*targets, action.name) == targets->end())
      continue;
    const auto* need = param<std::string>(monitor, "need");
    const bool needs_all = need && *need == "all";
    for (NodeId node : who) {
      const auto fails = [this, node, addresses = *targets, needs_all] {
        const auto is_lost = [&](const std::string& address) {
          const auto known = unreachable_.find(address);
          return known != unreachable_.end() && known->second.contains(node);
        };
        return needs_all ? std::ranges::any_of(addresses, is_lost) : std::ranges::all_of(addresses, is_lost);
      };
      const bool expected = fails();
      monitor_notices(node, monitor, Sickness::kHangs, expected ? "no answer from " + action.name : "",
                      [fails, expected] { return fails() == expected; });
    }
  }
}

// ---- monitors

// What the monitor says once it has looked, if things still stand so. Without evidence: that all is well.
void Rehearsal::monitor_notices(NodeId node, const core::Monitor& monitor, Sickness sickness,
                                std::string evidence, std::function<bool()> still) {
  const std::optional<Sight> sight =
      evidence.empty() ? Sight{recovery_of(monitor), core::Health::kHealthy} : sight_of(monitor, sickness);
  if (!sight) return;
  using Lasts = sim::Cluster::Lasts;
  const Lasts lasts = monitor.group ? Lasts::kUntilRestart : Lasts::kUntilSet;
  later(sight->after, [this, node, id = monitor.id, health = sight->health, evidence = std::move(evidence),
                       still = std::move(still), lasts] {
    if (still()) cluster_.set_monitor(node, id, health, evidence, lasts);
  });
}

void Rehearsal::report_of_monitor(const Action& action) {
  const core::Monitor& monitor = spec_->monitors.at(*action.monitor);
  const core::Health health = action.kind == Kind::kMonitorFailed    ? core::Health::kFailed
                              : action.kind == Kind::kMonitorWarning ? core::Health::kWarning
                                                                     : core::Health::kHealthy;
  NodeSet where = spec_->node_ids();
  if (action.node)
    where = {*action.node};
  else if (monitor.group)
    where = cluster_.running(*monitor.group);
  if (where.empty())
    write(Topic::kRefused, core::Severity::kWarning,
          monitor.name + " runs nowhere now: its group is not online", {}, monitor.group, monitor.id);
  const std::string evidence =
      action.name.empty() && health != core::Health::kHealthy ? "as the scenario says" : action.name;
  using Lasts = sim::Cluster::Lasts;
  for (NodeId node : where)
    cluster_.set_monitor(
        node, monitor.id, health, evidence,
        monitor.group && health == core::Health::kFailed ? Lasts::kUntilRestart : Lasts::kUntilSet);
}

// ---- applications

void Rehearsal::perform_on_application(const Action& action) {
  switch (action.kind) {
    case Kind::kAppDies:
      return sicken(*action.group, *action.resource, Sickness::kDies);
    case Kind::kAppHangs:
      return sicken(*action.group, *action.resource, Sickness::kHangs);
    case Kind::kAppWrong:
      return sicken(*action.group, *action.resource, Sickness::kWrong);
    default:
      return;
  }
}

void Rehearsal::sicken(GroupId group, std::uint32_t resource, Sickness sickness) {
  const std::uint64_t bit = std::uint64_t{1} << resource;
  const core::Resource& of = spec_->groups.at(group).resources[resource];
  NodeSet where;
  for (NodeId node : cluster_.nodes())
    if ((cluster_.resources_up(node, group) & bit) != 0) where.insert(node);
  if (where.empty())
    return write(Topic::kRefused, core::Severity::kWarning,
                 fmt::format("{}/{} runs nowhere now", name(group), of.name), {}, group);
  static constexpr const char* kEvidence[] = {"it is gone", "it does not answer", "it answers wrongly"};
  const std::string evidence = kEvidence[static_cast<int>(sickness)];
  for (NodeId node : where) {
    const auto still = [this, node, group, life = lives_[{node, group}]] {
      return lives_[{node, group}] == life;
    };
    for (const auto& [id, monitor] : spec_->monitors)
      if (monitor.group == group && monitor.resource == resource)
        monitor_notices(node, monitor, sickness, evidence, still);
    if (sickness != Sickness::kDies) {
      sick_[{node, group}] = sickness;
      continue;
    }
    cluster_.kill_resource(node, group, resource, sim::Cluster::Notice::kNobody);
    if (const auto after = own_watch_of(of))
      later(*after, [this, node, group, resource, still, evidence] {
        if (still())
          cluster_.notice(node, core::ResourceFailed{group, core::Spec::place_of(node), resource, evidence});
      });
  }
}

void Rehearsal::perform_on_agents(const Action& action) {
  const bool start = action.kind == Kind::kStartFails || action.kind == Kind::kStartHangs ||
                     action.kind == Kind::kStartWorks;
  const bool stop =
      action.kind == Kind::kStopFails || action.kind == Kind::kStopHangs || action.kind == Kind::kStopWorks;
  if (!start && !stop) return;
  const bool works = action.kind == Kind::kStartWorks || action.kind == Kind::kStopWorks;
  const bool hangs = action.kind == Kind::kStartHangs || action.kind == Kind::kStopHangs;
  const sim::Agents how = works ? sim::Agents::kWork : hangs ? sim::Agents::kHang : sim::Agents::kFail;
  const NodeSet where = action.node ? NodeSet{*action.node} : spec_->node_ids();
  for (NodeId node : where)
    cluster_.set_agents(node, *action.group, *action.resource, start ? sim::Work::kStart : sim::Work::kStop,
                        how);
}

// ---- fencing devices

void Rehearsal::perform_on_device(const Action& action) {
  const bool dead = action.kind == Kind::kBmcDead;
  const bool slow = action.kind == Kind::kBmcSlow;
  if (!dead && !slow && action.kind != Kind::kBmcWorks) return;
  for (std::uint32_t level = 0; level < spec_->fencing.size(); ++level) {
    if (action.level && *action.level != level) continue;
    const sim::Device device = dead ? sim::Device::kDead : slow ? sim::Device::kSlow : sim::Device::kWorks;
    cluster_.set_device(*action.node, level, device, slow ? std::optional(action.after) : std::nullopt);
  }
}

// ---- operators

bool Rehearsal::request(decltype(core::Request::what) what) {
  last_happening_ = cluster_.now();
  const core::Replica* spokesman = cluster_.spokesman();
  if (!spokesman) {
    write(Topic::kRefused, core::Severity::kWarning,
          "no node is in an established view: nothing can be asked now");
    return false;
  }
  cluster_.request(spokesman->self(), std::move(what));
  return true;
}

void Rehearsal::ask(const Action& action) {
  const auto place = [&]() -> std::optional<PlaceId> {
    return action.node ? std::optional(core::Spec::place_of(*action.node)) : std::nullopt;
  };
  switch (action.kind) {
    case Kind::kGroupStart:
      return (void)request(core::GroupStart{*action.group, place()});
    case Kind::kGroupStop:
      return (void)request(core::GroupStop{*action.group});
    case Kind::kGroupMove:
      return (void)request(core::GroupMove{*action.group, place()});
    case Kind::kGroupClear:
      return (void)request(core::GroupClear{*action.group});
    case Kind::kNodeDrain:
      return (void)request(core::NodeDuty{*action.node, core::Duty::kDrained});
    case Kind::kNodeStandby:
      return (void)request(core::NodeDuty{*action.node, core::Duty::kStandby});
    case Kind::kNodeResume:
      return (void)request(core::NodeDuty{*action.node, core::Duty::kActive});
    case Kind::kMonitorSuspend:
      return (void)request(core::MonitorSuspend{*action.monitor, true});
    case Kind::kMonitorResume:
      return (void)request(core::MonitorSuspend{*action.monitor, false});
    case Kind::kFenceConfirm:
      return (void)request(core::FenceConfirm{*action.node});
    case Kind::kFenceOff:
      return (void)request(core::FenceOff{*action.node});
    case Kind::kStartAlone:
      return cluster_.start_alone(*action.node);
    default:
      return;
  }
}

}  // namespace komainu::whatif
