#include "engine/executor/group_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_drivers.h"

namespace komainu::engine {
namespace {

using core::Activity;
using core::GroupReport;
using core::OrderKind;
using ::testing::ElementsAre;
using testing::Thing;

constexpr NodeId kSelf{1};

// One group of one resource, "web/service", and its runner.
struct GroupBench : testing::Bench {
  GroupBench() : runner(web, make(), kSelf, services(), sink()) {}
  ~GroupBench() {
    bool closed = false;
    runner.close([&] { closed = true; });
    service.let_go();
    EXPECT_TRUE(until([&] { return closed; }));
  }

  static core::Group configured() {
    core::Group group;
    group.id = GroupId{1};
    group.name = "web";
    group.resources.push_back(core::Resource{.name = "service", .type = "fake", .params = {}});
    return group;
  }
  std::vector<std::unique_ptr<drivers::Resource>> make() {
    return *Maker("node1", services(), testing::fake_types()).resources(web);
  }

  core::OrderId order(OrderKind kind) {
    core::Order order;
    order.id.position = ++orders;
    order.kind = kind;
    runner.execute(order);
    return order.id;
  }
  // Online and watched; its watch ends only some time after it was cancelled.
  void is_online() {
    service.runs = true;
    runner.probe();
    ASSERT_TRUE(until([&] { return service.watch.waiting(); }));
    ASSERT_EQ(runner.activity(), Activity::kOnline);
    facts.clear();
  }
  std::vector<GroupReport> reports() const { return reported<GroupReport>(); }
  bool until_reported(std::size_t number) {
    return until([&] { return reports().size() >= number; });
  }

  const core::Group web = configured();
  Thing& service = testing::things()["web/service"];
  std::uint64_t orders = 0;
  GroupRunner runner;
};

TEST(GroupRunner, AStartThatSucceedsIsOnlineAndWatched) {
  GroupBench bench;
  const core::OrderId start = bench.order(OrderKind::kStart);
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].order, start);
  EXPECT_EQ(bench.reports()[0].activity, Activity::kOnline);
  EXPECT_TRUE(bench.service.watch.waiting());
}

TEST(GroupRunner, AProbeNeverDisplacesAStopThatIsWaitingForTheWatches) {
  GroupBench bench;
  bench.is_online();
  const core::OrderId stop = bench.order(OrderKind::kStop);
  EXPECT_TRUE(bench.service.watch.cancelled());
  EXPECT_EQ(bench.service.count("stop"), 0) << "nothing is done while a watch may act";
  bench.runner.probe();
  bench.service.watch.open();
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].order, stop);
  EXPECT_EQ(bench.reports()[0].activity, std::nullopt);
  EXPECT_FALSE(bench.service.runs);
}

TEST(GroupRunner, AProbeNeverDisplacesAYieldThatIsWaitingForTheWatches) {
  GroupBench bench;
  bench.is_online();
  bench.runner.yield();
  bench.runner.probe();
  bench.service.watch.open();
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].order, std::nullopt);
  EXPECT_EQ(bench.reports()[0].activity, std::nullopt);
  EXPECT_FALSE(bench.service.runs);
}

TEST(GroupRunner, IsBusyWhileACommandIsWaiting) {
  GroupBench bench;
  bench.is_online();
  EXPECT_FALSE(bench.runner.busy());
  bench.order(OrderKind::kStop);
  EXPECT_TRUE(bench.runner.busy());
  bench.service.watch.open();
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_FALSE(bench.runner.busy());
}

TEST(GroupRunner, AStartThatIsWaitingForItsWatchesDoesNotSurviveAYield) {
  GroupBench bench;
  bench.is_online();
  bench.order(OrderKind::kStart);
  bench.runner.yield();
  bench.service.watch.open();
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.service.count("start"), 0);
  EXPECT_FALSE(bench.service.runs);
}

