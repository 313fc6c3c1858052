#include "core/plan/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/plan/sentences.h"
#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::node;
using testing::place;
using testing::plans;
using ::testing::UnorderedElementsAre;

// Two nodes, and a group that prefers node1 and runs there.
struct Pair : Cluster {
  explicit Pair(std::uint32_t nodes = 2) : Cluster(nodes) {
    has_fencer();
    db = group("db", {node(1), node(2)}).id;
    runs(db, node(1));
  }
  Group& configured() { return spec.groups[db]; }
  GroupState& known() { return group_state(db); }
  GroupId db;
};

// ---- starting

TEST(Start, NamesTheStateItWasMadeFor) {
  Cluster cluster(2);
  const GroupId db = cluster.group("db", {node(2)}).id;
  cluster.group_state(db).version = 7;
  cluster.spec.version = 3;
  const auto planned = plan(cluster.state(), node(1)).due;
  ASSERT_EQ(planned.size(), 1u);
  const StartGroup expected{db, place(2), 7, Cluster::incarnation(node(2)), 3};
  EXPECT_EQ(std::get<StartGroup>(planned[0].proposal).fields(), expected.fields());
}

TEST(Start, CarriesTheCauseOfTheRecovery) {
  Cluster cluster(2);
  const GroupId db = cluster.group("db").id;
  cluster.group_state(db).cause = Cause{node(2), Cluster::incarnation(node(2)), 5};
  EXPECT_EQ(plan(cluster.state(), node(1)).due.at(0).cause, cluster.group_state(db).cause);
}

TEST(Start, DependsOnTheConfigurationAndTheOperator) {
  Cluster cluster(1);
  Group& db = cluster.group("db");
  GroupState& known = cluster.group_state(db.id);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"));
  db.autostart = false;
  EXPECT_THAT(plans(cluster), IsEmpty());
  known.intent.wish = Intent::Wish::kRun;
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"));
  known.given_up = true;
  EXPECT_THAT(plans(cluster), IsEmpty());
  known.given_up = false;
  known.intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(cluster), IsEmpty());
}

TEST(Start, WaitsWhileTheGroupMayRunSomewhere) {
  for (Activity activity : {Activity::kUnknown, Activity::kStarting, Activity::kOnline, Activity::kUnsafe}) {
    Pair pair(3);
    pair.does(pair.db, node(1), activity);
    pair.stands(node(1), Standing::kLost);
    pair.node_state(node(1)).fences[node(2)] = FenceOrder{};
    EXPECT_THAT(plans(pair, node(2)), IsEmpty()) << static_cast<int>(activity);
  }
}

TEST(Start, WaitsForTheProbeOfAMember) {
  Pair pair;
  pair.does(pair.db, node(1), Activity::kUnknown);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Start, HappensElsewhereOnceTheLostNodeIsSettled) {
  Pair pair;
  pair.stands(node(1), Standing::kSettled);
  pair.known().at.clear();
  EXPECT_THAT(plans(pair, node(2)), ElementsAre("start db on node2"));
}

TEST(Start, IsNotUndoneOfAGroupThatIsOnlyStartedByHand) {
  Pair pair;
  pair.configured().autostart = false;
  EXPECT_THAT(plans(pair), IsEmpty());
}

// ---- stopping and moving

TEST(Stop, FollowsTheOperator) {
  Pair pair;
  pair.known().intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it is to be stopped"));
}

TEST(Stop, OvertakesAStartInFlight) {
  Pair pair;
  pair.has_order(pair.db, node(1), OrderKind::kStart);
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.known().intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it is to be stopped"));
}

TEST(Stop, IsOrderedOnceAndAgainOnlyWhenItWasInterrupted) {
  Pair pair;
  pair.known().intent.wish = Intent::Wish::kStop;
  pair.has_order(pair.db, node(1), OrderKind::kStop);
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.known().order.reset();
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: its stop was interrupted"));
}

TEST(Stop, WaitsForANodeThatDoesNotAnswer) {
  Pair pair;
  pair.known().intent.wish = Intent::Wish::kStop;
  pair.suspends(node(1));
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
}

TEST(Move, StopsFirstAndThenStartsWhereItWasAsked) {
  Pair pair(3);
  pair.known().intent.move_to = place(3);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it moves to node3"));
  pair.known().at.clear();
  EXPECT_THAT(plans(pair), ElementsAre("start db on node3"));
}

