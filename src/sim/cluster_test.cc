// A cluster under a virtual clock does what its latencies say, and the same again for the same seed.
#include "sim/cluster.h"

#include <gtest/gtest.h>

#include <array>

#include "sim/explore.h"

namespace komainu::sim {
namespace {

const NodeId a{0}, b{1}, c{2};
const GroupId kGroup{1};

// Everything in one second or two, so that tests read easily.
Cluster::Options quick(std::uint64_t seed = 1) {
  Cluster::Options options{.seed = seed};
  options.latencies.boot = {1s, 2s};
  return options;
}
core::SpecPtr three() {
  return spec_for(Quorum::kMajority, 3, 2);
}

TEST(Cluster, BootsAndStartsItsGroupsOnceEach) {
  Cluster cluster(three(), quick());
  cluster.power_on_all();
  cluster.run_until(10s);
  EXPECT_EQ(cluster.running(kGroup).size(), 1u);
  EXPECT_EQ(cluster.running(GroupId{2}).size(), 1u);
  ASSERT_NE(cluster.spokesman(), nullptr);
  EXPECT_EQ(cluster.spokesman()->state().members().size(), 3u);
}

TEST(Cluster, FailsOverWhenANodeLosesItsPower) {
  Cluster cluster(three(), quick());
  cluster.power_on_all();
  cluster.run_until(10s);
  const NodeId owner = cluster.running(kGroup).first();
  cluster.power_off(owner);
  EXPECT_TRUE(cluster.running(kGroup).empty());
  cluster.run_until(25s);
  ASSERT_EQ(cluster.running(kGroup).size(), 1u);
  EXPECT_NE(cluster.running(kGroup).first(), owner);
}

TEST(Cluster, LetsOnlyTheMajorityGoOnInASplit) {
  Cluster cluster(three(), quick());
  cluster.power_on_all();
  cluster.run_until(10s);
  const NodeId owner = cluster.running(kGroup).first();
  const NodeSet alone{owner};
  const std::array parts{alone, NodeSet{a, b, c} - alone};
  cluster.partition(parts);
  cluster.run_until(30s);
  ASSERT_EQ(cluster.running(kGroup).size(), 1u);
  EXPECT_FALSE(cluster.running(kGroup).contains(owner));
  EXPECT_FALSE(cluster.is_on(owner)) << "it was fenced";
}

TEST(Cluster, IsNotDisturbedByAFreezeShorterThanTheToken) {
  Cluster cluster(three(), quick());
  cluster.power_on_all();
  cluster.run_until(10s);
  const NodeId owner = cluster.running(kGroup).first();
  const core::ViewId before = cluster.spokesman()->view();
  cluster.freeze(owner);
  cluster.run_until(10'300ms);
  cluster.thaw(owner);
  cluster.run_until(20s);
  EXPECT_EQ(cluster.running(kGroup), NodeSet{owner});
  EXPECT_EQ(cluster.spokesman()->view(), before);
}

TEST(Cluster, RepeatsItselfForTheSameSeed) {
  auto digest = [](std::uint64_t seed) {
    Cluster cluster(three(), quick(seed));
    cluster.power_on_all();
    cluster.run_until(10s);
    cluster.cut(a, b);
    cluster.run_until(30s);
    cluster.heal_network();
    cluster.run_until(60s);
    return std::pair(cluster.events(), cluster.delivered());
  };
  EXPECT_EQ(digest(7), digest(7));
  EXPECT_NE(digest(7), digest(8));
}

}  // namespace
}  // namespace komainu::sim
