#include "core/admit/admit.h"

#include <algorithm>
#include <utility>

#include "core/record/events.h"
#include "core/rules.h"

namespace komainu::core {
namespace {

Refusal superseded() {
  return {"it was made for an earlier state", true};
}

Refusal disarmed() {
  return {"the cluster is disarmed (komainu cluster arm ends that)"};
}

struct Kernel {
  State& state;
  const Context& context;
  Effects& effects;

  using Verdict = std::optional<Refusal>;

  // ---- what must hold

  GroupState* group(GroupId id, std::uint64_t version) {
    auto it = state.groups.find(id);
    return it == state.groups.end() || it->second.version != version ? nullptr : &it->second;
  }

  // Rule 2 and "who may run a group": nobody but `place` may be running it.
  bool free_for(GroupId id, PlaceId place) const { return PlaceSet{place}.includes(state.may_run(id)); }

  // The node of the place is here, answers, is the incarnation that was meant, and nobody is about to switch
  // it off.
  bool can_start_at(PlaceId place, Incarnation incarnation) const {
    const NodeState* node = state.node(Spec::node_of(place));
    return node && node->standing == Standing::kMember && node->incarnation == incarnation &&
           !node->suspended && !node->leaving && state.spec->guarded_by(node->watchdog) &&
           (node->fences.empty() || !applies(Rule::kOpenFenceBlocks));
  }

  bool has_room(const Group& group, PlaceId place) const {
    auto capacity = state.spec->capacity.find(Spec::node_of(place));
    if (capacity == state.spec->capacity.end()) return true;
    for (const auto& [what, needed] : group.needs) {
      auto limit = capacity->second.find(what);
      if (limit == capacity->second.end() || needed == 0) continue;
      std::int64_t used = needed;
      for (const auto& [id, other] : state.groups) {
        const Group* configured = state.spec->group(id);
        if (id == group.id || !configured || !other.at.contains(place)) continue;
        if (auto need = configured->needs.find(what); need != configured->needs.end()) used += need->second;
      }
      if (used > limit->second) return false;
    }
    return true;
  }

  bool keeps_apart(const Group& group, PlaceId place) const {
    for (const auto& [id, other] : state.groups) {
      if (id == group.id || !other.at.contains(place)) continue;
      const Group* configured = state.spec->group(id);
      auto names = [](const Group& from, GroupId whom) { return std::ranges::count(from.apart, whom) != 0; };
      if (names(group, id) || (configured && names(*configured, group.id))) return false;
    }
    return true;
  }

  Order& book(GroupState& group, OrderKind kind, PlaceId place, Activity activity) {
    ++group.version;
    group.at[place] = activity;
    const NodeId executor = Spec::node_of(place);
    if (context.cause) group.cause = context.cause;
    group.order = Order{.id = context.position,
                        .kind = kind,
                        .place = place,
                        .executor = executor,
                        .executor_incarnation = state.nodes.at(executor).incarnation,
                        .cause = group.cause};
    return *group.order;
  }
  void tell(GroupId id, PlaceId place, const Order& order, std::string text) {
    group_event(effects, Severity::kInfo, EventKind::kOrder, order.cause, id, place, std::move(text));
  }

  // ---- proposals

  Verdict operator()(const StartGroup& start) {
    GroupState* known = group(start.group, start.group_version);
    const Group* configured = state.spec->group(start.group);
    if (!known || !configured || start.spec_version != state.spec->version) return superseded();
    if (known->order) return superseded();
    if (state.disarmed) return disarmed();
    const std::string what = name_of(state, start.group);
    const std::string where = name_of(state, start.place);
    if (!state.may_run(start.group).empty() && applies(Rule::kStopBeforeStart))
      return Refusal{what + " may still be running elsewhere"};
    if (!can_start_at(start.place, start.incarnation))
      return Refusal{where + " cannot start groups at present"};
    if (!state.spec->allowed(*configured).contains(start.place))
      return Refusal{what + " is not allowed on " + where};
    if (!has_room(*configured, start.place)) return Refusal{where + " has no room for " + what};
    if (!keeps_apart(*configured, start.place)) return Refusal{what + " must not share " + where};
    const Order& order = book(*known, OrderKind::kStart, start.place, Activity::kStarting);
    tell(start.group, start.place, order, "start " + what + " on " + where);
    return std::nullopt;
  }

