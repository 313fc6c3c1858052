#include "api/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/documents/json.h"
#include "api/documents/sentences.h"
#include "api/explain.h"
#include "api/testing.h"
#include "core/testing.h"

namespace komainu::api {
namespace {

using core::Activity;
using core::Severity;
using core::Standing;
using core::testing::Cluster;
using core::testing::node;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Position kEstablished{.self = node(1), .phase = core::Phase::kEstablished, .quorate = true};

auto says(Severity severity, const std::string& text) {
  return AllOf(Field(&AlarmView::severity, severity), Field(&AlarmView::text, HasSubstr(text)));
}

TEST(Status, ShowsAHealthyClusterWithoutAlarms) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db", {node(1), node(2)});
  cluster.runs(db.id, node(1));
  Status shown = status(cluster.state(), kEstablished);
  EXPECT_EQ(shown.cluster, "test");
  EXPECT_EQ(shown.self, "node1");
  ASSERT_EQ(shown.nodes.size(), 2u);
  EXPECT_EQ(shown.nodes[0].verdict, core::Verdict::kHealthy);
  EXPECT_THAT(shown.nodes[0].groups, ElementsAre("db"));
  ASSERT_EQ(shown.groups.size(), 1u);
  EXPECT_EQ(where(shown.groups[0]), "online on node1");
  EXPECT_THAT(shown.groups[0].prefer, ElementsAre("node1", "node2"));
  EXPECT_THAT(shown.alarms, IsEmpty());
}

TEST(Status, SaysWhoseCorosyncHasNotFollowedAndForWhomItWaits) {
  Cluster cluster(2);
  cluster.spec.version = 5;
  cluster.node_state(node(1)).corosync = {5, 4, cluster.spec.node_ids()};
  cluster.node_state(node(2)).corosync = {4, 4, cluster.spec.node_ids()};
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              ElementsAre(says(Severity::kWarning,
                               "Corosync on node1, node2 does not run by configuration 5 "
                               "yet: it waits for node2")));
  for (std::uint32_t number : {1, 2})
    cluster.node_state(node(number)).corosync = {5, 5, cluster.spec.node_ids()};
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms, IsEmpty());
}

TEST(Status, SaysWhatComesOfAFenceThatAnOperatorAskedFor) {
  Cluster cluster(2);
  cluster.has_fencer();
  cluster.is_wanted_off(node(2));
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              Contains(says(Severity::kWarning, "root wants node2 off: it is being fenced")));
  cluster.node_state(node(2)).fence_failures = 3;
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              Contains(says(Severity::kWarning, "root wants node2 off: it failed 3 times")));
}

TEST(Status, SaysOfAnAbsentNodeWhatItMayRun) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  cluster.runs(db.id, node(2));
  cluster.loses(node(2));
  Status shown = status(cluster.state(), kEstablished);
  EXPECT_EQ(shown.nodes[1].reason, "absent; it may run db");
  EXPECT_EQ(shown.nodes[1].verdict, core::Verdict::kUnknown);
  EXPECT_THAT(shown.alarms, Contains(says(Severity::kAlarm, "node node2: absent")));
  cluster.stands(node(2), Standing::kUnknown);
  EXPECT_THAT(status(cluster.state(), kEstablished).nodes[1].reason, HasSubstr("it may run anything"));
}

TEST(Status, SaysWhyAGroupIsHeldBack) {
  Cluster cluster(2);
  cluster.group("db");
  cluster.stands(node(2), Standing::kUnknown);
  Status shown = status(cluster.state(), kEstablished);
  EXPECT_EQ(where(shown.groups[0]), "held back: it may be running on node2");
  EXPECT_THAT(shown.alarms, Contains(says(Severity::kAlarm, "group db should run and does not")));
}

TEST(Status, ShowsALinkThatOneSideReportsOnBothNodes) {
  Cluster cluster(2);
  for (auto& [id, configured] : cluster.spec.nodes) configured.links = {"10.0.1.1", "192.168.50.1"};
  cluster.node_state(node(1)).links_down[node(2)] = 1u << 1;
  Status shown = status(cluster.state(), kEstablished);
  EXPECT_THAT(shown.nodes[0].links[0].down_to, IsEmpty());
  EXPECT_THAT(shown.nodes[0].links[1].down_to, ElementsAre("node2"));
  EXPECT_THAT(shown.nodes[1].links[1].down_to, ElementsAre("node1"));
  EXPECT_EQ(shown.nodes[0].reason, "link 192.168.50.1 to node2 is down");
  EXPECT_THAT(shown.alarms,
              Contains(says(Severity::kWarning, "link 1 between node1 (192.168.50.1) and node2 is down")));
}

