// Random schedules of faults over whole clusters: no group runs twice, equal positions hold equal states, and
// when the faults end everything comes to order. A failing seed repeats its schedule.
#include <gtest/gtest.h>

#include "sim/chaos.h"

namespace komainu::sim {
namespace {

constexpr std::uint64_t kSeeds = 60;

std::string described(const Scenario& scenario, std::uint64_t seed) {
  return "nodes " + std::to_string(scenario.nodes) + ", quorum " +
         std::to_string(static_cast<int>(scenario.quorum)) + ", seed " + std::to_string(seed);
}

void never_twice(Scenario scenario) {
  std::uint64_t started = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    scenario.planner = Scenario::Planner::kReplicas;
    scenario.steps = 10'000;
    Chaos chaos(scenario, choices_of(seed));
    const auto wrong = chaos.run();
    ASSERT_FALSE(wrong) << described(scenario, seed) << ": " << *wrong;
    started += chaos.seen().started;
  }
  EXPECT_GT(started, 0u) << "schedules that start nothing prove nothing";
}

TEST(Chaos, NeverRunsAGroupTwiceOnTwoNodes) {
  never_twice({.quorum = Quorum::kTwoNode, .nodes = 2, .groups = 2});
}
TEST(Chaos, NeverRunsAGroupTwiceWithAnArbiter) {
  never_twice({.quorum = Quorum::kQnetd, .nodes = 2, .groups = 2});
}
TEST(Chaos, NeverRunsAGroupTwiceOnThreeNodes) {
  never_twice({.quorum = Quorum::kMajority, .nodes = 3, .groups = 2});
}
TEST(Chaos, NeverRunsAGroupTwiceOnFiveNodes) {
  never_twice({.quorum = Quorum::kMajority, .nodes = 5, .groups = 3, .faults_percent = 2});
}
TEST(Chaos, NeverRunsAGroupTwiceWhenMessagesAreSkipped) {
  never_twice({.quorum = Quorum::kMajority, .nodes = 3, .groups = 2, .holes = Scenario::Holes::kSome});
}

TEST(Chaos, ComesToOrderWhenFaultsHaveEnded) {
  for (std::uint64_t seed = 1; seed <= kSeeds / 2; ++seed) {
    const Scenario scenario{
        .quorum = Quorum::kMajority, .nodes = 3, .groups = 2, .planner = Scenario::Planner::kReplicas};
    Chaos chaos(scenario, choices_of(seed));
    const auto wrong = chaos.run();
    ASSERT_FALSE(wrong) << described(scenario, seed) << ": " << *wrong;
    const auto disorder = chaos.heal(300s);
    ASSERT_FALSE(disorder) << described(scenario, seed) << ": " << *disorder;
  }
}

}  // namespace
}  // namespace komainu::sim
