// The explorer can fail: with one of the protocol's rules dropped it finds a group running twice. Built from
// the core once more, with KOMAINU_MUTANTS; the rules of an ordinary build cannot be dropped.
#include <gtest/gtest.h>

#include "core/rules.h"
#include "sim/chaos.h"
#include "sim/standard.h"

namespace komainu::sim {
namespace {

class Dropped {
 public:
  explicit Dropped(core::Rule rule) { core::dropped_rule = rule; }
  ~Dropped() { core::dropped_rule = core::Rule::kNone; }
};

bool some_exploration_fails(core::Rule rule, std::uint64_t most_states) {
  const Dropped dropped(rule);
  for (const Exploration& exploration : standard_explorations(most_states)) {
    if (explore(exploration).finding) return true;
  }
  return false;
}

TEST(Mutants, AreAllAliveWithoutOne) {
  for (const Exploration& exploration : standard_explorations(3'000)) {
    const Report report = explore(exploration);
    EXPECT_FALSE(report.finding) << exploration.name << ": " << report.finding->what;
  }
}

// Random schedules reach the depths that a breadth-first search of three nodes does not.
bool some_schedule_fails(core::Rule rule, Quorum quorum, std::uint64_t schedules) {
  const Dropped dropped(rule);
  for (std::uint64_t seed = 1; seed <= schedules; ++seed) {
    Chaos chaos({.quorum = quorum,
                 .nodes = quorum == Quorum::kMajority ? 3u : 2u,
                 .groups = 2,
                 .planner = Scenario::Planner::kReplicas},
                choices_of(seed));
    if (chaos.run()) return true;
  }
  return false;
}

TEST(Mutants, ActingOnAnUnstableOrderIsFound) {
  EXPECT_TRUE(some_schedule_fails(core::Rule::kStability, Quorum::kMajority, 20'000));
}

TEST(Mutants, TakingALostMemberAtItsRecordedWordIsFound) {
  EXPECT_TRUE(some_exploration_fails(core::Rule::kLostMayRunAnything, 60'000));
}

}  // namespace
}  // namespace komainu::sim
