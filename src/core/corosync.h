// When is Corosync told to read its files again? It does so on all nodes of a ring at once, each its own
// file: so not before all have theirs. Whoever misses a change of nodes would neither hear all the others nor
// count the same votes when it comes back, and whoever misses another key hears nobody: for that nobody may
// be missing, but who is off and has the new key in its file.
#pragma once

#include <optional>

#include "core/state.h"

namespace komainu::core {

// Members whose Corosync is known to run by another configuration than the active one.
NodeSet corosync_behind(const State& state);

// Nodes whose files, or whose presence, the reload waits for.
NodeSet corosync_awaits(const State& state);

// Who tells Corosync to read its files again; unset: nobody has to, or not yet.
std::optional<NodeId> who_reloads_corosync(const State& state);

}  // namespace komainu::core
