// Facts change the state. Deterministic: no clock, no randomness, no unordered iteration, no floating point.
#pragma once

#include "core/effects.h"
#include "core/message.h"
#include "core/state.h"

namespace komainu::core {

// Who said it, and where in the stream it stands.
struct Context {
  NodeId self;  // this replica: only for Answers to its own operators; never changes the state
  NodeId from;
  Incarnation incarnation;
  OrderId position;  // of this message
  Cause cause;
};

void record(State& state, const Fact& fact, const Context& context, Effects& effects);

// Why this configuration cannot replace the active one now; empty: it can.
std::string cannot_apply(const State& state, const Spec& next);

// The cause of what begins with a node falling silent, or being left alone: no fact of its own tells it. All
// who have the same state name it alike. Where an end was under way (a fence, a leave, a suspension), that
// stays the cause.
Cause cause_of_loss(NodeId id, const NodeState& node);

// A member has been lost, or stopped answering: too often, and groups avoid it.
void note_loss(State& state, NodeId node, Effects& effects);

// What an operator asked for of the node is not pursued any more.
void drop_fence_wish(State& state, NodeId node, const std::string& why, Effects& effects);

// A node surely runs nothing any more: fenced and confirmed, lease over, or the operator's word.
void settle(State& state, NodeId node, const std::string& why, const Context& context, Effects& effects);

}  // namespace komainu::core
