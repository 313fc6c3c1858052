// The schedules that the protocol was made for, one by one. Each is played over real replicas and judged by
// where the group really runs. mutants_test plays them again without the rule that each of them needs.
#include "sim/cases.h"

#include <gtest/gtest.h>

#include "sim/scene.h"

namespace komainu::sim {

using core::Standing;

// ---- what only some have delivered

void a_start_is_delivered_by_its_own_node_only() {
  Scene scene({.nodes = 3});
  scene.says(a, core::Suspend{b});
  scene.says(a, core::Suspend{c});
  scene.proposes_start(a, a);
  scene.hears(a);
  scene.acts(a);
  scene.split({{a}, {b, c}});
  scene.settle();
  EXPECT_TRUE(scene.in_one_view({b, c})) << "they have heard neither of the suspensions nor of the start";
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{b});
}
TEST(Cases, SubsetDeliveryWithBothPeersSuspendedStartsNothing) {
  a_start_is_delivered_by_its_own_node_only();
}

// ---- who may act after a cut

void the_vote_moves_from_one_half_to_the_other() {
  Scene scene({.quorum = Quorum::kQnetd, .nodes = 2});
  scene.split({{a}, {b}}, 0);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a}));
  scene.proposes_start(a, a);
  scene.settle();
  scene.world().move_vote(b);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b}));
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{}) << "each had the vote, and neither knew what the other did with it";
  scene.proposes_fence(b, a, b);
  scene.settle();
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{b});
}
TEST(Cases, AVoteThatMovesFromOneHalfToTheOtherLetsNeitherStartBeforeItHasFenced) {
  the_vote_moves_from_one_half_to_the_other();
}

TEST(Cases, AVerdictOfTheRingBeforeGivesNoRightToAct) {
  Scene scene({.quorum = Quorum::kQnetd, .nodes = 2, .verdicts = Setting::Verdicts::kQueue});
  ASSERT_TRUE(scene.in_one_view({a, b}));
  scene.split({{a}, {b}}, 1);
  scene.hears_of_rings(a);
  EXPECT_FALSE(scene.in_a_view(a)) << "what it knows is that both together were quorate";
  scene.settle();
  EXPECT_FALSE(scene.in_a_view(a));
  EXPECT_TRUE(scene.in_one_view({b}));
}

TEST(Cases, AVerdictThatComesLateIsForItsOwnRingOnly) {
  Scene scene({.quorum = Quorum::kQnetd, .nodes = 2, .verdicts = Setting::Verdicts::kQueue});
  scene.split({{a}, {b}}, 0);
  scene.hears_of_rings(a);
  scene.split({{a}, {b}}, 1);
  scene.hears_of_rings(a);
  scene.is_told_of_quorum(a);
  EXPECT_FALSE(scene.in_a_view(a)) << "that consent was for a ring that is gone";
  scene.settle();
  EXPECT_FALSE(scene.in_a_view(a));
  EXPECT_TRUE(scene.in_one_view({b}));
}

TEST(Cases, AVoteThatHasMovedBeforeItWasHeardOfGivesNoRightToAct) {
  Scene scene({.quorum = Quorum::kQnetd, .nodes = 2, .verdicts = Setting::Verdicts::kQueue});
  scene.split({{a}, {b}}, 0);
  scene.world().move_vote(b);
  scene.settle();
  EXPECT_FALSE(scene.in_a_view(a));
  EXPECT_TRUE(scene.in_one_view({b}));
}

TEST(Cases, WhoGetsTheVoteAfterABootDoesNotStartWhatTheOtherHalfRuns) {
  Scene scene({.quorum = Quorum::kQnetd, .nodes = 2});
  scene.split({{a}, {b}}, 0);
  scene.settle();
  scene.proposes_fence(a, b, a);
  scene.settle();
  scene.proposes_start(a, a);
  scene.settle();
  ASSERT_EQ(scene.running(), NodeSet{a});
  scene.boots(b);
  scene.world().move_vote(b);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b}));
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.standing(a, b), Standing::kUnknown);
  EXPECT_EQ(scene.running(), NodeSet{a});
}

