#include "core/record/record.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/digest.h"
#include "base/duration_text.h"
#include "core/admit/admit.h"
#include "core/corosync.h"
#include "core/record/events.h"
#include "core/rules.h"

namespace komainu::core {
namespace {

// A planner that was stopped for hours must not age every counter at once.
constexpr Duration kLongestTick = 5s;
constexpr const char* kDisarmed = "the cluster is disarmed (komainu cluster arm ends that)";

bool needs_lease(const Spec& spec) {
  return spec.fencing.empty() && spec.nodes.size() > 1;
}

std::string names_of(const State& state, NodeSet nodes) {
  std::string names;
  for (NodeId id : nodes) names += (names.empty() ? "" : ", ") + name_of(state, id);
  return names;
}

struct Recorder {
  State& state;
  const Context& context;
  Effects& effects;

  GroupState* group(GroupId id) {
    auto it = state.groups.find(id);
    return it == state.groups.end() ? nullptr : &it->second;
  }
  bool from_member() const {
    const NodeState* node = state.node(context.from);
    return node && node->standing == Standing::kMember && node->incarnation == context.incarnation;
  }
  void count(FailCount& counter) {
    ++counter.count;
    counter.last = state.clock;
  }
  void answer(const Request& request, bool accepted, std::string text) {
    if (context.from == context.self) effects.emplace_back(Answer{request.number, accepted, std::move(text)});
  }

  // ---- groups

  void operator()(const GroupReport& report) {
    GroupState* known = group(report.group);
    if (!known || Spec::node_of(report.place) != context.from) return;
    const bool ordered = known->order && known->order->place == report.place;
    if (ordered && report.order != known->order->id && applies(Rule::kLatestResultOnly))
      return;  // the result of a superseded order, or an early probe
    // Of an order that one for another place has replaced, the result is news of this place.
    if (!ordered && report.order && !known->at.contains(report.place)) return;
    const std::optional<Order> ended = ordered ? std::exchange(known->order, std::nullopt) : std::nullopt;
    const std::optional<Activity> before = known->activity(report.place);
    ++known->version;
    if (report.activity) {
      known->at[report.place] = *report.activity;
    } else {
      known->at.erase(report.place);
    }
    known->end_move();
    if (ended) {
      conclude(*known, *ended, report);
    } else if (before != report.activity) {
      // What was up, or was known to be down, and is not any more begins a story; the rest ends one.
      const bool is_symptom = !before || before == Activity::kOnline;
      if (context.cause && (is_symptom || !known->cause)) known->cause = context.cause;
      tell(*known, report, known->cause);
    }
  }

  void conclude(GroupState& known, const Order& ended, const GroupReport& report) {
    const bool online = report.activity == Activity::kOnline;
    if (ended.kind != OrderKind::kStop && !online) count(known.failed_at[report.place]);
    if (online) {
      known.trouble.reset();
      if (ended.kind == OrderKind::kStart) known.restarts.clear();
    }
    if (!report.activity) {
      known.trouble.reset();
      known.restarts.clear();
    }
    tell(known, report, ended.cause);
  }

  void tell(const GroupState& known, const GroupReport& report, Cause cause) {
    const std::string where = " on " + name_of(state, report.place);
    const std::string what = name_of(state, report.group);
    const std::string why = report.evidence.empty() ? "" : ": " + report.evidence;
    const std::string resource = resource_name(state, report.group, report.resource);
    auto say = [&](Severity severity, std::string text) {
      group_event(effects, severity, EventKind::kGroup, cause, report.group, report.place, std::move(text));
    };
    if (!report.activity) return say(Severity::kInfo, what + " is stopped" + where);
    switch (*report.activity) {
      case Activity::kOnline:
        say(Severity::kInfo, what + " is online" + where);
        break;
      case Activity::kFailed:
        say(Severity::kWarning, what + "/" + resource + " failed" + where + why);
        break;
      case Activity::kUnsafe:
        say(Severity::kAlarm, what + "/" + resource + " could not be stopped" + where + why);
        break;
      case Activity::kUnknown:
      case Activity::kStarting:
      case Activity::kStopping:
        break;
    }
    if (known.at.size() > 1) tell_double(known, report, cause);
  }

