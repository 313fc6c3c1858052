#include "engine/cluster/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "channel/mailbox.h"
#include "config/corosync_conf.h"
#include "engine/testing/fake_drivers.h"
#include "wire/wire.h"

namespace komainu::engine {
namespace {

using ::testing::HasSubstr;
using testing::things;

constexpr NodeId kHere{1};
constexpr NodeId kPeer{2};
constexpr GroupId kWeb{1};
constexpr MonitorId kArbiter{1};

// Delivers what is sent, like one node alone, while it is not told to swallow it.
class Loopback final : public channel::Channel {
 public:
  bool swallows = false;
  bool stopped = false;

  void joins() {
    ++ring_.seq;
    events_.push_always(core::RingChange{ring_, {{kHere, 1}}, {kHere}});
    is_quorate();
  }
  void joins_with_peer() {
    ++ring_.seq;
    events_.push_always(core::RingChange{ring_, {{kHere, 1}, {kPeer, 1}}, {kHere, kPeer}});
    is_quorate();
  }
  void delivers(const core::Message& message) {
    events_.push_always(channel::Delivered{{message.from, 1}, *wire::encode(message)});
  }
  int rejoins = 0;
  void sees(channel::RunningSettings running) { events_.push_always(std::move(running)); }
  void sees(channel::QuorumDevice device) { events_.push_always(device); }
  void is_quorate() { events_.push_always(core::QuorumVerdict{ring_, true}); }
  void loses() { events_.push_always(channel::Lost{{"Corosync has ended", {}}}); }

  std::size_t waiting() const { return events_.size(); }

  int event_fd() const override { return events_.fd(); }
  std::vector<channel::Event> take() override { return events_.take(); }
  void send(std::string bytes) override {
    if (!swallows) events_.push_always(channel::Delivered{{kHere, 1}, std::move(bytes)});
  }
  void rejoin(std::string) override {
    ++rejoins;
    loses();
    joins();
  }
  void cancel_wait_for_all() override {}
  void reload() override { ++reloads; }
  int reloads = 0;
  void stop() override { stopped = true; }
  channel::Health health() const override { return {}; }

 private:
  channel::Mailbox<channel::Event> events_{1000, 1u << 20};
  core::RingId ring_{2, 0};
};

struct NodeBench : testing::Bench {
  explicit NodeBench(const std::string& type) : spec(configured(type, {kHere})) {}
  explicit NodeBench(NodeSet nodes) : spec(configured("fake", nodes)) {}
  explicit NodeBench(const core::Spec& given) : spec(std::make_shared<const core::Spec>(given)) {}

  static core::SpecPtr configured(const std::string& type, NodeSet nodes) {
    auto spec = std::make_shared<core::Spec>();
    spec->cluster = "test";
    for (const NodeId id : nodes) spec->nodes[id] = core::Node{id, "node" + std::to_string(id.value), {}};
    core::Group& group = spec->groups[kWeb];
    group.id = kWeb;
    group.name = "web";
    group.resources.push_back(core::Resource{.name = "service", .type = type, .params = {}});
    core::Monitor& arbiter = spec->monitors[kArbiter];
    arbiter.id = kArbiter;
    arbiter.name = "arbiter";
    arbiter.type = "quorum-device";
    arbiter.role = core::MonitorRole::kArbiter;
    return spec;
  }
  NodeParts parts() {
    return {.loop = loop,
            .channel = channel,
            .services = services(),
            .write_store =
                [this](const core::Durable&, std::function<void(bool)> done) {
                  boost::asio::post(loop.io(), [done = std::move(done)] { done(true); });
                },
            .keep = [](const std::string&) {},
            .publish_config = [](const core::Spec&) {},
            .tell = [this](const core::Event& event) { events.push_back(event); },
            .types = testing::fake_types(),
            .prepare =
                [this](const core::Spec&, const std::function<void(const Result<void>&)>& done) {
                  if (!disk_hangs) done({});
                },
            .prepares_within = 20ms};
  }
  void is_established() {
    channel.joins();
    node.start();
    ASSERT_TRUE(until([&] { return node.replica().phase() == core::Phase::kEstablished; }));
  }
  // The other node has lived longer, so its state is to be taken over.
  core::State state_of_peer() const {
    core::State state = core::cold_state(spec, {});
    state.lineage.epoch = 5;
    state.clock = 60s;
    return state;
  }
  void peer_says_hello(const core::State& state) {
    channel.joins_with_peer();
    ASSERT_TRUE(until([&] { return node.replica().phase() == core::Phase::kGathering; }));
    channel.delivers({.from = kPeer,
                      .incarnation = {9},
                      .view = node.replica().view(),
                      .sequence = 1,
                      .body = core::Hello{.live = true,
                                          .lineage = state.lineage,
                                          .position = 3,
                                          .state_digest = state.digest(),
                                          .spec_version = state.spec->version,
                                          .spec_digest = state.spec_digest}});
    ASSERT_TRUE(until([&] { return node.replica().phase() == core::Phase::kSyncing; }));
  }
  void peer_offers(const core::State& state) {
    channel.delivers({.from = kPeer,
                      .incarnation = {9},
                      .view = node.replica().view(),
                      .sequence = 2,
                      .body = core::Snapshot{std::make_shared<const core::State>(state)}});
  }
  void asks_to_stop() {
    node.submit(core::Request{0, "operator", core::GroupStop{kWeb}},
                [this](core::Answer answer) { answers.push_back(std::move(answer)); });
  }
  const core::GroupState& group() const { return node.replica().state().groups.at(kWeb); }