void a_cut_comes_before_the_first_start() {
  Scene scene({.quorum = Quorum::kTwoNode, .nodes = 2});
  scene.split({{a}, {b}});
  scene.settle();
  scene.proposes_start(a, a);
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{}) << "nothing has ever been started, and still the other may have";
  scene.proposes_fence(a, b, a);
  scene.settle();
  scene.proposes_start(a, a);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{a});
}
TEST(Cases, ACutBeforeTheFirstStartEverLetsNeitherHalfStartBeforeItHasFenced) {
  a_cut_comes_before_the_first_start();
}

TEST(Cases, ACutInTheMiddleOfTheFirstViewLeavesNothingToAct) {
  Scene scene({.nodes = 3, .from = Setting::From::kBoot});
  for (NodeId node : {a, b, c}) scene.hears(node);
  ASSERT_TRUE(scene.in_a_view(c));
  ASSERT_FALSE(scene.in_a_view(a) || scene.in_a_view(b)) << "only c has heard the last Hello";
  scene.proposes_start(c, c);
  scene.hears(c);
  scene.acts(c);
  scene.split({{a, b}, {c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b}));
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.standing(c, b), Standing::kUnknown) << "a and b have never been in a view with it";
  EXPECT_EQ(scene.running(), NodeSet{});
  scene.proposes_fence(b, c, b);
  scene.settle();
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{b});
}

// ---- fences

TEST(Cases, TheLoserOfAFenceRaceComesBackWithoutAnOperator) {
  Scene scene({.quorum = Quorum::kTwoNode, .nodes = 2, .planner = Setting::Planner::kReplicas});
  scene.passes(2s);
  const NodeSet before = scene.running();
  ASSERT_EQ(before.size(), 1u);
  const NodeId winner = before.first();
  const NodeId loser = winner == a ? b : a;
  scene.agents_hang(a);
  scene.agents_hang(b);
  scene.split({{a}, {b}});
  scene.passes(1s);
  ASSERT_EQ(scene.shots(a), 1u);
  ASSERT_EQ(scene.shots(b), 1u) << "each is about to switch the other off";
  scene.shoots(winner);
  scene.agents_go_on(a);
  scene.agents_go_on(b);
  scene.passes(1s);
  EXPECT_EQ(scene.running(), NodeSet{winner});
  EXPECT_EQ(scene.standing(loser, winner), Standing::kSettled);

  scene.boots(loser);
  scene.merge();
  scene.passes(2s);
  EXPECT_TRUE(scene.in_one_view({a, b}));
  for (NodeId node : {a, b}) EXPECT_TRUE(scene.state(winner).nodes.at(node).fences.empty());
  EXPECT_EQ(scene.running(), NodeSet{winner});

  scene.world().power_off(winner);
  scene.merge();
  scene.passes(20s);
  EXPECT_EQ(scene.running(), NodeSet{loser}) << "it takes over like any other member";
}

// c is cut off; a's agent is about to switch it off when a hangs, agent and all; c is back.
void a_fence_hangs(Scene& scene) {
  scene.split({{a, b}, {c}});
  scene.settle();
  scene.agents_hang(a);
  scene.proposes_fence(b, c, a);
  scene.settle();
  ASSERT_EQ(scene.shots(a), 1u);
  scene.hangs(a);
}
void b_and_c_go_on_without_a(Scene& scene) {
  scene.merge();
  scene.settle();
  scene.says(b, core::Suspend{a});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b, c}));
}

void a_late_power_off_comes() {
  Scene scene({.nodes = 3, .only_on = {b, c}});  // what may run on a is blocked anyway
  a_fence_hangs(scene);
  b_and_c_go_on_without_a(scene);
  scene.proposes_start(b, c);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{}) << "c may be switched off at any moment";
  scene.shoots(a);
  EXPECT_FALSE(scene.world().powered(c));
  scene.wakes(a);
  scene.merge();
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b}));
  scene.agents_go_on(a);
  scene.settle();
  EXPECT_EQ(scene.standing(c, b), Standing::kSettled);
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{b});
}
TEST(Cases, ATargetStartsNothingWhileALatePowerOffMayComeFromAHungExecutor) {
  a_late_power_off_comes();
}

