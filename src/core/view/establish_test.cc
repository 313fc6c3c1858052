#include "core/view/establish.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/record/record.h"
#include "core/testing.h"
#include "core/view/stability.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using testing::node;
using testing::place;

constexpr ViewId kOld{{1, 4}, 1};
constexpr ViewId kOther{{2, 8}, 1};

// A Hello of a live member that ends the view `lineage` at `position`.
Hello live(std::uint64_t epoch, std::uint64_t position = 10, ViewId lineage = kOld) {
  Hello hello;
  hello.live = true;
  hello.lineage = {epoch, lineage};
  hello.position = position;
  hello.state_digest = position;
  return hello;
}
Hello cold(std::uint64_t stored_epoch) {
  Hello hello;
  hello.lineage = {stored_epoch, kOld};
  return hello;
}
Gathering gather(std::map<NodeId, Hello> hellos) {
  Gathering gathering;
  gathering.view = {{1, 12}, 1};
  for (auto& [id, hello] : hellos) gathering.incarnations[id] = testing::Cluster::incarnation(id);
  gathering.hellos = std::move(hellos);
  return gathering;
}
State established(const State& donor, Gathering gathering) {
  for (auto& [id, hello] : gathering.hellos) hello.spec_digest = donor.spec_digest;
  Effects effects;
  return establish(donor, gathering, succession(gathering), effects);
}

TEST(Succession, TakesTheLongestLogOfTheNewestEpoch) {
  const Succession result =
      succession(gather({{node(1), live(5, 30)}, {node(2), live(6, 3)}, {node(3), live(6, 8)}}));
  EXPECT_EQ(result.donor, node(3));
  EXPECT_GT(result.epoch, 6u);
  EXPECT_EQ(result.knowing, (NodeSet{node(2), node(3)}));
  EXPECT_FALSE(result.identical);
  EXPECT_FALSE(result.conflict);
}

TEST(Succession, TrustsNoLiveStateOlderThanWhatAStoreHasSeen) {
  const Succession result = succession(gather({{node(1), live(5)}, {node(2), cold(6)}}));
  EXPECT_TRUE(result.knowing.empty());
  EXPECT_EQ(result.donor, node(2));
  EXPECT_GT(result.epoch, 6u);
}

TEST(Succession, RaisesTheEpochAboveThatOfAViewThatNobodyHereSawEstablished) {
  Gathering unseen = gather({{node(1), live(6)}, {node(2), live(6)}, {node(3), live(9)}});
  Gathering later = gather({{node(1), live(6)}, {node(2), live(6)}});
  later.view.ring.seq = unseen.view.ring.seq + 4;
  EXPECT_GT(succession(later).epoch, succession(unseen).epoch);
  later.view = unseen.view;
  ++later.view.round;
  EXPECT_GT(succession(later).epoch, succession(unseen).epoch);
}

TEST(Succession, RaisesTheEpochWhateverTheRingsNumber) {
  Gathering lone = gather({{node(1), live(6)}});
  lone.view.ring.seq = ~std::uint64_t{0};
  EXPECT_EQ(succession(lone).epoch, 7u);
  lone.view.ring.seq = 0;
  EXPECT_EQ(succession(lone).epoch, 7u);
}

TEST(Succession, SeesThatTwoViewsWereSplitFromEachOther) {
  EXPECT_TRUE(succession(gather({{node(1), live(6, 3, kOld)}, {node(2), live(6, 9, kOther)}})).conflict);
}

TEST(Succession, NeedsNoSnapshotWhenAllStatesAreEqual) {
  EXPECT_TRUE(succession(gather({{node(1), live(6, 3)}, {node(2), live(6, 3)}})).identical);
  EXPECT_FALSE(succession(gather({{node(1), live(6, 3)}, {node(2), cold(6)}})).identical);
}

TEST(Establish, TakesALostNodeAtItsRecordedWordWhileTheRestCannotBeQuorate) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  cluster.runs(web, node(3));
  const State state = established(cluster.state(), gather({{node(1), live(6)}, {node(2), live(6)}}));
  EXPECT_EQ(state.nodes.at(node(3)).standing, Standing::kLost);
  EXPECT_EQ(state.may_run(web), PlaceSet{place(3)});
}