  void tell_double(const GroupState& known, const GroupReport& report, Cause cause) {
    const auto running = std::count_if(known.at.begin(), known.at.end(),
                                       [](const auto& entry) { return entry.second == Activity::kOnline; });
    if (running < 2) return;
    group_event(effects, Severity::kAlarm, EventKind::kGroup, cause, report.group, report.place,
                name_of(state, report.group) + " is online on more than one place");
  }

  // A group that is up and at rest has something wrong: the recovery ladder starts.
  void trouble(GroupId id, PlaceId place, std::uint32_t resource, std::optional<MonitorId> monitor,
               const std::string& evidence) {
    GroupState* known = group(id);
    if (!known || known->order || known->trouble || known->activity(place) != Activity::kOnline) return;
    known->trouble = Trouble{resource, monitor, place, evidence};
    known->cause = context.cause;
    ++known->version;
  }

  void operator()(const ResourceFailed& failed) {
    if (Spec::node_of(failed.place) != context.from || !group(failed.group)) return;
    group_event(effects, Severity::kWarning, EventKind::kGroup, context.cause, failed.group, failed.place,
                name_of(state, failed.group) + "/" + resource_name(state, failed.group, failed.resource) +
                    " failed on " + name_of(state, failed.place) + ": " + failed.evidence);
    trouble(failed.group, failed.place, failed.resource, std::nullopt, failed.evidence);
  }

  void operator()(const MonitorResult& result) {
    auto it = state.monitors.find(result.monitor);
    const Monitor* configured = state.spec->monitor(result.monitor);
    if (it == state.monitors.end() || !configured || Spec::node_of(result.place) != context.from) return;
    MonitorState& monitor = it->second;
    const Health before = monitor.at.contains(result.place) ? monitor.at[result.place] : Health::kUnknown;
    if (result.health == Health::kUnknown) {
      monitor.at.erase(result.place);
      monitor.since.erase(result.place);
      monitor.evidence.erase(result.place);
      return;
    }
    monitor.at[result.place] = result.health;
    const bool turned = (before == Health::kFailed) != (result.health == Health::kFailed);
    if (turned || before == Health::kUnknown) monitor.since[result.place] = state.clock;
    if (turned && before != Health::kUnknown && result.health == Health::kFailed)
      note_flap(*configured, monitor, result);
    if (turned && result.health == Health::kFailed) blame(*configured, result.place);
    if (result.health == Health::kHealthy) {
      monitor.evidence.erase(result.place);
      monitor.was_healthy.insert(result.place);
    } else {
      monitor.evidence[result.place] = result.evidence.substr(0, kMaxEvidence);
    }
    if (before != result.health && !(before == Health::kUnknown && result.health == Health::kHealthy)) {
      tell_monitor(*configured, result);
    }
    if (!configured->group) return;
    if (result.health == Health::kFailed && !monitor.suspended) {
      trouble(*configured->group, result.place, configured->resource, configured->id, result.evidence);
    } else if (GroupState* known = group(*configured->group);
               known && result.health == Health::kHealthy && known->trouble &&
               known->trouble->monitor == configured->id && known->trouble->place == result.place) {
      known->trouble.reset();
      ++known->version;
    }
  }

  // What will leave the place for this goes back to it.
  void blame(const Monitor& configured, PlaceId place) {
    for (GroupId id : configured.affects) {
      GroupState* known = group(id);
      if (known && !known->order && known->activity(place) == Activity::kOnline) known->cause = context.cause;
    }
  }
  void tell_monitor(const Monitor& monitor, const MonitorResult& result) {
    static constexpr const char* kWords[] = {"unknown", "healthy again", "warning", "failed"};
    const Severity severity = result.health == Health::kHealthy ? Severity::kInfo : Severity::kWarning;
    effects.emplace_back(Event{severity, EventKind::kMonitor, context.cause, context.from, monitor.group,
                               monitor.id,
                               monitor.name + " on " + name_of(state, result.place) + ": " +
                                   kWords[static_cast<int>(result.health)] +
                                   (result.evidence.empty() || result.health == Health::kHealthy
                                        ? ""
                                        : ": " + result.evidence.substr(0, kMaxEvidence))});
    if (result.health == Health::kFailed && fails_everywhere(state, monitor)) {
      effects.emplace_back(Event{Severity::kAlarm, EventKind::kMonitor, context.cause, std::nullopt,
                                 std::nullopt, monitor.id,
                                 monitor.name + " fails on every node: a fault that all share; nothing is "
                                                "moved for it"});
    }
  }
  void note_flap(const Monitor& configured, MonitorState& monitor, const MonitorResult& result) {
    FailCount& flaps = monitor.flaps[result.place];
    count(flaps);
    if (flaps.count != state.spec->brakes.flaps || configured.affects.empty()) return;
    effects.emplace_back(Event{
        Severity::kWarning, EventKind::kMonitor, context.cause, context.from, configured.group, configured.id,
        configured.name + " on " + name_of(state, result.place) +
            " is unsteady: its good results there are not believed for a while (komainu "
            "monitor resume " +
            configured.name + " ends that)"});
  }

