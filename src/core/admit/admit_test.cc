#include "core/admit/admit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using ::testing::HasSubstr;
using testing::node;
using testing::place;

// One proposal against one state; `refused` is empty when it was admitted.
struct Admission {
  State state;
  std::string refused;
  bool superseded = false;
};
Admission judge(const State& before, const Proposal& proposal) {
  Admission verdict{before, {}};
  Effects effects;
  const Context context{node(1), node(1), before.nodes.at(node(1)).incarnation, OrderId{{{1, 4}, 1}, 7}, {}};
  if (auto refusal = admit(verdict.state, proposal, context, effects)) {
    verdict.refused = refusal->reason;
    verdict.superseded = refusal->superseded;
    EXPECT_EQ(verdict.state.digest(), before.digest()) << "a refusal changes nothing";
  }
  return verdict;
}

StartGroup start(const State& state, GroupId group, NodeId where) {
  return {group, Spec::place_of(where), state.groups.at(group).version, state.nodes.at(where).incarnation,
          state.spec->version};
}
StopGroup stop(const State& state, GroupId group, NodeId where) {
  return {group, Spec::place_of(where), state.groups.at(group).version};
}
FenceNode fence(const State& state, NodeId target, NodeId executor) {
  return {target, state.nodes.at(target).incarnation, state.nodes.at(target).version, executor};
}

TEST(Admit, StartsAGroupThatRunsNowhere) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  const State state = cluster.state();
  const Admission verdict = judge(state, start(state, web, node(2)));
  EXPECT_EQ(verdict.refused, "");
  const GroupState& group = verdict.state.groups.at(web);
  EXPECT_EQ(group.activity(place(2)), Activity::kStarting);
  EXPECT_EQ(group.version, state.groups.at(web).version + 1);
  ASSERT_TRUE(group.order);
  EXPECT_EQ(group.order->executor, node(2));
}

TEST(Admit, RefusesAStartWhileAnotherPlaceMayRunTheGroup) {
  for (Activity activity : {Activity::kUnknown, Activity::kStarting, Activity::kOnline, Activity::kFailed,
                            Activity::kStopping, Activity::kUnsafe}) {
    Cluster cluster(2);
    const GroupId web = cluster.group("web").id;
    State state = cluster.state();
    state.groups[web].at[place(1)] = activity;
    EXPECT_EQ(judge(state, start(state, web, node(2))).refused, "web may still be running elsewhere");
  }
}

TEST(Admit, RefusesAStartWhileAnAllowedNodeIsUnknown) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  State state = cluster.state();
  state.nodes[node(3)].standing = Standing::kUnknown;
  EXPECT_EQ(judge(state, start(state, web, node(1))).refused, "web may still be running elsewhere");
  state.nodes[node(3)].standing = Standing::kLost;  // runs what the state says, and that is nothing
  EXPECT_EQ(judge(state, start(state, web, node(1))).refused, "");
}

TEST(Admit, IgnoresAnUnknownNodeWhereTheGroupIsNotAllowed) {
  Cluster cluster(3);
  Group& web = cluster.group("web", {node(1), node(2)});
  web.strictness = Strictness::kPreferredOnly;
  State state = cluster.state();
  state.nodes[node(3)].standing = Standing::kUnknown;
  EXPECT_EQ(judge(state, start(state, web.id, node(1))).refused, "");
}

TEST(Admit, RefusesAStartOnANodeThatCannotTakeIt) {
  struct Case {
    const char* what;
    void (*spoil)(NodeState&);
  };
  for (const Case& c : {Case{"suspended", [](NodeState& n) { n.suspended = true; }},
                        Case{"leaving", [](NodeState& n) { n.leaving = true; }},
                        Case{"about to be fenced", [](NodeState& n) { n.fences[node(1)] = {}; }},
                        Case{"settled", [](NodeState& n) { n.standing = Standing::kSettled; }},
                        Case{"another incarnation", [](NodeState& n) { ++n.incarnation.value; }}}) {
    Cluster cluster(2);
    const GroupId web = cluster.group("web").id;
    State state = cluster.state();
    const StartGroup proposal = start(state, web, node(2));
    c.spoil(state.nodes[node(2)]);
    EXPECT_EQ(judge(state, proposal).refused, "node2 cannot start groups at present") << c.what;
  }
}