TEST(Establish, TakesALostNodeForRunningAnythingWhenItCouldHaveActedWithAnother) {
  Cluster cluster(3);
  cluster.group("web");
  // node2 started anew and has forgotten what it acknowledged together with node3.
  const State state = established(cluster.state(), gather({{node(1), live(6)}, {node(2), cold(6)}}));
  EXPECT_EQ(state.nodes.at(node(3)).standing, Standing::kUnknown);
}

TEST(Establish, KeepsALeftAndASettledNodeStopped) {
  Cluster cluster(3);
  cluster.group("web");
  State donor = cluster.state();
  donor.nodes[node(3)].leaving = true;
  State state = established(donor, gather({{node(1), live(6)}, {node(2), live(6)}}));
  EXPECT_EQ(state.nodes.at(node(3)).standing, Standing::kLeft);
  state.nodes[node(3)].standing = Standing::kSettled;
  EXPECT_EQ(established(state, gather({{node(1), live(7)}, {node(2), live(7)}})).nodes.at(node(3)).standing,
            Standing::kSettled);
  EXPECT_EQ(established(state, gather({{node(1), cold(7)}, {node(2), cold(7)}})).nodes.at(node(3)).standing,
            Standing::kUnknown)
      << "a cold start knows nothing of absent nodes";
}

TEST(Establish, DoesNotTakeALeavingNodeForGoneWhileItRunsSomething) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  cluster.runs(web, node(3));
  State donor = cluster.state();
  donor.nodes[node(3)].leaving = true;
  EXPECT_EQ(established(donor, gather({{node(1), live(6)}, {node(2), live(6)}})).nodes.at(node(3)).standing,
            Standing::kLost);
}

TEST(Establish, TakesOneThatLeavesWhileItFencesForLost) {
  Cluster cluster(3);
  cluster.has_fencer();
  State donor = cluster.state();
  donor.nodes[node(3)].leaving = true;
  const Gathering others = gather({{node(1), live(6)}, {node(2), live(6)}});
  EXPECT_EQ(established(donor, others).nodes.at(node(3)).standing, Standing::kLeft);
  donor.nodes[node(2)].fences[node(3)] = FenceOrder{.id = {kOld, 9}, .executor = node(3)};
  EXPECT_EQ(established(donor, others).nodes.at(node(3)).standing, Standing::kLost);
}

TEST(Establish, BelievesMembersAboutThemselves) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  cluster.runs(web, node(1));
  Hello holder = live(6);
  holder.holds[web] = Activity::kOnline;
  const State state = established(cluster.state(), gather({{node(1), live(6)}, {node(2), holder}}));
  EXPECT_EQ(state.may_run(web), PlaceSet{place(2)});
}

TEST(Establish, EndsAMoveThatWasCompletedUnseen) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  State donor = cluster.state();
  donor.groups[web].intent.move_to = place(2);
  Hello holder = live(6);
  holder.holds[web] = Activity::kOnline;
  const State state = established(donor, gather({{node(1), live(6)}, {node(2), holder}}));
  EXPECT_EQ(state.groups.at(web).intent.move_to, std::nullopt)
      << "or it would move there again after the next failover";
}

TEST(Establish, SoundsTheAlarmWhenAGroupIsOnlineTwice) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  Hello holder = live(6);
  holder.holds[web] = Activity::kOnline;
  const Gathering gathering = gather({{node(1), holder}, {node(2), holder}});
  Effects effects;
  establish(cluster.state(), gathering, succession(gathering), effects);
  const bool alarmed = std::ranges::any_of(effects, [](const Effect& effect) {
    auto* event = std::get_if<Event>(&effect);
    return event && event->severity == Severity::kAlarm &&
           event->text == "web is online on node1 and node2 at once";
  });
  EXPECT_TRUE(alarmed);
}

