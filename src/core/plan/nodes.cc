#include "core/plan/nodes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/admit/admit.h"
#include "core/record/events.h"
#include "core/rules.h"

namespace komainu::core {
namespace {

// What the groups need of the nodes, counting only groups that should run.
struct Need {
  std::map<PlaceId, GroupId> held;      // the first group that may be active there, by what the state says
  std::map<PlaceId, GroupId> unsafe;    // … that could not be stopped there
  std::map<PlaceId, GroupId> possible;  // … that could run there for all that is known
  std::optional<GroupId> waiting;       // … that is online nowhere
};

class NodePlanner {
 public:
  NodePlanner(const State& state, NodeId planner, const GroupPlans& groups)
      : state_(state), planner_(planner), groups_(groups), braked_(is_braked(state)) {}

  Plans run() {
    look_at_groups();
    Plans plans;
    for (const auto& [id, node] : state_.nodes) {
      std::optional<Planned> planned = decide(id, node, plans.held_back);
      auto action = groups_.actions.find(id);
      if (!planned && action != groups_.actions.end() && !is_last_healthy(state_, id, condemned_))
        planned = action->second;
      if (planned && !std::holds_alternative<SettleNode>(planned->proposal)) condemned_.insert(id);
      if (planned) plans.due.push_back(std::move(*planned));
    }
    return plans;
  }

 private:
  struct Grounds {
    std::string reason;
    Cause cause;
  };

  void look_at_groups() {
    for (const auto& [id, group] : state_.spec->groups) {
      const GroupState* known = state_.group(id);
      if (!known || wish_of(group, *known) != Wish::kRun) continue;
      for (const auto& [place, activity] : known->at) {
        need_.held.try_emplace(place, id);
        if (activity == Activity::kUnsafe) need_.unsafe.try_emplace(place, id);
      }
      if (!need_.waiting && !known->online()) need_.waiting = id;
      for (PlaceId place : state_.possible_places(group)) need_.possible.try_emplace(place, id);
    }
  }

  std::optional<Planned> decide(NodeId id, const NodeState& node, std::vector<HeldBack>& held_back) const {
    if (is_being_fenced(state_, id) || !state_.spec->node(id)) return std::nullopt;
    const std::optional<Grounds> grounds = grounds_against(id, node);
    if (!grounds) return std::nullopt;
    if (state_.spec->fencing.empty()) return take_for_stopped(id, node, *grounds);
    const std::optional<std::uint32_t> level = next_level(id, node);
    const std::optional<NodeId> executor = executor_for(id);
    if (!level || !executor) {
      if (node.fence_wish) {
        held_back.push_back({id, name_of(state_, id) + " is not fenced, nobody can do it: " + grounds->reason,
                             grounds->cause});
      }
      return std::nullopt;
    }
    if (const char* why = held_back_by(id, node)) {
      held_back.push_back(
          {id, name_of(state_, id) + " is not fenced, " + why + ": " + grounds->reason, grounds->cause});
      return std::nullopt;
    }
    return Planned{FenceNode{.target = id,
                             .incarnation = node.incarnation,
                             .node_version = node.version,
                             .executor = *executor,
                             .level = *level,
                             .reason = grounds->reason},
                   grounds->cause};
  }

  // None: nothing. An operator knows what he asks for; what cannot be begun he cannot ask for either.
  const char* held_back_by(NodeId id, const NodeState& node) const {
    if (!node.fence_wish && is_last_healthy(state_, id, condemned_)) return "it is the last healthy node";
    if (!are_quorate_without(state_, id)) return "without it the others are no quorum";
    return braked_ && !node.fence_wish ? "the brake holds" : nullptr;
  }

  std::optional<Grounds> grounds_against(NodeId id, const NodeState& node) const {
    if (node.fence_wish && !state_.spec->fencing.empty())
      return Grounds{node.fence_wish->by + " asked for it", node.fence_wish->cause};
    switch (node.standing) {
      case Standing::kLeft:
      case Standing::kSettled:
        return std::nullopt;
      case Standing::kMember:
        return against_member(id, node);
      case Standing::kLost:
      case Standing::kUnknown:
        return still_waited_for(node) ? std::nullopt : against_absent(id, node);
    }
    return std::nullopt;
  }

  std::optional<Grounds> against_absent(NodeId id, const NodeState& node) const {
    if (auto held = because(id, node.cause, need_.held, "it is lost and may run ")) return held;
    if (node.standing == Standing::kUnknown && applies(Rule::kUnknownIsFenced)) {
      if (auto possible = because(id, node.cause, need_.possible, "it is not known whether it runs "))
        return possible;
    }
    // What it was told to fence cannot be used before that is known to have ended.
    for (const auto& [other, known] : state_.nodes) {
      if (other == id || !known.fences.contains(id) || !applies(Rule::kExecutorFenced)) continue;
      return Grounds{"it is lost and may still be fencing " + name_of(state_, other), node.cause};
    }
    return std::nullopt;
  }

