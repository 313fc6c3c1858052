// What is true of every State between two messages, whatever faults came before. The safety rules speak of
// where processes run, and only a world can judge them; these are the statements about the state that the
// rules' proofs lean on. Checked after each step in simulation.
#pragma once

#include <optional>
#include <string>

#include "core/state.h"

namespace komainu::core {

// The first statement that does not hold, in words.
std::optional<std::string> broken_invariant(const State& state);

// A start or restart that has just been admitted: what admit promised about it, asked once more and in
// another way. Nothing, if the group has no such order.
std::optional<std::string> unsound_start(const State& state, GroupId group);

}  // namespace komainu::core