  Verdict operator()(const RestartGroup& restart) {
    GroupState* known = group(restart.group, restart.group_version);
    const Group* configured = state.spec->group(restart.group);
    if (!known || !configured || known->order) return superseded();
    if (state.disarmed) return disarmed();
    const std::string what = name_of(state, restart.group);
    const std::string where = name_of(state, restart.place);
    if (!known->at.contains(restart.place)) return superseded();
    if (!free_for(restart.group, restart.place)) return Refusal{what + " may be running elsewhere, too"};
    if (!can_start_at(restart.place, restart.incarnation))
      return Refusal{where + " cannot start groups at present"};
    if (known->at[restart.place] == Activity::kUnsafe)
      return Refusal{what + " could not be stopped on " + where};
    if (restart.first_resource >= configured->resources.size())
      return Refusal{what + " has no such resource"};
    FailCount& counter = known->restarts[restart.first_resource];
    ++counter.count;
    counter.last = state.clock;
    known->trouble.reset();
    Order& order = book(*known, OrderKind::kRestart, restart.place, Activity::kStarting);
    order.first_resource = restart.first_resource;
    tell(restart.group, restart.place, order,
         "restart " + what + "/" + resource_name(state, restart.group, restart.first_resource) + " on " +
             where);
    return std::nullopt;
  }

  // Stopping is always safe; it needs only a place that may run the group and a member to do it.
  Verdict operator()(const StopGroup& stop) {
    GroupState* known = group(stop.group, stop.group_version);
    if (!known || !known->at.contains(stop.place)) return superseded();
    const NodeState* node = state.node(Spec::node_of(stop.place));
    if (!node || node->standing != Standing::kMember) return superseded();
    if (known->order && known->order->kind == OrderKind::kStop && known->order->place == stop.place)
      return superseded();
    if (known->at[stop.place] == Activity::kUnsafe) {
      return Refusal{name_of(state, stop.group) + " could not be stopped on " + name_of(state, stop.place)};
    }
    if (stop.counts_as_failover) {
      for (FailCount* counter : {&known->failed_at[stop.place], &known->failovers}) {
        ++counter->count;
        counter->last = state.clock;
      }
    }
    if (stop.gives_up) known->given_up = true;
    known->trouble.reset();
    const Order& order = book(*known, OrderKind::kStop, stop.place, Activity::kStopping);
    tell(stop.group, stop.place, order,
         "stop " + name_of(state, stop.group) + " on " + name_of(state, stop.place) +
             (stop.reason.empty() ? "" : ": " + stop.reason));
    if (stop.gives_up) {
      group_event(effects, Severity::kAlarm, EventKind::kGroup, order.cause, stop.group, stop.place,
                  name_of(state, stop.group) +
                      " is stopped for good after repeated failures (repair it, then komainu "
                      "group clear " +
                      name_of(state, stop.group) + ")");
    }
    return std::nullopt;
  }

