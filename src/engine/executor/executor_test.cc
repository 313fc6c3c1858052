#include "engine/executor/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/fake_drivers.h"

namespace komainu::engine {
namespace {

using core::Activity;
using core::GroupReport;
using core::OrderKind;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::things;

constexpr NodeId kHere{1};
constexpr GroupId kWeb{1};
constexpr GroupId kMail{2};

struct ExecutorBench : testing::Bench {
  ExecutorBench() { has_group(kWeb, "web"); }
  ~ExecutorBench() {
    for (auto& [name, thing] : things()) thing.let_go();
    spec.groups.clear();
    EXPECT_TRUE(executor.configure(spec));
    for (auto& [name, thing] : things()) thing.let_go();
  }

  static core::Spec one_node() {
    core::Spec spec;
    spec.nodes[kHere] = core::Node{kHere, "node1", {}};
    return spec;
  }
  core::Group& has_group(GroupId id, const std::string& name) {
    core::Group& group = spec.groups[id];
    group.id = id;
    group.name = name;
    group.resources.push_back(core::Resource{.name = "service", .type = "fake", .params = {}});
    return group;
  }
  std::vector<GroupReport> reports() const { return reported<GroupReport>(); }
  bool until_reported(std::size_t number) {
    return until([&] { return reports().size() >= number; });
  }
  void starts(GroupId group) {
    core::Order order;
    order.id.position = 1;
    order.kind = OrderKind::kStart;
    executor.execute({group, order});
  }

  core::Spec spec = one_node();
  Executor executor{kHere, spec, services(), sink(), testing::fake_types()};
};

TEST(Executor, ProbesTheGroupsOfItsFirstConfiguration) {
  ExecutorBench bench;
  things()["web/service"].runs = true;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].group, kWeb);
  EXPECT_EQ(bench.reports()[0].activity, Activity::kOnline);
}

TEST(Executor, ProbesAGroupThatAConfigurationAdds) {
  ExecutorBench bench;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  bench.facts.clear();
  things()["mail/service"].runs = true;
  bench.has_group(kMail, "mail");
  const auto let_go = bench.executor.configure(bench.spec);
  ASSERT_TRUE(let_go);
  EXPECT_THAT(*let_go, IsEmpty());
  ASSERT_TRUE(bench.until_reported(1));
  ASSERT_EQ(bench.reports().size(), 1u) << "what did not change is not looked at again";
  EXPECT_EQ(bench.reports()[0].group, kMail);
  EXPECT_EQ(bench.reports()[0].activity, Activity::kOnline);
}

TEST(Executor, ProbesAGroupWhoseResourcesChanged) {
  ExecutorBench bench;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  bench.facts.clear();
  bench.spec.groups[kWeb].resources[0].name = "another";
  things()["web/another"].runs = true;
  const auto let_go = bench.executor.configure(bench.spec);
  ASSERT_TRUE(let_go);
  EXPECT_THAT(*let_go, ElementsAre(kWeb));
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.reports()[0].activity, Activity::kOnline);
}

TEST(Executor, ReportsNothingMoreOfAGroupThatWasReplacedUnderItsId) {
  ExecutorBench bench;
  testing::Thing& old = things()["web/service"];
  old.runs = true;
  old.probe.closed = true;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  bench.spec.groups[kWeb].name = "mail";
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  old.probe.open();
  ASSERT_TRUE(bench.until_reported(1));
  ASSERT_EQ(bench.reports().size(), 1u);
  EXPECT_EQ(bench.reports()[0].activity, std::nullopt) << "nothing of mail runs";
}

TEST(Executor, LooksOnlyOnceTheGroupsThatWereLetGoHaveEnded) {
  ExecutorBench bench;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  testing::Thing& old = things()["web/service"];
  old.start.closed = true;
  bench.starts(kWeb);
  ASSERT_TRUE(bench.until([&] { return old.start.waiting(); }));
  bench.spec.groups[kWeb].resources[0].name = "another";
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  bench.executor.probe(kWeb);
  bench.executor.probe_all();
  EXPECT_THAT(things()["web/another"].calls, IsEmpty()) << "the old start may still bring it up";
  old.start.open();
  ASSERT_TRUE(bench.until_reported(2));
  EXPECT_THAT(things()["web/another"].calls, Contains("probe"));
}

