// The normal course of the protocol, one scene a test. What may go wrong is src/sim's.
#include "core/replica.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/corosync.h"
#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;

// Replicas on one ring that delivers everything to everybody at once; stores that never fail.
class Ring {
 public:
  enum class Plans : std::uint8_t { kNo, kYes };
  explicit Ring(const Spec& spec, Plans plans = Plans::kNo)
      : plans_(plans), spec_(std::make_shared<const Spec>(spec)) {
    for (const auto& [id, node] : spec.nodes) boot(id);
  }

  void boot(NodeId id, std::uint32_t decision_version = kDecisionVersion) {
    const Incarnation incarnation{1000 + next_incarnation_++};
    replicas_.insert_or_assign(id,
                               std::make_unique<Replica>(ReplicaOptions{.self = id,
                                                                        .incarnation = incarnation,
                                                                        .plans = plans_ == Plans::kYes,
                                                                        .decision_version = decision_version},
                                                         spec_, Durable{}));
    for (const auto& [group, configured] : spec_->groups)
      give(id, Observed{GroupReport{group, Spec::place_of(id)}});
  }
  void form(NodeSet nodes, std::uint64_t seq) {
    log_.clear();
    const RingId ring{nodes.first().value, seq};
    RingChange change{ring, {}, nodes};
    for (NodeId id : nodes) change.members[id] = 100 + id.value;
    members_ = nodes;
    for (NodeId id : nodes) give(id, change);
    for (NodeId id : nodes) give(id, QuorumVerdict{ring, true});
    flow();
  }
  // Its Corosync stays in the ring.
  void loses_daemon(NodeId gone) {
    RingChange change{at(members_.first()).view().ring, {}, members_};
    members_ -= NodeSet{gone};
    for (NodeId id : members_) change.members[id] = 100 + id.value;
    for (NodeId id : members_) give(id, change);
    flow();
  }
  // Hears what it was deaf to.
  void catch_up(NodeId id) {
    deaf -= NodeSet{id};
    for (const Message& message : std::exchange(missed_, {})) give(id, Delivered{message});
    flow();
  }
  void say(NodeId from, Body body) {
    log_.push_back(at(from).compose(std::move(body)));
    flow();
  }
  void report(NodeId from, Fact fact) {
    give(from, Observed{std::move(fact)});
    flow();
  }
  void hold_now() {
    for (const auto& held : std::exchange(held_back_, {})) stores_.push_back(held);
    flow();
  }
  // Time passes on all nodes, in the steps of their timers.
  void wait(Duration duration) {
    for (const LocalTime end = now_ + duration; now_ < end;) {
      now_ = now_ + Replica::kTimerPeriod;
      for (auto& [id, replica] : replicas_) give(id, Timer{});
      flow();
    }
  }
  // Nobody is scheduled meanwhile.
  void pause(Duration duration) { now_ = now_ + duration; }
  void cut_off(NodeId id) {
    members_ -= NodeSet{id};
    give(id, ChannelLost{});
  }
  LocalTime now() const { return now_; }
  Replica& at(NodeId id) { return *replicas_.at(id); }
  std::vector<Execute> executed;
  std::vector<std::pair<NodeId, ExecuteFence>> fences;
  std::vector<Answer> answers;
  std::vector<std::pair<NodeId, std::string>> yields;
  std::vector<std::pair<NodeId, std::string>> said;   // events
  std::vector<std::pair<NodeId, std::string>> looks;  // "activated", or the group that is probed
  std::vector<std::pair<NodeId, GroupId>> prepared;
  NodeSet rejoined;
  NodeSet broken_disks;
  NodeSet refusing;      // these cannot hold a proposed configuration
  NodeSet holding_back;  // these do so later, by hold_now()
  NodeSet deaf;          // these hear nothing

 private:
  void give(NodeId id, const Input& input) {
    for (Effect& effect : at(id).step(now_, input)) {
      if (auto* send = std::get_if<Send>(&effect)) log_.push_back(send->message);
      if (auto* store = std::get_if<Store>(&effect)) stores_.push_back({id, store->token});
      if (auto* spec = std::get_if<SpecProposed>(&effect)) hold(id, *spec);
      if (auto* prepare = std::get_if<Prepare>(&effect)) prepared.push_back({id, prepare->group});
      if (auto* execute = std::get_if<Execute>(&effect)) executed.push_back(*execute);
      if (auto* fence = std::get_if<ExecuteFence>(&effect)) fences.push_back({id, *fence});
      if (auto* answer = std::get_if<Answer>(&effect)) answers.push_back(*answer);
      if (auto* yield = std::get_if<Yield>(&effect)) yields.push_back({id, yield->reason});
      if (auto* event = std::get_if<Event>(&effect)) said.push_back({id, event->text});
      if (std::holds_alternative<Rejoin>(effect)) rejoined.insert(id);
      if (std::holds_alternative<SpecActivated>(effect)) looks.push_back({id, "activated"});
      if (auto* probe = std::get_if<Probe>(&effect)) looks.push_back({id, spec_name(id, probe->group)});
    }
  }
  void hold(NodeId id, const SpecProposed& proposed) {
    if (holding_back.contains(id)) return held_back_.push_back({id, proposed.token});
    if (!refusing.contains(id)) return stores_.push_back({id, proposed.token});
    refusals_.push_back({id, ConfigRefuse{proposed.spec->version, "no such driver"}});
  }
  std::string spec_name(NodeId id, GroupId group) { return at(id).state().spec->group(group)->name; }
  void flow() {
    while (!log_.empty() || !stores_.empty() || !refusals_.empty()) {
      if (!refusals_.empty()) {
        auto [id, refusal] = refusals_.front();
        refusals_.pop_front();
        give(id, Observed{refusal});
        continue;
      }
      if (!stores_.empty()) {
        auto [id, token] = stores_.front();
        stores_.pop_front();
        give(id, Stored{token, !broken_disks.contains(id)});
        continue;
      }
      const Message message = log_.front();
      log_.pop_front();
      for (NodeId id : members_ - deaf) give(id, Delivered{message});
      if (!deaf.empty()) missed_.push_back(message);
    }
  }

