// Random schedules of faults over whole clusters: no group runs twice, equal positions hold equal states, and
// when the faults end everything comes to order. RapidCheck makes the schedules that it can shrink to the few
// choices that matter; seeds make the long ones, and a failing seed repeats its schedule.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/chaos.h"

namespace komainu::sim {
namespace {

// ---- schedules that can be shrunk

constexpr int kMostChoices = 6'000;
constexpr std::size_t kLinesShown = 150;

std::optional<std::string> play(Scenario scenario, const std::vector<std::uint16_t>& choices,
                                std::vector<std::string>* trace) {
  scenario.steps = static_cast<std::uint32_t>(choices.size());  // a step takes several: the rest is quiet
  Chaos chaos(scenario, choices_of(choices));
  if (trace) chaos.keep_trace();
  auto wrong = chaos.run();
  if (!wrong) wrong = chaos.heal(300s);
  if (trace) *trace = chaos.trace();
  return wrong;
}

std::string told(const std::vector<std::string>& trace) {
  const std::size_t from = trace.size() - std::min(trace.size(), kLinesShown);
  std::string text;
  for (std::size_t line = from; line < trace.size(); ++line) text += "\n  " + trace[line];
  return text;
}

void holds(const char* where, const Scenario& scenario) {
  const bool good = rc::check(std::string("never twice, and in order at the end: ") + where, [&] {
    const auto choices =
        *rc::gen::resize(kMostChoices, rc::gen::arbitrary<std::vector<std::uint16_t>>()).as("choices");
    if (!play(scenario, choices, nullptr)) return;
    std::vector<std::string> trace;
    const auto wrong = play(scenario, choices, &trace);
    RC_FAIL(*wrong + told(trace));
  });
  EXPECT_TRUE(good) << where;
}

using Planner = Scenario::Planner;
using Fencing = Scenario::Fencing;

TEST(Property, HoldsOnTwoNodes) {
  holds("two nodes", {.quorum = Quorum::kTwoNode, .nodes = 2, .groups = 2, .planner = Planner::kReplicas});
  holds("two nodes, anything proposed", {.quorum = Quorum::kTwoNode, .nodes = 2});
}
TEST(Property, HoldsWithAnArbiter) {
  holds("an arbiter", {.quorum = Quorum::kQnetd, .nodes = 2, .groups = 2, .planner = Planner::kReplicas});
  holds("an arbiter, anything proposed", {.quorum = Quorum::kQnetd, .nodes = 2});
}
TEST(Property, HoldsOnThreeNodes) {
  holds("three nodes", {.nodes = 3, .groups = 2, .planner = Planner::kReplicas});
  holds("three nodes, anything proposed", {.nodes = 3});
}
TEST(Property, HoldsOnFiveNodes) {
  holds("five nodes", {.nodes = 5, .groups = 3, .planner = Planner::kReplicas, .faults_percent = 3});
}

TEST(Property, HoldsWithLeasesForFences) {
  holds("three nodes, leases",
        {.nodes = 3, .groups = 2, .planner = Planner::kReplicas, .fencing = Fencing::kLease});
}

// A property that cannot fail proves nothing, and a failure that is not shrunk is not read.
TEST(Property, SchedulesRepeatThemselvesAndEndQuietly) {
  std::vector<std::uint16_t> choices;
  for (std::uint32_t i = 0; i < 5'000; ++i) choices.push_back(static_cast<std::uint16_t>(i * 40'503u >> 3));
  std::vector<std::string> first, second, none;
  const Scenario scenario{.nodes = 3, .planner = Planner::kReplicas};
  EXPECT_EQ(play(scenario, choices, &first), std::nullopt);
  EXPECT_EQ(play(scenario, choices, &second), std::nullopt);
  EXPECT_EQ(first, second);
  EXPECT_GT(first.size(), 500u);
  Chaos quiet({.nodes = 3, .planner = Planner::kReplicas}, choices_of(std::vector<std::uint16_t>{}));
  EXPECT_EQ(quiet.run(), std::nullopt);
  EXPECT_EQ(quiet.world().channel().port(NodeId{0}).highest_seq,
            quiet.world().channel().port(NodeId{2}).highest_seq);
  EXPECT_EQ(quiet.heal(10s), std::nullopt) << "nothing but zeros: nothing fails";
}

// ---- long schedules

constexpr std::uint64_t kSeeds = 60;

std::string described(const Scenario& scenario, std::uint64_t seed) {
  return "nodes " + std::to_string(scenario.nodes) + ", quorum " +
         std::to_string(static_cast<int>(scenario.quorum)) + ", seed " + std::to_string(seed);
}

Chaos::Seen never_twice(Scenario scenario) {
  Chaos::Seen seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    scenario.planner = Scenario::Planner::kReplicas;
    scenario.steps = scenario.nodes > 3 ? 100'000 : 10'000;  // more nodes have more to say
    Chaos chaos(scenario, choices_of(seed));
    const auto wrong = chaos.run();
    if (wrong) ADD_FAILURE() << described(scenario, seed) << ": " << *wrong;
    if (wrong) break;
    seen.started += chaos.seen().started;
    seen.settled += chaos.seen().settled;
    seen.reset += chaos.seen().reset;
  }
  EXPECT_GT(seen.started, kSeeds) << "schedules that start nothing prove nothing";
  return seen;
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
TEST(Chaos, NeverRunsAGroupTwiceWithLeasesOnTwoNodes) {
  never_twice({.quorum = Quorum::kTwoNode, .nodes = 2, .groups = 2, .fencing = Fencing::kLease});
}
TEST(Chaos, NeverRunsAGroupTwiceWithLeasesOnThreeNodes) {
  const Chaos::Seen seen = never_twice({.nodes = 3, .groups = 2, .fencing = Fencing::kLease});
  EXPECT_GT(seen.settled, kSeeds) << "leases that never run out prove nothing";
  EXPECT_GT(seen.reset, kSeeds) << "nor do nodes that always stop their groups";
}
TEST(Chaos, NeverRunsAGroupTwiceWithLeasesOnFiveNodes) {
  never_twice({.nodes = 5, .groups = 3, .fencing = Fencing::kLease, .faults_percent = 2});
}

void comes_to_order(Scenario scenario) {
  scenario.planner = Planner::kReplicas;
  for (std::uint64_t seed = 1; seed <= kSeeds / 2; ++seed) {
    Chaos chaos(scenario, choices_of(seed));
    const auto wrong = chaos.run();
    ASSERT_FALSE(wrong) << described(scenario, seed) << ": " << *wrong;
    const auto disorder = chaos.heal(300s);
    ASSERT_FALSE(disorder) << described(scenario, seed) << ": " << *disorder;
  }
}

TEST(Chaos, ComesToOrderOnTwoNodesWhenFaultsHaveEnded) {
  comes_to_order({.quorum = Quorum::kTwoNode, .nodes = 2, .groups = 2});
}
TEST(Chaos, ComesToOrderWithAnArbiterWhenFaultsHaveEnded) {
  comes_to_order({.quorum = Quorum::kQnetd, .nodes = 2, .groups = 2});
}
TEST(Chaos, ComesToOrderOnThreeNodesWhenFaultsHaveEnded) {
  comes_to_order({.nodes = 3, .groups = 2});
}
TEST(Chaos, ComesToOrderOnFiveNodesWhenFaultsHaveEnded) {
  comes_to_order({.nodes = 5, .groups = 3, .faults_percent = 3});
}
TEST(Chaos, ComesToOrderWithLeasesWhenFaultsHaveEnded) {
  comes_to_order({.nodes = 3, .groups = 2, .fencing = Fencing::kLease});
  comes_to_order({.nodes = 5, .groups = 3, .fencing = Fencing::kLease, .faults_percent = 3});
}

}  // namespace
}  // namespace komainu::sim