TEST(Move, DoesNotStopAGroupForAPlaceThatCannotTakeIt) {
  Pair pair(3);
  pair.known().intent.move_to = place(3);
  pair.has_duty(node(3), Duty::kDrained);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Move, DoesNotStopAGroupForAPlaceWhereItsMonitorsFail) {
  Pair pair;
  pair.known().intent.move_to = place(2);
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  pair.reports(nic, node(2), Health::kFailed);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Move, WaitsWhileAnUnknownNodeMayRunTheGroup) {
  Pair pair(3);
  pair.known().intent.move_to = place(2);
  pair.stands(node(3), Standing::kUnknown);
  pair.node_state(node(3)).fences[node(1)] = FenceOrder{};
  EXPECT_THAT(plans(pair), IsEmpty()) << "stopped, it could not be started anywhere";
}

TEST(Drain, MovesGroupsOnlyIfAnotherPlaceTakesThem) {
  Pair pair;
  pair.has_duty(node(1), Duty::kDrained);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: node1 is drained"));
  pair.has_duty(node(2), Duty::kDrained);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Drain, MovesNoMoreGroupsThanFit) {
  Cluster cluster(2);
  for (NodeId id : {node(1), node(2)}) cluster.spec.capacity[id]["memory"] = 8;
  for (const char* name : {"a", "b", "c"}) {
    Group& group = cluster.group(name);
    group.needs["memory"] = 4;
    cluster.runs(group.id, node(1));
  }
  cluster.has_duty(node(1), Duty::kDrained);
  EXPECT_THAT(plans(cluster),
              ElementsAre("stop a on node1: node1 is drained", "stop b on node1: node1 is drained"));
}

TEST(Drain, KeepsRoomForGroupsThatAreUnderWay) {
  Cluster cluster(2);
  for (NodeId id : {node(1), node(2)}) cluster.spec.capacity[id]["memory"] = 4;
  for (const char* name : {"a", "b"}) cluster.group(name).needs["memory"] = 4;
  cluster.runs(GroupId{1}, node(1));
  cluster.has_order(GroupId{2}, node(1), OrderKind::kStop);
  cluster.spec.groups[GroupId{2}].priority = 1;
  cluster.has_duty(node(1), Duty::kDrained);
  EXPECT_THAT(plans(cluster), IsEmpty()) << "the room on node2 is b's, which stops to go there";
}

TEST(Standby, StopsGroupsEvenIfNothingElseTakesThem) {
  Pair pair;
  pair.has_duty(node(1), Duty::kStandby);
  pair.has_duty(node(2), Duty::kStandby);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: node1 is on standby"));
}

TEST(Leaving, StopsGroups) {
  Pair pair;
  pair.node_state(node(1)).leaving = true;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: node1 is leaving"));
}

TEST(Failback, IsManualUnlessConfigured) {
  Pair pair;
  pair.known().at.clear();
  pair.runs(pair.db, node(2));
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.configured().failback = Failback::kAutomatic;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node2: it fails back to node1"));
}

TEST(Failback, WaitsUntilThePreferredPlaceIsKnownToBeGood) {
  Pair pair;
  pair.known().at.clear();
  pair.runs(pair.db, node(2));
  pair.configured().failback = Failback::kAutomatic;
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  EXPECT_THAT(plans(pair), IsEmpty()) << "node1 has just joined; its NIC is not known to work";
  pair.reports(nic, node(1), Health::kFailed);
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.reports(nic, node(1), Health::kHealthy);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node2: it fails back to node1"));
  pair.known().failed_at[place(1)] = {1, 0s};
  EXPECT_THAT(plans(pair), IsEmpty()) << "it failed there, and that is not forgotten yet";
}

TEST(Configuration, MovesAGroupAwayFromAPlaceThatItDoesNotAllowAnyMore) {
  Pair pair;
  pair.configured().prefer = {place(2)};
  pair.configured().strictness = Strictness::kPreferredOnly;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: node1 is not among its places"));
  pair.has_duty(node(2), Duty::kStandby);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Configuration, SeparatesGroupsThatMustBeApartByMovingTheOnePlacedLater) {
  Pair pair(3);
  Group& web = pair.group("web");
  pair.runs(web.id, node(1));
  web.apart = {pair.db};
  pair.configured().apart = {web.id};
  EXPECT_THAT(plans(pair), ElementsAre("stop web on node1: it must not share node1 with db"));
  web.priority = 1;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it must not share node1 with web"));
  web.apart.clear();
  web.priority = -1;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it must not share node1 with web"))
      << "only db asks for it";
}