  const core::SpecPtr spec;
  Loopback channel;
  std::vector<core::Event> events;
  std::vector<core::Answer> answers;
  bool disk_hangs = false;
  Node node{parts(), kHere, 1, spec, {}};
};

// The other one is absent, and is not waited for.
core::Spec two_nodes() {
  core::Spec spec = *NodeBench::configured("fake", {kHere, kPeer});
  spec.timing.startup_wait = Duration{0};
  return spec;
}

// A node is never taken apart: the daemon ends with it (komainud/main.cc).
template <class Kind>
NodeBench& bench_of(const Kind& kind) {
  static std::vector<NodeBench*> benches;
  benches.push_back(new NodeBench(kind));
  return *benches.back();
}
NodeBench& bench_of() {
  return bench_of(std::string("fake"));
}
NodeBench& bench_of_two() {
  NodeBench& bench = bench_of(NodeSet{kHere, kPeer});
  bench.node.start();
  return bench;
}

TEST(Node, TellsTheClusterWhetherTheArbiterVotes) {
  NodeBench& bench = bench_of();
  bench.channel.sees(channel::QuorumDevice::kGivesNoVote);  // before there is a view that it could be told in
  bench.is_established();
  const auto known = [&] { return bench.node.replica().state().monitors.at(kArbiter); };
  const PlaceId here = core::Spec::place_of(kHere);
  ASSERT_TRUE(bench.until([&] { return known().at.contains(here); }));
  EXPECT_EQ(known().at.at(here), core::Health::kFailed);
  EXPECT_NE(known().evidence.at(here).find("gives no vote"), std::string::npos);
  bench.channel.sees(channel::QuorumDevice::kVotes);
  EXPECT_TRUE(bench.until([&] { return known().at.at(here) == core::Health::kHealthy; }));
}

TEST(Node, LetsCorosyncReadItsFilesAgainUntilItRunsByThem) {
  core::Spec spec = two_nodes();
  spec.nodes[kHere].links = {"10.0.0.1"};
  spec.version = 3;
  NodeBench& bench = bench_of(spec);
  channel::RunningSettings running{.token = spec.timing.token * 2,
                                   .links = {},
                                   .expected_votes = 2,
                                   .key_file = config::corosync_key_file(spec)};
  for (const auto& [id, node] : spec.nodes) running.links[id] = node.links;
  bench.channel.sees(running);
  bench.is_established();
  const auto known = [&](NodeId id) { return bench.node.replica().state().nodes.at(id); };
  ASSERT_TRUE(bench.until([&] { return known(kHere).corosync.written == 3; }));
  EXPECT_EQ(known(kHere).corosync.runs, 0u);
  EXPECT_EQ(bench.channel.reloads, 0) << "the other node has not said that it has its file";
  bench.node.submit(core::Request{0, "operator", core::FenceConfirm{kPeer}}, [](const core::Answer&) {});
  ASSERT_TRUE(bench.until([&] { return bench.channel.reloads == 1; }));
  running.token = spec.timing.token;
  bench.channel.sees(running);
  EXPECT_TRUE(bench.until([&] { return known(kHere).corosync.runs == 3; }));
}

TEST(Node, AnswersAnOperatorOnce) {
  NodeBench& bench = bench_of();
  bench.is_established();
  bench.asks_to_stop();
  ASSERT_TRUE(bench.until([&] { return !bench.answers.empty(); }));
  EXPECT_EQ(bench.answers.size(), 1u);
  EXPECT_EQ(bench.node.counters()["requests_waiting"], 0u);
}

TEST(Node, AnswersARequestThatWasLostWithItsView) {
  NodeBench& bench = bench_of();
  bench.is_established();
  bench.channel.swallows = true;
  bench.asks_to_stop();
  ASSERT_TRUE(bench.until([&] { return bench.node.counters()["inputs_waiting"] == 0; }));
  EXPECT_TRUE(bench.answers.empty());
  bench.channel.loses();
  ASSERT_TRUE(bench.until([&] { return !bench.answers.empty(); }));
  EXPECT_FALSE(bench.answers[0].accepted);
  EXPECT_THAT(bench.answers[0].text, HasSubstr("the members changed"));
  EXPECT_EQ(bench.node.counters()["requests_waiting"], 0u);
}

TEST(Node, TakesOnlySoManyRequestsAtOnce) {
  NodeBench& bench = bench_of();
  bench.is_established();
  bench.channel.swallows = true;
  while (bench.answers.empty()) bench.asks_to_stop();
  EXPECT_THAT(bench.answers[0].text, HasSubstr("too many requests"));
  EXPECT_LT(bench.node.counters()["requests_waiting"], 1000u);
}

TEST(Node, LeavesInTheChannelWhatItCannotTakeYet) {
  NodeBench& bench = bench_of();
  bench.is_established();
  auto inputs = [&] { return bench.node.counters()["inputs_waiting"]; };
  constexpr std::size_t kMany = 9000;
  for (std::size_t i = 0; i < kMany; ++i) bench.channel.is_quorate();
  ASSERT_TRUE(bench.until([&] { return inputs() >= kMany; }));
  bench.channel.is_quorate();
  std::size_t most = 0;
  ASSERT_TRUE(bench.until([&] {
    if (bench.channel.waiting() == 0) most = std::max<std::size_t>(most, inputs());
    return most > 0;
  }));
  EXPECT_LT(most, kMany - 256) << "it was taken while the queue was long";
}

TEST(Node, RefusesAConfigurationThatIsTooLargeToBeSentBeforeItTakesANumber) {
  NodeBench& bench = bench_of();
  bench.is_established();
  auto huge = std::make_shared<core::Spec>(*bench.spec);
  huge->groups.begin()->second.resources[0].params["text"] = std::string(wire::kMaxMessage, 'x');
  const core::Incarnation before = bench.node.replica().incarnation();
  bench.node.submit(core::Request{0, "operator", core::ConfigApply{huge}},
                    [&bench](core::Answer answer) { bench.answers.push_back(std::move(answer)); });
  ASSERT_EQ(bench.answers.size(), 1u);
  EXPECT_FALSE(bench.answers[0].accepted);
  EXPECT_THAT(bench.answers[0].text, HasSubstr("make it smaller"));
  bench.asks_to_stop();
  ASSERT_TRUE(bench.until([&] { return bench.answers.size() == 2; }));
  EXPECT_TRUE(bench.answers[1].accepted) << bench.answers[1].text;
  EXPECT_EQ(bench.node.replica().incarnation(), before);
}

TEST(Node, RefusesAConfigurationForWhichADiskThatHangsDoesNotGetReady) {
  NodeBench& bench = bench_of();
  bench.is_established();
  bench.disk_hangs = true;
  auto next = std::make_shared<core::Spec>(*bench.spec);
  next->version = bench.spec->version + 1;
  bench.node.submit(core::Request{0, "operator", core::ConfigApply{next}},
                    [&bench](core::Answer answer) { bench.answers.push_back(std::move(answer)); });
  ASSERT_TRUE(bench.until([&] { return bench.answers.size() == 1; }));
  EXPECT_FALSE(bench.answers[0].accepted);
  EXPECT_THAT(bench.answers[0].text, HasSubstr("its disk does not answer"));
  EXPECT_EQ(bench.node.replica().state().spec->version, bench.spec->version);
}

// Whoever has left has no open fence any more, for the others: none of it may act then.
TEST(Node, LeavesOnlyOnceItsFencesHaveEnded) {
  core::Spec spec = two_nodes();
  spec.fencing.push_back({{core::FenceDevice{.type = "fake", .params = {}, .targets = {}}}});
  NodeBench& bench = bench_of(spec);
  testing::Thing& device = things()["device"];
  device.off.closed = true;
  bench.is_established();
  ASSERT_TRUE(bench.until([&] { return device.off.waiting(); }));
  bool left = false;
  bench.node.leave(1h, [&] { left = true; });
  ASSERT_TRUE(bench.until([&] { return device.off.cancelled(); }));
  EXPECT_FALSE(left);
  device.off.open();
  ASSERT_TRUE(bench.until([&] { return left; }));
  EXPECT_TRUE(bench.node.replica().state().nodes.at(kPeer).fences.empty());
}

// What is not stopped is fenced, which is worse than to wait: its time limits end the stop.
TEST(Node, LeavesOnlyOnceAStopThatIsUnderWayHasEnded) {
  core::Spec spec = two_nodes();
  spec.fencing.push_back({{core::FenceDevice{.type = "fake", .params = {}, .targets = {}}}});
  NodeBench& bench = bench_of(spec);
  bench.is_established();
  ASSERT_TRUE(bench.until([&] { return bench.group().online().has_value(); }));
  testing::Thing& service = things()["web/service"];
  service.watch.ends_at_once = service.stop.closed = true;
  bench.asks_to_stop();
  ASSERT_TRUE(bench.until([&] { return service.stop.waiting(); }));
  bool left = false;
  bench.node.leave(Duration{0}, [&] { left = true; });
  const std::uint64_t position = bench.node.replica().position();
  ASSERT_TRUE(bench.until([&] { return bench.node.replica().position() > position + 3; }));
  EXPECT_FALSE(left);
  service.obeys_stop = false;
  service.stop.open();
  EXPECT_TRUE(bench.until([&] { return left; })) << "a stop that has failed is not waited for";
  EXPECT_TRUE(std::ranges::any_of(bench.events, [](const core::Event& event) {
    return event.severity == core::Severity::kAlarm &&
           event.text ==
               "web could not be stopped in time: this node leaves all the same, and the others fence it";
  }));
}

// With leases the others count on it: after a while they start what it ran.
TEST(Node, LeavesNoGroupBehindWhereNobodyFencesIt) {
  core::Spec spec = two_nodes();
  spec.quorum.allow_split_risk = true;
  NodeBench& bench = bench_of(spec);
  bench.is_established();
  ASSERT_TRUE(bench.until([&] { return bench.group().online().has_value(); }));
  testing::Thing& service = things()["web/service"];
  service.watch.ends_at_once = service.stop.closed = true;
  bool left = false;
  bench.node.leave(Duration{0}, [&] { left = true; });
  ASSERT_TRUE(bench.until([&] { return service.stop.waiting(); }));
  const std::uint64_t position = bench.node.replica().position();
  ASSERT_TRUE(bench.until([&] { return bench.node.replica().position() > position + 3; }));
  EXPECT_FALSE(left);
  service.stop.open();
  EXPECT_TRUE(bench.until([&] { return left; }));
}

TEST(Node, TakesNoPartWhenItCannotHoldItsConfiguration) {
  NodeBench& bench = bench_of(std::string("newer"));
  bench.channel.joins();
  bench.node.start();
  EXPECT_TRUE(bench.channel.stopped);
  ASSERT_EQ(bench.events.size(), 1u);
  EXPECT_EQ(bench.events[0].severity, core::Severity::kAlarm);
  EXPECT_THAT(bench.events[0].text, HasSubstr("does not know the type 'newer'"));
  bool left = false;
  bench.node.leave(30s, [&] { left = true; });
  EXPECT_TRUE(bench.until([&] { return left; })) << "and nothing keeps the daemon from ending";
  EXPECT_EQ(bench.node.replica().phase(), core::Phase::kOut);
}

TEST(Node, TakesOverTheStateOfWhoKnowsMore) {
  NodeBench& bench = bench_of_two();
  const core::State state = bench.state_of_peer();
  bench.peer_says_hello(state);
  bench.peer_offers(state);
  EXPECT_TRUE(bench.until([&] { return bench.node.replica().phase() == core::Phase::kEstablished; }));
  EXPECT_EQ(bench.channel.rejoins, 0);
}

TEST(Node, StartsOverInsteadOfTakingADamagedState) {
  NodeBench& bench = bench_of_two();
  core::State state = bench.state_of_peer();
  bench.peer_says_hello(state);
  const core::Incarnation before = bench.node.replica().incarnation();
  state.clock += 1s;  // not what the Hello promised
  bench.peer_offers(state);
  ASSERT_TRUE(bench.until([&] { return bench.channel.rejoins == 1; }));
  EXPECT_NE(bench.node.replica().incarnation(), before);
  EXPECT_THAT(bench.events.back().text,
              HasSubstr("this node starts over: the state that node2 offers is not used: it is not the state "
                        "that its sender's Hello promised"));
  EXPECT_EQ(bench.node.counters()["messages_malformed"], 1u);
}

TEST(Node, TakesNoPartWhenTheStateIsDamagedAgainAndAgain) {
  NodeBench& bench = bench_of_two();
  core::State state = bench.state_of_peer();
  state.groups.clear();
  for (int time = 1; time <= 3; ++time) {
    bench.peer_says_hello(state);
    bench.peer_offers(state);
    if (time < 3) {
      ASSERT_TRUE(bench.until([&] { return bench.channel.rejoins == time; }));
    }
  }
  ASSERT_TRUE(bench.until([&] { return bench.channel.stopped; }));
  EXPECT_EQ(bench.channel.rejoins, 2);
  EXPECT_THAT(bench.events.back().text,
              HasSubstr("this node takes no part: the state that node2 offers is not "
                        "used: its nodes, groups or monitors are not those of its "
                        "configuration; restart komainud on that node"));
}

TEST(Node, TakesNoPartInAnotherCluster) {
  NodeBench& bench = bench_of_two();
  core::State state = bench.state_of_peer();
  core::Spec other = *state.spec;
  other.cluster = "billing";
  core::install_spec(state, std::make_shared<const core::Spec>(other));
  bench.peer_says_hello(state);
  bench.peer_offers(state);
  ASSERT_TRUE(bench.until([&] { return bench.channel.stopped; }));
  EXPECT_THAT(bench.events.back().text,
              HasSubstr("it is of cluster 'billing', and this node belongs to 'test'"));
  EXPECT_NE(bench.node.replica().phase(), core::Phase::kEstablished);
}

TEST(Node, MayFeedTheWatchdogOnlyWhileNothingRunsHereOrMayRunAgainstItsRight) {
  NodeBench& bench = bench_of();
  things()["web/service"].runs = true;
  things()["web/service"].watch.ends_at_once = true;
  EXPECT_FALSE(bench.node.idle()) << "nobody has looked yet";
  bench.is_established();
  ASSERT_TRUE(bench.until([&] {
    const auto& holds = bench.node.replica().holds();
    return holds.contains(kWeb) && holds.at(kWeb) == core::Activity::kOnline;
  }));
  EXPECT_EQ(bench.node.runs_against_its_right(bench.loop.now()), std::nullopt) << "alone there is no lease";
  bench.asks_to_stop();
  ASSERT_TRUE(bench.until([&] { return bench.node.idle(); }));
}

TEST(Node, WithoutALeaseNothingMayRunUntilItIsKnownThatNothingDoes) {
  NodeBench& bench = bench_of(NodeSet{kHere, NodeId{2}, NodeId{3}});
  EXPECT_THAT(bench.node.runs_against_its_right(bench.loop.now()).value_or(""),
              HasSubstr("the lease has run out"));
  bench.node.start();
  ASSERT_TRUE(bench.until([&] { return bench.node.idle(); }));
  EXPECT_EQ(bench.node.runs_against_its_right(bench.loop.now()), std::nullopt);
}

}  // namespace
}  // namespace komainu::engine
