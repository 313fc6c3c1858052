// The explorer itself: it ends, says how, finds what is there to be found, and its short cuts hide nothing.
#include "sim/explore.h"

#include <gtest/gtest.h>

#include "sim/prefixes.h"
#include "sim/standard.h"

namespace komainu::sim {
namespace {

using End = Report::End;

Exploration small(Quorum quorum) {
  return {.name = "small",
          .quorum = quorum,
          .from = Exploration::From::kRunning,
          .budget = {.starts = 1, .fences = 1, .rings = 1},
          .immediate = kAtOnce,
          .most_states = 200'000};
}

// The protocol stands on stores that keep what they said they wrote (docs/protocol.md). With four nodes and a
// store that forgot, a group runs twice; that is what a finding looks like.
Exploration beyond_the_assumptions() {
  return {.name = "a store that forgot",
          .quorum = Quorum::kMajority,
          .nodes = 4,
          .and_then = prefix::b_loses_its_store_too,
          .budget = {.starts = 1},
          .immediate = kAtOnce,
          .most_states = 200'000};
}

TEST(Explore, ExhaustsABudgetOrSaysThatItDidNot) {
  Exploration exploration = small(Quorum::kMajority);
  const Report all = explore(exploration);
  EXPECT_EQ(all.end, End::kExhausted);
  EXPECT_GT(all.states, 1'000u);
  EXPECT_GT(all.transitions, all.states);
  exploration.most_states = all.states / 2;
  const Report some = explore(exploration);
  EXPECT_EQ(some.end, End::kCapped);
  EXPECT_EQ(some.states, exploration.most_states);
  exploration.most_states = 200'000;
  exploration.most_depth = 5;
  EXPECT_EQ(explore(exploration).end, End::kCapped);
}

TEST(Explore, FindsAgainWhatItFoundWhenItsStepsAreFollowed) {
  const Exploration exploration = beyond_the_assumptions();
  const Report report = explore(exploration);
  ASSERT_EQ(report.end, End::kViolation);
  ASSERT_TRUE(report.finding);
  const Finding& found = *report.finding;
  EXPECT_EQ(found.what, "group 1 runs on nodes 0 2");
  EXPECT_EQ(found.trace.size(), report.depth);
  EXPECT_EQ(found.trace.back(), "node 2 really STARTS group 1");

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

TEST(Explore, VisitsOneOfEachWorldsThatDifferByNamesOnly) {
  for (const auto& [quorum, names] : {std::pair(Quorum::kTwoNode, 2u), std::pair(Quorum::kQnetd, 2u)}) {
    Exploration exploration = small(quorum);
    exploration.from = Exploration::From::kIdle;
    const Report one_of_each = explore(exploration);
    exploration.symmetry = Exploration::Symmetry::kIgnore;
    const Report every = explore(exploration);
    EXPECT_EQ(one_of_each.end, End::kExhausted);
    EXPECT_EQ(every.end, End::kExhausted);
    EXPECT_EQ(one_of_each.depth, every.depth) << "the farthest world has an image among those visited";
    EXPECT_LT(one_of_each.states, every.states);
    EXPECT_LE(every.states, names * one_of_each.states);
  }
}

TEST(Explore, LeavesOutOnlyProposalsThatWouldBeRefused) {
  Exploration exploration = small(Quorum::kTwoNode);
  exploration.budget = {.starts = 1, .rings = 1};
  const Report promising = explore(exploration);
  exploration.proposals = Exploration::Proposals::kAll;
  const Report all = explore(exploration);
  EXPECT_EQ(promising.end, End::kExhausted);
  EXPECT_EQ(all.end, End::kExhausted);
  EXPECT_GT(all.states, promising.states);
}

TEST(Explore, OfTheStandardListSomePromiseToEnd) {
  std::size_t promises = 0;
  for (const Exploration& exploration : standard_explorations(1'000)) {
    EXPECT_FALSE(exploration.name.empty());
    const bool promised = exploration.goal == Exploration::Goal::kExhaust;
    promises += promised ? 1 : 0;
    EXPECT_EQ(promised, exploration.most_states != 1'000u) << exploration.name;
  }
  EXPECT_GT(promises, standard_explorations(1'000).size() / 2);
}

}  // namespace
}  // namespace komainu::sim
