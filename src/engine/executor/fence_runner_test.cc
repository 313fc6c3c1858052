#include "engine/executor/fence_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_drivers.h"

namespace komainu::engine {
namespace {

using core::FenceResult;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Thing;
using testing::things;

constexpr NodeId kTarget{2};

// One level with two devices, "a" and "b", and the runner. Time passes by the world's clock.
struct FenceBench : testing::Bench {
  FenceBench() {
    spec.nodes[kTarget] = core::Node{kTarget, "node2", {}};
    device("a");
    device("b");
  }
  ~FenceBench() {
    runner.cancel_all();
    for (auto& [name, thing] : things()) thing.let_go();
    EXPECT_FALSE(runner.busy());
  }

  drivers::Services with_the_worlds_clock() {
    return {world.clock, loop, world.spawner, world.files, world.systemd, world.netlink, world.log};
  }
  core::FenceDevice& device(const std::string& name) {
    if (spec.fencing.empty()) spec.fencing.emplace_back();
    return spec.fencing[0].devices.emplace_back(
        core::FenceDevice{.type = "fake", .params = {{"device", name}}, .targets = {}});
  }
  core::OrderId fence(std::uint32_t level = 0) {
    core::FenceOrder order;
    order.id.position = ++orders;
    order.level = level;
    runner.execute(spec, kTarget, order);
    return order.id;
  }
  std::vector<FenceResult> results() const { return reported<FenceResult>(); }

