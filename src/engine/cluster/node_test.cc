#include "engine/cluster/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "channel/mailbox.h"
#include "engine/testing/fake_drivers.h"

namespace komainu::engine {
namespace {

using ::testing::HasSubstr;
using testing::things;

constexpr NodeId kHere{1};
constexpr GroupId kWeb{1};

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
  void is_quorate() { events_.push_always(core::QuorumVerdict{ring_, true}); }
  void loses() { events_.push_always(channel::Lost{{"Corosync has ended", {}}}); }

  std::size_t waiting() const { return events_.size(); }

  int event_fd() const override { return events_.fd(); }
  std::vector<channel::Event> take() override { return events_.take(); }
  void send(std::string bytes) override {
    if (!swallows) events_.push_always(channel::Delivered{{kHere, 1}, std::move(bytes)});
  }
  void rejoin(std::string) override {
    loses();
    joins();
  }
  void cancel_wait_for_all() override {}
  void stop() override { stopped = true; }
  channel::Health health() const override { return {}; }

 private:
  channel::Mailbox<channel::Event> events_{1000, 1u << 20};
  core::RingId ring_{2, 0};
};

struct NodeBench : testing::Bench {
  explicit NodeBench(const std::string& type) : spec(one_node(type)) {}

  static core::SpecPtr one_node(const std::string& type) {
    auto spec = std::make_shared<core::Spec>();
    spec->cluster = "test";
    spec->nodes[kHere] = core::Node{kHere, "node1", {}};
    core::Group& group = spec->groups[kWeb];
    group.id = kWeb;
    group.name = "web";
    group.resources.push_back(core::Resource{.name = "service", .type = type, .params = {}});
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
            .types = testing::fake_types()};
  }
  void is_established() {
    channel.joins();
    node.start();
    ASSERT_TRUE(until([&] { return node.replica().phase() == core::Phase::kEstablished; }));
  }
  void asks_to_stop() {
    node.submit(core::Request{0, "operator", core::GroupStop{kWeb}},
                [this](core::Answer answer) { answers.push_back(std::move(answer)); });
  }

  const core::SpecPtr spec;
  Loopback channel;
  std::vector<core::Event> events;
  std::vector<core::Answer> answers;
  Node node{parts(), kHere, 1, spec, {}};
};

// A node is never taken apart: the daemon ends with it (komainud/main.cc).
NodeBench& bench_of(const std::string& type = "fake") {
  static std::vector<NodeBench*> benches;
  benches.push_back(new NodeBench(type));
  return *benches.back();
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

TEST(Node, TakesNoPartWhenItCannotHoldItsConfiguration) {
  NodeBench& bench = bench_of("newer");
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

}  // namespace
}  // namespace komainu::engine
