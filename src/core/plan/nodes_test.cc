#include "core/plan/nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/admit/admit.h"
#include "core/plan/sentences.h"
#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::node;
using ::testing::Not;
using testing::place;
using testing::plans;

std::vector<std::string> held_back(Cluster& cluster) {
  std::vector<std::string> told;
  for (const HeldBack& fence : plan(cluster.state(), node(1)).held_back) {
    EXPECT_EQ(fence.cause, cluster.node_state(fence.node).cause);
    told.push_back(fence.why);
  }
  return told;
}

// Two nodes, a fencer, and a group that runs on node1.
struct Pair : Cluster {
  Pair() : Cluster(2) {
    has_fencer();
    db = group("db", {node(1), node(2)}).id;
    runs(db, node(1));
  }
  GroupId db;
};

TEST(Fencing, OfALostNodeThatMayRunAGroupIsOrderedAtOnce) {
  Pair pair;
  pair.loses(node(1));
  EXPECT_THAT(plans(pair, node(2)), ElementsAre("node2 fences node1 by level 0: it is lost and may run db"));
}

TEST(Fencing, NamesTheStateItWasMadeFor) {
  Pair pair;
  pair.loses(node(1));
  const auto planned = plan(pair.state(), node(2)).due;
  ASSERT_EQ(planned.size(), 1u);
  const auto& fence = std::get<FenceNode>(planned[0].proposal);
  EXPECT_EQ(fence.node_version, pair.node_state(node(1)).version);
  EXPECT_EQ(fence.incarnation, Cluster::incarnation(node(1)));
}

TEST(Fencing, LeavesANodeAloneThatNobodyNeedsFenced) {
  Pair pair;
  pair.loses(node(2));
  EXPECT_THAT(plans(pair), IsEmpty()) << "it is lost, and runs at most what the state says: nothing";
  pair.stands(node(2), Standing::kLeft);
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.stands(node(2), Standing::kSettled);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Fencing, LetsNoTwoNodesFenceEachOther) {
  Pair pair;
  const GroupId web = pair.group("web").id;
  pair.does(pair.db, node(1), Activity::kUnsafe);
  pair.does(web, node(2), Activity::kUnsafe);
  EXPECT_THAT(plans(pair, node(1)), ElementsAre("node2 fences node1 by level 0: it could not stop db"));
}

TEST(Fencing, SparesTheLastHealthyNode) {
  Pair pair;
  pair.does(pair.db, node(1), Activity::kUnsafe);
  EXPECT_THAT(plans(pair, node(2)), ElementsAre("node2 fences node1 by level 0: it could not stop db"));
  pair.has_duty(node(2), Duty::kStandby);
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
}

TEST(Fencing, SparesANodeWithoutWhichTheOthersAreNoQuorum) {
  Cluster cluster(3);
  cluster.has_fencer();
  const GroupId db = cluster.group("db").id;
  cluster.does(db, node(1), Activity::kUnsafe);
  EXPECT_THAT(plans(cluster, node(2)), ElementsAre("node2 fences node1 by level 0: it could not stop db"));
  cluster.stands(node(3), Standing::kSettled);
  EXPECT_THAT(plans(cluster, node(2)), IsEmpty()) << "it would wait, and node1 start nothing meanwhile";
}

TEST(Fencing, LeavesANodeAloneWhoseGroupsTheOperatorWantsStopped) {
  Pair pair;
  pair.loses(node(1));
  pair.group_state(pair.db).intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
}

TEST(Fencing, IsNeededOfANodeThatMayRunAnything) {
  Pair pair;
  pair.stands(node(2), Standing::kUnknown);
  EXPECT_THAT(plans(pair), ElementsAre("node1 fences node2 by level 0: it is not known whether it runs db"));
  pair.spec.groups[pair.db].prefer = {place(1)};
  pair.spec.groups[pair.db].strictness = Strictness::kPreferredOnly;
  EXPECT_THAT(plans(pair), ElementsAre("node1 fences node2 by level 0: it is not known whether it runs db"))
      << "it may go by another configuration, which it made active when it was alone";
}