TEST(Status, ShowsEachWatchdogAndAlarmsWhereOneIsCountedOnAndMissing) {
  Cluster cluster(3);
  cluster.spec.timing.watchdog = 10s;
  cluster.node_state(node(1)).watchdog = 10s;
  cluster.node_state(node(2)).watchdog = 16s;
  const Status shown = status(cluster.state(), kEstablished);
  EXPECT_EQ(shown.nodes[0].watchdog, Duration{10s});
  EXPECT_TRUE(shown.nodes[0].guarded);
  EXPECT_FALSE(shown.nodes[2].guarded);
  EXPECT_THAT(shown.alarms,
              ElementsAre(says(Severity::kAlarm, "node node2 starts no group: its watchdog is slower"),
                          says(Severity::kAlarm, "node node3 starts no group: its watchdog is not armed")));
}

TEST(Status, AlarmsAboutFailedFencesOnlyAsLongAsTheNodeIsAbsent) {
  Cluster cluster(2);
  cluster.node_state(node(2)).fence_failures = 2;
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms, IsEmpty());
  cluster.loses(node(2));
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              Contains(says(Severity::kAlarm, "fencing node2 failed 2 times")));
}

TEST(Status, PutsWhatIsMostUrgentFirst) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  core::Monitor& lan = cluster.monitor("lan", {db.id});
  cluster.reports(lan.id, node(1), core::Health::kWarning);
  cluster.does(db.id, node(1), Activity::kUnsafe);
  Status shown = status(cluster.state(), kEstablished);
  ASSERT_EQ(shown.alarms.size(), 2u);
  EXPECT_THAT(shown.alarms[0], says(Severity::kAlarm, "group db could not be stopped on node1"));
  EXPECT_THAT(shown.alarms[1], says(Severity::kWarning, "monitor lan on node1: warning"));
}

TEST(Status, AlarmsAboutAFaultThatAllNodesShare) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  cluster.runs(db.id, node(1));
  core::Monitor& gateway = cluster.monitor("gateway", {db.id});
  cluster.reports(gateway.id, node(1), core::Health::kFailed);
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms, Each(says(Severity::kWarning, "gateway")));
  cluster.reports(gateway.id, node(2), core::Health::kFailed);
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              Contains(says(Severity::kAlarm, "monitor gateway fails on every node")));
}

TEST(Status, CountsNoFaultOfANodeThatIsGoneAsShared) {
  Cluster cluster(3);
  const core::Group& db = cluster.group("db");
  cluster.runs(db.id, node(1));
  core::Monitor& gateway = cluster.monitor("gateway", {db.id});
  cluster.reports(gateway.id, node(1), core::Health::kFailed);
  cluster.reports(gateway.id, node(2), core::Health::kHealthy);
  cluster.reports(gateway.id, node(3), core::Health::kFailed);
  cluster.loses(node(3));
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              Not(Contains(says(Severity::kAlarm, "monitor gateway fails on every node"))));
}

TEST(Status, AlarmsAboutDoubleActivationAndAboutAGroupThatWasGivenUp) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  const core::Group& web = cluster.group("web");
  cluster.runs(db.id, node(1));
  cluster.runs(db.id, node(2));
  cluster.group_state(web.id).given_up = true;
  Status shown = status(cluster.state(), kEstablished);
  EXPECT_THAT(shown.alarms, Contains(says(Severity::kAlarm, "group db is active twice")));
  EXPECT_THAT(shown.alarms, Contains(says(Severity::kAlarm, "group web was stopped for good")));
  EXPECT_EQ(where(shown.groups[1]), "stopped for good after repeated failures");
}

