#include "engine/executor/fence_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_drivers.h"

namespace komainu::engine {
namespace {

using drivers::Health;
using ::testing::ElementsAre;
using testing::things;

// Three nodes and two levels: "a" and "b" together, or "c", which reaches node2 only.
struct FencedCluster : testing::Bench {
  FencedCluster() {
    for (std::uint32_t id : {1, 2, 3})
      spec.nodes[NodeId{id}] = core::Node{NodeId{id}, "node" + std::to_string(id), {}};
    spec.fencing = {{{device("a"), device("b")}}, {{device("c")}}};
    spec.fencing[1].devices[0].targets = {NodeId{2}};
  }
  static core::FenceDevice device(const std::string& name) {
    return {.type = "fake", .params = {{"device", name}}, .targets = {}};
  }
  drivers::Verdict look() {
    const Maker maker{"node1", services(), testing::fake_types()};
    if (!check) check = std::move(*make_fence_check(spec, maker, world.clock));
    drivers::testing::Started<drivers::Verdict> looking(check->look(1s));
    EXPECT_TRUE(looking.done());
    return looking.value();
  }
  core::Spec spec;
  std::unique_ptr<drivers::Check> check;
};

TEST(FenceCheck, AsksEveryDeviceForEveryOtherNodeItReaches) {
  FencedCluster cluster;
  EXPECT_EQ(cluster.look().health, Health::kHealthy);
  EXPECT_THAT(things()["a"].calls, ElementsAre("test node2", "test node3"));
  EXPECT_THAT(things()["b"].calls, ElementsAre("test node2", "test node3"));
  EXPECT_THAT(things()["c"].calls, ElementsAre("test node2"));
}

TEST(FenceCheck, AsksAgainAfterAWhileAndAtEveryLookWhoDidNotAnswer) {
  FencedCluster cluster;
  things()["a"].answers = false;
  EXPECT_NE(cluster.look().health, Health::kHealthy);
  things()["a"].answers = true;
  EXPECT_EQ(cluster.look().health, Health::kHealthy);
  things()["a"].answers = false;
  EXPECT_EQ(cluster.look().health, Health::kHealthy) << "it is not asked yet";
  cluster.world.clock.advance(kTestFencing);
  EXPECT_NE(cluster.look().health, Health::kHealthy);
}

TEST(FenceCheck, WarnsWhenAnotherLevelIsLeft) {
  FencedCluster cluster;
  things()["c"].answers = false;
  const drivers::Verdict verdict = cluster.look();
  EXPECT_EQ(verdict.health, Health::kWarning);
  EXPECT_EQ(verdict.evidence, "node2 cannot be fenced from here by one of the levels: no answer");
}

TEST(FenceCheck, FailsWhenANodeCannotBeFencedAtAll) {
  FencedCluster cluster;
  things()["b"].answers = false;
  const drivers::Verdict verdict = cluster.look();
  EXPECT_EQ(verdict.health, Health::kFailed) << "node2 can be fenced by the other level, node3 cannot";
  EXPECT_EQ(verdict.evidence, "node3 cannot be fenced from here: no answer");
}

TEST(FenceCheck, FailsWhenNoDeviceReachesANode) {
  FencedCluster cluster;
  cluster.spec.fencing[0].devices[0].targets = cluster.spec.fencing[0].devices[1].targets = {NodeId{2}};
  EXPECT_EQ(cluster.look().evidence, "node3 cannot be fenced from here: no device reaches it");
}

TEST(FenceCheck, CannotBeMadeOfADeviceThatIsNotKnown) {
  FencedCluster cluster;
  cluster.spec.fencing[0].devices[0].type = "of another version";
  EXPECT_FALSE(make_fence_check(cluster.spec, Maker{"node1", cluster.services(), testing::fake_types()},
                                cluster.world.clock));
}

}  // namespace
}  // namespace komainu::engine