TEST(Fencing, IsNotNeededOfANodeThatMayRunNothingByAnyConfiguration) {
  Cluster cluster(3);
  cluster.has_fencer();
  Group& db = cluster.group("db", {node(1), node(2)});
  db.strictness = Strictness::kPreferredOnly;
  cluster.runs(db.id, node(1));
  cluster.stands(node(3), Standing::kUnknown);
  EXPECT_THAT(plans(cluster), IsEmpty()) << "alone it could have agreed on nothing";
  cluster.stands(node(2), Standing::kLost);
  EXPECT_TRUE(cluster.state().may_run(db.id).contains(place(3))) << "with node2 it could";
}

TEST(Fencing, WaitsForADaemonThatMayComeBack) {
  Pair pair;
  pair.loses(node(1));
  pair.node_state(node(1)).ring_member = true;
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
  pair.passes(pair.spec.timing.daemon_restart - 1us);
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
  pair.passes(1us);
  EXPECT_THAT(plans(pair, node(2)), ElementsAre("node2 fences node1 by level 0: it is lost and may run db"));
}

TEST(Fencing, WaitsForAbsentNodesWhenAllStartCold) {
  Pair pair;
  State& state = pair.edit();
  state.groups[pair.db].at.clear();
  state.cold = true;
  pair.stands(node(2), Standing::kUnknown);
  EXPECT_THAT(plans(pair), IsEmpty()) << "neither fences node2 nor starts db, which it may run";
  pair.passes(pair.spec.timing.startup_wait);
  EXPECT_THAT(plans(pair), ElementsAre("node1 fences node2 by level 0: it is not known whether it runs db"));
}

TEST(Fencing, OfASilentDaemonWaitsUntilItCountsAsLost) {
  Pair pair;
  pair.suspends(node(1));
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
  pair.passes(pair.spec.timing.lost_after);
  EXPECT_THAT(plans(pair, node(2)),
              ElementsAre("node2 fences node1 by level 0: its daemon does not answer, and it may run db"));
}

TEST(Fencing, OfASilentDaemonThatRunsNothingIsNeededOnlyWhenAGroupWaits) {
  Pair pair;
  pair.suspends(node(2));
  pair.passes(pair.spec.timing.lost_after);
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.does(pair.db, node(1), Activity::kStarting);
  EXPECT_THAT(plans(pair),
              ElementsAre("node1 fences node2 by level 0: its daemon does not answer, and db waits"));
}

TEST(Fencing, OfAMemberThatCouldNotStopAGroup) {
  Pair pair;
  pair.does(pair.db, node(1), Activity::kUnsafe);
  EXPECT_THAT(plans(pair, node(1)), ElementsAre("node2 fences node1 by level 0: it could not stop db"))
      << "a planner does not fence itself";
  pair.group_state(pair.db).intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(pair), IsEmpty()) << "other groups there do not pay for it: nobody waits for db";
}

TEST(Fencing, IsOrderedOnce) {
  Pair pair;
  pair.loses(node(1));
  pair.node_state(node(1)).fences[node(2)] = FenceOrder{};
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
}

TEST(Fencing, TriesItsLevelsInTurn) {
  Pair pair;
  pair.has_fencer();
  pair.has_fencer();
  pair.spec.fencing[1].devices[0].targets = {node(2)};  // cannot reach node1
  pair.loses(node(1));
  const char* expected[] = {"level 0", "level 2", "level 0"};
  for (std::uint32_t failures = 0; failures < 3; ++failures) {
    pair.node_state(node(1)).fence_failures = failures;
    EXPECT_THAT(plans(pair, node(2)), ElementsAre(::testing::HasSubstr(expected[failures]))) << failures;
  }
}