TEST(Status, SaysThatANodeWithoutQuorumActsNoMore) {
  Cluster cluster(2);
  Position out{.self = node(1), .phase = core::Phase::kOut, .holds = std::map<GroupId, Activity>{}};
  const auto says_of_its_groups = [&](const std::string& text) {
    return ElementsAre(says(Severity::kAlarm, "node1 has no quorum: " + text));
  };
  const core::Group& db = cluster.group("db");
  EXPECT_THAT(status(cluster.state(), out).alarms, says_of_its_groups("its groups have been stopped"));
  out.holds->emplace(db.id, Activity::kStopping);
  EXPECT_THAT(status(cluster.state(), out).alarms, says_of_its_groups("it stops its groups and starts none"));
  cluster.spec.quorum.on_no_quorum = core::NoQuorum::kFreeze;
  EXPECT_THAT(status(cluster.state(), out).alarms, says_of_its_groups("its groups are frozen"));
}

TEST(Status, KnowsOutsideAViewOnlyWhatRunsOnItsOwnNode) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  const core::Group& web = cluster.group("web");
  const core::Group& mail = cluster.group("mail");
  cluster.runs(db.id, node(1));
  cluster.runs(web.id, node(2));
  cluster.loses(node(2));
  Position out{.self = node(1),
               .phase = core::Phase::kOut,
               .holds = std::map<GroupId, Activity>{{mail.id, Activity::kUnsafe}}};
  Status shown = status(cluster.state(), out);
  EXPECT_EQ(where(shown.groups[0]), "not running here");
  EXPECT_EQ(where(shown.groups[1]), "online on node2 (last known)");
  EXPECT_EQ(where(shown.groups[2]), "unsafe on node1 (it could not be stopped)");
  EXPECT_EQ(shown.groups[1].online(), nullptr);
  EXPECT_THAT(shown.groups[0].may_run, IsEmpty());
  EXPECT_THAT(shown.nodes[0].groups, ElementsAre("mail"));
  EXPECT_EQ(shown.nodes[0].reason, "no quorum");
  EXPECT_TRUE(shown.nodes[1].last_known);
  EXPECT_THAT(shown.alarms, ElementsAre(says(Severity::kAlarm, "node1 has no quorum"),
                                        says(Severity::kAlarm, "group mail could not be stopped on node1")));
  EXPECT_THAT(explain(cluster.state(), out, {}, db).placement, IsEmpty());
  out.holds.reset();
  EXPECT_EQ(where(status(cluster.state(), out).groups[0]), "online on node1 (last known)");
}

TEST(Status, WarnsOfWhatIsMissingToAnotherFailover) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  const core::Group& web = cluster.group("web");
  core::Group& here = cluster.group("here", {node(1)});
  here.strictness = core::Strictness::kPreferredOnly;
  for (GroupId group : {db.id, web.id, here.id}) cluster.runs(group, node(1));
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms, IsEmpty());
  const core::Monitor& lan = cluster.monitor("lan", {});
  cluster.edit().monitors[lan.id].suspended = true;
  cluster.stands(node(2), Standing::kSettled);
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              ElementsAre(says(Severity::kWarning, "node node2 takes no part: it surely runs nothing"),
                          says(Severity::kWarning, "db and web can run nowhere else: node2 ("),
                          says(Severity::kWarning, "monitor lan is suspended")));
  cluster.stands(node(2), Standing::kMember);
  cluster.has_duty(node(2), core::Duty::kDrained);
  EXPECT_THAT(status(cluster.state(), kEstablished).alarms,
              Contains(says(Severity::kWarning, "db and web can run nowhere else: node2 (drained)")));
}

TEST(FencingStatus, AsksForNothingOutsideAViewAndNeverAboutTheNodeItself) {
  Cluster cluster(2);
  cluster.stands(node(1), Standing::kUnknown);
  cluster.stands(node(2), Standing::kUnknown);
  for (const FenceTargetView& target :
       fence_status(cluster.state(), {.self = node(1), .phase = core::Phase::kSyncing}).nodes)
    EXPECT_TRUE(target.last_known && !target.needed) << target.node;
  const FenceStatus shown = fence_status(cluster.state(), kEstablished);
  EXPECT_FALSE(shown.nodes[0].needed);
  EXPECT_TRUE(shown.nodes[1].needed);
}