  Verdict operator()(const FenceNode& fence) {
    auto it = state.nodes.find(fence.target);
    if (it == state.nodes.end() || it->second.version != fence.node_version ||
        it->second.incarnation != fence.incarnation) {
      return superseded();
    }
    if (state.disarmed) return disarmed();
    NodeState& target = it->second;
    const std::string what = name_of(state, fence.target);
    const NodeState* executor = state.node(fence.executor);
    if (fence.level >= state.spec->fencing.size())
      return Refusal{"there is no fencing level " + std::to_string(fence.level)};
    if (fence.executor == fence.target || !executor || executor->standing != Standing::kMember ||
        executor->suspended || !is_free_to_fence(state, fence.executor, fence.target)) {
      return Refusal{name_of(state, fence.executor) + " cannot fence " + what};
    }
    if (is_being_fenced(state, fence.target) || target.standing == Standing::kSettled) return superseded();
    // The brakes are for what komainu decides by itself: they neither hold nor count what an operator asked
    // for.
    const bool braked = !target.fence_wish;
    if (braked && is_last_healthy(state, fence.target))
      return Refusal{what + " is the last healthy node: it is not fenced"};
    // Nobody could begin it, and as long as it is open its target starts nothing.
    if (!are_quorate_without(state, fence.target))
      return Refusal{"without " + what + " the others are no quorum: it is not fenced"};
    if (braked && is_braked(state)) {
      return Refusal{"brake: " + std::to_string(state.fences.size()) +
                     " nodes were fenced in a short time; " + what + " is not (komainu fence confirm " +
                     what + ", once it is off)"};
    }
    ++target.version;
    target.fences[fence.executor] = FenceOrder{.id = context.position,
                                               .executor = fence.executor,
                                               .executor_incarnation = executor->incarnation,
                                               .target_incarnation = target.incarnation,
                                               .level = fence.level,
                                               .cause = context.cause};
    if (braked) state.fences.push_back(state.clock);
    node_event(effects, Severity::kAlarm, EventKind::kFence, context.cause, fence.target,
               name_of(state, fence.executor) + " fences " + what +
                   (fence.reason.empty() ? "" : ": " + fence.reason));
    if (braked && used_brake(state) == state.spec->brakes.fences) {
      node_event(
          effects, Severity::kAlarm, EventKind::kFence, context.cause, fence.target,
          "the brake holds from now on: no other node is fenced until this has been quiet for a while");
    }
    return std::nullopt;
  }

  Verdict operator()(const SettleNode& proposal) {
    auto it = state.nodes.find(proposal.target);
    if (it == state.nodes.end() || it->second.version != proposal.node_version ||
        it->second.incarnation != proposal.incarnation) {
      return superseded();
    }
    const NodeState& target = it->second;
    if (!state.spec->fencing.empty()) return Refusal{"a fencer is configured: only a confirmed fence counts"};
    if (proposal.why == SettleNode::Why::kSplitRiskAccepted) {
      if (!state.spec->quorum.allow_split_risk) return Refusal{"allow_split_risk is not set"};
      if (target.standing != Standing::kLost && target.standing != Standing::kUnknown) return superseded();
      settle(state, proposal.target, "is taken for stopped (allow_split_risk)", context, effects);
      return std::nullopt;
    }
    // A node that could be quorate with others can renew its lease there: only what cannot has lost it.
    const bool silent = target.standing == Standing::kMember && target.suspended;
    if (target.standing != Standing::kLost && !silent) return superseded();
    NodeSet outside = state.spec->node_ids() - state.members();
    outside.insert(proposal.target);
    if (state.spec->could_be_quorate(outside))
      return Refusal{name_of(state, proposal.target) + " may be renewing its lease elsewhere"};
    if (!lease_ends(state, proposal.target))
      return Refusal{
          name_of(state, proposal.target) +
          " may run on what nobody has stopped, and no watchdog resets it: switch it off, then komainu "
          "fence confirm " +
          name_of(state, proposal.target)};
    settle(state, proposal.target, "has lost its lease", context, effects);
    return std::nullopt;
  }