void a_late_power_on_comes() {
  Scene scene({.nodes = 3, .only_on = {b, c}});  // what may run on a is blocked anyway
  a_fence_hangs(scene);
  scene.shoots(a);
  scene.boots(c);  // the second half of the power cycle; the agent has not come back from it
  b_and_c_go_on_without_a(scene);
  scene.proposes_start(b, c);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{}) << "nobody knows that the power cycle has ended";
  scene.wakes(a);
  scene.agents_go_on(a);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b, c}));
  EXPECT_TRUE(scene.state(b).nodes.at(c).fences.empty());
  EXPECT_EQ(scene.standing(c, b), Standing::kMember) << "what was confirmed was meant for its predecessor";
  scene.proposes_start(b, c);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{c});
}
TEST(Cases, ATargetStartsNothingWhenALatePowerOnBringsItBackBeforeItsExecutor) {
  a_late_power_on_comes();
}

// ---- messages that come too late, and orders that are overtaken

void a_message_outlives_its_view() {
  Scene scene({.nodes = 3, .stream = Setting::Stream::kQueues});
  const core::ViewId before = scene.world().replica(a).view();
  scene.proposes_start(a, a);
  scene.says(a, core::Suspend{b});
  scene.restarts_daemon(c);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b, c})) << "the suspension was for the view before";
  EXPECT_GT(scene.world().replica(a).view(), before);
  for (NodeId node : {a, b}) EXPECT_EQ(scene.world().machine(node).runs, 1) << "nobody has to start over";
  EXPECT_EQ(scene.running(), NodeSet{}) << "the start was, too";
}
TEST(Cases, AMessageOfAnotherViewIsDiscarded) {
  a_message_outlives_its_view();
}

void a_message_outlives_its_ring() {
  Scene scene({.nodes = 3, .stream = Setting::Stream::kQueues});
  scene.proposes_start(a, a);
  scene.split({{a, b, c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b, c}));
  for (NodeId node : {a, b, c}) EXPECT_EQ(scene.world().machine(node).runs, 1) << "nobody has to start over";
  EXPECT_EQ(scene.running(), NodeSet{});
}
TEST(Cases, AMessageThatGoesOutInTheNextRingIsDiscarded) {
  a_message_outlives_its_ring();
}

TEST(Cases, AStopThatOvertakesAStartInWaitVoidsIt) {
  Scene scene({.quorum = Quorum::kTwoNode, .nodes = 2});
  scene.proposes_start(b, b);
  scene.hears(b);
  scene.proposes_stop(b, b);
  scene.hears(b);
  scene.acts(b);
  EXPECT_EQ(scene.running(), NodeSet{});
  scene.hears(a);
  scene.hears(b);
  EXPECT_FALSE(scene.world().can_act(b, kGroup)) << "all have acknowledged the start, and it is void";
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{});
  scene.proposes_start(a, a);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{a});
}

// ---- daemons that start over

// c has started over, all have said Hello, and a is about to send its state.
void a_is_about_to_donate(Scene& scene) {
  scene.proposes_start(a, a);
  scene.settle();
  ASSERT_EQ(scene.running(), NodeSet{a});
  scene.restarts_daemon(c);
  for (NodeId node : {a, b, c}) scene.hears(node), scene.sends_out(node);
  for (NodeId node : {a, b, c}) scene.hears(node);
  ASSERT_FALSE(scene.world().channel().port(a).queue.empty()) << "the snapshot";
  for (NodeId node : {a, b, c}) ASSERT_EQ(scene.world().replica(node).phase(), core::Phase::kSyncing);
}

TEST(Cases, ADonorThatStartsOverDuringItsSnapshotIsReplaced) {
  Scene scene({.nodes = 3, .stream = Setting::Stream::kQueues});
  a_is_about_to_donate(scene);
  scene.restarts_daemon(a);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b, c}));
  EXPECT_EQ(scene.state(c).groups.at(kGroup).online(), core::Spec::place_of(a)) << "what b knew";
  scene.proposes_start(c, c);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{a});
}

