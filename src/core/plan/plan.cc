#include "core/plan/plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/plan/groups.h"
#include "core/plan/nodes.h"

namespace komainu::core {
namespace {

// What is done while the cluster is disarmed: the operator's stops, and those of a group that runs twice.
bool happens_disarmed(const State& state, const Planned& planned) {
  const auto* stop = std::get_if<StopGroup>(&planned.proposal);
  if (!stop) return false;
  const Group* group = state.spec->group(stop->group);
  const GroupState* known = state.group(stop->group);
  return !group || !known || wish_of(*group, *known) == Wish::kStop || known->at.size() > 1;
}

Plans merge(const State& state, GroupPlans&& groups, Plans&& nodes) {
  Plans plans{.due = std::move(groups.orders), .held_back = std::move(nodes.held_back)};
  std::ranges::move(nodes.due, std::back_inserter(plans.due));
  if (state.disarmed) {
    std::erase_if(plans.due, [&](const Planned& planned) { return !happens_disarmed(state, planned); });
    plans.held_back.clear();  // the operator's word holds everything back
  }
  return plans;
}

// No node is absent without being known to be down, and none is silent or wanted off.
bool all_accounted_for(const State& state) {
  return std::ranges::all_of(state.nodes, [](const auto& entry) {
    const NodeState& node = entry.second;
    return !node.suspended && !node.fence_wish && node.standing != Standing::kLost &&
           node.standing != Standing::kUnknown;
  });
}

bool is_restless(const State& state, const Places& places, GroupId id) {
  const Group* group = state.spec->group(id);
  const GroupState* known = state.group(id);
  return group && known && !is_surely_at_rest(state, places, *group, *known);
}

}  // namespace

bool Planned::operator==(const Planned& other) const {
  if (proposal.index() != other.proposal.index() || cause != other.cause) return false;
  return std::visit(
      [&](const auto& mine) {
        return mine.fields() == std::get<std::decay_t<decltype(mine)>>(other.proposal).fields();
      },
      proposal);
}

Plans plan(const State& state, NodeId planner) {
  GroupPlans groups = plan_groups(state, Places(state));
  Plans nodes = plan_nodes(state, planner, groups);
  return merge(state, std::move(groups), std::move(nodes));
}

Plans plan(const State& state, NodeId planner, const DirtyGroups& dirty) {
  const Places places(state);
  GroupPlans groups;
  const bool due = dirty.contains_all() || std::ranges::any_of(dirty.some(), [&](GroupId id) {
                     return is_restless(state, places, id);
                   });
  if (due) groups = plan_groups(state, places);
  Plans nodes;
  if (due || !all_accounted_for(state)) nodes = plan_nodes(state, planner, groups);
  return merge(state, std::move(groups), std::move(nodes));
}

}  // namespace komainu::core
