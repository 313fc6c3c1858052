#include "core/record/record.h"

#include <gtest/gtest.h>

#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using testing::node;
using testing::place;

// A cluster whose members report, and a planner who sends the time round.
struct Reporting : Cluster {
  explicit Reporting(std::uint32_t nodes = 2) : Cluster(nodes) {
    db = group("db", {node(1), node(2)}).id;
    lan = monitor("lan", {db}).id;
  }
  void says(NodeId from, const Fact& fact) {
    const Context context{node(1), from, incarnation(from), OrderId{{{1, 4}, 1}, ++position}, {}};
    record(edit(), fact, context, effects);
  }
  void finds(NodeId from, Health health) {
    says(from, MonitorResult{lan, Spec::place_of(from), health, "it"});
  }
  void time_passes(Duration time) {
    for (; time > Duration{0}; time -= 5s)
      says(node(1), Tick{edit().ticks + 1, std::min<Duration>(time, 5s)});
  }
  bool is_believed_at(NodeId where) {
    return !is_unsteady(state(), state().monitors.at(lan), Spec::place_of(where));
  }

  GroupId db;
  MonitorId lan;
  Effects effects;
  std::uint64_t position = 0;
};

TEST(Record, TakesAMonitorForUnsteadyThatFailsAgainAndAgain) {
  Reporting cluster;
  for (std::uint32_t times = 0; times < cluster.spec.brakes.flaps; ++times) {
    EXPECT_TRUE(cluster.is_believed_at(node(2)));
    cluster.finds(node(2), Health::kHealthy);
    cluster.finds(node(2), Health::kFailed);
  }
  cluster.finds(node(2), Health::kHealthy);
  EXPECT_FALSE(cluster.is_believed_at(node(2)));
  EXPECT_TRUE(cluster.is_believed_at(node(1)));
  cluster.time_passes(cluster.spec.brakes.quarantine);
  EXPECT_TRUE(cluster.is_believed_at(node(2)));
}

TEST(Record, BelievesAMonitorAgainThatTheOperatorResumes) {
  Reporting cluster;
  for (int times = 0; times < 3; ++times) {
    cluster.finds(node(2), Health::kHealthy);
    cluster.finds(node(2), Health::kFailed);
  }
  cluster.finds(node(2), Health::kHealthy);
  cluster.says(node(1), Request{1, "root", MonitorSuspend{cluster.lan, false}});
  EXPECT_TRUE(cluster.is_believed_at(node(2)));
}

TEST(Record, ForgetsLossesOneByOne) {
  Reporting cluster;
  for (int times = 0; times < 3; ++times) note_loss(cluster.edit(), node(2), cluster.effects);
  const NodeState& lost = cluster.node_state(node(2));
  EXPECT_TRUE(is_unsteady(cluster.state(), lost));
  cluster.time_passes(cluster.spec.brakes.window);
  EXPECT_EQ(lost.losses.count, 2u);
  cluster.time_passes(2 * cluster.spec.brakes.window);
  EXPECT_EQ(lost.losses.count, 0u);
}

TEST(Record, ForgetsTheLossesOfANodeThatTheOperatorResumes) {
  Reporting cluster;
  for (int times = 0; times < 3; ++times) note_loss(cluster.edit(), node(2), cluster.effects);
  cluster.says(node(1), Request{1, "root", NodeDuty{node(2), Duty::kActive}});
  EXPECT_FALSE(is_unsteady(cluster.state(), cluster.node_state(node(2))));
}

TEST(Record, ForgetsTheFailedFencesOfANodeThatIsOff) {
  Reporting cluster;
  cluster.loses(node(2));
  cluster.node_state(node(2)).fence_failures = 2;
  cluster.says(node(1), Request{1, "root", FenceConfirm{node(2)}});
  EXPECT_EQ(cluster.node_state(node(2)).standing, Standing::kSettled);
  EXPECT_EQ(cluster.node_state(node(2)).fence_failures, 0u);
}