void a_joiner_starts_over_during_its_snapshot() {
  Scene scene({.nodes = 3, .stream = Setting::Stream::kQueues});
  a_is_about_to_donate(scene);
  scene.restarts_daemon(c);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b, c}));
  for (NodeId node : {a, b}) EXPECT_EQ(scene.world().machine(node).runs, 1) << "nobody else starts over";
  EXPECT_EQ(scene.state(c).groups.at(kGroup).online(), core::Spec::place_of(a));
  EXPECT_EQ(scene.running(), NodeSet{a});
}
TEST(Cases, AJoinerThatStartsOverDuringItsSnapshotGetsANewOne) {
  a_joiner_starts_over_during_its_snapshot();
}

// a executes with the acknowledgements of a and b; c has heard nothing of it; b starts over, cold.
void a_member_forgets_what_it_acknowledged() {
  Scene scene({.nodes = 3});
  scene.proposes_start(a, a);
  scene.hears(a);
  scene.hears(b);
  scene.hears(a);
  scene.acts(a);
  ASSERT_EQ(scene.running(), NodeSet{a});
  scene.world().power_off(b);
  scene.boots(b);
  scene.split({{a}, {b, c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b, c}));
  scene.proposes_start(c, c);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{a});
  EXPECT_EQ(scene.standing(a, c), Standing::kUnknown) << "it may have acted with the help of the b that was";
}
TEST(Cases, AMemberThatStartsOverCountsWithThoseWhoMayHaveDecidedWithoutTheRest) {
  a_member_forgets_what_it_acknowledged();
}

// Four nodes: a and b are in a view of which c has not heard the last Hello; b's disk is slow.
void a_and_b_are_ahead_of_c(Scene& scene) {
  scene.split({{a, b, c}, {d}});
  for (NodeId node : {c, b, a, b}) scene.hears(node);
  ASSERT_TRUE(scene.in_a_view(a));
  ASSERT_TRUE(scene.in_a_view(b));
  ASSERT_FALSE(scene.in_a_view(c));
}
void b_comes_back_cold_to_c_and_d(Scene& scene) {
  scene.world().power_off(b);
  scene.boots(b);
  scene.split({{a}, {b, c, d}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b, c, d}));
  scene.proposes_start(c, c);
  scene.settle();
}

// Four nodes: of a majority of three, two suffice to keep the other two from deciding anything without them.
TEST(Cases, OfFourNodesTheTwoThatHaveNotHeardOfAStartDoNotOutvoteTheTwoThatHave) {
  Scene scene({.nodes = 4});
  scene.proposes_start(a, a);
  for (NodeId node : {a, b, a}) scene.hears(node);
  scene.acts(a);
  ASSERT_EQ(scene.running(), NodeSet{a}) << "c and d can never be quorate without the two";
  b_comes_back_cold_to_c_and_d(scene);
  EXPECT_EQ(scene.standing(a, c), Standing::kUnknown) << "b has forgotten what it acknowledged";
  EXPECT_EQ(scene.running(), NodeSet{a});
}

void a_member_comes_back_without_its_stores_latest() {
  Scene scene({.nodes = 4, .disks = Setting::Disks::kSlow});
  a_and_b_are_ahead_of_c(scene);
  scene.writes(a);
  scene.proposes_start(a, a);
  for (NodeId node : {a, b, a}) scene.hears(node);
  scene.acts(a);
  EXPECT_EQ(scene.running(), NodeSet{}) << "b's acknowledgement would not survive b";
  b_comes_back_cold_to_c_and_d(scene);
  EXPECT_EQ(scene.running(), NodeSet{}) << "a and the b that was may have decided something";
}
TEST(Cases, AnAcknowledgementThatIsNotInTheStoreSupportsNoStart) {
  a_member_comes_back_without_its_stores_latest();
}

TEST(Cases, AStoreThatHasSeenMoreThanAnyLiveStateMakesTheAbsentUnknown) {
  Scene scene({.nodes = 4, .disks = Setting::Disks::kSlow});
  a_and_b_are_ahead_of_c(scene);
  scene.writes(a);
  scene.writes(b);
  scene.proposes_start(a, a);
  for (NodeId node : {a, b, a}) scene.hears(node);
  scene.acts(a);
  ASSERT_EQ(scene.running(), NodeSet{a}) << "c and d can never be quorate without the two";
  b_comes_back_cold_to_c_and_d(scene);
  EXPECT_EQ(scene.standing(a, c), Standing::kUnknown);
  EXPECT_EQ(scene.running(), NodeSet{a});
}