  // ---- nodes

  void operator()(const FenceResult& result) {
    auto it = state.nodes.find(result.target);
    if (it == state.nodes.end()) return;
    NodeState& target = it->second;
    auto open = target.fences.find(context.from);
    if (open == target.fences.end() || open->second.id != result.order) return;
    const FenceOrder order = open->second;
    target.fences.erase(open);
    ++target.version;
    if (!result.confirmed) {
      ++target.fence_failures;
      node_event(effects, Severity::kAlarm, EventKind::kFence, order.cause, result.target,
                 "fencing of " + name_of(state, result.target) + " by " + name_of(state, context.from) +
                     " is not confirmed: " + result.evidence);
      return;
    }
    target.fence_failures = 0;
    // It may have hit the incarnation that it was ordered for, before the one that is known now had come.
    if (target.incarnation != order.target_incarnation && applies(Rule::kFenceNamesIncarnation)) return;
    Context caused = context;
    caused.cause = order.cause;
    settle(state, result.target, "is fenced, confirmed by " + name_of(state, context.from), caused, effects);
  }

  void operator()(const LinkChange& change) {
    auto it = state.nodes.find(context.from);
    if (it == state.nodes.end() || change.link >= 64 || !state.spec->node(change.peer)) return;
    std::uint64_t& down = it->second.links_down[change.peer];
    const std::uint64_t bit = std::uint64_t{1} << change.link;
    const bool was_down = (down & bit) != 0;
    down = change.up ? down & ~bit : down | bit;
    if (down == 0) it->second.links_down.erase(change.peer);
    if (was_down == !change.up) return;
    node_event(effects, change.up ? Severity::kInfo : Severity::kWarning, EventKind::kNode, context.cause,
               context.from,
               "link " + std::to_string(change.link) + " from " + name_of(state, context.from) + " to " +
                   name_of(state, change.peer) + (change.up ? " is up again" : " is down"));
  }

  void operator()(const Leaving&) {
    NodeState& node = state.nodes.at(context.from);
    if (node.leaving) return;
    node.leaving = true;
    node.cause = context.cause;
    ++node.version;
    node_event(effects, Severity::kInfo, EventKind::kNode, context.cause, context.from,
               name_of(state, context.from) + " is leaving the cluster");
  }

  void operator()(const Watchdog& watchdog) {
    NodeState& node = state.nodes.at(context.from);
    if (node.watchdog == watchdog.timeout) return;
    node.watchdog = watchdog.timeout;
    ++node.version;
    const bool guarded = state.spec->guarded_by(node.watchdog);
    const std::string what = name_of(state, context.from) + "'s watchdog is " +
                             (node.watchdog ? "armed: " + duration_text(*node.watchdog) : "not armed");
    node_event(effects, guarded ? Severity::kInfo : Severity::kAlarm, EventKind::kNode, context.cause,
               context.from, guarded ? what : what + ": no group starts there");
  }

  void operator()(const CorosyncState& corosync) {
    const bool awaited = !corosync_behind(state).empty();
    state.nodes.at(context.from).corosync = corosync;
    if (awaited && corosync_behind(state).empty())
      effects.emplace_back(Event{Severity::kInfo, EventKind::kConfig, context.cause, std::nullopt,
                                 std::nullopt, std::nullopt,
                                 "Corosync runs by configuration " + std::to_string(state.spec->version) +
                                     " on all nodes that are here"});
  }

