// The explorer can fail: with one of the protocol's rules dropped it finds a group running twice. Built from
// the core once more, with KOMAINU_MUTANTS; the rules of an ordinary build cannot be dropped.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/rules.h"
#include "sim/cases.h"
#include "sim/chaos.h"
#include "sim/mutants.h"
#include "sim/prefixes.h"
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
  for (Exploration& exploration : standard_explorations(most_states)) {
    exploration.most_states = std::min(exploration.most_states, most_states);
    if (explore(exploration).finding) return true;
  }
  return false;
}

TEST(Mutants, AreAllAliveWithoutOne) {
  for (Exploration& exploration : standard_explorations(3'000)) {
    exploration.most_states = 3'000;
    const Report report = explore(exploration);
    EXPECT_FALSE(report.finding) << exploration.name << ": " << report.finding->what;
  }
}

bool is_found(core::Rule rule, const Exploration& exploration) {
  const Dropped dropped(rule);
  return explore(exploration).finding.has_value();
}

// Random schedules reach the depths that a breadth-first search of three nodes does not.
bool some_schedule_fails(core::Rule rule, Quorum quorum, Scenario::Planner planner, std::uint64_t schedules) {
  const Dropped dropped(rule);
  for (std::uint64_t seed = 1; seed <= schedules; ++seed) {
    Chaos chaos(
        {.quorum = quorum, .nodes = quorum == Quorum::kMajority ? 3u : 2u, .groups = 2, .planner = planner},
        choices_of(seed));
    if (chaos.run()) return true;
  }
  return false;
}

Exploration standard(const std::string& name, std::uint64_t most_states) {
  for (Exploration& exploration : standard_explorations(most_states))
    if (exploration.name == name) return exploration;
  ADD_FAILURE() << "no exploration is called " << name;
  return {};
}

// ---- each rule is missed

TEST(Mutants, ActingOnAnUnstableOrderIsFound) {
  EXPECT_TRUE(
      is_found(core::Rule::kStability, standard("three nodes: a start that one member heard", 300'000)));
}
TEST(Mutants, ActingOnAnUnstableOrderIsFoundByRandomSchedules) {
  EXPECT_TRUE(
      some_schedule_fails(core::Rule::kStability, Quorum::kMajority, Scenario::Planner::kReplicas, 2'000));
}

TEST(Mutants, LeavingTheSuspendedOutOfTheCountIsFound) {
  EXPECT_TRUE(
      is_found(core::Rule::kSuspendedCount, standard("three nodes: … with both others suspended", 300'000)));
}
TEST(Mutants, LeavingTheSuspendedOutOfTheCountIsFoundByRandomSchedules) {
  EXPECT_TRUE(
      some_schedule_fails(core::Rule::kSuspendedCount, Quorum::kMajority, Scenario::Planner::kRandom, 2'000));
}

TEST(Mutants, AreFoundAgainWhenTheStepsAreFollowed) {
  const Dropped dropped(core::Rule::kStability);
  const Exploration exploration = standard("three nodes: a start that one member heard", 300'000);
  const Report report = explore(exploration);
  ASSERT_EQ(report.end, Report::End::kViolation);
  ASSERT_TRUE(report.finding);
  const Finding& found = *report.finding;
  EXPECT_EQ(found.trace.size(), report.depth);

  const auto again = replay(exploration, found.choices);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->what, found.what);
  EXPECT_EQ(again->trace, found.trace);
  for (std::size_t steps = 0; steps < found.choices.size(); ++steps) {
    const auto before = replay(exploration, std::span(found.choices).first(steps));
    ASSERT_TRUE(before);
    EXPECT_EQ(before->what, "") << "breadth first: nothing is wrong any earlier";
  }
  EXPECT_FALSE(replay(exploration, std::vector<std::uint32_t>{1'000})) << "there is no such step";
}

TEST(Mutants, TakingALostMemberAtItsRecordedWordIsFound) {
  EXPECT_TRUE(some_exploration_fails(core::Rule::kLostMayRunAnything, 60'000));
}

TEST(Mutants, TakingAMemberThatForgotForOneThatKnowsIsFound) {
  EXPECT_TRUE(is_found(core::Rule::kForgetfulMayHave, {.name = "a forgotten acknowledgement",
                                                       .quorum = Quorum::kMajority,
                                                       .and_then = prefix::b_forgets_a_start,
                                                       .budget = {.starts = 1},
                                                       .immediate = kAtOnce,
                                                       .most_states = 400'000}));
}

TEST(Mutants, StartingOnTheTargetOfAnOpenFenceIsFound) {
  EXPECT_TRUE(
      is_found(core::Rule::kOpenFenceBlocks, {.name = "a fence under way",
                                              .and_then = prefix::a_fences_b,
                                              .budget = {.starts = 1, .rings = 1},
                                              .immediate = {.order = true, .store = true, .verdict = true},
                                              .most_states = 400'000}));
}

TEST(Mutants, CountingALeaseFromItsReceiptIsFound) {
  Exploration exploration = standard("three nodes: a lease runs out", 2'000'000);
  EXPECT_TRUE(is_found(core::Rule::kLeaseFromSending, exploration));
}

TEST(Mutants, AcceptingAMessageOfAnotherViewIsFound) {
  EXPECT_TRUE(some_exploration_fails(core::Rule::kOwnViewOnly, 10'000));
}

TEST(Mutants, BeginWithNothingThatTheRulesDoNotHandle) {
  for (auto [nodes, and_then] :
       {std::pair(3u, &prefix::b_forgets_a_start), std::pair(4u, &prefix::b_loses_what_it_had_not_stored)}) {
    const Report report = explore({.name = "",
                                   .quorum = Quorum::kMajority,
                                   .nodes = nodes,
                                   .and_then = and_then,
                                   .budget = {.starts = 1, .rings = 1},
                                   .immediate = kAtOnce,
                                   .most_states = 40'000});
    EXPECT_FALSE(report.finding) << report.finding->what;
  }
  EXPECT_FALSE(explore({.name = "",
                        .and_then = prefix::a_fences_b,
                        .budget = {.starts = 1, .rings = 1},
                        .immediate = {.order = true, .store = true, .verdict = true},
                        .most_states = 40'000})
                   .finding);
}

// ---- what counts as found

TEST(Mutants, AreNotFoundByAClusterThatComesToNoOrderWhereTheirRuleGuardsSafety) {
  core::NamedRule counters{core::Rule::kCountersDecay, "", core::Guards::kLiveness};
  EXPECT_TRUE(hunt(counters, {.schedules = 60}, default_workloads()).found);
  counters.guards = core::Guards::kSafety;
  EXPECT_FALSE(hunt(counters, {.schedules = 60}, default_workloads()).found);
}

TEST(Mutants, AreFoundByWhatTheirRulePromises) {
  const core::NamedRule orders{core::Rule::kStopInReverse, ""};
  const Hunt hunted = hunt(orders, {.schedules = 60}, default_workloads());
  ASSERT_TRUE(hunted.found);
  EXPECT_EQ(hunted.found->violation.breach, Breach::kOrderInGroup);
}

// ---- each scripted schedule can fail

bool fails_without(core::Rule rule, void (*play)()) {
  const Dropped dropped(rule);
  testing::TestPartResultArray failures;
  const testing::ScopedFakeTestPartResultReporter caught(
      testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
  play();
  return failures.size() > 0;
}

TEST(Mutants, FailTheCasesThatTheRulesWereMadeFor) {
  using core::Rule;
  EXPECT_TRUE(fails_without(Rule::kSuspendedCount, a_start_is_delivered_by_its_own_node_only));
  EXPECT_TRUE(fails_without(Rule::kStability, a_start_is_delivered_by_its_own_node_only));
  EXPECT_TRUE(fails_without(Rule::kLostMayRunAnything, the_vote_moves_from_one_half_to_the_other));
  EXPECT_TRUE(fails_without(Rule::kLostMayRunAnything, a_cut_comes_before_the_first_start));
  EXPECT_TRUE(fails_without(Rule::kOpenFenceBlocks, a_late_power_off_comes));
  EXPECT_TRUE(fails_without(Rule::kOpenFenceBlocks, a_late_power_on_comes));
  EXPECT_TRUE(fails_without(Rule::kOwnViewOnly, a_message_outlives_its_view));
  EXPECT_TRUE(fails_without(Rule::kOwnViewOnly, a_message_outlives_its_ring));
  EXPECT_TRUE(fails_without(Rule::kOwnViewOnly, a_joiner_starts_over_during_its_snapshot));
  EXPECT_TRUE(fails_without(Rule::kForgetfulMayHave, a_member_forgets_what_it_acknowledged));
  EXPECT_TRUE(fails_without(Rule::kDurability, a_member_comes_back_without_its_stores_latest));
  EXPECT_TRUE(fails_without(Rule::kStrangersMayHave, a_store_is_lost_with_what_it_knew));
  EXPECT_TRUE(fails_without(Rule::kStoppedMayBeBack, a_node_that_left_was_taken_back_unseen));
}

}  // namespace
}  // namespace komainu::sim