TEST(Cases, AFenceThatNobodyCanBeginIsGivenUpWhenItsTargetAnswersAgain) {
  Scene scene({.nodes = 3, .planner = Setting::Planner::kReplicas});
  scene.split({{a, b, c}});
  scene.passes(2s);
  ASSERT_TRUE(scene.in_one_view({a, b, c}));
  const NodeId owner = scene.running().first();
  const NodeId other = owner == a ? b : a;
  const NodeId third = owner == c ? b : c;
  scene.hangs(owner);
  scene.passes(12500ms);
  scene.hangs(third);
  scene.passes(2s);
  ASSERT_FALSE(scene.state(other).nodes.at(owner).fences.empty()) << "it waits: alone it is no quorum";
  EXPECT_EQ(scene.shots(other), 0u);
  scene.wakes(owner);
  scene.passes(3s);
  EXPECT_TRUE(scene.state(other).nodes.at(owner).fences.empty());
}

// ---- knowledge that is out of date

TEST(Cases, AConfirmationThatOutlivedItsViewVouchesForNoLaterDaemonOfTheTarget) {
  Scene scene({.nodes = 3, .only_on = {b, c}});
  a_fence_hangs(scene);
  scene.shoots(a);
  scene.split({{a}, {b}});
  scene.restarts_daemon(b);
  scene.boots(c);
  scene.split({{a}, {b, c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b, c})) << "neither remembers the fence";
  scene.proposes_start(b, c);
  scene.settle();
  ASSERT_EQ(scene.running(), NodeSet{c});

  scene.wakes(a);
  scene.split({{a, b}, {c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b}));
  scene.agents_go_on(a);
  scene.settle();
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{c}) << "a's agent speaks of the c before";
}

TEST(Cases, AViewThatOnlyOneMemberSawDoesNotHideALaterOne) {
  Scene scene({.nodes = 3, .only_on = {b, c}});
  scene.world().observe(c, core::Leaving{});
  scene.settle();
  scene.world().crash_daemon(c);
  // Twice a establishes a view of a and b, and b hears the last Hello of neither.
  for (NodeId node : {b, a}) scene.hears(node);
  scene.split({{a}, {b}, {c}});
  scene.split({{a, b}, {c}});
  for (NodeId node : {b, a}) scene.hears(node);
  ASSERT_TRUE(scene.in_a_view(a));
  ASSERT_EQ(scene.standing(c, a), Standing::kLeft)
      << "b, too, has heard that c left, and has not seen it since";
  ASSERT_FALSE(scene.in_a_view(b));

  scene.world().start_daemon(c);
  scene.split({{a}, {b, c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b, c}));
  scene.proposes_start(b, c);
  scene.settle();
  ASSERT_EQ(scene.running(), NodeSet{c});

  scene.split({{a, b}, {c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b}));
  scene.proposes_start(b, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{c}) << "b knows better than a that c has not left";
}

// ---- what the newest epoch does not know