TEST(Establish, DoesNotBelieveAMemberOfAnotherConfigurationAboutGroups) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  Hello other = live(5);
  other.spec_digest = 1;  // it says that it runs nothing, of other groups
  Effects effects;
  const Gathering gathering = gather({{node(1), live(6)}, {node(2), other}});
  const State state = establish(cluster.state(), gathering, succession(gathering), effects);
  EXPECT_EQ(state.groups.at(web).activity(place(2)), Activity::kUnknown);
}

// What the members of a merge, each of which runs the group, are told to do with it.
GroupState merged(const Hello& one, const Hello& two) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  Gathering gathering = gather({{node(1), one}, {node(2), two}});
  for (auto& [id, hello] : gathering.hellos) hello.holds[web] = Activity::kOnline;
  return established(cluster.state(), gathering).groups.at(web);
}

TEST(Establish, LetsAGroupThatIsOnlineTwiceStayWhereTheStateComesFrom) {
  const GroupState kept = merged(live(7), live(6));
  EXPECT_EQ(kept.activity(place(1)), Activity::kOnline);
  EXPECT_EQ(kept.activity(place(2)), Activity::kFailed);
}

TEST(Establish, LetsItStayNowhereWhereThatIsNotToBeTold) {
  for (const auto& [one, two] :
       {std::pair(live(6), live(6)), std::pair(live(6, 10, kOld), live(6, 10, kOther)),
        std::pair(cold(6), cold(6)), std::pair(live(5), cold(6))}) {
    const GroupState group = merged(one, two);
    EXPECT_EQ(group.activity(place(1)), Activity::kOnline);
    EXPECT_EQ(group.activity(place(2)), Activity::kOnline);
  }
}

// Of two nodes that become three the second is cut off before its Corosync was told: it goes on counting two
// votes, and may be quorate alone. By three votes it could not.
TEST(Establish, TakesAnAbsentNodeForUnknownWhoseCorosyncMayCountTheVotesOfBefore) {
  Cluster cluster(3);
  for (std::uint32_t number : {1, 2, 3})
    cluster.node_state(node(number)).corosync.counts = cluster.spec.node_ids();
  const auto hellos = [] { return gather({{node(1), live(6)}, {node(3), live(6)}}); };
  EXPECT_EQ(established(cluster.state(), hellos()).nodes.at(node(2)).standing, Standing::kLost);
  cluster.node_state(node(2)).corosync.counts = {node(1), node(2)};
  EXPECT_EQ(established(cluster.state(), hellos()).nodes.at(node(2)).standing, Standing::kUnknown);
  cluster.stands(node(2), Standing::kSettled);
  EXPECT_EQ(established(cluster.state(), hellos()).nodes.at(node(2)).standing, Standing::kSettled);
}

TEST(Establish, CountsTheLossesOfMembersButNotOfThoseThatLeft) {
  Cluster cluster(3);
  Effects effects;
  const Gathering alone = gather({{node(1), live(6)}});
  cluster.node_state(node(3)).leaving = true;
  State state = cluster.state();
  for (std::uint32_t times = 1; times <= 3; ++times) {
    state.nodes.at(node(2)).standing = state.nodes.at(node(3)).standing = Standing::kMember;
    state.nodes.at(node(3)).leaving = true;
    state = establish(state, alone, succession(alone), effects);
    EXPECT_EQ(state.nodes.at(node(2)).losses.count, times);
  }
  EXPECT_EQ(state.nodes.at(node(3)).losses.count, 0u);
  EXPECT_TRUE(is_unsteady(state, state.nodes.at(node(2))));
}

TEST(Establish, KeepsAFenceOpenUntilItsExecutorSaysOtherwise) {
  Cluster cluster(3);
  cluster.has_fencer();
  State donor = cluster.state();
  const OrderId order{kOld, 9};
  donor.nodes[node(3)].fences[node(2)] = FenceOrder{.id = order, .executor = node(2)};
  Hello begun = live(6);
  begun.fencing[node(3)] = order;
  auto open = [&](std::map<NodeId, Hello> hellos) {
    return established(donor, gather(std::move(hellos))).nodes.at(node(3)).fences.size();
  };
  EXPECT_EQ(open({{node(1), live(6)}, {node(2), begun}, {node(3), cold(6)}}), 1u);
  EXPECT_EQ(open({{node(1), live(6)}, {node(2), live(6)}, {node(3), cold(6)}}), 0u);
  EXPECT_EQ(open({{node(1), live(6)}, {node(3), live(6)}}), 1u) << "the executor is lost with it";
}

