// The explorations that `./dev sim --exhaustive` runs: what small clusters can come to within these budgets
// of faults. Those that promise to exhaust their budget fail if they do not; the others go as far as
// `most_states` allows. docs/protocol.md has the table of how far that is.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/explore.h"

namespace komainu::sim {

// Everything that follows from something happens at once: fewer states, and the protocol's own orders all
// stay.
inline constexpr World::Immediate kAtOnce{.order = true, .store = true, .verdict = true, .report = true};

// `most_states` bounds those that only search.
std::vector<Exploration> standard_explorations(std::uint64_t most_states);

}  // namespace komainu::sim