TEST(Admit, StartsOnANodeOnlyIfItsWatchdogIsArmedAndFastEnoughWhereALeaseStandsForAFence) {
  const struct {
    const char* what;
    std::optional<Duration> watchdog;
    bool fenced;
    bool refused;
  } cases[] = {{"not armed", std::nullopt, false, true},
               {"too slow", 11s, false, true},
               {"as slow as all others expect", 10s, false, false},
               {"faster", 9s, false, false},
               {"not armed, but there is a fencer", std::nullopt, true, false}};
  for (const auto& each : cases) {
    Cluster cluster(2);
    const GroupId db = cluster.group("db").id;
    cluster.spec.timing.watchdog = 10s;
    if (each.fenced) cluster.has_fencer();
    cluster.node_state(node(2)).watchdog = each.watchdog;
    const State state = cluster.state();
    const std::string refusal = judge(state, start(state, db, node(2))).refused;
    EXPECT_EQ(refusal, each.refused ? "node2 cannot start groups at present" : "") << each.what;
  }
}

TEST(Admit, TakesAProposalForAnEarlierVersionForSuperseded) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  State state = cluster.state();
  const Proposal late = start(state, web, node(2));
  ++state.groups[web].version;
  EXPECT_TRUE(judge(state, late).superseded);
}

TEST(Admit, RechecksCapacityAndSeparationItself) {
  Cluster cluster(2);
  Group& database = cluster.group("database");
  Group& web = cluster.group("web");
  database.needs["memory"] = web.needs["memory"] = 6;
  cluster.spec.capacity[node(1)]["memory"] = 8;
  cluster.runs(database.id, node(1));
  State state = cluster.state();
  EXPECT_EQ(judge(state, start(state, web.id, node(1))).refused, "node1 has no room for web");
  web.needs.clear();
  database.apart.push_back(web.id);
  State apart = cluster.state();
  EXPECT_EQ(judge(apart, start(apart, web.id, node(1))).refused, "web must not share node1");
  EXPECT_EQ(judge(apart, start(apart, web.id, node(2))).refused, "");
}

TEST(Admit, LetsAStopSupersedeAStartInFlight) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  const State before = cluster.state();
  State starting = judge(before, start(before, web, node(2))).state;
  const Admission verdict = judge(starting, stop(starting, web, node(2)));
  EXPECT_EQ(verdict.refused, "");
  EXPECT_EQ(verdict.state.groups.at(web).order->kind, OrderKind::kStop);
  EXPECT_TRUE(verdict.state.groups.at(web).at.contains(place(2))) << "until it is probed, it may run there";
}

TEST(Admit, FencesOnceAndNotWithoutAFencer) {
  Cluster cluster(2);
  cluster.group("web");
  State none = cluster.state();
  EXPECT_EQ(judge(none, fence(none, node(2), node(1))).refused, "there is no fencing level 0");
  cluster.has_fencer();
  State state = cluster.state();
  const Admission first = judge(state, fence(state, node(2), node(1)));
  EXPECT_EQ(first.refused, "");
  EXPECT_TRUE(judge(first.state, fence(first.state, node(2), node(1))).superseded);
  EXPECT_FALSE(judge(state, fence(state, node(2), node(2))).refused.empty()) << "no node fences itself";
}

TEST(Admit, BrakesFencesButCountsOneCorrelatedLossOnce) {
  Cluster cluster(5);
  cluster.has_fencer();
  cluster.spec.brakes.fences = 2;
  State state = cluster.state();
  state.clock = 100s;
  state.fences = {Duration{10s}, Duration{20s}};
  EXPECT_NE(judge(state, fence(state, node(2), node(1))).refused.find("brake"), std::string::npos);
  state.fences = {Duration{10s}, Duration{100s}, Duration{100s}};  // two nodes lost at this very moment
  EXPECT_EQ(judge(state, fence(state, node(2), node(1))).refused, "");
}