  void operator()(const Tick& tick) {
    if (tick.number <= state.ticks) return;
    state.ticks = tick.number;
    const Duration longest = applies(Rule::kTicksAreCapped) ? kLongestTick : Duration::max();
    state.clock += std::clamp(tick.elapsed, Duration{0}, longest);
    for (auto& [id, known] : state.groups) decay(id, known);
    for (auto& [id, node] : state.nodes) {
      forget(node.losses, state.spec->brakes.window);
      if (node.fence_wish && state.clock >= node.fence_wish->until)
        drop_fence_wish(state, id,
                        "it was tried for " + duration_text(FenceWish::kLasts) +
                            (node.fences.empty() ? "" : "; what has begun goes on"),
                        effects);
    }
    for (auto& [id, monitor] : state.monitors) forget_all(monitor.flaps, state.spec->brakes.window);
    std::erase_if(state.fences, [&](Duration at) { return state.clock - at > state.spec->brakes.window; });
    if (state.cold && (state.unknown_places().empty() ||
                       state.clock - state.cold_since >= state.spec->timing.startup_wait)) {
      state.cold = false;
    }
    if (state.disarmed && state.clock >= state.disarmed->until) arm("the time is over");
  }
  void arm(const std::string& why) {
    const Cause cause = std::exchange(state.disarmed, std::nullopt)->cause;
    effects.emplace_back(Event{Severity::kWarning, EventKind::kProtocol, cause, std::nullopt, std::nullopt,
                               std::nullopt, "armed again: " + why});
  }

  // One failure is forgotten for each period without a new one; true: something was.
  bool forget(FailCount& counter, Duration period) const {
    bool changed = false;
    while (counter.count > 0 && state.clock - counter.last >= period) {
      --counter.count;
      counter.last += period;
      changed = true;
    }
    return changed;
  }
  template <class Key>
  bool forget_all(std::map<Key, FailCount>& counters, Duration period) const {
    bool changed = false;
    for (auto& [key, counter] : counters) changed |= forget(counter, period);
    if (changed) std::erase_if(counters, [](const auto& entry) { return entry.second.count == 0; });
    return changed;
  }
  void decay(GroupId id, GroupState& known) {
    const Group* configured = state.spec->group(id);
    if (!configured) return;
    if (!applies(Rule::kCountersDecay)) return;
    const Duration period = std::max(configured->on_failure.forget_after, Duration{1s});
    bool changed = forget_all(known.failed_at, period);
    changed |= forget_all(known.restarts, period);
    changed |= forget(known.failovers, period);
    if (changed) ++known.version;
  }

  // ---- operators

  void operator()(const Request& request) {
    std::visit([&](const auto& what) { ask(request, what); }, request.what);
  }
  void say(const Request& request, std::optional<GroupId> on_group, std::optional<NodeId> node,
           std::string text) {
    effects.emplace_back(Event{Severity::kInfo, EventKind::kOperator, context.cause, node, on_group,
                               std::nullopt, request.operator_name + ": " + std::move(text)});
  }
  GroupState* asked(const Request& request, GroupId id) {
    GroupState* known = group(id);
    if (!known) answer(request, false, "there is no such group");
    return known;
  }
  void accept(const Request& request, GroupId id, GroupState& known, std::string text) {
    known.cause = context.cause;
    ++known.version;
    say(request, id, std::nullopt, text);
    answer(request, true, std::move(text));
  }
  bool allows(const Request& request, GroupId id, std::optional<PlaceId> place) {
    if (!place) return true;
    if (state.spec->node(Spec::node_of(*place)) &&
        state.spec->allowed(*state.spec->group(id)).contains(*place)) {
      return true;
    }
    answer(request, false,
           "the configuration does not allow " + name_of(state, id) + " on " + name_of(state, *place));
    return false;
  }