// Views that share no member are not ordered by their epochs: c and d go on alone, by the arbiter's vote, and
// would never hear that b was started, in a view with a lower epoch than theirs, after they had fenced it.
// They may have agreed on a configuration by which the group is theirs, too: it is not started there before
// they are known to be off.
TEST(Cases, NothingIsStartedThatOthersMayHaveAllowedElsewhere) {
  Scene scene({.quorum = Quorum::kQnetd, .nodes = 4, .only_on = {a, b}});
  scene.split({{a, b}, {c, d}}, 1);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({c, d}));
  scene.proposes_fence(c, b, c);
  scene.settle();
  ASSERT_EQ(scene.standing(b, c), Standing::kSettled);
  for (int ring = 0; ring < 6; ++ring) {
    scene.split({{c, d}}, 0);
    scene.settle();
  }
  scene.boots(b);
  scene.split({{a, b}}, 0);
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b}));
  scene.proposes_start(a, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{});
  for (NodeId other : {c, d}) scene.proposes_fence(a, other, a);
  scene.settle();
  for (NodeId other : {c, d}) ASSERT_EQ(scene.standing(other, a), Standing::kSettled);
  scene.proposes_start(a, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{b});
}
void a_store_is_lost_with_what_it_knew() {
  Scene scene({.nodes = 3, .only_on = {b, c}});
  scene.world().observe(c, core::Leaving{});
  scene.settle();
  scene.world().power_off(c);
  scene.split({{a, b}});
  scene.settle();
  ASSERT_EQ(scene.standing(c, a), Standing::kLeft);
  scene.boots(c);
  scene.split({{a}, {b, c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({b, c}));
  scene.proposes_start(b, c);
  scene.settle();
  ASSERT_EQ(scene.running(), NodeSet{c});
  scene.world().power_off(b);
  scene.world().lose_store(b);
  scene.boots(b);
  scene.split({{a, b}, {c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, b}));
  scene.proposes_start(a, b);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{c});
}
TEST(Cases, AMemberWithoutItsStoreHidesWhatItHadAcknowledged) {
  a_store_is_lost_with_what_it_knew();
}

// c left cleanly, came back into a view of which neither a nor e heard, and runs the group there. The third
// of that view is switched off and on: its Corosync gives a and e quorum before its daemon can tell them.
void a_node_that_left_was_taken_back_unseen() {
  Scene scene({.nodes = 5, .only_on = {a, c}});
  scene.world().observe(c, core::Leaving{});
  scene.settle();
  scene.world().power_off(c);
  scene.split({{a, b, d, e}});
  scene.settle();
  ASSERT_EQ(scene.standing(c, a), Standing::kLeft);
  scene.boots(c);
  scene.hears(c);
  scene.split({{a}, {b, c, d, e}});
  auto in_new_ring = [&](NodeId node) {
    const TestChannel& channel = scene.world().channel();
    return scene.world().replica(node).view().ring == channel.rings()[channel.port(node).ring].id;
  };
  while (scene.world().can_deliver(e) && !in_new_ring(e)) scene.world().deliver(e);
  auto talk = [&] {
    for (int round = 0; round < 3; ++round) {
      for (NodeId node : {b, c, d}) {
        scene.hears(node);
        scene.sends_out(node);
      }
    }
  };
  talk();
  ASSERT_TRUE(scene.in_a_view(b) && scene.in_a_view(c) && scene.in_a_view(d) && !scene.in_a_view(e));
  while (scene.world().can_probe(c, kGroup)) scene.world().probe(c, kGroup);
  talk();
  scene.proposes_start(b, c);
  talk();
  scene.acts(c);
  ASSERT_EQ(scene.running(), NodeSet{c});
  scene.world().power_off(d);
  scene.split({{a, e}, {b, c}});
  scene.world().boot(d);
  scene.split({{a, d, e}, {b, c}});
  scene.settle();
  ASSERT_TRUE(scene.in_one_view({a, e}));
  scene.proposes_start(a, a);
  scene.settle();
  EXPECT_EQ(scene.running(), NodeSet{c});
}
TEST(Cases, ANodeThatLeftMayBeBackWhereverAnotherIsAbsent) {
  a_node_that_left_was_taken_back_unseen();
}

// ---- leases

TEST(Cases, AnEstablishmentThatWasSleptOverGivesNoLease) {
  Scene scene({.nodes = 3, .fencing = Setting::Fencing::kLease});
  scene.split({{a, b, c}});
  scene.settle();  // all have said that their watchdogs are armed
  scene.split({{a, b, c}});
  scene.hangs(a);
  scene.settle();
  ASSERT_TRUE(scene.in_a_view(b) && scene.in_a_view(c) && !scene.in_a_view(a));
  scene.proposes_start(b, a);
  scene.settle();
  scene.says(b, core::Suspend{a});
  scene.passes(24s);
  ASSERT_EQ(scene.standing(a, b), Standing::kSettled);
  scene.proposes_start(b, b);
  scene.settle();
  ASSERT_EQ(scene.running(), NodeSet{b});
  scene.world().pass(a, 24s);  // it wakes, and hears what was said meanwhile
  while (scene.world().can_deliver(a) && !scene.world().can_act(a, kGroup)) scene.world().deliver(a);
  EXPECT_FALSE(scene.world().can_act(a, kGroup)) << "it executes a start of 24 s ago";
}

}  // namespace komainu::sim