TEST(Record, RefusesToStartOrMoveAGroupWhereItCannotCome) {
  Reporting cluster;
  const auto answer = [&](auto what) {
    cluster.effects.clear();
    cluster.says(node(1), Request{1, "root", what});
    for (const Effect& effect : cluster.effects)
      if (const auto* said = std::get_if<Answer>(&effect)) return said->accepted ? "accepted" : said->text;
    return std::string("no answer");
  };
  const auto refused = [&](const std::string& why) {
    const auto before = cluster.group_state(cluster.db).intent;
    EXPECT_EQ(answer(GroupStart{cluster.db, place(2)}), why);
    EXPECT_EQ(answer(GroupMove{cluster.db, place(2)}), why);
    EXPECT_EQ(cluster.group_state(cluster.db).intent, before);
  };
  cluster.has_duty(node(2), Duty::kDrained);
  refused("node2 takes no groups: it is drained (komainu node resume node2 ends that)");
  cluster.has_duty(node(2), Duty::kStandby);
  refused("node2 takes no groups: it is on standby (komainu node resume node2 ends that)");
  cluster.node_state(node(2)).leaving = true;
  refused("node2 takes no groups: it is leaving the cluster");
  cluster.loses(node(2));
  refused("node2 is not a member at present");
  EXPECT_EQ(answer(GroupStart{cluster.db, std::nullopt}), "accepted");
  EXPECT_EQ(answer(GroupStart{cluster.db, place(1)}), "accepted");
}

Spec voting(std::uint32_t nodes, ArbiterType arbiter) {
  Cluster cluster(nodes);
  cluster.spec.quorum.arbiter = arbiter;
  return cluster.spec;
}

TEST(Apply, RefusesVotesThatAreUnsoundWhileCorosyncStillCountsTheOldOnes) {
  constexpr auto kNone = ArbiterType::kNone;
  constexpr auto kQnetd = ArbiterType::kQnetd;
  struct Change {
    std::uint32_t before;
    ArbiterType arbiter_before;
    std::uint32_t after;
    ArbiterType arbiter_after;
    bool sound;
  };
  const Change changes[] = {
      {2, kNone, 3, kNone, true},   {3, kNone, 4, kNone, true},  {4, kNone, 5, kNone, true},
      {3, kNone, 2, kNone, true},   {4, kNone, 3, kNone, true},  {5, kNone, 4, kNone, false},
      {5, kNone, 3, kNone, false},  {7, kNone, 6, kNone, false}, {2, kNone, 2, kQnetd, true},
      {2, kQnetd, 2, kNone, true},  {2, kQnetd, 3, kNone, true}, {4, kNone, 4, kQnetd, true},
      {4, kQnetd, 4, kNone, false}, {4, kQnetd, 5, kNone, true},
  };
  for (const Change& change : changes) {
    Cluster cluster(change.before);
    cluster.spec = voting(change.before, change.arbiter_before);
    State state = cluster.state();
    // Who is removed has been stopped.
    for (std::uint32_t gone = change.after + 1; gone <= change.before; ++gone)
      state.nodes.at(node(gone)).standing = Standing::kLeft;
    const std::string refused = cannot_apply(state, voting(change.after, change.arbiter_after));
    EXPECT_EQ(refused.empty(), change.sound) << change.before << " to " << change.after << ": " << refused;
  }
}

// The last answer, and whether it was yes.
std::pair<bool, std::string> answered(const Effects& effects) {
  const Answer* last = nullptr;
  for (const Effect& effect : effects)
    if (const auto* answer = std::get_if<Answer>(&effect)) last = answer;
  return last ? std::pair(last->accepted, last->text) : std::pair(false, std::string());
}

