// What the members of a new view know together: whose state goes on, what their Hellos add, and what the
// absent nodes may be running. Pure functions of the Hellos and one state, so every member comes to the same
// answer.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>

#include "core/effects.h"
#include "core/message.h"
#include "core/state.h"

namespace komainu::core {

// The Hellos of one view, complete but for members that were suspended before they said theirs.
struct Gathering {
  ViewId view;
  NodeSet ring_nodes;  // Corosync is up there, whatever the daemon does
  std::map<NodeId, Hello> hellos;
  std::map<NodeId, Incarnation> incarnations;
};

// Whose state goes on.
struct Succession {
  NodeId donor;
  std::uint64_t epoch = 0;  // of the new view
  NodeSet knowing;          // live members of the newest lineage: together they know all that was decided
  bool conflict = false;    // they come from views that were split from each other
  bool identical = false;   // all members hold the same state: no snapshot is needed
};

Succession succession(const Gathering& gathering);

// By this state the node, absent now, has stopped everything that it ran, and is not fencing anybody.
bool has_stopped(const State& state, NodeId id);

// Turns the donor's state into the state of the new view.
State establish(const State& donor, const Gathering& gathering, const Succession& succession,
                Effects& effects);

}  // namespace komainu::core