TEST(FencingStatus, TellsWhomTheBrakeHoldsBack) {
  Cluster cluster(3);
  cluster.spec.brakes.fences = 2;
  cluster.stands(node(3), Standing::kLost);
  cluster.passes(1min);
  cluster.edit().fences = {1s, 1s};
  FenceStatus shown = fence_status(cluster.state(), kEstablished);
  EXPECT_EQ(shown.brake_used, 1U) << "one moment counts once";
  EXPECT_FALSE(shown.nodes[2].braked);
  cluster.edit().fences = {1s, 2s};
  shown = fence_status(cluster.state(), kEstablished);
  EXPECT_EQ(shown.brake_used, 2U);
  EXPECT_TRUE(shown.nodes[2].braked);
  EXPECT_FALSE(shown.nodes[1].braked) << "nobody wants it fenced";
}

TEST(Status, ShowsAnOrderInFlightAndWhatAnOperatorWants) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  cluster.has_order(db.id, node(2), core::OrderKind::kRestart);
  cluster.group_state(db.id).intent.move_to = core::testing::place(2);
  GroupView shown = group_view(cluster.state(), kEstablished, db);
  EXPECT_EQ(where(shown), "restarting service on node2");
  EXPECT_EQ(shown.move_to, "node2");
  cluster.group_state(db.id) = {};
  cluster.group_state(db.id).intent.wish = core::Intent::Wish::kStop;
  EXPECT_EQ(where(group_view(cluster.state(), kEstablished, db)), "stopped by the operator");
}

TEST(Status, SurvivesTheWayThroughJson) {
  Cluster cluster(3);
  core::Group& db = cluster.group("db", {node(2)});
  db.name = "bücher \"shop\"";
  cluster.has_order(db.id, node(2), core::OrderKind::kStart);
  cluster.is_in_trouble(db.id, node(2), "line\nbreak");
  core::Monitor& lan = cluster.monitor("lan", {db.id});
  cluster.reports(lan.id, node(1), core::Health::kFailed);
  cluster.loses(node(3));
  Status shown = status(cluster.state(), kEstablished);
  std::string json = to_json(shown);
  auto back = from_json<Status>(json);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(to_json(*back), json);
  EXPECT_EQ(back->groups[0].trouble->evidence, "line\nbreak");
  EXPECT_EQ(back->alarms.size(), shown.alarms.size());
}

TEST(Json, ToleratesOtherVersionsAndNamesWhatItCannotRead) {
  auto newer = from_json<Status>(R"({"cluster": "c", "nodes": [{"name": "a", "age": 3}], "moon": true})");
  ASSERT_TRUE(newer);
  EXPECT_EQ(newer->nodes[0].name, "a");
  for (auto [text, what] : {std::pair{R"({"nodes": [{"name": 3}]})", "'nodes[0].name' is not a text"},
                            std::pair{R"({"nodes": {}})", "'nodes' is not a list"},
                            std::pair{R"({"phase": "asleep"})", "'phase' is not a word"},
                            std::pair{R"({"position": -1})", "'position' is not a whole number"},
                            std::pair{"[]", "not a JSON object"}, std::pair{"{", "not JSON"}}) {
    auto broken = from_json<Status>(text);
    ASSERT_FALSE(broken) << text;
    EXPECT_THAT(broken.error().what, HasSubstr(what));
  }
}

TEST(Json, IsUtf8WhateverAnApplicationPrinted) {
  struct Case {
    std::string printed, shown;
  };
  const std::string what = "\xef\xbf\xbd";
  for (const Case& c : {Case{"plain", "plain"}, Case{"bücher 狛犬 🦊", "bücher 狛犬 🦊"},
                        Case{"cut \xe7\x8b", "cut " + what + what}, Case{"latin \xfc", "latin " + what},
                        Case{"\xc0\x80", what + what}, Case{"\xed\xa0\x80", what + what + what},
                        Case{"\xf4\x90\x80\x80", what + what + what + what},
                        Case{std::string("\0\x1b[31m", 6), std::string("\0\x1b[31m", 6)}}) {
    auto back = from_json<Accepted>(to_json(Accepted{c.printed}));
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(back->text, c.shown);
  }
}