TEST(Admit, NeitherHoldsNorCountsAFenceThatAnOperatorAskedFor) {
  Cluster cluster(2);
  cluster.has_fencer();
  cluster.spec.brakes.fences = 1;
  cluster.has_duty(node(1), Duty::kStandby);
  cluster.passes(100s);
  cluster.edit().fences = {Duration{10s}};
  EXPECT_THAT(judge(cluster.state(), fence(cluster.state(), node(2), node(1))).refused, HasSubstr("healthy"));
  cluster.is_wanted_off(node(2));
  const Admission verdict = judge(cluster.state(), fence(cluster.state(), node(2), node(1)));
  EXPECT_EQ(verdict.refused, "");
  EXPECT_TRUE(verdict.state.nodes.at(node(2)).fences.contains(node(1)));
  EXPECT_EQ(verdict.state.fences, cluster.state().fences);
}

TEST(Admit, FencesForAnOperatorAlsoNobodyWithoutWhomTheOthersAreNoQuorum) {
  Cluster cluster(3);
  cluster.has_fencer();
  cluster.stands(node(3), Standing::kSettled);
  cluster.is_wanted_off(node(2));
  EXPECT_THAT(judge(cluster.state(), fence(cluster.state(), node(2), node(1))).refused,
              HasSubstr("no quorum"));
}

TEST(Admit, StartsAndFencesNothingWhileDisarmed) {
  Cluster cluster(2);
  cluster.has_fencer();
  const GroupId web = cluster.group("web").id;
  const GroupId db = cluster.group("db").id;
  cluster.does(db, node(2), Activity::kOnline);
  cluster.edit().disarmed = Disarmed{.until = 1h};
  const State& state = cluster.state();
  const GroupState& known = state.groups.at(db);
  const Incarnation there = state.nodes.at(node(2)).incarnation;
  EXPECT_THAT(judge(state, start(state, web, node(2))).refused, HasSubstr("disarmed"));
  EXPECT_THAT(judge(state, RestartGroup{db, place(2), 0, known.version, there}).refused,
              HasSubstr("disarmed"));
  EXPECT_THAT(judge(state, fence(state, node(2), node(1))).refused, HasSubstr("disarmed"));
  EXPECT_THAT(judge(state, NodeAction{node(2), FinalAction::kRestartOs, db, known.version}).refused,
              HasSubstr("disarmed"));
  EXPECT_EQ(judge(state, stop(state, db, node(2))).refused, "");
}

TEST(Admit, TakesNoNodeForStoppedByItsLeaseWhereAStopHadFailed) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  cluster.does(web, node(3), Activity::kUnsafe);
  cluster.loses(node(3));
  auto lease_over = [&] {
    const NodeState& lost = cluster.node_state(node(3));
    return SettleNode{node(3), lost.incarnation, lost.version, SettleNode::Why::kLeaseOver};
  };
  EXPECT_NE(judge(cluster.state(), lease_over()).refused, "");
  cluster.does(web, node(3), Activity::kOnline);
  EXPECT_EQ(judge(cluster.state(), lease_over()).refused, "");
}

TEST(Admit, LetsNobodyFenceWhoIsBeingFenced) {
  Cluster cluster(3);
  cluster.has_fencer();
  cluster.edit().nodes.at(node(1)).fences[node(3)] = FenceOrder{};
  EXPECT_EQ(judge(cluster.state(), fence(cluster.state(), node(2), node(1))).refused,
            "node1 cannot fence node2");
  EXPECT_EQ(judge(cluster.state(), fence(cluster.state(), node(2), node(3))).refused, "");
}

TEST(Admit, OrdersNoFenceThatNobodyCouldBegin) {
  Cluster cluster(3);
  cluster.has_fencer();
  State state = cluster.state();
  state.nodes[node(3)].standing = Standing::kSettled;
  EXPECT_EQ(judge(state, fence(state, node(2), node(1))).refused,
            "without node2 the others are no quorum: it is not fenced");
  state.nodes[node(3)].standing = Standing::kMember;
  EXPECT_EQ(judge(state, fence(state, node(2), node(1))).refused, "");
  state.nodes[node(3)].suspended = true;
  EXPECT_EQ(judge(state, fence(state, node(2), node(1))).refused,
            "without node2 the others are no quorum: it is not fenced");
  EXPECT_EQ(judge(state, fence(state, node(3), node(1))).refused, "") << "node2 agrees";
}