  LocalTime now_{1s};
  Plans plans_;
  SpecPtr spec_;
  std::map<NodeId, std::unique_ptr<Replica>> replicas_;
  std::deque<Message> log_;
  std::deque<std::pair<NodeId, std::uint64_t>> stores_;
  std::deque<std::pair<NodeId, ConfigRefuse>> refusals_;
  std::vector<std::pair<NodeId, std::uint64_t>> held_back_;
  std::vector<Message> missed_;
  NodeSet members_;
  std::uint64_t next_incarnation_ = 0;
};

const NodeId n1{1};
const NodeId n2{2};
const NodeId n3{3};

Proposal start(const Ring&, Replica& replica, GroupId group, NodeId node) {
  const State& state = replica.state();
  return StartGroup{group, Spec::place_of(node), state.groups.at(group).version,
                    state.nodes.at(node).incarnation, state.spec->version};
}

TEST(Replica, EstablishesAViewOfAllMembersAndAgreesOnItsState) {
  Cluster cluster(3);
  cluster.group("web");
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  for (NodeId id : {n1, n2, n3}) {
    EXPECT_EQ(ring.at(id).phase(), Phase::kEstablished);
    EXPECT_EQ(ring.at(id).state().digest(), ring.at(n1).state().digest());
    EXPECT_EQ(ring.at(id).state().members(), (NodeSet{n1, n2, n3}));
  }
}

TEST(Replica, ExecutesAStartOnceAllMembersHaveAcknowledgedIt) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  ring.say(n1, start(ring, ring.at(n1), web, n2));
  ASSERT_EQ(ring.executed.size(), 1u);
  EXPECT_EQ(ring.executed[0].order.executor, n2);
  ring.report(n2, GroupReport{web, Spec::place_of(n2), ring.executed[0].order.id, Activity::kOnline});
  EXPECT_EQ(ring.at(n1).state().groups.at(web).online(), Spec::place_of(n2));
}

TEST(Replica, RefusesASecondStartAndStopsAtOnce) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  ring.say(n1, start(ring, ring.at(n1), web, n2));
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_EQ(ring.executed.size(), 1u);
  ring.say(n1, Proposal{StopGroup{web, Spec::place_of(n2), ring.at(n1).state().groups.at(web).version}});
  ASSERT_EQ(ring.executed.size(), 2u);
  EXPECT_EQ(ring.executed[1].order.kind, OrderKind::kStop);
}

TEST(Replica, TakesALostNodeOfTwoForRunningEverythingUntilItIsSettled) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  cluster.has_fencer();
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  ring.form({n1}, 8);
  const State& state = ring.at(n1).state();
  EXPECT_EQ(state.nodes.at(n2).standing, Standing::kUnknown);
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_TRUE(ring.executed.empty());
  ring.report(n1, Request{1, "root", FenceConfirm{n2}});
  EXPECT_EQ(state.nodes.at(n2).standing, Standing::kSettled);
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_EQ(ring.executed.size(), 1u);
}

TEST(Replica, PreparesForTheGroupsOfANodeAsSoonAsThatIsLost) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  EXPECT_TRUE(ring.prepared.empty());
  ring.form({n1}, 8);
  EXPECT_EQ(ring.prepared, (std::vector{std::pair(n1, web)}));
}

TEST(Replica, WantsToBeWokenWhenItsTurnToFenceHasCome) {
  Cluster cluster(2);
  cluster.group("web");
  cluster.has_fencer();
  cluster.spec.timing.startup_wait = 0ms;
  Ring ring(cluster.spec, Ring::Plans::kYes);
  ring.form({n1, n2}, 4);
  EXPECT_EQ(ring.at(n2).next_due(), std::nullopt);
  ring.form({n2}, 8);
  const Duration race = cluster.spec.timing.fence_race;
  EXPECT_EQ(ring.at(n2).next_due(), ring.now() + race);
  EXPECT_TRUE(ring.at(n2).state().nodes.at(n1).fences.empty());
  ring.wait(race);
  EXPECT_FALSE(ring.at(n2).state().nodes.at(n1).fences.empty());
  EXPECT_EQ(ring.at(n2).next_due(), std::nullopt);
}

TEST(Replica, HandsItsStateToAMemberThatStartsOver) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  ring.report(n1, GroupReport{web, Spec::place_of(n1), ring.executed[0].order.id, Activity::kOnline});
  ring.boot(n3);
  ring.form({n1, n2, n3}, 8);
  EXPECT_EQ(ring.at(n3).state().groups.at(web).online(), Spec::place_of(n1));
  EXPECT_EQ(ring.at(n3).state().digest(), ring.at(n1).state().digest());
}

// ---- leases

Spec lease_of_three(Cluster& cluster) {
  cluster.spec.timing.drain = 0s;
  return cluster.spec;
}