  Verdict operator()(const NodeAction& action) {
    GroupState* known = group(action.group, action.group_version);
    auto node = state.nodes.find(action.node);
    if (!known || node == state.nodes.end() || node->second.standing != Standing::kMember)
      return superseded();
    if (state.disarmed) return disarmed();
    const std::string what = name_of(state, action.node);
    if (is_last_healthy(state, action.node))
      return Refusal{what + " is the last healthy node: it is neither stopped nor restarted"};
    if (action.action != FinalAction::kStopNode && action.action != FinalAction::kRestartOs) {
      return Refusal{"this is no action on a node"};
    }
    if (action.action == FinalAction::kRestartOs && is_braked(state)) {
      return Refusal{"brake: too many nodes were fenced or restarted in a short time"};
    }
    ++known->version;
    ++node->second.version;
    node->second.cause = context.cause;
    if (action.action == FinalAction::kStopNode) {
      node->second.duty = Duty::kStandby;
      node_event(effects, Severity::kAlarm, EventKind::kNode, context.cause, action.node,
                 what + " is put on standby: " + name_of(state, action.group) + " cannot run there");
      return std::nullopt;
    }
    node->second.leaving = true;  // what runs there moves off
    state.fences.push_back(state.clock);
    known->trouble.reset();
    node_event(effects, Severity::kAlarm, EventKind::kNode, context.cause, action.node,
               what + " restarts its operating system for " + name_of(state, action.group));
    if (action.node == context.self) {
      effects.emplace_back(RestartOs{"the recovery of " + name_of(state, action.group) + " ends here"});
    }
    return std::nullopt;
  }
};

}  // namespace

// Fences of one moment are one correlated loss.
std::size_t used_brake(const State& state) {
  std::vector<Duration> moments = state.fences;
  moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
  return moments.size();
}
bool is_braked(const State& state) {
  return applies(Rule::kBrakes) && used_brake(state) >= state.spec->brakes.fences &&
         (state.fences.empty() || state.fences.back() != state.clock);
}

bool lease_ends(const State& state, NodeId id) {
  const NodeState& node = state.nodes.at(id);
  if (state.spec->timing.watchdog > Duration{0} && state.spec->guarded_by(node.watchdog)) return true;
  if (node.ring_member || node.standing == Standing::kMember) return false;
  // What could not be stopped while it was here does not end with its lease.
  return std::ranges::none_of(state.groups, [&](const auto& entry) {
    return entry.second.activity(Spec::place_of(id)) == Activity::kUnsafe;
  });
}

bool are_quorate_without(const State& state, NodeId node) {
  NodeSet others;
  for (const auto& [id, known] : state.nodes) {
    if (id != node && known.standing == Standing::kMember && !known.suspended) others.insert(id);
  }
  return state.spec->could_be_quorate(others);
}

bool is_free_to_fence(const State& state, NodeId executor, NodeId target) {
  const bool absent = state.nodes.at(target).standing != Standing::kMember;
  return std::ranges::all_of(state.nodes.at(executor).fences,
                             [&](const auto& open) { return absent && open.first == target; });
}

bool is_being_fenced(const State& state, NodeId target) {
  return std::ranges::any_of(state.nodes.at(target).fences, [&](const auto& open) {
    const NodeState* executor = state.node(open.first);
    const bool absent =
        executor && (executor->standing == Standing::kLost || executor->standing == Standing::kUnknown);
    return !absent || executor->fences.empty();
  });
}

bool is_last_healthy(const State& state, NodeId node, NodeSet condemned) {
  auto healthy = [](const NodeState& known) {
    return known.standing == Standing::kMember && !known.suspended && !known.leaving &&
           known.duty == Duty::kActive && known.fences.empty();
  };
  const NodeState* known = state.node(node);
  if (!known || known->standing != Standing::kMember || known->suspended) return false;
  return std::ranges::none_of(state.nodes, [&](const auto& entry) {
    return entry.first != node && !condemned.contains(entry.first) && healthy(entry.second);
  });
}

std::optional<Refusal> admit(State& state, const Proposal& proposal, const Context& context,
                             Effects& effects) {
  return std::visit(Kernel{state, context, effects}, proposal);
}

}  // namespace komainu::core
