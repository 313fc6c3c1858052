#include "wire/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "message.pb.h"
#include "wire/frame.h"
#include "wire/random_value.h"

namespace komainu::wire {
namespace {

using ::testing::HasSubstr;
using testing::RandomValue;
using testing::same;

constexpr NodeId kSender{3};
constexpr int kRounds = 20;  // values a seed

core::Message message_with(core::Body body) {
  core::Message message;
  message.from = kSender;
  message.body = std::move(body);
  return message;
}

core::Message tick() {
  return message_with(core::Fact{core::Tick{7, 250ms}});
}

// A message whose Protobuf form was changed by `change` after it was encoded.
template <class Change>
std::string tampered(const core::Message& message, Change change) {
  const std::string bytes = encode(message).value();
  pb::Message wire;
  EXPECT_TRUE(wire.ParseFromString(std::string(open_frame(Kind::kMessage, bytes).value())));
  change(wire);
  std::string result = begin_frame(Kind::kMessage);
  wire.AppendToString(&result);
  return result;
}

pb::Spec* proposed(pb::Message& wire) {
  return wire.mutable_body()
      ->mutable_fact()
      ->mutable_request()
      ->mutable_what()
      ->mutable_config_apply()
      ->mutable_spec();
}

core::Message proposing(core::Spec spec) {
  return message_with(core::Fact{
      core::Request{1, "root", core::ConfigApply{std::make_shared<const core::Spec>(std::move(spec))}}});
}

std::string refusal(std::string_view bytes) {
  auto message = decode_message(bytes, kSender);
  return message ? "accepted" : message.error().what;
}

RC_GTEST_PROP(Wire, BringsEveryMessageBackAsItWas, (std::uint64_t seed)) {
  RandomValue random(seed);
  for (int i = 0; i < kRounds; ++i) {
    const auto message = random.make<core::Message>();
    const auto decoded = decode_message(encode(message).value(), message.from);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(same(*decoded, message));
  }
}

RC_GTEST_PROP(Wire, BringsEveryStateBackAsItWas, (std::uint64_t seed)) {
  RandomValue random(seed);
  for (int i = 0; i < kRounds; ++i) {
    const auto state = random.make<core::State>();
    const auto decoded = decode_state(encode(state));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(same(*decoded, state));
  }
}

RC_GTEST_PROP(Wire, BringsEveryStoreBackAsItWas, (std::uint64_t seed)) {
  RandomValue random(seed);
  for (int i = 0; i < kRounds; ++i) {
    const auto durable = random.make<core::Durable>();
    const auto decoded = decode_durable(encode(durable));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == durable);
  }
}

// Whatever comes out of changed bytes is an error or a value that can be sent on unchanged.
RC_GTEST_PROP(Wire, SurvivesChangedAndTruncatedMessages, (std::uint64_t seed)) {
  std::string bytes = encode(RandomValue(seed).make<core::Message>()).value();
  const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size() + 1);
  const auto place = *rc::gen::inRange<std::size_t>(0, bytes.size());
  bytes[place] = *rc::gen::arbitrary<char>();
  bytes.resize(cut);
  for (std::uint32_t node = 0; node < kMaxNodes; ++node)
    if (auto message = decode_message(bytes, NodeId{node}))
      RC_ASSERT(same(*decode_message(encode(*message).value(), NodeId{node}), *message));
}

RC_GTEST_PROP(Wire, SurvivesChangedAndTruncatedStates, (std::uint64_t seed)) {
  std::string bytes = encode(RandomValue(seed).make<core::State>());
  const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size() + 1);
  const auto place = *rc::gen::inRange<std::size_t>(0, bytes.size());
  bytes[place] = *rc::gen::arbitrary<char>();
  bytes.resize(cut);
  if (auto state = decode_state(bytes)) RC_ASSERT(same(*decode_state(encode(*state)), *state));
}