// ---- health of places

TEST(Health, MovesAGroupToAStrictlyBetterPlace) {
  Pair pair;
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  pair.reports(nic, node(1), Health::kFailed);
  pair.reports(nic, node(2), Health::kHealthy);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: nic failed on node1"));
  pair.known().at.clear();
  EXPECT_THAT(plans(pair), ElementsAre("start db on node2"));
}

TEST(Health, MovesNothingForWhatAllPlacesShare) {
  Pair pair;
  const MonitorId gateway = pair.monitor("gateway", {pair.db}).id;
  for (NodeId id : {node(1), node(2)}) pair.reports(gateway, id, Health::kFailed);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Health, MovesNothingToAPlaceThatIsNotKnownToBeBetter) {
  Pair pair;
  const MonitorId gateway = pair.monitor("gateway", {pair.db}).id;
  pair.reports(gateway, node(1), Health::kFailed);
  EXPECT_THAT(plans(pair), IsEmpty()) << "node2 has not looked yet";
  pair.reports(gateway, node(2), Health::kWarning);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: gateway failed on node1"));
}

TEST(Health, WaitsUntilTheOtherPlacesHadTimeToSayTheSame) {
  Pair pair;
  const Monitor& nic = pair.monitor("nic", {pair.db});
  pair.passes(1s);
  for (NodeId turned : {node(1), node(2)}) {
    pair.reports(nic.id, node(1), Health::kFailed);
    pair.reports(nic.id, node(2), Health::kHealthy);
    MonitorState& known = pair.edit().monitors[nic.id];
    known.since[Spec::place_of(turned)] = pair.state().clock;
    EXPECT_THAT(plans(pair), IsEmpty()) << "node" << turned.value << " has just turned";
    pair.passes(nic.common_mode_wait);
    EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: nic failed on node1"));
  }
}

TEST(Health, MovesNothingIntoAnotherFault) {
  Pair pair;
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  const MonitorId disk = pair.monitor("disk", {pair.db}).id;
  pair.reports(nic, node(1), Health::kFailed);
  pair.reports(nic, node(2), Health::kHealthy);
  pair.reports(disk, node(1), Health::kHealthy);
  pair.reports(disk, node(2), Health::kFailed);
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.reports(disk, node(1), Health::kFailed);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: nic failed on node1"))
      << "both share the dead disk; the NIC is better on node2";
}

TEST(Health, NamesWhatTheMoveCures) {
  Pair pair;
  const MonitorId gateway = pair.monitor("gateway", {pair.db}).id;
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  for (NodeId id : {node(1), node(2)}) pair.reports(gateway, id, Health::kFailed);
  pair.reports(nic, node(1), Health::kFailed);
  pair.reports(nic, node(2), Health::kHealthy);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: nic failed on node1"));
}

TEST(Health, TouchesOnlyGroupsThatTheFaultAffects) {
  Pair pair;
  const GroupId web = pair.group("web").id;
  pair.runs(web, node(1));
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  pair.reports(nic, node(1), Health::kFailed);
  pair.reports(nic, node(2), Health::kHealthy);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: nic failed on node1"));
}

TEST(Health, OfAWarningMovesNothing) {
  Pair pair;
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  pair.reports(nic, node(1), Health::kWarning);
  pair.reports(nic, node(2), Health::kHealthy);
  EXPECT_THAT(plans(pair), IsEmpty());
}

// ---- recovery ladder

TEST(Ladder, RestartsThenFailsOverThenActs) {
  Pair pair;
  pair.configured().on_failure = {.restart = 1, .failover = 1, .then = FinalAction::kStopGroup};
  pair.is_in_trouble(pair.db, node(1));
  EXPECT_THAT(plans(pair), ElementsAre("restart db on node1 from resource 0"));
  pair.known().restarts[0] = {1, 0s};
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1 (failover): it answers 500"));
  pair.known().failovers = {1, 0s};
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1 (for good): it answers 500"));
}

TEST(Ladder, CountsRestartsByResource) {
  Pair pair;
  pair.configured().on_failure = {.restart = 1};
  pair.configured().resources.resize(2);
  pair.is_in_trouble(pair.db, node(1));
  pair.known().trouble->resource = 1;
  pair.known().restarts[0] = {1, 0s};
  EXPECT_THAT(plans(pair), ElementsAre("restart db on node1 from resource 1"));
}