TEST(Replica, YieldsAgainWhatItStartedAfterItHadYielded) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  Ring ring(lease_of_three(cluster));
  ring.form({n1, n2, n3}, 4);
  ring.say(n1, start(ring, ring.at(n1), web, n2));
  ring.report(n2, GroupReport{web, Spec::place_of(n2), ring.executed.back().order.id, Activity::kOnline});
  // Two disks hang: no sign of life of anybody becomes durable, and the lease runs out inside the view.
  ring.broken_disks = {n1, n3};
  ring.say(n2, Fact{Request{1, "root", GroupStop{web}}});
  ring.wait(cluster.spec.timing.lease + 1s);
  ASSERT_EQ(ring.yields.size(), 1u);
  ring.report(n2, GroupReport{web, Spec::place_of(n2)});
  // They work again, and the group comes back.
  ring.broken_disks = {};
  ring.wait(3s);
  ring.say(n1, start(ring, ring.at(n1), web, n2));
  ASSERT_EQ(ring.executed.back().order.kind, OrderKind::kStart);
  ring.report(n2, GroupReport{web, Spec::place_of(n2), ring.executed.back().order.id, Activity::kOnline});
  ring.deaf = {n2};
  ring.wait(cluster.spec.timing.lease + 1s);
  EXPECT_EQ(ring.yields.size(), 2u) << "it lost its lease again";
}

TEST(Replica, RestartsAllOfAGroupThatItHasStoppedSinceAPartOfItFailed) {
  Cluster cluster(1);
  Group& configured = cluster.group("web");
  configured.resources.resize(2);
  const GroupId web = configured.id;
  Ring ring(cluster.spec);
  ring.form({n1}, 4);
  ring.report(n1, GroupReport{web, Spec::place_of(n1), {}, Activity::kOnline});
  const auto restart = [&] {
    const State& state = ring.at(n1).state();
    return Proposal{RestartGroup{web, Spec::place_of(n1), 1, state.groups.at(web).version,
                                 state.nodes.at(n1).incarnation}};
  };
  ring.say(n1, restart());
  ASSERT_EQ(ring.executed.size(), 1u);
  EXPECT_EQ(ring.executed[0].order.first_resource, 1u);
  ring.report(n1, GroupReport{web, Spec::place_of(n1), ring.executed[0].order.id, Activity::kOnline});

  ring.deaf = {n1};
  ring.say(n1, restart());
  ring.wait(2 * cluster.spec.timing.grace);
  ASSERT_EQ(ring.yields.size(), 1u);
  ring.catch_up(n1);
  ASSERT_EQ(ring.executed.size(), 2u);
  EXPECT_EQ(ring.executed[1].order.first_resource, 0u);
}

TEST(Replica, TakesNodesForStoppedNoLongerOnceTheyHaveBeenBackWithoutIt) {
  Cluster cluster(3);
  cluster.group("web");
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  const auto standing = [&](NodeId id) { return ring.at(n1).state().nodes.at(id).standing; };
  for (NodeId id : {n2, n3}) {
    ring.report(id, Leaving{});
    ring.loses_daemon(id);
    EXPECT_EQ(standing(id), Standing::kLeft);
  }
  // The two are a quorum and could start anything, while nothing of n1 gets through.
  ring.deaf = {n1, n2, n3};
  ring.form({n1, n2, n3}, 4);
  ring.deaf = {};
  for (NodeId id : {n2, n3}) ring.loses_daemon(id);
  EXPECT_EQ(ring.at(n1).state().members(), NodeSet{n1});
  for (NodeId id : {n2, n3}) EXPECT_EQ(standing(id), Standing::kUnknown);
}

TEST(Replica, StartsNothingWithoutALease) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  Ring ring(lease_of_three(cluster));
  ring.form({n1, n2, n3}, 4);
  ring.broken_disks = {n1, n3};
  ring.say(n2, Fact{Request{1, "root", GroupStop{web}}});
  ring.wait(cluster.spec.timing.lease + 1s);
  ring.say(n1, start(ring, ring.at(n1), web, n2));
  EXPECT_TRUE(ring.executed.empty());
  ring.broken_disks = {};
  ring.wait(cluster.spec.timing.lease);
  EXPECT_EQ(ring.executed.size(), 1u) << "and begins it with the new lease";
}

TEST(Replica, GivesUpAndComesBackWhenTheOthersTakeItForStopped) {
  Cluster cluster(3);
  const GroupId web = cluster.group("web").id;
  cluster.has_fencer();
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.say(n1, start(ring, ring.at(n1), web, n3));
  ring.report(n3, GroupReport{web, Spec::place_of(n3), ring.executed.back().order.id, Activity::kOnline});
  const NodeState& target = ring.at(n1).state().nodes.at(n3);
  FenceNode fence;
  fence.target = n3;
  fence.executor = n1;
  fence.node_version = target.version;
  fence.incarnation = target.incarnation;
  ring.say(n1, Proposal{fence});
  ring.report(n1, FenceResult{n3, target.fences.at(n1).id, true, "off"});
  EXPECT_EQ(ring.at(n1).state().nodes.at(n3).standing, Standing::kSettled);
  ASSERT_EQ(ring.yields.size(), 1u);
  EXPECT_EQ(ring.yields[0].first, n3) << "the fencer lied: it lives";
  EXPECT_TRUE(ring.rejoined.contains(n3));
}