TEST(Fencing, IsNotPlannedWithoutADeviceForTheTarget) {
  Pair pair;
  pair.spec.fencing[0].devices[0].targets = {node(2)};
  pair.loses(node(1));
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
}

TEST(Fencing, StopsAtTheBrakes) {
  Cluster cluster(5);
  cluster.has_fencer();
  cluster.runs(cluster.group("a").id, node(2));
  cluster.runs(cluster.group("b").id, node(3));
  cluster.loses(node(2));
  cluster.loses(node(3));
  cluster.spec.brakes.fences = 2;
  cluster.passes(10s);
  State& state = cluster.edit();
  state.fences = {1s, 1s, 1s};
  EXPECT_EQ(plans(cluster).size(), 2u) << "what happens at one moment counts once";
  state.fences = {1s, 2s};
  EXPECT_THAT(plans(cluster), IsEmpty());
  EXPECT_THAT(held_back(cluster),
              ElementsAre("node2 is not fenced, the brake holds: it is lost and may run a",
                          "node3 is not fenced, the brake holds: it is lost and may run b"));
  state.fences = {1s, 10s};
  EXPECT_THAT(held_back(cluster), IsEmpty());
  EXPECT_EQ(plans(cluster).size(), 2u) << "the rest of a loss that is being answered";
}

TEST(Fencing, OfTheExecutorOfAnOpenFence) {
  Cluster cluster(5);
  cluster.has_fencer();
  const GroupId db = cluster.group("db").id;
  cluster.runs(db, node(1));
  cluster.loses(node(2));
  cluster.loses(node(3));
  cluster.node_state(node(3)).fences[node(2)] = FenceOrder{};
  EXPECT_THAT(plans(cluster),
              ElementsAre("node1 fences node2 by level 0: it is lost and may still be fencing node3"));
}

TEST(Fencing, OfTheExecutorByItsTargetWhereNobodyElseIsLeft) {
  Pair pair;
  pair.runs(pair.db, node(2));
  pair.node_state(node(1)).fences[node(2)] = FenceOrder{};
  pair.loses(node(2));
  EXPECT_THAT(plans(pair, node(1)), ElementsAre("node1 fences node2 by level 0: it is lost and may run db"));
}

TEST(Fencing, WithoutAFencerIsReplacedByTheAcceptedRiskOnly) {
  Pair pair;
  pair.spec.fencing.clear();
  pair.loses(node(1));
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
  pair.spec.quorum.allow_split_risk = true;
  EXPECT_THAT(plans(pair, node(2)), ElementsAre("take node1 for stopped"));
  pair.node_state(node(1)).ring_member = true;
  EXPECT_THAT(plans(pair, node(2)), IsEmpty()) << "it may be back in a moment";
  pair.stands(node(1), Standing::kMember);
  pair.suspends(node(1));
  pair.passes(pair.spec.timing.lost_after);
  EXPECT_THAT(plans(pair, node(2)), IsEmpty()) << "a member is not taken for stopped";
}

// Two nodes, a fencer, and addresses that only a well connected node reaches.
struct PairWithPing : Pair {
  PairWithPing() {
    Monitor& monitor = this->monitor("quorum-ping", {});
    monitor.role = MonitorRole::kMayFence;
    ping = monitor.id;
  }
  MonitorId ping;
};

TEST(Fencing, IsLeftToNodesThatReachWhatAWellConnectedOneReaches) {
  PairWithPing pair;
  pair.loses(node(1));
  EXPECT_THAT(plans(pair, node(2)), IsEmpty()) << "it has not looked yet";
  pair.reports(pair.ping, node(2), Health::kFailed);
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
  pair.reports(pair.ping, node(2), Health::kWarning);
  EXPECT_THAT(plans(pair, node(2)), Not(IsEmpty())) << "one of several targets is enough";
  pair.reports(pair.ping, node(2), Health::kHealthy);
  EXPECT_THAT(plans(pair, node(2)), ElementsAre("node2 fences node1 by level 0: it is lost and may run db"));
}