TEST(Ladder, OfTheMonitorGoesBeforeTheGroups) {
  Pair pair;
  pair.configured().on_failure = {.restart = 3};
  Monitor& answers = pair.monitor_of("answers", pair.db);
  pair.is_in_trouble(pair.db, node(1));
  pair.known().trouble->monitor = answers.id;
  EXPECT_THAT(plans(pair), ElementsAre("restart db on node1 from resource 0"));
  answers.on_failure = Ladder{.restart = 0, .failover = 1};
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1 (failover): it answers 500"));
}

TEST(Ladder, SkipsTheFailoverWhenNoOtherPlaceTakesTheGroup) {
  Pair pair;
  pair.configured().on_failure = {.restart = 0, .failover = 3, .then = FinalAction::kStopGroup};
  pair.has_duty(node(2), Duty::kStandby);
  pair.is_in_trouble(pair.db, node(1));
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1 (for good): it answers 500"));
}

TEST(Ladder, DoesNotFailOverIntoAPlaceThatIsWorse) {
  Pair pair;
  pair.configured().on_failure = {.restart = 0, .failover = 1, .then = FinalAction::kNone};
  const MonitorId nic = pair.monitor("nic", {pair.db}).id;
  pair.reports(nic, node(2), Health::kFailed);
  pair.is_in_trouble(pair.db, node(1));
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Ladder, CanEndWithTheNode) {
  Pair pair;
  pair.is_in_trouble(pair.db, node(1));
  pair.configured().on_failure = {.restart = 0, .failover = 0, .then = FinalAction::kStopNode};
  EXPECT_THAT(plans(pair), ElementsAre("stop node1 for db"));
  pair.configured().on_failure.then = FinalAction::kRestartOs;
  EXPECT_THAT(plans(pair), ElementsAre("restart the OS of node1 for db"));
  pair.stands(node(2), Standing::kSettled);
  EXPECT_THAT(plans(pair), IsEmpty()) << "node1 is the last member";
}

TEST(Ladder, PlansOneActionForANodeAndAFenceBeforeIt) {
  Pair pair;
  const GroupId web = pair.group("web").id;
  pair.runs(web, node(1));
  for (GroupId id : {pair.db, web}) {
    pair.spec.groups[id].on_failure = {.restart = 0, .failover = 0, .then = FinalAction::kRestartOs};
    pair.is_in_trouble(id, node(1));
  }
  EXPECT_THAT(plans(pair), ElementsAre("restart the OS of node1 for db"));
  pair.spec.groups[web].on_failure.then = FinalAction::kReset;
  EXPECT_THAT(plans(pair),
              ElementsAre("node2 fences node1 by level 0: the recovery ladder ends with a reset for "
                          "web: it answers 500"));
}

TEST(Ladder, TriesAnotherPlaceAtOnceWhenAStartFailed) {
  Pair pair;
  pair.configured().on_failure = {.restart = 2, .failover = 1};
  pair.does(pair.db, node(1), Activity::kFailed);
  pair.known().failed_at[place(1)] = {1, 0s};
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1 (failover): its start failed"));
  pair.has_duty(node(2), Duty::kStandby);
  EXPECT_THAT(plans(pair), ElementsAre("restart db on node1 from resource 0")) << "no other place";
  pair.known().restarts[0] = {2, 0s};
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1 (for good): its start failed"));
}

TEST(Ladder, RestartsWhatAProbeFoundUpInPart) {
  Pair pair;
  pair.does(pair.db, node(1), Activity::kFailed);
  EXPECT_THAT(plans(pair), ElementsAre("restart db on node1 from resource 0"));
}