TEST(Disarm, EndsByItselfAndByTheOperatorsWord) {
  Reporting cluster;
  cluster.has_fencer();
  cluster.says(node(1), Request{1, "root", ClusterDisarm{1min, "a new switch"}});
  EXPECT_TRUE(answered(cluster.effects).first);
  ASSERT_TRUE(cluster.state().disarmed);
  cluster.says(node(1), Request{2, "root", GroupMove{cluster.db, place(2)}});
  EXPECT_FALSE(answered(cluster.effects).first);
  cluster.time_passes(55s);
  EXPECT_TRUE(cluster.state().disarmed);
  cluster.time_passes(5s);
  EXPECT_FALSE(cluster.state().disarmed);
  cluster.says(node(1), Request{3, "root", ClusterDisarm{1h, "a new switch"}});
  cluster.says(node(1), Request{4, "root", ClusterDisarm{}});
  EXPECT_TRUE(answered(cluster.effects).first);
  EXPECT_FALSE(cluster.state().disarmed);
}

TEST(Disarm, IsRefusedWhereALeaseStandsForAFence) {
  Reporting cluster;
  cluster.says(node(1), Request{1, "root", ClusterDisarm{1min, "a new switch"}});
  EXPECT_FALSE(answered(cluster.effects).first);
  EXPECT_FALSE(cluster.state().disarmed);
}

TEST(Disarm, AndAConfigurationWithoutAFencerExcludeEachOther) {
  for (const bool apply_first : {true, false}) {
    Reporting cluster;
    Spec without = cluster.spec;
    cluster.has_fencer();
    const Request apply{1, "root", ConfigApply{std::make_shared<const Spec>(without)}};
    const Request disarm{2, "root", ClusterDisarm{1min, "a new switch"}};
    cluster.says(node(1), apply_first ? apply : disarm);
    cluster.says(node(1), apply_first ? disarm : apply);
    EXPECT_NE(cluster.state().pending_spec.has_value(), cluster.state().disarmed.has_value());
    EXPECT_EQ(cluster.state().pending_spec.has_value(), apply_first);
  }
}

// A cluster that is asked to fence node2 off.
struct FencingOff : Reporting {
  FencingOff() { has_fencer(); }
  std::pair<bool, std::string> ask() {
    effects.clear();
    says(node(1), Request{1, "root", FenceOff{node(2)}});
    return answered(effects);
  }
  bool is_wished() { return node_state(node(2)).fence_wish.has_value(); }
  std::string last_alarm() const {
    std::string text;
    for (const Effect& effect : effects)
      if (const auto* event = std::get_if<Event>(&effect); event && event->severity == Severity::kAlarm)
        text = event->text;
    return text;
  }
};

TEST(FenceOff, IsRememberedWithWhoAskedForIt) {
  FencingOff cluster;
  const std::uint64_t before = cluster.node_state(node(2)).version;
  EXPECT_EQ(cluster.ask(), std::pair(true, std::string("fence node2 off")));
  ASSERT_TRUE(cluster.is_wished());
  EXPECT_EQ(cluster.node_state(node(2)).fence_wish->by, "root");
  EXPECT_GT(cluster.node_state(node(2)).version, before) << "what was proposed before is for another state";
  cluster.node_state(node(2)).fences[node(1)] = FenceOrder{};
  EXPECT_EQ(cluster.ask().second, "fence node2 off: it is being fenced already");
}

TEST(FenceOff, IsRefusedWhereItCannotWork) {
  const struct {
    const char* what;
    void (*spoil)(FencingOff&);
    const char* says;
  } cases[] = {
      {"no fencer", [](FencingOff& c) { c.spec.fencing.clear(); }, "no fencing device reaches node2"},
      {"none for it", [](FencingOff& c) { c.spec.fencing[0].devices[0].targets = {node(1)}; },
       "no fencing device reaches"},
      {"nobody else", [](FencingOff& c) { c.node_state(node(1)).suspended = true; }, "no quorum"},
      {"disarmed", [](FencingOff& c) { c.edit().disarmed = Disarmed{.until = 1h}; }, "disarmed"},
      {"off, as far as is known", [](FencingOff& c) { c.stands(node(2), Standing::kSettled); },
       "counts as off already"},
  };
  for (const auto& each : cases) {
    FencingOff cluster;
    each.spoil(cluster);
    const auto [accepted, text] = cluster.ask();
    EXPECT_FALSE(accepted) << each.what;
    EXPECT_NE(text.find(each.says), std::string::npos) << each.what << ": " << text;
    EXPECT_FALSE(cluster.is_wished()) << each.what;
  }
}