  void ask(const Request& request, const GroupStart& start) {
    if (state.disarmed) return answer(request, false, kDisarmed);
    GroupState* known = asked(request, start.group);
    if (!known || !allows(request, start.group, start.place)) return;
    if (start.place && known->online() != start.place) {
      if (std::string why = cannot_take(*start.place); !why.empty()) return answer(request, false, why);
    }
    known->intent = {Intent::Wish::kRun, start.place};
    known->given_up = false;
    known->failed_at.clear();
    known->failovers = {};
    accept(request, start.group, *known, "start " + name_of(state, start.group));
  }
  void ask(const Request& request, const GroupStop& stop) {
    GroupState* known = asked(request, stop.group);
    if (!known) return;
    known->intent = {Intent::Wish::kStop, std::nullopt};
    accept(request, stop.group, *known, "stop " + name_of(state, stop.group));
  }
  void ask(const Request& request, const GroupMove& move) {
    if (state.disarmed) return answer(request, false, kDisarmed);
    GroupState* known = asked(request, move.group);
    if (!known || !allows(request, move.group, move.place)) return;
    const std::optional<PlaceId> now = known->online();
    std::optional<PlaceId> target = move.place;
    if (target && now == target) {
      return answer(request, true,
                    name_of(state, move.group) + " is online on " + name_of(state, *target) + " already");
    }
    if (!target) target = other_place(move.group, now);
    if (!target) return answer(request, false, "there is no other place for " + name_of(state, move.group));
    if (std::string why = cannot_take(*target); !why.empty()) return answer(request, false, why);
    known->intent.move_to = target;
    if (known->intent.wish == Intent::Wish::kStop) known->intent.wish = Intent::Wish::kRun;
    known->failed_at.erase(*target);
    accept(request, move.group, *known,
           "move " + name_of(state, move.group) + " to " + name_of(state, *target));
  }
  std::string cannot_take(PlaceId place) {
    const NodeState* node = state.node(Spec::node_of(place));
    const std::string name = name_of(state, place);
    if (!node || node->standing != Standing::kMember) return name + " is not a member at present";
    if (node->leaving) return name + " takes no groups: it is leaving the cluster";
    switch (node->duty) {
      case Duty::kActive:
        return {};
      case Duty::kDrained:
        return name + " takes no groups: it is drained (komainu node resume " + name + " ends that)";
      case Duty::kStandby:
        return name + " takes no groups: it is on standby (komainu node resume " + name + " ends that)";
    }
    return {};
  }
  std::optional<PlaceId> other_place(GroupId id, std::optional<PlaceId> now) {
    const Group* configured = state.spec->group(id);
    const PlaceSet allowed = state.spec->allowed(*configured);
    auto good = [&](PlaceId place) {
      return place != now && allowed.contains(place) && cannot_take(place).empty();
    };
    for (PlaceId place : configured->prefer) {
      if (good(place)) return place;
    }
    for (PlaceId place : allowed) {
      if (good(place)) return place;
    }
    return std::nullopt;
  }
  void ask(const Request& request, const GroupClear& clear) {
    GroupState* known = asked(request, clear.group);
    if (!known) return;
    known->failed_at.clear();
    known->restarts.clear();
    known->failovers = {};
    known->given_up = false;
    accept(request, clear.group, *known, "clear the failures of " + name_of(state, clear.group));
  }
  void ask(const Request& request, const NodeDuty& duty) {
    static constexpr const char* kWords[] = {"resume ", "drain ", "standby "};
    auto it = state.nodes.find(duty.node);
    if (it == state.nodes.end()) return answer(request, false, "there is no such node");
    it->second.duty = duty.duty;
    if (duty.duty == Duty::kActive) it->second.losses = {};
    it->second.cause = context.cause;
    ++it->second.version;
    const std::string text = kWords[static_cast<int>(duty.duty)] + name_of(state, duty.node);
    say(request, std::nullopt, duty.node, text);
    answer(request, true, text);
  }
  void ask(const Request& request, const MonitorSuspend& suspend) {
    auto it = state.monitors.find(suspend.monitor);
    if (it == state.monitors.end()) return answer(request, false, "there is no such monitor");
    it->second.suspended = suspend.suspended;
    if (!suspend.suspended) it->second.flaps.clear();
    const std::string text = (suspend.suspended ? "suspend " : "resume ") + name_of(state, suspend.monitor);
    effects.emplace_back(Event{Severity::kInfo, EventKind::kOperator, context.cause, std::nullopt,
                               std::nullopt, suspend.monitor, request.operator_name + ": " + text});
    answer(request, true, text);
  }
  void ask(const Request& request, const FenceConfirm& confirm) {
    auto it = state.nodes.find(confirm.node);
    if (it == state.nodes.end()) return answer(request, false, "there is no such node");
    if (it->second.standing == Standing::kMember) {
      return answer(request, false, name_of(state, confirm.node) + " is a member: it is not off");
    }
    if (it->second.ring_member) {
      return answer(
          request, false,
          name_of(state, confirm.node) + " is not off: its Corosync is in the ring (stop it there)");
    }
    const std::string text = name_of(state, confirm.node) + " is off";
    Context caused = context;
    if (it->second.cause) caused.cause = it->second.cause;  // this ends what began with its loss
    node_event(effects, Severity::kInfo, EventKind::kOperator, caused.cause, confirm.node,
               request.operator_name + ": " + text);
    it->second.fences.clear();
    settle(state, confirm.node, "is off by the word of " + request.operator_name, caused, effects);
    answer(request, true, text);
  }
  void ask(const Request& request, const FenceOff& off) {
    auto it = state.nodes.find(off.node);
    if (it == state.nodes.end()) return answer(request, false, "there is no such node");
    NodeState& target = it->second;
    if (std::string why = cannot_fence(off.node); !why.empty()) return answer(request, false, why);
    target.fence_wish = FenceWish{
        .until = state.clock + FenceWish::kLasts, .by = request.operator_name, .cause = context.cause};
    ++target.version;
    const std::string text = "fence " + name_of(state, off.node) + " off";
    say(request, std::nullopt, off.node, text);
    answer(request, true, text + (target.fences.empty() ? "" : ": it is being fenced already"));
  }
  std::string cannot_fence(NodeId id) const {
    const std::string name = name_of(state, id);
    const std::string by_hand =
        ": switch it off by hand, then tell the cluster (komainu fence confirm " + name + ")";
    if (state.disarmed) return kDisarmed;
    if (state.nodes.at(id).standing == Standing::kSettled)
      return name +
             " counts as off already, and its devices are not asked: if it runs, switch it off by hand";
    if (std::ranges::none_of(state.spec->fencing, [&](const FenceLevel& level) { return level.reaches(id); }))
      return "no fencing device reaches " + name + by_hand;
    if (!are_quorate_without(state, id))
      return "without " + name + " the others are no quorum, and could not fence it" + by_hand;
    NodeSet staying, going;
    for (const auto& [other, node] : state.nodes) {
      if (other == id || node.standing != Standing::kMember || node.suspended) continue;
      (node.is_to_be_fenced() ? going : staying).insert(other);
    }
    if (!state.spec->could_be_quorate(staying))
      return "without " + name + " and without " + names_of(state, going) +
             ", which is to be fenced, the others are no quorum: wait until it is back";
    return {};
  }
  void ask(const Request& request, const ClusterDisarm& disarm) {
    if (disarm.length <= Duration{0}) {
      if (!state.disarmed) return answer(request, false, "the cluster is armed");
      arm("by " + request.operator_name);
      return answer(request, true, "armed again");
    }
    if (needs_lease(*state.spec) || (state.pending_spec && needs_lease(*state.pending_spec->spec)))
      return answer(
          request, false,
          "a cluster without a fencer cannot be disarmed: its nodes rely on each other's leases (drain "
          "the node instead)");
    if (disarm.length > ClusterDisarm::kLongest || disarm.why.size() > kMaxEvidence)
      return answer(request, false, "at most 24 h, and a reason of at most 240 bytes");
    state.disarmed = Disarmed{.since = state.clock,
                              .until = state.clock + disarm.length,
                              .by = request.operator_name,
                              .why = disarm.why,
                              .cause = context.cause};
    for (const auto& [id, node] : state.nodes) {
      if (node.fence_wish) drop_fence_wish(state, id, "the cluster is disarmed", effects);
    }
    effects.emplace_back(Event{Severity::kAlarm, EventKind::kOperator, context.cause, std::nullopt,
                               std::nullopt, std::nullopt,
                               request.operator_name + ": disarm: " + disarm.why});
    answer(request, true, "disarmed: nothing is started or fenced until this ends");
  }
  void ask(const Request& request, const ConfigApply& apply) {
    if (state.pending_spec) return answer(request, false, "another configuration is being applied");
    if (std::string why = cannot_apply(state, *apply.spec); !why.empty()) return answer(request, false, why);
    if (state.disarmed && needs_lease(*apply.spec))
      return answer(request, false, "without a fencer it could not be disarmed: arm it first");
    auto proposed = std::make_shared<Spec>(*apply.spec);
    proposed->version = state.spec->version + 1;
    state.pending_spec = PendingSpec{proposed, context.position.position, context.cause, request.number};
    say(request, std::nullopt, std::nullopt, "apply configuration " + std::to_string(proposed->version));
    // Answered when all members hold it, or when one refuses.
  }
  void operator()(const ConfigRefuse& refuse) {
    if (!state.pending_spec || state.pending_spec->spec->version != refuse.version) return;
    const PendingSpec pending = *std::exchange(state.pending_spec, std::nullopt);
    const std::string text =
        name_of(state, context.from) + " cannot hold the configuration: " + refuse.reason;
    effects.emplace_back(Event{Severity::kWarning, EventKind::kConfig, pending.cause, context.from,
                               std::nullopt, std::nullopt, text});
    if (pending.cause.origin == context.self) effects.emplace_back(Answer{pending.request, false, text});
  }
};

}  // namespace

void record(State& state, const Fact& fact, const Context& context, Effects& effects) {
  Recorder recorder{state, context, effects};
  if (!recorder.from_member()) return;
  std::visit(recorder, fact);
}

namespace {
// Corosync learns of other votes later, when all nodes have its files. Until then the fewest acknowledgements
// that keep all others below the new configuration's quorum have to keep them below the one that Corosync
// counts with.
bool are_votes_sound(const Spec& now, const Spec& next) {
  const auto votes = [](const Spec& spec) {
    return static_cast<std::uint32_t>(spec.nodes.size()) + spec.arbiter_votes();
  };
  const std::uint32_t fewest = votes(next) - next.quorum_votes() + 1;
  return votes(now) < fewest + now.quorum_votes();
}

bool changes_who_hears_whom(const Spec& now, const Spec& next) {
  return now.arbiter_votes() != next.arbiter_votes() || now.key != next.key ||
         !std::ranges::equal(now.nodes, next.nodes, [](const auto& a, const auto& b) {
           return a.first == b.first && a.second.name == b.second.name && a.second.links == b.second.links;
         });
}

// Corosync refuses it ("it must be deleted and recreated", 3.1.7), and would keep everything else as it was.
std::string link_that_moves(const Spec& now, const Spec& next) {
  for (const auto& [id, node] : now.nodes) {
    const Node* then = next.node(id);
    for (std::size_t link = 0; then && link < std::min(node.links.size(), then->links.size()); ++link) {
      if (node.links[link] == then->links[link]) continue;
      const std::string number = std::to_string(link);
      return "link " + number + " of " + node.name + " would change its address from " + node.links[link] +
             " to " + then->links[link] +
             ", which Corosync does not while it runs: apply a configuration without the last links of all "
             "nodes from link " +
             number + " on, and then one with the new addresses";
    }
  }
  return {};
}

// Who is not here would not hear the others when it is back.
std::string key_that_stays(const State& state, const Spec& next) {
  if (next.key == state.spec->key) return {};
  if (next.key.empty())
    return "`key` of [cluster] can be changed, and not left out any more: nobody would know whether all "
           "nodes "
           "have the same one; now it is " +
           state.spec->key;
  for (const auto& [id, node] : state.nodes) {
    if (node.standing != Standing::kMember && node.last_seen != Lineage{})
      return "the key changes only while all others are members; " + name_of(state, id) + " is not";
  }
  return {};
}
}  // namespace

std::string cannot_apply(const State& state, const Spec& next) {
  if (next.cluster != state.spec->cluster) {
    return "this is the configuration of cluster '" + next.cluster + "', not of '" + state.spec->cluster +
           "'";
  }
  if (!are_votes_sound(*state.spec, next)) {
    return "until it has read its files, Corosync would count more votes than this configuration does, and a "
           "part of the cluster that komainu no longer counts on could act: stop komainu and Corosync on all "
           "nodes, change the file on each, and start them again";
  }
  if (changes_who_hears_whom(*state.spec, next)) {
    // One step at a time, or a node that missed the last one could find others that missed this one.
    const NodeSet behind = corosync_behind(state);
    const NodeSet awaited = corosync_awaits(state);
    if (!behind.empty())
      return "nodes, their links, the arbiter and the key change again once Corosync runs by configuration " +
             std::to_string(state.spec->version) + " everywhere: not yet on " + names_of(state, behind) +
             (awaited.empty() ? "" : "; it waits for " + names_of(state, awaited));
    if (std::string moved = link_that_moves(*state.spec, next); !moved.empty()) return moved;
  }
  if (std::string stays = key_that_stays(state, next); !stays.empty()) return stays;
  if (next.node_ids() != state.spec->node_ids()) {
    // Who may act is counted in votes of the configured nodes: all of them must agree on a change of that.
    for (const auto& [id, node] : state.nodes) {
      if (node.standing != Standing::kMember && next.node(id)) {
        return "nodes are added and removed only while all others are members; " + name_of(state, id) +
               " is not";
      }
      if (!next.node(id) && !(node.standing == Standing::kLeft || node.standing == Standing::kSettled)) {
        return "stop komainu on " + name_of(state, id) + " before it is removed from the cluster";
      }
      if (!next.node(id) && node.ring_member) {
        return "stop Corosync on " + name_of(state, id) + " as well before it is removed from the cluster";
      }
    }
  }
  for (const auto& [id, known] : state.groups) {
    if (state.may_run(id).empty() && !known.order) continue;
    const Group* now = state.spec->group(id);
    const Group* then = next.group(id);
    if (!then) return "stop " + now->name + " before it is removed (komainu group stop " + now->name + ")";
    if (then->resources != now->resources) {
      return "the resources of " + now->name +
             " change while it may be running: stop it, apply, start it again";
    }
    // What a node may run of which nothing is known, as after a loss of power, is told by where the
    // configuration allows it.
    const PlaceSet out_of_sight = state.may_run(id) - next.allowed(*then);
    if (!out_of_sight.empty()) {
      const std::string where = name_of(state, out_of_sight.first());
      const bool is_seen = known.places().contains(out_of_sight.first());
      return now->name + (is_seen ? " runs on " : " may be running on ") + where +
             ", where it would not be allowed any more: " +
             (is_seen ? "move it first (komainu group move " + now->name + ")"
                      : "bring " + where + " back, or fence it, first");
    }
  }
  return {};
}

Cause cause_of_loss(NodeId id, const NodeState& node) {
  // No daemon counts as far by itself.
  constexpr std::uint64_t kFirst = 1'000'000'000'000;
  for (const auto& [executor, fence] : node.fences) {
    if (fence.cause) return fence.cause;
  }
  const bool was_to_end = node.suspended || node.leaving || node.standing != Standing::kMember;
  if (was_to_end && node.cause) return node.cause;
  return {id, node.incarnation, kFirst + node.version};
}

void note_loss(State& state, NodeId node, Effects& effects) {
  FailCount& losses = state.nodes.at(node).losses;
  ++losses.count;
  losses.last = state.clock;
  if (losses.count != state.spec->brakes.flaps) return;
  const std::string name = name_of(state, node);
  node_event(effects, Severity::kAlarm, EventKind::kNode, state.nodes.at(node).cause, node,
             name + " is unsteady: groups avoid it until it has been here for a while (komainu node resume " +
                 name + " ends that)");
}

void drop_fence_wish(State& state, NodeId node, const std::string& why, Effects& effects) {
  NodeState& spared = state.nodes.at(node);
  const FenceWish wish = *std::exchange(spared.fence_wish, std::nullopt);
  ++spared.version;
  node_event(effects, Severity::kAlarm, EventKind::kFence, wish.cause, node,
             name_of(state, node) + " is not fenced as " + wish.by + " asked: " + why);
}

void settle(State& state, NodeId node, const std::string& why, const Context& context, Effects& effects) {
  NodeState& settled = state.nodes.at(node);
  const PlaceId place = Spec::place_of(node);
  settled.standing = Standing::kSettled;
  settled.suspended = false;
  settled.fence_failures = 0;
  settled.fence_wish.reset();
  settled.since = state.clock;
  ++settled.version;
  node_event(effects, Severity::kWarning, EventKind::kFence, context.cause, node,
             name_of(state, node) + " " + why);
  for (auto& [id, group] : state.groups) {
    const bool ordered = group.order && Spec::node_of(group.order->place) == node;
    if (!group.at.contains(place) && !ordered) continue;
    group.at.erase(place);
    if (ordered) group.order.reset();
    if (group.trouble && group.trouble->place == place) group.trouble.reset();
    group.restarts.clear();
    if (context.cause) group.cause = context.cause;
    ++group.version;
  }
  for (auto& [id, monitor] : state.monitors) {
    monitor.at.erase(place);
    monitor.since.erase(place);
    monitor.evidence.erase(place);
  }
  // What the dead node was executing itself has ended with it (docs/protocol.md, "Orders in flight").
  for (auto& [id, other] : state.nodes) {
    if (other.fences.erase(node) != 0) ++other.version;
  }
}

}  // namespace komainu::core