TEST(Ladder, WaitsWhileAnUnknownNodeMayRunTheGroup) {
  Pair pair(3);
  pair.is_in_trouble(pair.db, node(1));
  pair.stands(node(3), Standing::kUnknown);
  pair.node_state(node(3)).fences[node(1)] = FenceOrder{};
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(Ladder, RestartsNothingOnANodeThatIsBeingFenced) {
  Pair pair;
  pair.is_in_trouble(pair.db, node(1));
  pair.node_state(node(1)).fences[node(2)] = FenceOrder{};
  EXPECT_THAT(plans(pair, node(2)), IsEmpty());
}

TEST(Ladder, IsNotClimbedByAGroupThatLeavesAnyway) {
  Pair pair;
  pair.is_in_trouble(pair.db, node(1));
  pair.has_duty(node(1), Duty::kDrained);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: node1 is drained"));
}

// ---- double activation

TEST(DoubleActivation, KeepsTheOnePlaceThatIsOnline) {
  Pair pair;
  pair.does(pair.db, node(2), Activity::kFailed);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node2: it may be active on several places"));
  pair.has_order(pair.db, node(2), OrderKind::kStop);
  EXPECT_THAT(plans(pair), IsEmpty());
}

TEST(DoubleActivation, StopsOneAfterTheOtherWhenOnePlaceIsKept) {
  Pair pair(3);
  pair.does(pair.db, node(2), Activity::kFailed);
  pair.has_order(pair.db, node(3), OrderKind::kStop);
  EXPECT_THAT(plans(pair), IsEmpty());
  pair.known().at.erase(place(3));
  pair.known().order.reset();
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node2: it may be active on several places"));
}

TEST(DoubleActivation, StopsAllWhenNothingTellsWhichIsRight) {
  Pair pair;
  pair.runs(pair.db, node(2));
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it may be active on several places"));
}

TEST(DoubleActivation, StopsAllOfAGroupThatHoldsData) {
  Pair pair;
  pair.configured().holds_data = true;
  pair.does(pair.db, node(2), Activity::kFailed);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it may be active on several places"));
  pair.has_order(pair.db, node(1), OrderKind::kStop);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node2: it may be active on several places"))
      << "without waiting for node1";
  pair.has_order(pair.db, node(2), OrderKind::kStop);
  EXPECT_THAT(plans(pair), IsEmpty()) << "node1 is asked again when node2 has ended";
  pair.known().at.erase(place(2));
  pair.known().order.reset();
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: its stop was interrupted"));
}

TEST(DoubleActivation, StopsTheRestOfAGroupWithDataWhoseOtherHalfCannotBeStopped) {
  Pair pair;
  pair.configured().holds_data = true;
  pair.does(pair.db, node(2), Activity::kUnsafe);
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it may be active on several places",
                                       "node1 fences node2 by level 0: it could not stop db"));
}

TEST(DoubleActivation, IsNotAssumedOfANodeThatHasNotProbedYet) {
  for (const bool holds_data : {false, true}) {
    Pair pair;
    pair.configured().holds_data = holds_data;
    pair.does(pair.db, node(2), Activity::kUnknown);
    EXPECT_THAT(plans(pair), IsEmpty());
  }
}

TEST(DoubleActivation, WithALostNodeIsLeftToFencing) {
  Pair pair;
  pair.runs(pair.db, node(2));
  pair.loses(node(2));
  EXPECT_THAT(plans(pair), ElementsAre("node1 fences node2 by level 0: it is lost and may run db"));
}

TEST(DoubleActivation, OfAGroupThatIsToBeStoppedStopsAll) {
  Pair pair;
  pair.does(pair.db, node(2), Activity::kFailed);
  pair.known().intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(pair), ElementsAre("stop db on node1: it may be active on several places"));
}

TEST(Keeper, IsTheOneOnlinePlaceOfAGroupWithoutData) {
  Pair pair;
  EXPECT_EQ(keeper(pair.configured(), pair.known()), place(1));
  pair.does(pair.db, node(2), Activity::kStarting);
  EXPECT_EQ(keeper(pair.configured(), pair.known()), place(1));
  pair.configured().holds_data = true;
  EXPECT_EQ(keeper(pair.configured(), pair.known()), std::nullopt);
  pair.configured().holds_data = false;
  pair.runs(pair.db, node(2));
  EXPECT_EQ(keeper(pair.configured(), pair.known()), std::nullopt);
}

// ---- dependencies

// web comes after db.
struct Chain : Pair {
  explicit Chain(Dependency::Where where = Dependency::Where::kAnywhere) : Pair(3) {
    Group& group = this->group("web");
    web = group.id;
    group.after = {{db, where}};
  }
  GroupId web;
};

TEST(Dependency, StartsAGroupOnceTheOtherIsOnline) {
  Chain chain;
  chain.known().at.clear();
  EXPECT_THAT(plans(chain), ElementsAre("start db on node1"));
  chain.has_order(chain.db, node(1), OrderKind::kStart);
  EXPECT_THAT(plans(chain), IsEmpty());
  chain.known().order.reset();
  chain.runs(chain.db, node(1));
  EXPECT_THAT(plans(chain), ElementsAre("start web on node2"));
}

