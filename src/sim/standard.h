// The explorations that `./dev sim --exhaustive` runs: what small clusters can come to within these budgets
// of faults. Chosen so that the whole set takes a few minutes on two cores; what is exhausted and what is
// capped is reported each time.
#pragma once

#include <vector>

#include "sim/explore.h"

namespace komainu::sim {

// Everything that follows from something happens at once: fewer states, and the protocol's own orders all
// stay.
inline constexpr World::Immediate kAtOnce{.order = true, .store = true, .verdict = true, .report = true};

inline std::vector<Exploration> standard_explorations(std::uint64_t most_states) {
  using From = Exploration::From;
  std::vector<Exploration> all;
  auto add = [&](std::string name, Quorum quorum, From from, Budget budget,
                 World::Immediate immediate = kAtOnce) {
    Exploration exploration;
    exploration.name = std::move(name);
    exploration.quorum = quorum;
    exploration.from = from;
    exploration.budget = budget;
    exploration.immediate = immediate;
    exploration.most_states = most_states;
    all.push_back(std::move(exploration));
  };
  for (auto [label, quorum] :
       {std::pair("two nodes", Quorum::kTwoNode), std::pair("two nodes and an arbiter", Quorum::kQnetd)}) {
    const std::string who = label;
    add(who + ": two starts, split", quorum, From::kIdle, {.starts = 2, .rings = 1});
    add(who + ": start, fence, split", quorum, From::kIdle, {.starts = 1, .fences = 1, .rings = 1});
    add(who + ": two starts, split, merge", quorum, From::kIdle, {.starts = 2, .rings = 2});
    add(who + ": suspension in a split", quorum, From::kIdle,
        {.starts = 1, .fences = 1, .suspensions = 1, .rings = 1});
    add(who + ": running, fence, boot", quorum, From::kRunning,
        {.starts = 1, .fences = 1, .rings = 1, .boots = 1});
    add(who + ": cold start with one missing", quorum, From::kBoot,
        {.starts = 1, .fences = 1, .rings = 1, .boots = 1});
    add(who + ": daemon crash while running", quorum, From::kRunning,
        {.starts = 1, .stops = 1, .crashes = 1, .boots = 1});
    add(who + ": slow disks and verdicts", quorum, From::kIdle, {.starts = 1, .fences = 1, .rings = 1},
        {.order = true});
  }
  add("an arbiter whose vote moves", Quorum::kQnetd, From::kRunning,
      {.starts = 1, .fences = 1, .rings = 1, .votes = 1});
  add("three nodes: start, split", Quorum::kMajority, From::kIdle, {.starts = 1, .rings = 1});
  add("three nodes: suspension, split", Quorum::kMajority, From::kIdle,
      {.starts = 1, .suspensions = 1, .rings = 1});
  add("three nodes: running, split, fence", Quorum::kMajority, From::kRunning,
      {.starts = 1, .fences = 1, .rings = 1});
  add("three nodes: a member starts over", Quorum::kMajority, From::kIdle,
      {.starts = 1, .rings = 1, .crashes = 1, .boots = 1});
  return all;
}

}  // namespace komainu::sim
