#include "engine/cluster/outgoing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/wire.h"

namespace komainu::engine {
namespace {

using ::testing::HasSubstr;

constexpr NodeId kSender{1};

// A cluster of `groups` groups, each with a command of some length, and as many monitors that have failed.
core::SpecPtr spec_of(std::uint32_t groups, std::size_t length) {
  auto spec = std::make_shared<core::Spec>();
  spec->nodes[kSender] = core::Node{kSender, "node1", {}};
  for (std::uint32_t number = 1; number <= groups; ++number) {
    core::Group& group = spec->groups[GroupId{number}];
    group.id = GroupId{number};
    group.name = "group" + std::to_string(number);
    group.resources.push_back(
        core::Resource{.name = "app", .type = "command", .params = {{"start", std::string(length, 'x')}}});
    core::Monitor& monitor = spec->monitors[MonitorId{number}];
    monitor.id = MonitorId{number};
    monitor.name = "monitor" + std::to_string(number);
  }
  return spec;
}
core::State with_evidence(const core::SpecPtr& spec) {
  core::State state = core::cold_state(spec, {});
  for (auto& [id, monitor] : state.monitors)
    for (std::uint32_t place = 0; place < 4; ++place)
      monitor.evidence[PlaceId{place}] = std::string(core::kMaxEvidence, 'e');
  return state;
}
core::Message message_of(core::Body body) {
  return {kSender, {7}, {{1, 4}, 1, 9}, 42, {}, std::move(body)};
}
core::Message sent(const core::Message& message) {
  return *wire::decode_message(outgoing(message).bytes, kSender);
}

TEST(Outgoing, SendsWhatFitsAsItIs) {
  const auto state = std::make_shared<core::State>(with_evidence(spec_of(10, 100)));
  const core::Message message = message_of(core::Snapshot{state});
  EXPECT_FALSE(outgoing(message).problem);
  EXPECT_EQ(std::get<core::Snapshot>(sent(message).body).state->monitors, state->monitors);
}

TEST(Outgoing, SendsALargeSnapshotWithoutTheTextsThatOnlyPeopleRead) {
  core::State state = with_evidence(spec_of(6000, 300));
  state.pending_spec = core::PendingSpec{spec_of(6000, 300), 3, {}, 1};
  const core::Message message = message_of(core::Snapshot{std::make_shared<core::State>(state)});
  ASSERT_FALSE(wire::encode(message)) << "it is meant to be too large";
  EXPECT_FALSE(outgoing(message).problem);
  const core::Message heard = sent(message);
  ASSERT_TRUE(std::holds_alternative<core::Snapshot>(heard.body));
  const core::State& arrived = *std::get<core::Snapshot>(heard.body).state;
  EXPECT_EQ(arrived.groups, state.groups);
  EXPECT_FALSE(arrived.pending_spec);
}

TEST(Outgoing, LeavesNoGapWhereASnapshotCannotBeSent) {
  const core::Message message =
      message_of(core::Snapshot{std::make_shared<core::State>(core::cold_state(spec_of(6000, 2000), {}))});
  const Outgoing out = outgoing(message);
  ASSERT_TRUE(out.problem);
  EXPECT_THAT(out.problem->what, HasSubstr("cannot be sent to the nodes that join"));
  EXPECT_THAT(out.problem->help, HasSubstr("fewer groups"));
  const core::Message heard = sent(message);
  EXPECT_EQ(heard.sequence, message.sequence);
  EXPECT_EQ(heard.view, message.view);
  EXPECT_TRUE(std::holds_alternative<core::Ack>(heard.body));
}

TEST(Outgoing, RefusesAConfigurationThatNoSnapshotCouldHold) {
  EXPECT_FALSE(too_large(spec_of(6000, 300)));
  const auto problem = too_large(spec_of(6000, 2000));
  ASSERT_TRUE(problem);
  EXPECT_THAT(problem->what, HasSubstr("bytes"));
}

}  // namespace
}  // namespace komainu::engine
