// Which nodes must be fenced, when, and by whom. A node that nobody needs fenced is left alone.
#pragma once

#include <vector>

#include "core/plan/groups.h"
#include "core/plan/plan.h"
#include "core/state.h"

namespace komainu::core {

// At most one proposal for each node; a fence comes before what the groups plan to do with their node.
Plans plan_nodes(const State& state, NodeId planner, const GroupPlans& groups);

// In a race of two halves to fence each other, who may run fewer groups waits Timing::fence_race, so that
// the business survives where most of it is. Both halves know the same state and come to opposite answers: at
// a tie the half with the lowest node shoots at once. Whom an operator wants off, shoots last.
bool holds_fewer(const State& state, NodeId target);

}  // namespace komainu::core