TEST(Replica, GoesOnCountingGraceAfterItsPredecessor) {
  Cluster cluster(3);
  const SpecPtr spec = [&] {
    cluster.group("web");
    return std::make_shared<const Spec>(cluster.spec);
  }();
  const LocalTime started{100s};
  auto yields = [&](std::optional<LocalTime> last_flow) {
    Replica replica({.self = n1, .incarnation = Incarnation{1}, .last_flow = last_flow}, spec, Durable{});
    for (LocalTime now = started; now < started + 1s; now = now + Replica::kTimerPeriod)
      for (const Effect& effect : replica.step(now, Timer{}))
        if (std::holds_alternative<Yield>(effect)) return true;
    return false;
  };
  EXPECT_FALSE(yields(std::nullopt));
  EXPECT_TRUE(yields(started - cluster.spec.timing.grace));
}

TEST(Replica, KeepsItsGroupsWithoutAViewWhileTheClusterIsDisarmed) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  cluster.has_fencer();
  const Duration grace = cluster.spec.timing.grace;
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  ring.report(n1, GroupReport{web, Spec::place_of(n1), {}, Activity::kOnline});
  ring.report(n1, Request{1, "root", ClusterDisarm{3 * grace, "a new switch"}});
  ring.cut_off(n1);
  ring.wait(2 * grace);
  EXPECT_TRUE(ring.yields.empty());
  EXPECT_TRUE(ring.at(n1).disarmed(ring.now()));
  ring.wait(2 * grace);
  EXPECT_FALSE(ring.at(n1).disarmed(ring.now()));
  ASSERT_EQ(ring.yields.size(), 1u) << "its time is over";
  EXPECT_EQ(ring.yields.front().first, n1);
}

// ---- stores

TEST(Replica, WritesItsStoreAgainUntilThatWorks) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  cluster.has_fencer();
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  ring.broken_disks = {n2};
  ring.say(n1, Fact{Request{1, "root", MonitorSuspend{cluster.monitor("lan", {}).id, true}}});
  ring.say(n1, Fact{Request{2, "root", GroupClear{web}}});
  ring.say(n1, Fact{Request{3, "root", NodeDuty{n2, Duty::kDrained}}});
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_TRUE(ring.executed.empty()) << "node2 has not stored what came before";
  ring.broken_disks = {};
  ring.wait(2s);
  EXPECT_EQ(ring.executed.size(), 1u);
}

// ---- configurations

struct Changed {
  Ring ring;
  Cluster& cluster;
  explicit Changed(Cluster& base) : ring(base.spec), cluster(base) {
    ring.form({n1, n2}, 4);
    ring.looks.clear();
  }
  void apply(Spec next) {
    ring.report(n1, Request{7, "root", ConfigApply{std::make_shared<const Spec>(std::move(next))}});
  }
};

TEST(Replica, LooksForANewGroupOnAllMembersBeforeItIsStarted) {
  Cluster cluster(2);
  cluster.has_fencer();
  Changed it(cluster);
  const GroupId web = cluster.group("web").id;
  it.apply(cluster.spec);
  const State& state = it.ring.at(n1).state();
  ASSERT_TRUE(state.groups.contains(web));
  EXPECT_EQ(state.may_run(web), (PlaceSet{Spec::place_of(n1), Spec::place_of(n2)}));
  EXPECT_EQ(it.ring.looks, (std::vector<std::pair<NodeId, std::string>>{
                               {n1, "activated"}, {n1, "web"}, {n2, "activated"}, {n2, "web"}}));
  it.ring.report(n1, GroupReport{web, Spec::place_of(n1)});
  it.ring.report(n2, GroupReport{web, Spec::place_of(n2), std::nullopt, Activity::kOnline});
  EXPECT_EQ(state.may_run(web), PlaceSet{Spec::place_of(n2)}) << "it ran there before it was a group";
}

TEST(Replica, ProbesTheGroupsOfAnAdoptedConfigurationOnceItIsActive) {
  Cluster cluster(2);
  cluster.has_fencer();
  Changed it(cluster);
  it.ring.form({n1}, 8);
  it.ring.report(n1, Request{1, "root", FenceConfirm{n2}});
  cluster.group("web");
  it.apply(cluster.spec);
  it.ring.looks.clear();
  it.ring.form({n1, n2}, 12);
  EXPECT_EQ(it.ring.looks, (std::vector<std::pair<NodeId, std::string>>{{n2, "activated"}, {n2, "web"}}));
}

