#include "engine/executor/fence_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_drivers.h"

namespace komainu::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::things;

const NodeId n1{1};
const NodeId n2{2};
const NodeId n3{3};

// Three nodes and two levels: "a" and "b" together, or "c", which reaches node2 only. Time is the world's.
struct TriedCluster : testing::Bench {
  TriedCluster() {
    for (NodeId id : {n1, n2, n3}) spec.nodes[id] = core::Node{id, "node" + std::to_string(id.value), {}};
    spec.fencing = {{{device("a"), device("b")}}, {{device("c")}}};
    spec.fencing[1].devices[0].targets = {n2};
  }
  ~TriedCluster() {
    for (auto& [name, thing] : things()) thing.let_go();
  }
  static core::FenceDevice device(const std::string& name) {
    return {.type = "fake", .params = {{"device", name}}, .targets = {}};
  }
  drivers::Services services_of_the_world() {
    drivers::Services all = services();
    return {world.clock, all.readiness, all.spawner, all.files, all.systemd, all.netlink, all.log};
  }
  void begin(NodeSet targets) {
    trial.begin(spec, targets, [this](std::vector<FenceTried> tried) {
      done = true;
      for (const FenceTried& one : tried)
        said.push_back(spec.nodes.at(one.target).name + " level " + std::to_string(one.level) + ": " +
                       one.problem.value_or("ok"));
    });
  }

  core::Spec spec;
  Maker maker{"node1", services(), testing::fake_types()};
  FenceTrial trial{maker, services_of_the_world()};
  bool done = false;
  std::vector<std::string> said;
};

TEST(FenceTrial, AsksEachDeviceForEachNodeThatItReaches) {
  TriedCluster cluster;
  things()["b"].answers = false;
  cluster.begin({n2, n3});
  ASSERT_TRUE(cluster.done);
  EXPECT_THAT(cluster.said, ElementsAre("node2 level 0: ok", "node2 level 0: no answer", "node2 level 1: ok",
                                        "node3 level 0: ok", "node3 level 0: no answer"));
}

TEST(FenceTrial, HasNothingToSayOfANodeThatNoDeviceReaches) {
  TriedCluster cluster;
  for (core::FenceDevice& device : cluster.spec.fencing[0].devices) device.targets = {n1};
  cluster.begin({n3});
  EXPECT_TRUE(cluster.done);
  EXPECT_THAT(cluster.said, IsEmpty());
}

TEST(FenceTrial, EndsInTimeAndSaysWhoDidNotAnswer) {
  TriedCluster cluster;
  things()["a"].test.closed = true;
  things()["a"].test.ends_at_once = true;
  cluster.begin({n2, n3});
  EXPECT_TRUE(cluster.trial.busy());
  cluster.world.clock.advance(FenceTrial::kLongest);
  ASSERT_TRUE(cluster.done);
  EXPECT_FALSE(cluster.trial.busy());
  EXPECT_THAT(cluster.said,
              ElementsAre("node2 level 0: no answer within 60 s", "node2 level 0: ok", "node2 level 1: ok",
                          "node3 level 0: not asked: it was busy for 60 s", "node3 level 0: ok"));
}

TEST(FenceTrial, GivesWayToAFence) {
  TriedCluster cluster;
  things()["a"].test.closed = true;
  things()["a"].test.ends_at_once = true;
  cluster.begin({n2});
  EXPECT_TRUE(cluster.trial.busy());
  cluster.trial.give_way();
  ASSERT_TRUE(cluster.done);
  EXPECT_FALSE(cluster.trial.busy());
  EXPECT_THAT(cluster.said, ElementsAre("node2 level 0: not known: a fence came first", "node2 level 0: ok",
                                        "node2 level 1: ok"));
}

TEST(FenceTrial, SaysWhatIsWrongWithADeviceThatIsNotKnown) {
  TriedCluster cluster;
  cluster.spec.fencing = {{{TriedCluster::device("a")}}};
  cluster.spec.fencing[0].devices[0].type = "of another version";
  cluster.begin({n2});
  ASSERT_EQ(cluster.said.size(), 1u);
  EXPECT_THAT(cluster.said[0], ::testing::HasSubstr("of another version"));
}

}  // namespace
}  // namespace komainu::engine