TEST(Dependency, OnTheSamePlaceGoesWhereTheOtherIs) {
  Chain chain(Dependency::Where::kSamePlace);
  chain.spec.groups[chain.web].prefer = {place(2)};
  EXPECT_THAT(plans(chain), ElementsAre("start web on node1"));
}

TEST(Dependency, HoldsTheStopOfTheOtherUntilDependentsAreStopped) {
  for (auto where : {Dependency::Where::kAnywhere, Dependency::Where::kSamePlace}) {
    Chain chain(where);
    chain.runs(chain.web, node(1));
    chain.known().intent.move_to = place(2);
    EXPECT_THAT(plans(chain), ElementsAre("stop web on node1: db, which it needs, stops"));
    chain.has_order(chain.web, node(1), OrderKind::kStop);
    EXPECT_THAT(plans(chain), IsEmpty());
    chain.group_state(chain.web).order.reset();
    chain.group_state(chain.web).at.clear();
    EXPECT_THAT(plans(chain), ElementsAre("stop db on node1: it moves to node2")) << "and web does not start";
  }
}

TEST(Dependency, StopsWholeChainsFromTheEnd) {
  Chain chain;
  Group& page = chain.group("page");
  page.after = {{chain.web}};
  page.priority = 5;  // decided first all the same
  chain.runs(chain.web, node(2));
  chain.runs(page.id, node(3));
  chain.known().intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(chain), ElementsAre("stop page on node3: web, which it needs, stops"));
  chain.group_state(page.id).at.clear();
  EXPECT_THAT(plans(chain), ElementsAre("stop web on node2: db, which it needs, stops"));
}

TEST(Dependency, OvertakesTheStartOfADependent) {
  Chain chain;
  chain.has_order(chain.web, node(2), OrderKind::kStart);
  chain.known().intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(chain), ElementsAre("stop web on node2: db, which it needs, stops"));
}

TEST(Dependency, StopsADependentEverywhereEvenIfItCannotStopSomewhere) {
  Chain chain;
  chain.runs(chain.web, node(1));
  chain.does(chain.web, node(2), Activity::kUnsafe);
  chain.spec.fencing.clear();
  chain.known().intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(chain), ElementsAre("stop web on node1: it may be active on several places"));
}

TEST(Dependency, DoesNotWaitForDependentsThatCannotStop) {
  Chain chain;
  chain.does(chain.web, node(2), Activity::kUnsafe);
  chain.group_state(chain.web).intent.wish = Intent::Wish::kStop;
  chain.known().intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(chain), ElementsAre("stop db on node1: it is to be stopped"));
}

TEST(Dependency, OnTheSamePlaceFollowsAGroupThatFailedOver) {
  Chain chain(Dependency::Where::kSamePlace);
  chain.runs(chain.web, node(1));
  chain.known().at.clear();
  chain.runs(chain.db, node(2));
  EXPECT_THAT(plans(chain), ElementsAre("stop web on node1: it follows db"));
  chain.group_state(chain.web).at.clear();
  EXPECT_THAT(plans(chain), ElementsAre("start web on node2"));
}

TEST(Dependency, AnywhereIsNotDisturbedWhenTheOtherWasLost) {
  Chain chain;
  chain.runs(chain.web, node(2));
  chain.known().at.clear();
  EXPECT_THAT(plans(chain), ElementsAre("start db on node1"));
}

TEST(Dependency, FailoverStopsDependentsFirst) {
  Chain chain(Dependency::Where::kSamePlace);
  chain.runs(chain.web, node(1));
  chain.configured().on_failure = {.restart = 0, .failover = 1};
  chain.is_in_trouble(chain.db, node(1));
  EXPECT_THAT(plans(chain), ElementsAre("stop web on node1: db, which it needs, stops"));
  chain.group_state(chain.web).at.clear();
  EXPECT_THAT(plans(chain), ElementsAre("stop db on node1 (failover): it answers 500"));
}

TEST(Dependency, InACircleEndsAllTheSame) {
  Cluster cluster(2);
  Group& a = cluster.group("a");
  Group& b = cluster.group("b");
  a.after = {{b.id}};
  b.after = {{a.id}};
  EXPECT_THAT(plans(cluster), IsEmpty());
  cluster.runs(a.id, node(1));
  cluster.runs(b.id, node(1));
  cluster.group_state(a.id).intent.wish = Intent::Wish::kStop;
  EXPECT_THAT(plans(cluster), IsEmpty());
}

}  // namespace
}  // namespace komainu::core