TEST(Replica, KeepsItsConfigurationEverywhereWhenOneMemberRefusesTheNext) {
  Cluster cluster(3);
  cluster.group("web");
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.refusing = {n3};
  cluster.group("mail");
  ring.report(n1, Request{7, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
  ASSERT_EQ(ring.answers.size(), 1u);
  EXPECT_FALSE(ring.answers[0].accepted);
  EXPECT_EQ(ring.answers[0].text, "node3 cannot hold the configuration: no such driver");
  for (NodeId id : {n1, n2, n3}) {
    EXPECT_EQ(ring.at(id).state().spec->groups.size(), 1u);
    EXPECT_FALSE(ring.at(id).state().pending_spec);
  }

  ring.refusing = {};
  ring.report(n1, Request{8, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
  for (NodeId id : {n1, n2, n3}) EXPECT_EQ(ring.at(id).state().spec->groups.size(), 2u);
}

TEST(Replica, DropsAConfigurationThatNoLongerFitsWhenAllHoldIt) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  cluster.has_fencer();
  Changed it(cluster);
  Spec without = cluster.spec;
  without.groups.erase(web);
  it.ring.deaf = {n2};  // it acknowledges late
  it.apply(without);
  it.ring.say(n1, start(it.ring, it.ring.at(n1), web, n1));
  it.ring.catch_up(n2);
  EXPECT_TRUE(it.ring.at(n1).state().groups.contains(web));
  ASSERT_EQ(it.ring.answers.size(), 1u);
  EXPECT_FALSE(it.ring.answers[0].accepted);
  EXPECT_EQ(it.ring.executed.size(), 1u) << "the start goes on";
}

TEST(Replica, ForgetsARemovedNodeWithItsLease) {
  Cluster cluster(3);
  Ring ring(lease_of_three(cluster));
  ring.form({n1, n2, n3}, 4);
  ring.form({n1, n2}, 8);
  ring.report(n1, Request{1, "root", FenceConfirm{n3}});
  Spec without = cluster.spec;
  without.nodes.erase(n3);
  without.quorum.allow_split_risk = false;
  ring.report(n1, Request{2, "root", ConfigApply{std::make_shared<const Spec>(without)}});
  ASSERT_FALSE(ring.at(n1).state().nodes.contains(n3));
  ring.wait(1s);
  EXPECT_EQ(ring.at(n1).phase(), Phase::kEstablished);
}

TEST(Replica, DecidesAsTheOldestMemberUntilAllAreUpgraded) {
  Cluster cluster(2);
  Ring ring(cluster.spec);
  const auto upgrade = [&](NodeId id, std::uint64_t seq) {
    ring.said.clear();
    ring.loses_daemon(id);
    ring.boot(id, kDecisionVersion + 1);
    ring.form({n1, n2}, seq);
    for (NodeId member : {n1, n2}) ASSERT_EQ(ring.at(member).phase(), Phase::kEstablished);
  };
  const auto says = [&](NodeId id, const std::string& text) {
    return std::ranges::count(ring.said, std::pair(id, text)) == 1;
  };
  ring.form({n1, n2}, 4);
  upgrade(n1, 8);
  for (NodeId id : {n1, n2})
    EXPECT_TRUE(says(id, "all decide as version 1 does, like node2: komainu is older there than on node1"));
  EXPECT_EQ(ring.at(n1).state().decision_version, kDecisionVersion);
  upgrade(n2, 12);
  EXPECT_TRUE(says(n1, "all members decide as version 2 from now on")) << "the one that is there already";
  EXPECT_EQ(ring.at(n2).state().decision_version, kDecisionVersion + 1);
}

// It need not be fenced before anything is started: who adds it knows that it runs nothing.
TEST(Replica, TakesANodeThatIsAddedForStopped) {
  Cluster cluster(2);
  cluster.has_fencer();
  const GroupId web = cluster.group("web").id;
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  Spec more = cluster.spec;
  more.nodes[n3] = Node{n3, "node3", {"10.0.0.3"}};
  ring.report(n1, Request{1, "root", ConfigApply{std::make_shared<const Spec>(more)}});
  EXPECT_EQ(ring.at(n1).state().nodes.at(n3).standing, Standing::kSettled);
  ring.report(n1, GroupReport{web, Spec::place_of(n1)});
  ring.report(n2, GroupReport{web, Spec::place_of(n2)});
  EXPECT_TRUE(ring.at(n1).state().may_run(web).empty());
}

// It had not said by which it runs when the nodes changed.
TEST(Replica, TakesCorosyncToCountTheVotesOfBeforeUntilItIsSeenToFollow) {
  Cluster cluster(3);
  cluster.has_fencer();
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  Spec more = cluster.spec;
  const NodeId n4{n3.value + 1};
  more.nodes[n4] = Node{n4, "node4", {"10.0.0.4"}};
  ring.report(n1, Request{1, "root", ConfigApply{std::make_shared<const Spec>(more)}});
  ASSERT_TRUE(ring.answers.at(0).accepted) << ring.answers.at(0).text;
  EXPECT_EQ(ring.at(n1).state().nodes.at(n3).corosync.counts, cluster.spec.node_ids());
  const std::uint64_t version = ring.at(n1).state().spec->version;
  ring.report(n1, CorosyncState{version, version, more.node_ids(), {}});
  EXPECT_EQ(ring.at(n1).state().nodes.at(n1).corosync.counts, more.node_ids());
  EXPECT_EQ(corosync_behind(ring.at(n1).state()), (NodeSet{n2, n3}));
}

TEST(Replica, ChangesNodesAgainOnlyOnceCorosyncHasFollowed) {
  Cluster cluster(2);
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  const std::uint64_t version = cluster.spec.version;
  ring.report(n2, CorosyncState{version, version, {n1, n2}, {}});
  Spec moved = cluster.spec;
  moved.nodes[n1].links.push_back("10.0.7.1");
  moved.nodes[n2].links.push_back("10.0.7.2");
  ring.report(n1, Request{1, "root", ConfigApply{std::make_shared<const Spec>(moved)}});
  ring.report(n2, CorosyncState{version + 1, version, {n1, n2}, {}});
  moved.nodes[n1].links.push_back("10.0.8.1");
  moved.nodes[n2].links.push_back("10.0.8.2");
  ring.report(n1, Request{2, "root", ConfigApply{std::make_shared<const Spec>(moved)}});
  ring.report(n2, CorosyncState{version + 1, version + 1, {n1, n2}, {}});
  ring.report(n1, Request{3, "root", ConfigApply{std::make_shared<const Spec>(moved)}});
  ASSERT_EQ(ring.answers.size(), 3u);
  EXPECT_TRUE(ring.answers[0].accepted) << ring.answers[0].text;
  EXPECT_FALSE(ring.answers[1].accepted);
  EXPECT_NE(ring.answers[1].text.find("not yet on node2"), std::string::npos) << ring.answers[1].text;
  EXPECT_TRUE(ring.answers[2].accepted) << ring.answers[2].text;
}

TEST(Replica, ChangesTheKeyAgainOnlyOnceCorosyncHasFollowed) {
  Cluster cluster(2);
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  const std::uint64_t version = cluster.spec.version;
  ring.report(n2, CorosyncState{version, version, {n1, n2}, {}});
  std::uint64_t number = 0;
  const auto apply = [&](const std::string& key) {
    cluster.spec.key = key;
    ring.report(n1, Request{++number, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
  };
  apply("2b7e151628aed2a6");
  ring.report(n2, CorosyncState{version + 1, version, {n1, n2}, "2b7e151628aed2a6"});
  apply("abf7158809cf4f3c");
  ring.report(n2, CorosyncState{version + 1, version + 1, {n1, n2}, "2b7e151628aed2a6"});
  apply("abf7158809cf4f3c");
  ring.report(n2, CorosyncState{version + 2, version + 2, {n1, n2}, "abf7158809cf4f3c"});
  apply("");
  ASSERT_EQ(ring.answers.size(), 4u);
  EXPECT_TRUE(ring.answers[0].accepted) << ring.answers[0].text;
  EXPECT_FALSE(ring.answers[1].accepted);
  EXPECT_NE(ring.answers[1].text.find("not yet on node2"), std::string::npos) << ring.answers[1].text;
  EXPECT_TRUE(ring.answers[2].accepted) << ring.answers[2].text;
  EXPECT_NE(ring.answers[3].text.find("not left out any more"), std::string::npos) << ring.answers[3].text;
}

// It would not hear the others when it is back.
TEST(Replica, ChangesNoKeyWhileANodeIsAway) {
  Cluster cluster(3);
  cluster.has_fencer();
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.report(n3, Leaving{});
  ring.loses_daemon(n3);
  cluster.spec.key = "2b7e151628aed2a6";
  ring.report(n1, Request{1, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
  ring.form({n1, n2, n3}, 8);
  ring.report(n1, Request{2, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
  ASSERT_EQ(ring.answers.size(), 2u);
  EXPECT_EQ(ring.answers[0].text, "the key changes only while all others are members; node3 is not");
  EXPECT_TRUE(ring.answers[1].accepted) << ring.answers[1].text;
}

// Members that have forgotten everything tell by the configuration alone where an absent node may run it.
TEST(Replica, ForbidsNoPlaceWhereTheGroupRuns) {
  Cluster cluster(2);
  cluster.has_fencer();
  Group& web = cluster.group("web", {n1, n2});
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  ring.report(n2, GroupReport{web.id, Spec::place_of(n2), {}, Activity::kOnline});
  const auto pins_to = [&](NodeId where) {
    web.prefer = {Spec::place_of(where)};
    web.strictness = Strictness::kPreferredOnly;
    ring.answers.clear();
    ring.report(n1, Request{1, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
    return ring.answers.at(0);
  };
  const Answer refused = pins_to(n1);
  EXPECT_FALSE(refused.accepted);
  EXPECT_EQ(
      refused.text,
      "web runs on node2, where it would not be allowed any more: move it first (komainu group move web)");
  EXPECT_TRUE(pins_to(n2).accepted);
}

TEST(Replica, MovesNoLinkThatIsInUse) {
  Cluster cluster(2);
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  cluster.spec.nodes[n2].links = {"10.0.7.2"};
  ring.report(n1, Request{1, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
  ASSERT_EQ(ring.answers.size(), 1u);
  EXPECT_FALSE(ring.answers[0].accepted);
  EXPECT_NE(ring.answers[0].text.find("link 0 of node2 would change its address from 10.0.0.2 to 10.0.7.2"),
            std::string::npos)
      << ring.answers[0].text;
}

TEST(Replica, RemovesNoNodeWhoseCorosyncIsInTheRing) {
  Cluster cluster(3);
  cluster.has_fencer();
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.report(n3, Leaving{});
  ring.loses_daemon(n3);
  Spec without = cluster.spec;
  without.nodes.erase(n3);
  ring.report(n1, Request{1, "root", ConfigApply{std::make_shared<const Spec>(without)}});
  ring.form({n1, n2}, 8);
  ring.report(n1, Request{2, "root", ConfigApply{std::make_shared<const Spec>(without)}});
  ASSERT_EQ(ring.answers.size(), 2u);
  EXPECT_NE(ring.answers[0].text.find("stop Corosync on node3"), std::string::npos) << ring.answers[0].text;
  EXPECT_TRUE(ring.answers[1].accepted) << ring.answers[1].text;
}

TEST(Replica, TakesNobodysWordThatANodeIsOffWhoseCorosyncIsInTheRing) {
  Cluster cluster(3);
  cluster.has_fencer();
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.loses_daemon(n3);
  ring.report(n1, Request{1, "root", FenceConfirm{n3}});
  ASSERT_EQ(ring.answers.size(), 1u);
  EXPECT_FALSE(ring.answers[0].accepted);
}

// The state changes at the acknowledgement that completes "all hold it"; one that was sent before that, and
// is ordered after it, speaks of the state before.
TEST(Replica, ComparesNoStateOfBeforeAConfigurationWithOneOfAfter) {
  Cluster cluster(2);
  const GroupId web = cluster.group("web").id;
  const GroupId db = cluster.group("db").id;
  Ring ring(cluster.spec);
  ring.form({n1, n2}, 4);
  ring.report(n1, GroupReport{web, Spec::place_of(n1), {}, Activity::kOnline});
  ring.report(n2, GroupReport{db, Spec::place_of(n2), {}, Activity::kOnline});
  ring.holding_back = {n2};
  cluster.spec.brakes.fences = 7;
  ring.report(n1, Request{7, "root", ConfigApply{std::make_shared<const Spec>(cluster.spec)}});
  ring.say(n1, Fact{Tick{1, 250ms}});
  const std::uint64_t before = *ring.at(n1).digest_at(ring.at(n1).position());
  const std::uint64_t position = ring.at(n1).position();
  ring.hold_now();
  ASSERT_EQ(ring.at(n1).state().spec->brakes.fences, 7u);
  ring.say(n1, Ack{position, before, position});
  for (NodeId id : {n1, n2}) {
    EXPECT_EQ(ring.at(id).phase(), Phase::kEstablished);
    EXPECT_FALSE(ring.rejoined.contains(id));
  }
  ring.say(n1, Proposal{StopGroup{web, Spec::place_of(n1), ring.at(n1).state().groups.at(web).version}});
  ring.report(n1, GroupReport{web, Spec::place_of(n1), ring.executed.back().order.id, std::nullopt});
  ring.executed.clear();
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_EQ(ring.executed.size(), 1u) << "nobody is frozen";
}

// Two nodes that plan; whom one of them fences leaves the ring before anybody can say that it is off.
struct FencedPair {
  FencedPair() : cluster(2) { cluster.has_fencer(); }
  void begins() {
    ring = std::make_unique<Ring>(cluster.spec, Ring::Plans::kYes);
    ring->form({n1, n2}, 4);
    ring->wait(200ms);
  }
  void asks_at(NodeId at, NodeId whom) { ring->report(at, Request{1, "root", FenceOff{whom}}); }
  void confirms() {
    const auto& [by, fence] = ring->fences.back();
    ring->report(by, FenceResult{fence.target, fence.order.id, true, ""});
  }
  const NodeState& node(NodeId id) { return ring->at(n2).state().nodes.at(id); }

  Cluster cluster;
  std::unique_ptr<Ring> ring;
};

TEST(FenceOff, OfTheNodeWhereItIsAskedForIsDoneByTheOtherWhichThenRunsItsGroups) {
  FencedPair pair;
  const GroupId web = pair.cluster.group("web", {n1}).id;
  pair.begins();
  ASSERT_EQ(pair.ring->executed.size(), 1u);
  pair.ring->report(n1,
                    GroupReport{web, Spec::place_of(n1), pair.ring->executed[0].order.id, Activity::kOnline});
  pair.asks_at(n1, n1);
  ASSERT_EQ(pair.ring->answers.size(), 1u);
  EXPECT_TRUE(pair.ring->answers[0].accepted);
  ASSERT_EQ(pair.ring->fences.size(), 1u) << "at once, although all that runs, runs there";
  EXPECT_EQ(pair.ring->fences[0].first, n2);
  pair.ring->form({n2}, 8);
  EXPECT_EQ(pair.ring->executed.size(), 1u) << "it is not confirmed yet";
  pair.confirms();
  EXPECT_EQ(pair.node(n1).standing, Standing::kSettled);
  EXPECT_FALSE(pair.node(n1).fence_wish);
  ASSERT_EQ(pair.ring->executed.size(), 2u);
  EXPECT_EQ(pair.ring->executed[1].order.executor, n2);
  EXPECT_EQ(pair.ring->fences.size(), 1u);
}

TEST(FenceOff, IsDoneAgainWhenItsConfirmationCameWhileThereWasNoView) {
  FencedPair pair;  // nothing runs: nobody but the operator needs the fence
  pair.begins();
  pair.asks_at(n2, n1);
  ASSERT_EQ(pair.ring->fences.size(), 1u);
  pair.ring->cut_off(n2);
  pair.confirms();
  pair.ring->form({n2}, 8);
  EXPECT_EQ(pair.node(n1).standing, Standing::kUnknown);
  ASSERT_EQ(pair.ring->fences.size(), 2u);
  pair.confirms();
  EXPECT_EQ(pair.node(n1).standing, Standing::kSettled);
  pair.ring->wait(5s);
  EXPECT_EQ(pair.ring->fences.size(), 2u);
}

// Found while there was no view: it is said first, and then planned by.
TEST(Replica, FencesNobodyOnceItSeesThatItIsCutOffItself) {
  for (const Health seen : {Health::kFailed, Health::kHealthy}) {
    FencedPair pair;
    pair.cluster.group("web", {n1});
    Monitor& ping = pair.cluster.monitor("ping", {});
    ping.role = MonitorRole::kMayFence;
    pair.begins();
    for (NodeId id : {n1, n2})
      pair.ring->report(id, MonitorResult{ping.id, Spec::place_of(id), Health::kHealthy});
    pair.ring->wait(1s);  // a cold start no more
    pair.ring->cut_off(n2);
    pair.ring->cut_off(n1);
    pair.ring->report(n1, MonitorResult{ping.id, Spec::place_of(n1), seen});
    pair.ring->form({n1}, 8);
    pair.ring->wait(5s);
    EXPECT_EQ(pair.ring->fences.empty(), seen == Health::kFailed);
  }
}

// Somebody waits for it; what comes later might hit a node that has been repaired.
TEST(FenceOff, IsNotTriedForEverWhereTheDeviceFails) {
  FencedPair pair;
  pair.begins();
  pair.asks_at(n2, n1);
  const auto fails_for = [&](Duration time) {
    for (const LocalTime end = pair.ring->now() + time; pair.ring->now() < end;) {
      const auto [by, fence] = pair.ring->fences.back();
      pair.ring->wait(5s);
      pair.ring->report(by, FenceResult{fence.target, fence.order.id, false, "no answer"});
    }
  };
  fails_for(FenceWish::kLasts + 30s);
  EXPECT_FALSE(pair.node(n1).fence_wish);
  const std::size_t tried = pair.ring->fences.size();
  EXPECT_GT(tried, 10u);
  fails_for(60s);
  EXPECT_EQ(pair.ring->fences.size(), tried);
}

// The one that is left takes everything, whatever was wanted of it before.
TEST(FenceOff, EndsWhenNobodyIsLeftToDoIt) {
  FencedPair pair;
  const GroupId web = pair.cluster.group("web", {n2}).id;
  pair.begins();
  pair.ring->wait(1s);  // a cold start no more
  pair.asks_at(n2, n1);
  pair.ring->form({n1}, 8);
  const NodeState& alone = pair.ring->at(n1).state().nodes.at(n1);
  EXPECT_FALSE(alone.fence_wish);
  pair.ring->wait(5s);
  ASSERT_EQ(pair.ring->fences.back().second.target, n2);
  pair.confirms();
  EXPECT_TRUE(pair.ring->at(n1).state().groups.at(web).at.contains(Spec::place_of(n1)));
}

TEST(FenceOff, EndsWithTheIncarnationOfTheNodeThatItWasFor) {
  FencedPair pair;
  pair.begins();
  pair.asks_at(n2, n1);
  pair.ring->cut_off(n2);
  pair.ring->boot(n1);
  pair.ring->form({n1, n2}, 8);
  EXPECT_EQ(pair.node(n1).standing, Standing::kMember);
  EXPECT_FALSE(pair.node(n1).fence_wish);
  pair.ring->wait(5s);
  EXPECT_EQ(pair.ring->fences.size(), 1u);
}

Cluster leased() {
  Cluster cluster(3);
  cluster.group("web");
  return cluster;
}

TEST(Replica, CountsItsLeaseFromItsHelloAndNotFromWhenItHeardTheLast) {
  Cluster cluster = leased();
  const GroupId web = cluster.spec.groups.begin()->first;
  Ring ring(cluster.spec);
  ring.deaf = {n3};  // its daemon stands still once it has said Hello
  ring.form({n1, n2, n3}, 4);
  ASSERT_EQ(ring.at(n1).phase(), Phase::kEstablished);
  ring.say(n1, start(ring, ring.at(n1), web, n3));
  ring.pause(20s);
  ring.catch_up(n3);
  ASSERT_EQ(ring.at(n3).phase(), Phase::kEstablished);
  EXPECT_FALSE(ring.at(n3).may_run(ring.now()));
  EXPECT_TRUE(ring.executed.empty()) << "the others may have taken its lease for over meanwhile";
}

TEST(Replica, YieldsWhenItsLeaseIsOverAlsoWithoutAView) {
  Cluster cluster = leased();
  cluster.spec.timing.grace = 60s;
  const GroupId web = cluster.spec.groups.begin()->first;
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  ASSERT_EQ(ring.executed.size(), 1u);
  ring.cut_off(n1);
  ring.wait(cluster.spec.timing.lease + 100ms);
  ASSERT_EQ(ring.yields.size(), 1u);
  EXPECT_EQ(ring.yields[0], (std::pair<NodeId, std::string>{n1, "the lease has run out"}));
}

TEST(Replica, KeepsTheLeaseOfThePredecessorAndNoLongerOne) {
  Cluster cluster = leased();
  const SpecPtr spec = std::make_shared<const Spec>(cluster.spec);
  Replica replica(ReplicaOptions{.self = n1, .incarnation = {7}, .lease_until = LocalTime{10s}}, spec, {});
  replica.step(LocalTime{9s}, Timer{});
  EXPECT_TRUE(replica.may_run(LocalTime{10s}));
  EXPECT_FALSE(replica.may_run(LocalTime{10s} + 1us));
}

TEST(Replica, StartsNothingWithoutAnArmedWatchdogThatTheOthersCountOn) {
  Cluster cluster = leased();
  cluster.spec.timing.watchdog = 10s;
  const GroupId web = cluster.spec.groups.begin()->first;
  Ring ring(cluster.spec);
  ring.form({n1, n2, n3}, 4);
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_TRUE(ring.executed.empty());
  ring.report(n1, Watchdog{11s});
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_TRUE(ring.executed.empty()) << "the others would not wait that long";
  ring.report(n1, Watchdog{10s});
  ring.form({n1, n2, n3}, 8);
  EXPECT_EQ(ring.at(n2).state().nodes.at(n1).watchdog, Duration{10s}) << "it is said again in each view";
  ring.say(n1, start(ring, ring.at(n1), web, n1));
  EXPECT_EQ(ring.executed.size(), 1u);
}

}  // namespace
}  // namespace komainu::core
