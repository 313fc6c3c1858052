// The safety kernel: decides whether a proposal may take effect, from the state alone, and books what it
// admits. It knows the safety rules of docs/protocol.md and no policy. Explored exhaustively by
// src/sim/explore.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/message.h"
#include "core/record/record.h"
#include "core/state.h"

namespace komainu::core {

// Why a proposal was refused: one sentence for the administrator. A superseded proposal (its version passed)
// is the normal fate of the second of two planners and is not shown.
struct Refusal {
  std::string reason;
  bool superseded = false;
};

// Books the proposal in `state` and returns nothing, or leaves `state` as it is and says why.
std::optional<Refusal> admit(State& state, const Proposal& proposal, const Context& context,
                             Effects& effects);

// The brakes: no more fences and restarts in their window. Losses at one moment of stream time count once.
std::size_t used_brake(const State& state);
bool is_braked(const State& state);

// Does a node whose lease is over surely run nothing? Only a daemon that lives stops its groups, or else its
// watchdog resets it, if it is armed.
bool lease_ends(const State& state, NodeId node);

// Those who answer are quorate without `node`: only they can begin its fence (fence_stable of core/view).
bool are_quorate_without(const State& state, NodeId node);

// Who is being fenced fences nobody but the absent node that does it: where they are two, nothing else would
// end that.
bool is_free_to_fence(const State& state, NodeId executor, NodeId target);

// An open fence of the node will end: its executor says so, or is fenced itself. Where lost executors stand
// in a circle none will, and the node is fenced anew by another one; until the executor is settled, what it
// may still do keeps the node from running anything.
bool is_being_fenced(const State& state, NodeId target);

// Without `node` no place would be left that can run groups: it is neither fenced for a group's sake, nor
// restarted. What is silent is not healthy, and stands in nobody's way. `condemned` are about to be fenced.
bool is_last_healthy(const State& state, NodeId node, NodeSet condemned = {});

}  // namespace komainu::core