TEST(Admit, LetsWhoIsBeingFencedFenceTheAbsentNodeThatDoesIt) {
  Cluster cluster(2);
  cluster.has_fencer();
  cluster.edit().nodes.at(node(1)).fences[node(2)] = FenceOrder{};
  EXPECT_EQ(judge(cluster.state(), fence(cluster.state(), node(2), node(1))).refused,
            "node1 cannot fence node2")
      << "it is here, and can say what came of its fence";
  cluster.loses(node(2));
  EXPECT_EQ(judge(cluster.state(), fence(cluster.state(), node(2), node(1))).refused, "");
}

TEST(Admit, NeitherFencesNorRestartsTheLastHealthyNode) {
  Cluster cluster(2);
  cluster.has_fencer();
  const GroupId web = cluster.group("web").id;
  cluster.does(web, node(1), Activity::kUnsafe);
  auto refused = [&](const Proposal& proposal) { return judge(cluster.state(), proposal).refused; };
  auto restart = [&] {
    return NodeAction{node(1), FinalAction::kRestartOs, web, cluster.group_state(web).version};
  };
  EXPECT_EQ(refused(fence(cluster.state(), node(1), node(2))), "");
  EXPECT_EQ(refused(restart()), "");

  cluster.has_duty(node(2), Duty::kDrained);
  EXPECT_EQ(refused(fence(cluster.state(), node(1), node(2))),
            "node1 is the last healthy node: it is not fenced");
  EXPECT_EQ(refused(restart()), "node1 is the last healthy node: it is neither stopped nor restarted");

  cluster.suspends(node(1));
  EXPECT_EQ(refused(fence(cluster.state(), node(1), node(2))), "") << "it does not answer: it is not healthy";
}

TEST(Admit, SettlesWithoutAFenceOnlyWhereThatIsSound) {
  Cluster cluster(3);
  State state = cluster.state();
  state.nodes[node(3)].standing = Standing::kLost;
  auto lease_over = [](const State& s) {
    return SettleNode{node(3), s.nodes.at(node(3)).incarnation, s.nodes.at(node(3)).version,
                      SettleNode::Why::kLeaseOver};
  };
  EXPECT_EQ(judge(state, lease_over(state)).refused, "") << "one of three cannot renew its lease elsewhere";
  State two_lost = state;
  two_lost.nodes[node(2)].standing = Standing::kLost;
  EXPECT_FALSE(judge(two_lost, lease_over(two_lost)).refused.empty()) << "two of three could be quorate";
  State unknown = state;
  unknown.nodes[node(3)].standing = Standing::kUnknown;
  EXPECT_TRUE(judge(unknown, lease_over(unknown)).superseded);
  SettleNode risk = lease_over(state);
  risk.why = SettleNode::Why::kSplitRiskAccepted;
  EXPECT_EQ(judge(state, risk).refused, "allow_split_risk is not set");
}

TEST(Admit, TakesTheLeaseOfASilentNodeForOverOnlyIfItsWatchdogIsKnownToBeArmed) {
  Cluster cluster(3);
  cluster.suspends(node(3));
  const auto lease_over = [](const State& s) {
    return SettleNode{node(3), s.nodes.at(node(3)).incarnation, s.nodes.at(node(3)).version,
                      SettleNode::Why::kLeaseOver};
  };
  for (const Duration watchdog : {0s, 10s}) {
    cluster.spec.timing.watchdog = watchdog;
    const State state = cluster.state();
    EXPECT_THAT(judge(state, lease_over(state)).refused, HasSubstr("no watchdog resets it"));
  }
  cluster.node_state(node(3)).watchdog = 10s;
  const State state = cluster.state();
  EXPECT_EQ(judge(state, lease_over(state)).refused, "");
}

}  // namespace
}  // namespace komainu::core
