// What should be done next: pure policy over the state. It compares what is with what should be, remembers
// nothing, and may be wrong or late: src/core/admit refuses what does not fit.
//
//   plan.h        this: everything that is due
//   dirty.h       whether anything can be due, so that a planner need not ask after every message
//   placement.h   where a group should run
//   groups.h      the life cycle of groups: start, stop, move, recovery, dependencies
//   nodes.h       fencing
//   board.h       what one call looks up again and again
#pragma once

#include <vector>

#include "core/message.h"
#include "core/plan/dirty.h"
#include "core/state.h"

namespace komainu::core {

struct Planned {
  Proposal proposal;
  Cause cause;  // none where the state knows none: the proposal is then its own cause
  bool operator==(const Planned& other) const;
};

// All proposals that are due now: at most one for a group and one for a node. `planner` is the node that
// plans; it executes fences, except its own.
std::vector<Planned> plan(const State& state, NodeId planner);

// The same, but without a look at all groups when none of the dirty ones has anything to do: equal to
// plan(state, planner) when `dirty` was told every message since (a property test holds the two together).
std::vector<Planned> plan(const State& state, NodeId planner, const DirtyGroups& dirty);

}  // namespace komainu::core
