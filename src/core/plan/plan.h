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

#include <string>
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

// A node that has to be fenced, and is not: a brake holds.
struct HeldBack {
  NodeId node;
  std::string why;
  Cause cause;
};

struct Plans {
  std::vector<Planned> due;  // at most one proposal for a group and one for a node
  std::vector<HeldBack> held_back;
};

// What is due now. `planner` is the node that plans; it executes fences, except its own.
Plans plan(const State& state, NodeId planner);

// The same, but without a look at all groups when none of the dirty ones has anything to do: equal to
// plan(state, planner) when `dirty` was told every message since (a property test holds the two together).
Plans plan(const State& state, NodeId planner, const DirtyGroups& dirty);

}  // namespace komainu::core