TEST(Placement, SaysWhatSpeaksForAndAgainstEachNode) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db", {node(1), node(2)});
  cluster.runs(db.id, node(1));
  cluster.has_duty(node(2), core::Duty::kDrained);
  auto places = placement(cluster.state(), db.id);
  ASSERT_EQ(places.size(), 2u);
  EXPECT_EQ(places[0].node, "node1");
  EXPECT_TRUE(places[0].chosen && places[0].eligible);
  EXPECT_FALSE(places[0].reason.empty());
  EXPECT_EQ(places[1].node, "node2");
  EXPECT_FALSE(places[1].chosen || places[1].eligible);
  EXPECT_THAT(places[1].reason, HasSubstr("drained"));
}

class Chain : public ::testing::Test {
 protected:
  void happened(Duration at, std::uint64_t cause, std::optional<GroupId> group, std::string text) {
    log_.append(
        LocalTime{at}, WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + at),
        core::Event{
            .cause = {node(1), core::Incarnation{0xbeef}, cause}, .group = group, .text = std::move(text)});
  }
  EventLog log_;
};

TEST_F(Chain, FollowsTheNewestCauseOfAGroupBackToItsFirstSymptom) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  const core::Group& web = cluster.group("web");
  happened(1s, 1, db.id, "an older story");
  happened(10s, 2, std::nullopt, "node2 is lost");
  happened(10s, 0, std::nullopt, "something without a cause");
  happened(11s, 2, web.id, "web starts on node1");
  happened(12s, 2, db.id, "db is online on node1");
  auto chain = last_chain(cluster.spec, log_.all(), db.id, {});
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0].text, "node2 is lost");
  EXPECT_EQ(chain[0].time, "2026-11-22T00:00:10.000000Z");
  EXPECT_EQ(chain[0].cause, "node1.beef.2");
  EXPECT_EQ(chain[1].text, "db is online on node1");
  EXPECT_EQ(chain[1].at - chain[0].at, 2s);
}

TEST_F(Chain, IsEmptyForAGroupNothingHappenedTo) {
  Cluster cluster(2);
  const core::Group& db = cluster.group("db");
  EXPECT_THAT(last_chain(cluster.spec, log_.all(), db.id, {}), IsEmpty());
  happened(1s, 0, db.id, "no cause");
  EXPECT_THAT(last_chain(cluster.spec, log_.all(), db.id, {}), IsEmpty());
}

// What real replicas say, as guest1 tells it.
class Story : public ::testing::Test {
 protected:
  static core::Spec spec() {
    Cluster cluster(2);
    cluster.has_fencer();
    cluster.group("db", {node(2), node(1)});
    cluster.monitor("lan", {GroupId{1}});
    cluster.group("web", {node(2), node(1)}).after.push_back({.other = GroupId{1}});
    return cluster.spec;
  }
  void SetUp() override {
    daemons_.pass(5s);
    for (GroupId group : {db_, web_}) ASSERT_EQ(online(group), core::testing::place(2));
  }
  std::optional<PlaceId> online(GroupId group) { return daemons_.at(node(1)).state().group(group)->online(); }
  void asks(auto what) {
    daemons_.at(node(1)).submit({.operator_name = "root", .what = what}, [](const core::Answer& answer) {
      EXPECT_TRUE(answer.accepted) << answer.text;
    });
  }
  std::vector<std::string> told(GroupId group) {
    testing::Daemon& daemon = daemons_.at(node(1));
    std::vector<std::string> lines;
    for (const EventView& event :
         explain(daemon.state(), daemon.position(), daemon.events().all(), *daemon.state().spec->group(group))
             .chain)
      lines.push_back(event.text);
    return lines;
  }

  const GroupId db_{1};
  const GroupId web_{2};  // needs db
  testing::Daemons daemons_{spec()};
};

TEST_F(Story, OfADrainBeginsWithTheOperator) {
  asks(core::NodeDuty{node(2), core::Duty::kDrained});
  daemons_.pass(5s);
  EXPECT_THAT(told(db_), ElementsAre("root: drain node2", "stop db on node2: node2 is drained",
                                     "db is stopped on node2", "start db on node1", "db is online on node1"));
  EXPECT_THAT(told(web_),
              ElementsAre("root: drain node2", "stop web on node2: db, which it needs, stops",
                          "web is stopped on node2", "start web on node1", "web is online on node1"));
}