TEST(Executor, RefusesAConfigurationWithATypeItDoesNotKnowAndKeepsTheOldOne) {
  ExecutorBench bench;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  core::Spec newer = bench.spec;
  newer.groups[kWeb].resources[0].type = "newer";
  const auto configured = bench.executor.configure(newer);
  ASSERT_FALSE(configured);
  EXPECT_THAT(configured.error().what, HasSubstr("web/service: this version does not know the type 'newer'"));
  bench.starts(kWeb);
  ASSERT_TRUE(bench.until_reported(2));
  EXPECT_EQ(bench.reports()[1].activity, Activity::kOnline);
}

TEST(Executor, RefusesAConfigurationWithAMonitorOrADeviceItDoesNotKnow) {
  ExecutorBench bench;
  core::Spec monitored = bench.spec;
  monitored.monitors[MonitorId{1}].type = "newer";
  EXPECT_FALSE(bench.executor.configure(monitored));
  core::Spec fenced = bench.spec;
  fenced.fencing.push_back({{core::FenceDevice{.type = "newer", .params = {}, .targets = {}}}});
  EXPECT_FALSE(bench.executor.configure(fenced));
}

TEST(Executor, AYieldStopsAlsoAGroupWhoseStartIsStillWaiting) {
  ExecutorBench bench;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  testing::Thing& service = things()["web/service"];
  service.probe.closed = true;
  bench.executor.probe(kWeb);
  ASSERT_TRUE(bench.until([&] { return service.probe.waiting(); }));
  bench.starts(kWeb);  // the probe has been cancelled and has not ended
  bench.executor.yield();
  service.probe.open();
  ASSERT_TRUE(bench.until_reported(2));
  EXPECT_THAT(service.calls, ElementsAre("probe", "probe", "stop", "probe"));
  EXPECT_TRUE(bench.executor.idle());
}

TEST(Executor, SaysWhichGroupAYieldCouldNotStop) {
  ExecutorBench bench;
  testing::Thing& web = things()["web/service"];
  web.watch.ends_at_once = true;
  web.runs = true;
  web.obeys_stop = false;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  EXPECT_EQ(bench.executor.failed_to_yield(bench.loop.now()), std::nullopt);
  bench.executor.yield();
  ASSERT_TRUE(bench.until_reported(2));
  ASSERT_EQ(bench.reports()[1].activity, Activity::kUnsafe);
  EXPECT_EQ(bench.executor.failed_to_yield(bench.loop.now()), "web");
  web.obeys_stop = true;
  bench.executor.yield();
  ASSERT_TRUE(bench.until_reported(3));
  EXPECT_EQ(bench.executor.failed_to_yield(bench.loop.now()), std::nullopt) << "it is stopped now";
}

TEST(Executor, WhatComesUpAgainAfterAYieldHasNotFailedToYield) {
  ExecutorBench bench;
  testing::Thing& web = things()["web/service"];
  web.watch.ends_at_once = true;
  web.runs = true;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  bench.executor.yield();
  ASSERT_TRUE(bench.until_reported(2));
  web.runs = true;
  bench.executor.probe(kWeb);
  ASSERT_TRUE(bench.until_reported(3));
  EXPECT_EQ(bench.executor.failed_to_yield(bench.loop.now() + 3600s), std::nullopt);
}

TEST(Executor, AYieldThatHangsHasFailedOnceItsTimeIsOver) {
  ExecutorBench bench;
  testing::Thing& web = things()["web/service"];
  web.runs = true;
  web.stop.closed = true;
  ASSERT_TRUE(bench.executor.configure(bench.spec));
  ASSERT_TRUE(bench.until_reported(1));
  bench.executor.yield();
  EXPECT_EQ(bench.executor.failed_to_yield(bench.loop.now()), std::nullopt);
  EXPECT_EQ(bench.executor.failed_to_yield(bench.loop.now() + 3600s), "web");
}

TEST(Executor, GivingUpStopsWhatCanBeMade) {
  ExecutorBench bench;
  bench.has_group(kMail, "mail").resources[0].type = "newer";
  things()["web/service"].runs = true;
  ASSERT_FALSE(bench.executor.configure(bench.spec));
  bench.executor.give_up(bench.spec);
  ASSERT_TRUE(bench.until([&] { return bench.executor.idle(); }));
  EXPECT_FALSE(things()["web/service"].runs);
}

}  // namespace
}  // namespace komainu::engine