  core::Spec spec;
  Thing& a = things()["a"];
  Thing& b = things()["b"];
  std::uint64_t orders = 0;
  Maker maker{"node1", with_the_worlds_clock(), testing::fake_types()};
  FenceRunner runner{maker, with_the_worlds_clock(), sink()};
};

TEST(FenceRunner, IsConfirmedWhenAllDevicesOfTheLevelHaveConfirmed) {
  FenceBench bench;
  bench.b.off.closed = true;
  const core::OrderId order = bench.fence();
  EXPECT_THAT(bench.a.calls, ElementsAre("off node2"));
  EXPECT_TRUE(bench.results().empty());
  bench.b.off.open();
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_EQ(bench.results()[0].order, order);
  EXPECT_TRUE(bench.results()[0].confirmed);
}

TEST(FenceRunner, IsNotConfirmedWhenADeviceOfTheLevelCannotBeMade) {
  FenceBench bench;
  bench.spec.fencing[0].devices[1].params["broken"] = true;
  bench.fence();
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_FALSE(bench.results()[0].confirmed);
  EXPECT_THAT(bench.results()[0].evidence, HasSubstr("'broken' is not known"));
  EXPECT_TRUE(bench.a.calls.empty()) << "it could not be enough";
}

TEST(FenceRunner, IsNotConfirmedWhenTheTypeOfADeviceIsNotKnown) {
  FenceBench bench;
  bench.spec.fencing[0].devices[1].type = "newer";
  bench.fence();
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_FALSE(bench.results()[0].confirmed);
  EXPECT_THAT(bench.results()[0].evidence, HasSubstr("does not know the type 'newer'"));
}

TEST(FenceRunner, ADeviceForOtherNodesOnlyIsNotNeeded) {
  FenceBench bench;
  bench.spec.fencing[0].devices[1].params["broken"] = true;
  bench.spec.fencing[0].devices[1].targets = {NodeId{3}};
  bench.fence();
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_TRUE(bench.results()[0].confirmed);
}

TEST(FenceRunner, IsNotConfirmedWhenTheLevelOrTheNodeIsNoLongerConfigured) {
  FenceBench bench;
  bench.fence(1);
  bench.spec.nodes.clear();
  bench.fence();
  ASSERT_EQ(bench.results().size(), 2u);
  EXPECT_FALSE(bench.results()[0].confirmed);
  EXPECT_FALSE(bench.results()[1].confirmed);
}

TEST(FenceRunner, ANewerOrderBeginsOnceTheOlderOneWasCancelledAndHasEnded) {
  FenceBench bench;
  bench.a.off.closed = true;
  const core::OrderId older = bench.fence();
  const core::OrderId newer = bench.fence();
  EXPECT_TRUE(bench.a.off.cancelled());
  EXPECT_EQ(bench.a.calls.size(), 1u) << "the older agent may still act";
  bench.a.off.open();
  ASSERT_EQ(bench.results().size(), 2u);
  EXPECT_EQ(bench.results()[0].order, older);
  EXPECT_FALSE(bench.results()[0].confirmed);
  EXPECT_EQ(bench.results()[1].order, newer);
  EXPECT_TRUE(bench.results()[1].confirmed);
  EXPECT_FALSE(bench.runner.busy());
}

TEST(FenceRunner, OnlyTheNewestOfTheOrdersThatWaitIsExecuted) {
  FenceBench bench;
  bench.a.off.closed = true;
  bench.fence();
  const core::OrderId second = bench.fence();
  const core::OrderId third = bench.fence();
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_EQ(bench.results()[0].order, second);
  EXPECT_FALSE(bench.results()[0].confirmed);
  bench.a.off.open();
  ASSERT_EQ(bench.results().size(), 3u);
  EXPECT_EQ(bench.results()[2].order, third);
  EXPECT_TRUE(bench.results()[2].confirmed);
  EXPECT_EQ(bench.a.calls.size(), 2u);
}

TEST(FenceRunner, IsBusyUntilACancelledAgentIsGone) {
  FenceBench bench;
  bench.a.off.closed = true;
  const core::OrderId order = bench.fence();
  bench.runner.cancel(kTarget, order);
  EXPECT_TRUE(bench.runner.busy());
  EXPECT_TRUE(bench.results().empty());
  bench.a.off.open();
  EXPECT_FALSE(bench.runner.busy());
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_FALSE(bench.results()[0].confirmed);
  EXPECT_THAT(bench.b.calls, ElementsAre());
}

TEST(FenceRunner, ACancelledFenceStaysOpenWhileAnAgentOfItHasSurvivedSigkill) {
  FenceBench bench;
  bench.a.off.closed = true;
  const core::OrderId order = bench.fence();
  bench.runner.cancel(kTarget, order);
  bench.world.spawner.stuck = {"fence node2 off"};
  bench.a.off.open();
  bench.world.clock.advance(1min);
  EXPECT_TRUE(bench.runner.busy());
  EXPECT_TRUE(bench.results().empty());
  bench.world.spawner.stuck = {"fence node20 off"};
  bench.world.clock.advance(1s);
  EXPECT_FALSE(bench.runner.busy());
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_EQ(bench.results()[0].order, order);
  EXPECT_FALSE(bench.results()[0].confirmed);
  EXPECT_EQ(bench.results()[0].evidence, "cancelled: the node is back");
}

TEST(FenceRunner, TheCancelOfAnOlderOrderDoesNotTouchANewerOne) {
  FenceBench bench;
  const core::OrderId older = bench.fence();
  bench.a.off.closed = true;
  bench.fence();
  bench.runner.cancel(kTarget, older);
  EXPECT_FALSE(bench.a.off.cancelled());
}

TEST(FenceRunner, ADeviceWithALongTimeLimitIsNotCutOff) {
  FenceBench bench;
  bench.a.off.closed = true;
  bench.a.longest_off = 20min;
  bench.fence();
  bench.world.clock.advance(19min);
  EXPECT_TRUE(bench.results().empty());
  bench.a.off.open();
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_TRUE(bench.results()[0].confirmed);
}

TEST(FenceRunner, ADeviceThatExceedsItsOwnTimeLimitHasFailed) {
  FenceBench bench;
  bench.a.off.closed = true;
  bench.a.off.ends_at_once = true;
  bench.a.longest_off = 20min;
  bench.fence();
  bench.world.clock.advance(21min);
  ASSERT_EQ(bench.results().size(), 1u);
  EXPECT_FALSE(bench.results()[0].confirmed);
  EXPECT_THAT(bench.results()[0].evidence, HasSubstr("did not answer within 1200 s"));
}

}  // namespace
}  // namespace komainu::engine