TEST(FenceOff, EndsWithTheConfirmationAndNotWithAFailure) {
  FencingOff cluster;
  cluster.ask();
  const auto fence_ends = [&](std::uint64_t number, bool confirmed) {
    const OrderId order{{{1, 4}, 1}, number};
    cluster.node_state(node(2)).fences[node(1)] =
        FenceOrder{.id = order, .executor = node(1), .target_incarnation = Cluster::incarnation(node(2))};
    cluster.says(node(1), FenceResult{node(2), order, confirmed, "the switch does not answer"});
  };
  fence_ends(90, false);
  EXPECT_TRUE(cluster.is_wished());
  fence_ends(91, true);
  EXPECT_FALSE(cluster.is_wished());
  EXPECT_EQ(cluster.node_state(node(2)).standing, Standing::kSettled);
}

TEST(FenceOff, IsGivenUpWithAnAlarmAfterAWhile) {
  for (const bool is_open : {false, true}) {
    FencingOff cluster;
    cluster.ask();
    if (is_open) cluster.node_state(node(2)).fences[node(1)] = FenceOrder{};
    cluster.time_passes(FenceWish::kLasts - 5s);
    EXPECT_TRUE(cluster.is_wished());
    cluster.time_passes(10s);
    EXPECT_FALSE(cluster.is_wished());
    EXPECT_EQ(cluster.last_alarm(), std::string("node2 is not fenced as root asked: it was tried for 2min") +
                                        (is_open ? "; what has begun goes on" : ""));
  }
}

// Each of them alone could be: after both the one that is left may do nothing.
TEST(FenceOff, OfOneAfterTheOtherIsRefusedWhereTooFewWouldBeLeft) {
  Reporting cluster(3);
  cluster.has_fencer();
  cluster.says(node(1), Request{1, "root", FenceOff{node(2)}});
  EXPECT_TRUE(cluster.node_state(node(2)).fence_wish);
  cluster.says(node(1), Request{2, "root", FenceOff{node(3)}});
  EXPECT_FALSE(cluster.node_state(node(3)).fence_wish);
  EXPECT_NE(answered(cluster.effects).second.find("node2, which is to be fenced"), std::string::npos)
      << answered(cluster.effects).second;
}

TEST(FenceOff, EndsWhenTheClusterIsDisarmed) {
  FencingOff cluster;
  cluster.ask();
  cluster.says(node(1), Request{2, "root", ClusterDisarm{1min, "a new switch"}});
  EXPECT_FALSE(cluster.is_wished());
}

TEST(Durable, KeepsTheClusterDisarmedOverAColdStart) {
  Reporting cluster;
  cluster.passes(100s);
  cluster.edit().disarmed =
      Disarmed{.since = 90s, .until = 150s, .by = "root", .why = "a new switch", .cause = {}};
  const State& before = cluster.state();
  const State after = cold_state(before.spec, durable_part(before));
  EXPECT_EQ(after.disarmed, before.disarmed);
  EXPECT_EQ(after.clock, Duration{90s});
}

TEST(Durable, KeepsTheBrakeOverAColdStart) {
  Reporting cluster;
  cluster.passes(100s);
  cluster.edit().fences = {40s, 90s};
  const State& before = cluster.state();
  const State after = cold_state(before.spec, durable_part(before));
  EXPECT_EQ(after.fences, before.fences);
  EXPECT_EQ(after.clock, Duration{90s}) << "time that nobody counted does not release it";
}

}  // namespace
}  // namespace komainu::core