TEST(GroupRunner, AStopOfAWatchThatEndsAtOnceIsCarriedOut) {
  GroupBench bench;
  bench.is_online();
  bench.service.watch.ends_at_once = true;
  const core::OrderId stop = bench.order(OrderKind::kStop);
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].order, stop);
  EXPECT_EQ(bench.reports()[0].activity, std::nullopt);
  EXPECT_FALSE(bench.service.runs);
}

TEST(GroupRunner, AStopReplacesTheStartUnderWayOnceThatHasEnded) {
  GroupBench bench;
  bench.service.start.closed = true;
  bench.order(OrderKind::kStart);
  const core::OrderId stop = bench.order(OrderKind::kStop);
  EXPECT_TRUE(bench.service.start.cancelled());
  EXPECT_EQ(bench.service.count("stop"), 0);
  bench.service.start.open();
  ASSERT_TRUE(bench.until_reported(1));
  ASSERT_EQ(bench.reports().size(), 1u) << "what was replaced is nobody's result";
  EXPECT_EQ(bench.reports()[0].order, stop);
  EXPECT_EQ(bench.reports()[0].activity, std::nullopt);
}

TEST(GroupRunner, GoesOnAfterACommandThatWasReplaced) {
  GroupBench bench;
  bench.service.start.closed = true;
  bench.service.start.ends_at_once = true;
  bench.order(OrderKind::kStart);
  bench.order(OrderKind::kStop);
  ASSERT_TRUE(bench.until_reported(1));
  bench.service.start.closed = false;
  bench.order(OrderKind::kStart);
  ASSERT_TRUE(bench.until_reported(2));
  EXPECT_EQ(bench.reports()[1].activity, Activity::kOnline);
  bench.service.watch.ends_at_once = true;
  bench.runner.yield();
  ASSERT_TRUE(bench.until_reported(3));
  EXPECT_FALSE(bench.service.runs);
}

TEST(GroupRunner, AProbeDoesNotDisturbWhatIsUnderWay) {
  GroupBench bench;
  bench.service.start.closed = true;
  bench.order(OrderKind::kStart);
  bench.runner.probe();
  EXPECT_FALSE(bench.service.start.cancelled());
  bench.service.start.open();
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].activity, Activity::kOnline);
}

TEST(GroupRunner, AStopIsBelievedWhenTheProbeSaysSo) {
  GroupBench bench;
  bench.service.runs = true;
  bench.service.obeys_stop = false;
  bench.order(OrderKind::kStop);
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].activity, Activity::kUnsafe);
  EXPECT_THAT(bench.service.calls, ElementsAre("stop", "probe"));
}

TEST(GroupRunner, IsNotStoppedWhileAnAgentOfItHasSurvivedSigkill) {
  GroupBench bench;
  bench.world.spawner.stuck = {"resource web/service"};
  bench.order(OrderKind::kStop);
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].activity, Activity::kUnsafe);
  EXPECT_THAT(bench.reports()[0].evidence, ::testing::HasSubstr("survived SIGKILL"));
  bench.runner.probe();
  ASSERT_TRUE(bench.until_reported(2));
  EXPECT_EQ(bench.reports()[1].activity, Activity::kFailed);
  bench.world.spawner.stuck = {"resource web/service2"};
  bench.order(OrderKind::kStop);
  ASSERT_TRUE(bench.until_reported(3));
  EXPECT_EQ(bench.reports()[2].activity, std::nullopt);
}

TEST(GroupRunner, ReportsNothingOnceItIsBeingClosed) {
  GroupBench bench;
  bool closed = false;
  bench.service.probe.closed = true;
  bench.runner.probe();
  bench.runner.close([&] { closed = true; });
  EXPECT_FALSE(closed) << "its probe still runs";
  bench.service.probe.open();
  EXPECT_TRUE(closed);
  EXPECT_TRUE(bench.facts.empty());
}

}  // namespace
}  // namespace komainu::engine
