// The normal course of the protocol, one scene a test. What may go wrong is src/sim's.
#include "core/replica.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;

// Replicas on one ring that delivers everything to everybody at once; stores that never fail.
class Ring {
 public:
  explicit Ring(const Spec& spec) : spec_(std::make_shared<const Spec>(spec)) {
    for (const auto& [id, node] : spec.nodes) boot(id);
  }

  void boot(NodeId id) {
    const Incarnation incarnation{1000 + next_incarnation_++};
    replicas_.insert_or_assign(
        id, std::make_unique<Replica>(ReplicaOptions{.self = id, .incarnation = incarnation, .plans = false},
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
  void say(NodeId from, Body body) {
    log_.push_back(at(from).compose(std::move(body)));
    flow();
  }
  void report(NodeId from, Fact fact) {
    give(from, Observed{std::move(fact)});
    flow();
  }
  Replica& at(NodeId id) { return *replicas_.at(id); }
  std::vector<Execute> executed;

 private:
  void give(NodeId id, const Input& input) {
    for (Effect& effect : at(id).step(LocalTime{1s}, input)) {
      if (auto* send = std::get_if<Send>(&effect)) log_.push_back(send->message);
      if (auto* store = std::get_if<Store>(&effect)) stores_.push_back({id, store->token});
      if (auto* execute = std::get_if<Execute>(&effect)) executed.push_back(*execute);
    }
  }
  void flow() {
    while (!log_.empty() || !stores_.empty()) {
      if (!stores_.empty()) {
        auto [id, token] = stores_.front();
        stores_.pop_front();
        give(id, Stored{token, true});
        continue;
      }
      const Message message = log_.front();
      log_.pop_front();
      for (NodeId id : members_) give(id, Delivered{message});
    }
  }

  SpecPtr spec_;
  std::map<NodeId, std::unique_ptr<Replica>> replicas_;
  std::deque<Message> log_;
  std::deque<std::pair<NodeId, std::uint64_t>> stores_;
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

}  // namespace
}  // namespace komainu::core
