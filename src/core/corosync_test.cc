#include "core/corosync.h"

#include <gtest/gtest.h>

#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using testing::node;

// Three nodes that run by configuration 1, in a view of which each of them has been a member, with 2 active.
struct Following : Cluster {
  Following() : Cluster(3) {
    spec.version = 2;
    for (std::uint32_t number : {1, 2, 3}) {
      node_state(node(number)).corosync = {1, 1, spec.node_ids(), {}};
      node_state(node(number)).last_seen = {5, {}};
    }
  }
  void writes(std::initializer_list<std::uint32_t> numbers) {
    for (std::uint32_t number : numbers) node_state(node(number)).corosync.written = 2;
  }
  void runs_now(std::initializer_list<std::uint32_t> numbers) {
    for (std::uint32_t number : numbers) node_state(node(number)).corosync.runs = 2;
  }
  std::optional<NodeId> reloader() { return who_reloads_corosync(state()); }
};

TEST(Corosync, ReadsItsFilesAgainOnceAllNodesHaveTheirs) {
  Following cluster;
  cluster.writes({1, 3});
  EXPECT_FALSE(cluster.reloader());
  EXPECT_EQ(corosync_awaits(cluster.state()), NodeSet{node(2)});
  cluster.writes({2});
  EXPECT_EQ(cluster.reloader(), node(1));
  cluster.runs_now({1, 2});
  EXPECT_EQ(corosync_behind(cluster.state()), NodeSet{node(3)});
  EXPECT_EQ(cluster.reloader(), node(1)) << "until all run by them";
  cluster.runs_now({3});
  EXPECT_FALSE(cluster.reloader());
}

TEST(Corosync, WaitsForWhoMayBeBackAtAnyMoment) {
  Following cluster;
  cluster.writes({1, 2, 3});
  cluster.loses(node(3));
  EXPECT_FALSE(cluster.reloader());
  cluster.stands(node(3), Standing::kMember);
  cluster.suspends(node(3));
  EXPECT_FALSE(cluster.reloader());
}

TEST(Corosync, WaitsForWhoIsOffOnlyWhereTheNodesChange) {
  Following cluster;
  cluster.writes({1, 2});
  cluster.stands(node(3), Standing::kSettled);
  EXPECT_EQ(cluster.reloader(), node(1));
  cluster.node_state(node(3)).corosync.counts = {node(1), node(2), node(3), node(4)};
  EXPECT_FALSE(cluster.reloader());
}

// With the old key it hears nobody when it is back; what it will start with stands in its file.
TEST(Corosync, WaitsForWhoIsOffWithoutTheNewKeyInItsFile) {
  Following cluster;
  cluster.spec.key = "2b7e151628aed2a6";
  cluster.writes({1, 2});
  cluster.stands(node(3), Standing::kSettled);
  EXPECT_EQ(corosync_awaits(cluster.state()), NodeSet{node(3)});
  cluster.node_state(node(3)).corosync.key = cluster.spec.key;
  EXPECT_EQ(cluster.reloader(), node(1));
  cluster.loses(node(3));
  EXPECT_FALSE(cluster.reloader()) << "its Corosync may run, and has the old key";
}

TEST(Corosync, WaitsForNoNodeThatHasNeverBeenThere) {
  Following cluster;
  cluster.writes({1, 2});
  cluster.spec.key = "2b7e151628aed2a6";
  cluster.node_state(node(3)) = {};
  cluster.stands(node(3), Standing::kSettled);
  EXPECT_EQ(cluster.reloader(), node(1));
}

}  // namespace
}  // namespace komainu::core