RC_GTEST_PROP(Wire, NoticesEveryChangedByteOfTheStore, (std::uint64_t seed)) {
  std::string bytes = encode(RandomValue(seed).make<core::Durable>());
  const auto place = *rc::gen::inRange<std::size_t>(0, bytes.size());
  bytes[place] = static_cast<char>(bytes[place] ^ (1 << *rc::gen::inRange(0, 8)));
  RC_ASSERT(!decode_durable(bytes).has_value());
  bytes.resize(place);
  RC_ASSERT(!decode_durable(bytes).has_value());
}

TEST(Wire, NamesTheSenderAndTheFieldThatIsWrong) {
  const auto message = message_with(core::Fact{core::MonitorResult{MonitorId{1}, PlaceId{2}, {}, {}}});
  EXPECT_EQ(
      refusal(tampered(message,
                       [](pb::Message& wire) {
                         wire.mutable_body()->mutable_fact()->mutable_monitor_result()->set_place(64);
                       })),
      "cannot read a message from node 3: body.fact.monitor_result.place: number 64; the last one is 63");
}

TEST(Wire, NamesTheElementThatIsWrong) {
  core::Spec spec;
  spec.fencing.resize(2);
  spec.fencing[1].devices.resize(3);
  const auto message = proposing(spec);
  const auto bytes = tampered(message, [](pb::Message& wire) {
    proposed(wire)->mutable_fencing(1)->mutable_devices(2)->add_targets(200);
  });
  EXPECT_THAT(refusal(bytes), HasSubstr("config_apply.spec.fencing[1].devices[2].targets[0]: number 200"));
}

TEST(Wire, RefusesAnUnknownEnumerator) {
  const auto message = message_with(core::Fact{core::MonitorResult{}});
  const auto bytes = tampered(message, [](pb::Message& wire) {
    wire.mutable_body()->mutable_fact()->mutable_monitor_result()->set_health(static_cast<pb::Health>(4));
  });
  EXPECT_THAT(refusal(bytes), HasSubstr("health: value 4 is unknown; the last one is 3"));
}

TEST(Wire, RefusesDurationsThatCouldOverflow) {
  const auto bytes = tampered(tick(), [](pb::Message& wire) {
    wire.mutable_body()->mutable_fact()->mutable_tick()->set_elapsed(
        std::numeric_limits<std::int64_t>::max());
  });
  EXPECT_THAT(refusal(bytes), HasSubstr("tick.elapsed: a duration of"));
}

TEST(Wire, RefusesOverlongTexts) {
  auto message = message_with(core::Fact{core::GroupReport{}});
  const auto bytes = tampered(message, [](pb::Message& wire) {
    wire.mutable_body()->mutable_fact()->mutable_group_report()->set_evidence(std::string(kMaxText + 1, 'x'));
  });
  EXPECT_THAT(refusal(bytes), HasSubstr("evidence: a text of 65537 bytes; at most 65536 are allowed"));
}

TEST(Wire, RefusesTooManyElements) {
  const auto message =
      message_with(core::Snapshot{std::make_shared<const core::State>(RandomValue(1).make<core::State>())});
  const auto bytes = tampered(message, [](pb::Message& wire) {
    auto* fences = wire.mutable_body()->mutable_snapshot()->mutable_state()->mutable_fences();
    fences->Resize(static_cast<int>(kMaxElements) + 1, 0);
  });
  EXPECT_THAT(refusal(bytes), HasSubstr("fences: 65537 elements"));
}

TEST(Wire, RefusesASnapshotWithoutAState) {
  const auto message =
      message_with(core::Snapshot{std::make_shared<const core::State>(RandomValue(1).make<core::State>())});
  EXPECT_THAT(
      refusal(tampered(message,
                       [](pb::Message& wire) { wire.mutable_body()->mutable_snapshot()->clear_state(); })),
      HasSubstr("body.snapshot.state: missing"));
  EXPECT_THAT(refusal(tampered(message,
                               [](pb::Message& wire) {
                                 wire.mutable_body()->mutable_snapshot()->mutable_state()->clear_spec();
                               })),
              HasSubstr("body.snapshot.state.spec: missing"));
}

TEST(Wire, RefusesAnEmptyBodyAndKindsOfALaterVersion) {
  EXPECT_THAT(refusal(tampered(tick(), [](pb::Message& wire) { wire.clear_body(); })),
              HasSubstr("body: empty, or of a kind that only a newer komainu knows"));
  EXPECT_THAT(refusal(tampered(tick(), [](pb::Message& wire) { wire.mutable_body()->clear_fact(); })),
              HasSubstr("body: empty"));
}