TEST(Fencing, IsDoneByAnotherMemberWhereThePlannerIsNotWellConnected) {
  Cluster cluster(3);
  cluster.has_fencer();
  cluster.runs(cluster.group("db").id, node(3));
  Monitor& ping = cluster.monitor("quorum-ping", {});
  ping.role = MonitorRole::kMayFence;
  cluster.reports(ping.id, node(1), Health::kFailed);
  cluster.reports(ping.id, node(2), Health::kHealthy);
  cluster.loses(node(3));
  EXPECT_THAT(plans(cluster, node(1)),
              ElementsAre("node2 fences node3 by level 0: it is lost and may run db"));
}

TEST(Fencing, IsNotHeldBackByAPingThatTheOperatorSuspended) {
  PairWithPing pair;
  pair.reports(pair.ping, node(2), Health::kFailed);
  pair.edit().monitors[pair.ping].suspended = true;
  pair.loses(node(1));
  EXPECT_THAT(plans(pair, node(2)), Not(IsEmpty()));
}

TEST(Fencing, NeitherAcceptsARiskForANodeThatIsNotWellConnected) {
  PairWithPing pair;
  pair.spec.fencing.clear();
  pair.spec.quorum.allow_split_risk = true;
  pair.loses(node(1));
  pair.reports(pair.ping, node(2), Health::kFailed);
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
  pair.reports(pair.ping, node(2), Health::kHealthy);
  EXPECT_THAT(plans(pair, node(2)), Not(IsEmpty()));
}

// The first was lost while it fenced the second, which came back, began to fence the first and was lost as
// well.
TEST(Fencing, OfNodesThatWereLostWhileTheyFencedEachOtherIsBegunAnew) {
  Cluster cluster(5);
  cluster.has_fencer();
  const Group& db = cluster.group("db");
  const Group& web = cluster.group("web");
  for (const auto& [group, where] : {std::pair(db.id, node(4)), {web.id, node(5)}})
    cluster.runs(group, where);
  for (NodeId id : {node(4), node(5)}) cluster.loses(id);
  const auto fences = [&](std::uint32_t executor, std::uint32_t target) {
    cluster.node_state(node(target)).fences[node(executor)] =
        FenceOrder{.executor = node(executor), .target_incarnation = Cluster::incarnation(node(target))};
  };
  fences(5, 4);
  EXPECT_THAT(plans(cluster), ElementsAre("node1 fences node5 by level 0: it is lost and may run web"))
      << "whose end ends the other";
  fences(4, 5);
  EXPECT_THAT(plans(cluster), ElementsAre("node1 fences node4 by level 0: it is lost and may run db",
                                          "node1 fences node5 by level 0: it is lost and may run web"));
  Effects effects;
  for (const Planned& planned : plan(cluster.state(), node(1)).due)
    EXPECT_FALSE(admit(cluster.edit(), planned.proposal, Context{node(1), node(1), {}, {}, {}}, effects));
}

TEST(Fencing, IsTheLastStepOfALadderThatEndsWithAReset) {
  Pair pair;
  pair.spec.groups[pair.db].on_failure = {.restart = 0, .failover = 0, .then = FinalAction::kReset};
  pair.is_in_trouble(pair.db, node(1));
  EXPECT_THAT(plans(pair),
              ElementsAre("node2 fences node1 by level 0: the recovery ladder ends with a reset for "
                          "db: it answers 500"));
}

TEST(Fencing, OfAHealthyMemberIsOrderedWhereAnOperatorAskedForIt) {
  Pair pair;
  pair.is_wanted_off(node(1));
  for (NodeId planner : {node(1), node(2)}) {
    EXPECT_THAT(plans(pair, planner), ElementsAre("node2 fences node1 by level 0: root asked for it"));
    EXPECT_EQ(plan(pair.state(), planner).due[0].cause, pair.node_state(node(1)).fence_wish->cause);
  }
  pair.node_state(node(1)).fences[node(2)] = FenceOrder{};
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
}