TEST_F(Story, OfALossGoesOverTheFence) {
  daemons_.fences = false;
  daemons_.join({node(1)});
  daemons_.pass(5s);
  EXPECT_THAT(told(db_), ElementsAre("node2 is lost", "node1 fences node2: it is lost and may run db"));
  const core::FenceOrder open = daemons_.at(node(1)).state().node(node(2))->fences.at(node(1));
  daemons_.report(node(1), core::FenceResult{node(2), open.id, true, "off, as read back"});
  daemons_.pass(5s);
  EXPECT_THAT(told(db_), ElementsAre("node2 is lost", "node1 fences node2: it is lost and may run db",
                                     "node2 is fenced, confirmed by node1", "start db on node1",
                                     "db is online on node1"));
}

TEST_F(Story, OfAFenceThatAnOperatorAskedForBeginsWithHim) {
  daemons_.fences = false;
  asks(core::FenceOff{node(2)});
  testing::Daemon& asked = daemons_.at(node(1));
  EXPECT_EQ(node_view(asked.state(), asked.position(), *asked.state().spec->node(node(2))).wanted_off_by,
            "root");
  const core::FenceOrder open = asked.state().node(node(2))->fences.at(node(1));
  daemons_.join({node(1)});
  EXPECT_EQ(fence_status(asked.state(), asked.position()).nodes[1].wanted_off_by, "root");
  daemons_.report(node(1), core::FenceResult{node(2), open.id, true, "off, as read back"});
  daemons_.pass(5s);
  EXPECT_THAT(told(db_), ElementsAre("root: fence node2 off", "node1 fences node2: root asked for it",
                                     "node2 is lost", "node2 is fenced, confirmed by node1",
                                     "start db on node1", "db is online on node1"));
  EXPECT_EQ(fence_status(asked.state(), asked.position()).nodes[1].wanted_off_by, std::nullopt);
}

TEST_F(Story, OfALossThatTheOperatorEndsBeginsWithTheLoss) {
  daemons_.fences = false;
  daemons_.join({node(1)});
  asks(core::FenceConfirm{node(2)});
  daemons_.pass(5s);
  const std::vector<std::string> lines = told(web_);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.front(), "node2 is lost");
  EXPECT_THAT(lines, Contains("root: node2 is off"));
  EXPECT_EQ(lines.back(), "web is online on node1");
}

TEST_F(Story, OfALeaveBeginsWithIt) {
  daemons_.report(node(2), core::Leaving{});
  daemons_.pass(5s);
  daemons_.join({node(1)});
  EXPECT_THAT(told(db_), ElementsAre("node2 is leaving the cluster", "stop db on node2: node2 is leaving",
                                     "db is stopped on node2", "start db on node1", "db is online on node1",
                                     "node2 left, running nothing"));
}

TEST_F(Story, OfAMoveAwayFromAFaultBeginsWithTheMonitor) {
  const auto finds = [&](NodeId by, core::Health health) {
    daemons_.report(by, core::MonitorResult{MonitorId{1}, core::Spec::place_of(by), health, "no link"});
  };
  for (NodeId by : {node(1), node(2)}) finds(by, core::Health::kHealthy);
  daemons_.pass(30s);
  finds(node(2), core::Health::kFailed);
  daemons_.pass(30s);
  EXPECT_THAT(told(db_), ElementsAre("lan on node2: failed: no link", "stop db on node2: lan failed on node2",
                                     "db is stopped on node2", "start db on node1", "db is online on node1"));
}

TEST_F(Story, OfASecondLossIsAnotherOne) {
  daemons_.join({node(1)});
  daemons_.pass(5s);
  daemons_.join({node(1), node(2)});
  daemons_.pass(5s);
  asks(core::GroupMove{db_, core::testing::place(2)});
  daemons_.pass(5s);
  ASSERT_EQ(online(db_), core::testing::place(2));
  daemons_.join({node(1)});
  daemons_.pass(5s);
  const std::vector<std::string> lines = told(db_);
  EXPECT_EQ(std::ranges::count(lines, "node2 is lost"), 1);
  EXPECT_EQ(lines.front(), "node2 is lost");
}

}  // namespace
}  // namespace komainu::api