TEST(Wire, RefusesAnObjectFiledUnderAnotherNumber) {
  core::Spec spec;
  spec.groups[GroupId{5}].id = GroupId{6};
  const auto bytes = encode(proposing(spec)).value();
  EXPECT_THAT(refusal(bytes), HasSubstr("spec.groups: number 6 is filed as number 5"));
}

TEST(Wire, RefusesAParameterNamedTwice) {
  core::Spec spec;
  spec.fencing.emplace_back().devices.emplace_back().params["secret"] = true;
  const auto message = proposing(spec);
  const auto bytes = tampered(message, [](pb::Message& wire) {
    auto* device = proposed(wire)->mutable_fencing(0)->mutable_devices(0);
    *device->add_params() = device->params(0);
  });
  EXPECT_THAT(refusal(bytes), HasSubstr("params[1]: named twice"));
}

TEST(Wire, RefusesAMessageInAnothersName) {
  const auto bytes = encode(tick()).value();
  const auto message = decode_message(bytes, NodeId{4});
  ASSERT_FALSE(message.has_value());
  EXPECT_EQ(message.error().what, "a message from node 4 says that it is from node 3");
}

TEST(Wire, RefusesOtherFormats) {
  EXPECT_THAT(refusal(""), HasSubstr("only 0 bytes"));
  EXPECT_THAT(refusal("HTTP/1.1 400 Bad Request"), HasSubstr("not written by komainu"));
  EXPECT_THAT(refusal(encode(core::Durable{.spec = std::make_shared<const core::Spec>()})),
              HasSubstr("something else than what belongs here"));
  std::string newer = encode(tick()).value();
  newer[4] = 2;
  EXPECT_THAT(refusal(newer), HasSubstr("format version 2; this komainu reads version 1"));
}

TEST(Wire, RefusesOversizedMessagesInBothDirections) {
  EXPECT_THAT(refusal(std::string(kMaxMessage + 1, 'x')), HasSubstr("8388609 bytes; at most 8388608"));
  core::Spec spec;
  for (std::uint32_t i = 0; i < 200; ++i) spec.nodes[NodeId{i}].name = std::string(kMaxText, 'n');
  const auto bytes = encode(proposing(spec));
  ASSERT_FALSE(bytes.has_value());
  EXPECT_THAT(bytes.error().what, HasSubstr("cannot send a message of"));
}

TEST(Wire, KeepsASnapshotOf8000GroupsBelowTheBound) {
  auto spec = std::make_shared<core::Spec>();
  auto state = std::make_shared<core::State>();
  for (std::uint32_t i = 0; i < 8000; ++i) {
    const GroupId id{i};
    core::Group& group = spec->groups[id];
    group.id = id;
    group.name = "virtual-machine-" + std::to_string(i);
    group.prefer = {PlaceId{i % 64}, PlaceId{(i + 1) % 64}};
    group.needs = {{"memory", 4096}, {"cpu", 2}};
    group.resources.push_back({"vm", "vm", {{"uuid", std::string(36, 'u')}}});
    state->groups[id].at[PlaceId{i % 64}] = core::Activity::kOnline;
    state->groups[id].version = 1'000'000 + i;
    spec->source +=
        "[[group]]\nname = \"" + group.name + "\"\nprefer = [\"host-17\", \"host-18\"]\n" +
        "needs = { memory = 4096, cpu = 2 }\n[[group.resource]]\nname = \"vm\"\ntype = \"vm\"\nuuid = \"" +
        std::string(36, 'u') + "\"\n";
  }
  state->spec = spec;
  const auto bytes = encode(message_with(core::Snapshot{state}));
  ASSERT_TRUE(bytes.has_value()) << bytes.error().what;
  EXPECT_LT(bytes->size(), 6u << 20);
  EXPECT_TRUE(decode_message(*bytes, kSender).has_value());
}

}  // namespace
}  // namespace komainu::wire