TEST(Fencing, ThatAnOperatorAskedForEndsWithAConfirmationWhoeverNeedsIt) {
  Pair pair;
  pair.is_wanted_off(node(2));  // it runs nothing
  for (Standing standing : {Standing::kLost, Standing::kUnknown, Standing::kLeft}) {
    pair.stands(node(2), standing);
    EXPECT_THAT(plans(pair), ElementsAre("node1 fences node2 by level 0: root asked for it"));
  }
}

TEST(Fencing, ThatAnOperatorAskedForIsNotHeldBackByTheBrakes) {
  Pair pair;
  pair.spec.brakes.fences = 1;
  pair.edit().fences = {1s};
  pair.passes(10s);
  pair.has_duty(node(2), Duty::kStandby);
  pair.is_wanted_off(node(1));
  EXPECT_THAT(plans(pair, node(2)), ElementsAre("node2 fences node1 by level 0: root asked for it"));
}

TEST(Fencing, ThatAnOperatorAskedForSaysWhyItIsNotBegun) {
  Cluster cluster(3);
  cluster.has_fencer();
  const auto why = [&] { return plan(cluster.state(), node(1)).held_back.at(0).why; };
  cluster.stands(node(3), Standing::kSettled);
  cluster.is_wanted_off(node(2));
  EXPECT_EQ(why(), "node2 is not fenced, without it the others are no quorum: root asked for it");
  cluster.stands(node(3), Standing::kMember);
  cluster.node_state(node(1)).leaving = cluster.node_state(node(3)).leaving = true;
  EXPECT_EQ(why(), "node2 is not fenced, nobody can do it: root asked for it");
}

TEST(Fencing, KeepsGroupsFromComingToANodeThatAnOperatorWantsOff) {
  Pair pair;
  pair.group("web", {node(1)});
  EXPECT_THAT(plans(pair), ElementsAre("start web on node1"));
  pair.is_wanted_off(node(1));
  EXPECT_THAT(plans(pair, node(2)),
              ElementsAre("start web on node2", "node2 fences node1 by level 0: root asked for it"))
      << "and db, which runs there, is not stopped first";
}

TEST(FenceRace, IsLostByWhomAnOperatorWantsOff) {
  Pair pair;
  pair.is_wanted_off(node(1));
  EXPECT_FALSE(holds_fewer(pair.state(), node(1))) << "although all that runs, runs there";
  pair.stands(node(2), Standing::kUnknown);
  EXPECT_TRUE(holds_fewer(pair.state(), node(2)));
}

TEST(FenceRace, IsLostByWhoHoldsLess) {
  Pair pair;
  pair.stands(node(1), Standing::kUnknown);  // as node2 sees it
  EXPECT_TRUE(holds_fewer(pair.state(), node(1)));
  pair.stands(node(1), Standing::kMember);
  pair.stands(node(2), Standing::kUnknown);  // as node1 sees it
  EXPECT_FALSE(holds_fewer(pair.state(), node(2)));
}

TEST(FenceRace, AtATieIsWonByTheHalfWithTheLowestNode) {
  for (const bool each_runs_one : {false, true}) {
    Cluster cluster(4);
    if (each_runs_one) {
      cluster.runs(cluster.group("a").id, node(2));
      cluster.runs(cluster.group("b").id, node(3));
    }
    for (NodeId id : {node(3), node(4)}) cluster.stands(id, Standing::kUnknown);
    EXPECT_FALSE(holds_fewer(cluster.state(), node(3)));
    for (NodeId id : {node(3), node(4)}) cluster.stands(id, Standing::kMember);
    for (NodeId id : {node(1), node(2)}) cluster.stands(id, Standing::kUnknown);
    EXPECT_TRUE(holds_fewer(cluster.state(), node(1)));
  }
}

}  // namespace
}  // namespace komainu::core
