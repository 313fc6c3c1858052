#include "channel/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace komainu::channel {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

using Addresses = std::vector<cpg_address>;

constexpr NodeId kA{0}, kB{1};

cpg_address process(std::uint32_t nodeid, std::uint32_t pid, cpg_reason_t reason = CPG_REASON_UNDEFINED) {
  return {nodeid, pid, reason};
}

// Nodes 1 and 2 in ring (1, 8), each with its daemon.
Membership pair() {
  Membership membership;
  membership.group_changed(Addresses{process(1, 100), process(2, 200)}, {},
                           Addresses{process(1, 100, CPG_REASON_JOIN)});
  membership.ring_changed({1, 8}, std::vector<std::uint32_t>{1, 2});
  return membership;
}

TEST(Membership, SaysNothingBeforeTheRingIsKnown) {
  Membership membership;
  EXPECT_FALSE(
      membership.group_changed(Addresses{process(1, 100)}, {}, Addresses{process(1, 100, CPG_REASON_JOIN)}));
  const auto change = membership.ring_changed({1, 4}, std::vector<std::uint32_t>{1, 3});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->ring, (core::RingId{1, 4}));
  EXPECT_THAT(change->members, ElementsAre(Pair(kA, 100u)));
  EXPECT_EQ(change->ring_nodes, (NodeSet{NodeId{0}, NodeId{2}}));
}

TEST(Membership, TellsAProcessThatComesOrGoesInsideARingAtOnce) {
  Membership membership = pair();
  const auto gone = membership.group_changed(Addresses{process(1, 100)},
                                             Addresses{process(2, 200, CPG_REASON_PROCDOWN)}, {});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->ring, (core::RingId{1, 8}));
  EXPECT_THAT(gone->members, ElementsAre(Pair(kA, 100u)));
  EXPECT_EQ(gone->ring_nodes, (NodeSet{kA, kB})) << "its Corosync is still there";
  const auto back = membership.group_changed(Addresses{process(1, 100), process(2, 201)}, {},
                                             Addresses{process(2, 201, CPG_REASON_JOIN)});
  ASSERT_TRUE(back);
  EXPECT_THAT(back->members, ElementsAre(Pair(kA, 100u), Pair(kB, 201u)));
}

TEST(Membership, TellsAChangeOfRingOnceAndWhole) {
  Membership membership = pair();
  EXPECT_FALSE(membership.group_changed(Addresses{process(1, 100)},
                                        Addresses{process(2, 200, CPG_REASON_NODEDOWN)}, {}));
  const auto change = membership.ring_changed({1, 12}, std::vector<std::uint32_t>{1});
  ASSERT_TRUE(change);
  EXPECT_EQ(change->ring, (core::RingId{1, 12}));
  EXPECT_THAT(change->members, ElementsAre(Pair(kA, 100u)));
  EXPECT_EQ(change->ring_nodes, NodeSet{kA});
}

TEST(Membership, TellsARingThatLostAndRegainedANodeBetweenTwoSyncs) {
  Membership membership = pair();
  EXPECT_FALSE(membership.group_changed(Addresses{process(1, 100)},
                                        Addresses{process(2, 200, CPG_REASON_NODEDOWN)}, {}));
  EXPECT_FALSE(membership.group_changed(Addresses{process(1, 100), process(2, 200)}, {},
                                        Addresses{process(2, 200, CPG_REASON_NODEUP)}));
  EXPECT_TRUE(membership.ring_changed({1, 16}, std::vector<std::uint32_t>{1, 2}))
      << "same members, another ring";
}

TEST(Membership, TellsARingThatChangesNothingInTheGroup) {
  Membership membership = pair();
  const auto change = membership.ring_changed({1, 12}, std::vector<std::uint32_t>{1, 2, 3});
  ASSERT_TRUE(change);
  EXPECT_THAT(change->members, ElementsAre(Pair(kA, 100u), Pair(kB, 200u)));
  EXPECT_FALSE(membership.ring_changed({1, 12}, std::vector<std::uint32_t>{1, 2, 3})) << "told already";
}

TEST(Membership, TakesTheLowestProcessOfANodeForItsDaemon) {
  Membership membership = pair();
  membership.group_changed(Addresses{process(1, 100), process(2, 300), process(2, 200)}, {},
                           Addresses{process(2, 300, CPG_REASON_JOIN)});
  EXPECT_TRUE(membership.contains({kB, 200}));
  EXPECT_FALSE(membership.contains({kB, 300}));
  const auto change = membership.group_changed(Addresses{process(1, 100), process(2, 300)},
                                               Addresses{process(2, 200, CPG_REASON_LEAVE)}, {});
  ASSERT_TRUE(change);
  EXPECT_THAT(change->members, ElementsAre(Pair(kA, 100u), Pair(kB, 300u)));
}

TEST(Membership, LeavesOutNodesThatCannotBeOurs) {
  Membership membership;
  membership.group_changed(Addresses{process(1, 100), process(65, 1), process(0, 1)}, {}, {});
  const auto change = membership.ring_changed({1, 8}, std::vector<std::uint32_t>{1, 65, 0});
  ASSERT_TRUE(change);
  EXPECT_THAT(change->members, ElementsAre(Pair(kA, 100u)));
  EXPECT_EQ(change->ring_nodes, NodeSet{kA});
  EXPECT_FALSE(membership.contains({node_of(65), 1}));
}

}  // namespace
}  // namespace komainu::channel
