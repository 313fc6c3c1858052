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

Exploration a_store_that_forgot() {
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

TEST(Explore, FindsNothingWhereAStoreForgotWhatItsNodeHadAcknowledged) {
  EXPECT_EQ(explore(a_store_that_forgot()).finding, std::nullopt);
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