TEST(Establish, LetsAFenceThatOnlyItsExecutorKnowsVouchForNothing) {
  Cluster cluster(3);
  cluster.has_fencer();
  Hello begun = live(5);
  begun.fencing[node(3)] = OrderId{kOld, 9};
  const State state = established(cluster.state(), gather({{node(1), live(6)}, {node(2), begun}}));
  EXPECT_EQ(state.nodes.at(node(3)).fences.at(node(2)).target_incarnation, kNobody);
}

TEST(Stability, NeedsEverybodyOrAQuorumThatLeavesNone) {
  Cluster three(3);
  const NodeSet all{node(1), node(2), node(3)};
  EXPECT_TRUE(stable(three.spec, all, {}, all));
  EXPECT_TRUE(stable(three.spec, all, {}, {node(1), node(2)})) << "one of three can never be quorate";
  EXPECT_FALSE(stable(three.spec, all, {}, {node(1)}));
  Cluster two(2);
  EXPECT_FALSE(stable(two.spec, {node(1), node(2)}, {}, {node(1)})) << "either of two can be quorate alone";
  EXPECT_TRUE(stable(two.spec, {node(1), node(2)}, {node(2)}, {node(1)}))
      << "but not when it is known to be off";
}

TEST(Stability, AsksLessOfAFenceButStillAQuorum) {
  Cluster three(3);
  const NodeSet all{node(1), node(2), node(3)};
  EXPECT_TRUE(fence_stable(three.spec, all, {}, node(3), {node(1), node(2)}));
  EXPECT_FALSE(fence_stable(three.spec, all, {node(2)}, node(3), {node(1)}))
      << "one of three does not fence two";
  Cluster two(2);
  EXPECT_TRUE(fence_stable(two.spec, {node(1), node(2)}, {node(2)}, node(2), {node(1)}));
}

TEST(Establish, CountsTheFailedFencesOfANodeUntilItIsBack) {
  Cluster cluster(2);
  cluster.node_state(node(2)).standing = Standing::kLost;
  cluster.node_state(node(2)).fence_failures = 2;
  const State alone = established(cluster.state(), gather({{node(1), live(6)}}));
  EXPECT_EQ(alone.node(node(2))->fence_failures, 2u);
  const State both = established(alone, gather({{node(1), live(6)}, {node(2), cold(5)}}));
  EXPECT_EQ(both.node(node(2))->fence_failures, 0u);
}

// A node that yields names the cause in its own log while it is alone; the others name the same.
TEST(Establish, LaysWhatANodeStoppedOnItsOwnToItsLoss) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  cluster.runs(web, node(2));
  const Cause loss = cause_of_loss(node(2), *cluster.state().node(node(2)));
  EXPECT_TRUE(loss);
  const State alone = established(cluster.state(), gather({{node(1), live(6)}}));
  EXPECT_EQ(alone.node(node(2))->cause, loss);
  EXPECT_EQ(alone.group(web)->cause, loss);
  // It comes back at once, having yielded …
  const State both = established(cluster.state(), gather({{node(1), live(6)}, {node(2), live(6)}}));
  EXPECT_EQ(both.group(web)->cause, loss);
  // … and what befalls it later is another story.
  EXPECT_EQ(both.node(node(2))->cause, Cause{});
  EXPECT_NE(cause_of_loss(
                node(2), *established(alone, gather({{node(1), live(7)}, {node(2), live(6)}})).node(node(2))),
            loss);
}

TEST(Establish, LaysALossToTheSuspensionThatCameBefore) {
  Cluster cluster(2);
  cluster.suspends(node(2));
  const Cause silence{node(2), Cluster::incarnation(node(2)), 7};
  cluster.node_state(node(2)).cause = silence;
  const State alone = established(cluster.state(), gather({{node(1), live(6)}}));
  EXPECT_EQ(alone.node(node(2))->cause, silence);
}

}  // namespace
}  // namespace komainu::core