  // An absent node that may be back in a moment.
  bool still_waited_for(const NodeState& node) const {
    const Timing& timing = state_.spec->timing;
    if (state_.cold && state_.clock - state_.cold_since < timing.startup_wait) return true;
    return node.ring_member && state_.clock - node.since < timing.daemon_restart;
  }

  std::optional<Grounds> against_member(NodeId id, const NodeState& node) const {
    if (auto unsafe = need_.unsafe.find(Spec::place_of(id)); unsafe != need_.unsafe.end()) {
      return because(id, state_.group(unsafe->second)->cause, need_.unsafe, "it could not stop ");
    }
    if (auto reset = groups_.resets.find(id); reset != groups_.resets.end()) {
      return Grounds{"the recovery ladder ends with a reset for " + reset->second.reason,
                     reset->second.cause};
    }
    if (!node.suspended || state_.clock - node.since < state_.spec->timing.lost_after) return std::nullopt;
    if (auto held = because(id, node.cause, need_.held, "its daemon does not answer, and it may run "))
      return held;
    // Its acknowledgements may be what an order still needs.
    if (!need_.waiting) return std::nullopt;
    return Grounds{"its daemon does not answer, and " + name_of(state_, *need_.waiting) + " waits",
                   node.cause};
  }

  std::optional<Grounds> because(NodeId id, Cause cause, const std::map<PlaceId, GroupId>& groups,
                                 const char* what) const {
    auto group = groups.find(Spec::place_of(id));
    if (group == groups.end()) return std::nullopt;
    return Grounds{what + name_of(state_, group->second), cause};
  }

  std::optional<Planned> take_for_stopped(NodeId id, const NodeState& node, const Grounds& grounds) const {
    const bool absent = node.standing == Standing::kLost || node.standing == Standing::kUnknown;
    if (!state_.spec->quorum.allow_split_risk || !absent || !executor_for(id)) return std::nullopt;
    return Planned{SettleNode{.target = id,
                              .incarnation = node.incarnation,
                              .node_version = node.version,
                              .why = SettleNode::Why::kSplitRiskAccepted},
                   grounds.cause};
  }

  // Levels are alternatives: after a failure the next one that has a device for the target, round and round.
  std::optional<std::uint32_t> next_level(NodeId target, const NodeState& node) const {
    std::vector<std::uint32_t> levels;
    for (std::uint32_t level = 0; level < state_.spec->fencing.size(); ++level) {
      if (state_.spec->fencing[level].reaches(target)) levels.push_back(level);
    }
    if (levels.empty()) return std::nullopt;
    return levels[node.fence_failures % levels.size()];
  }

  std::optional<NodeId> executor_for(NodeId target) const {
    if (planner_ != target && can_execute(planner_, target)) return planner_;
    for (const auto& [id, node] : state_.nodes) {
      if (id != target && can_execute(id, target)) return id;
    }
    return std::nullopt;
  }
  bool can_execute(NodeId id, NodeId target) const {
    const NodeState* node = state_.node(id);
    return node && node->standing == Standing::kMember && !node->suspended && !node->leaving &&
           is_free_to_fence(state_, id, target) && !condemned_.contains(id) && is_well_connected(id);
  }
  // Who is cut off must not shoot those who are not. Where the administrator named addresses that tell (ping
  // of [quorum]), only a node that reaches them fences; one that has not looked yet does not know.
  bool is_well_connected(NodeId id) const {
    const Monitor* hint = state_.spec->monitor(MonitorRole::kMayFence);
    if (!hint) return true;
    auto seen = state_.monitors.find(hint->id);
    if (seen == state_.monitors.end()) return false;
    if (seen->second.suspended) return true;
    auto here = seen->second.at.find(Spec::place_of(id));
    return here != seen->second.at.end() &&
           (here->second == Health::kHealthy || here->second == Health::kWarning);
  }

  const State& state_;
  const NodeId planner_;
  const GroupPlans& groups_;
  const bool braked_;
  Need need_;
  NodeSet condemned_;  // are fenced, stopped or restarted by what has been planned: they fence nobody
};

}  // namespace

Plans plan_nodes(const State& state, NodeId planner, const GroupPlans& groups) {
  return NodePlanner(state, planner, groups).run();
}

bool holds_fewer(const State& state, NodeId target) {
  NodeSet ours = state.members();
  ours.erase(target);
  const auto is_unwanted = [&](NodeId id) { return state.nodes.at(id).fence_wish.has_value(); };
  if (is_unwanted(target)) return false;
  if (std::ranges::any_of(ours, is_unwanted)) return true;
  const NodeSet theirs = state.spec->node_ids() - ours;
  std::uint32_t we_hold = 0;
  std::uint32_t they_hold = 0;
  for (const auto& [id, group] : state.groups) {
    bool here = false;
    bool there = false;
    for (const auto& [place, activity] : group.at) {
      (ours.contains(Spec::node_of(place)) ? here : there) = true;
    }
    we_hold += here ? 1 : 0;
    they_hold += there ? 1 : 0;
  }
  if (we_hold != they_hold) return we_hold < they_hold;
  return !ours.empty() && !theirs.empty() && theirs.first() < ours.first();
}

}  // namespace komainu::core
