#include "engine/cluster/snapshot_guard.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/testing.h"
#include "wire/wire.h"

namespace komainu::engine {
namespace {

using Verdict = SnapshotGuard::Verdict;

constexpr core::ViewId kView{{1, 8}, 1, 42};

core::testing::Cluster cluster() {
  core::testing::Cluster two(2);
  const GroupId web = two.group("web", {core::testing::node(1)}).id;
  two.monitor("lan", {web});
  two.runs(web, core::testing::node(1));
  return two;
}

core::Message said(core::Body body, core::ViewId view = kView) {
  return {.from = NodeId{1}, .incarnation = {5}, .view = view, .sequence = 1, .body = std::move(body)};
}
core::Message hello(const core::State& state, core::ViewId view = kView) {
  return said(core::Hello{.live = true, .state_digest = state.digest()}, view);
}
core::Message offer(const core::State& state) {
  return said(core::Snapshot{std::make_shared<const core::State>(state)});
}

TEST(SnapshotGuard, LetsThroughWhatWasPromised) {
  core::testing::Cluster two = cluster();
  SnapshotGuard guard;
  EXPECT_FALSE(guard.look(hello(two.state()), two.spec));
  EXPECT_FALSE(guard.look(offer(two.state()), two.spec));
}

TEST(SnapshotGuard, RefusesAnotherStateThanWasPromised) {
  core::testing::Cluster two = cluster();
  SnapshotGuard guard;
  guard.look(hello(two.state()), two.spec);
  core::State older = two.state();
  older.groups.at(GroupId{1}).at.clear();
  const auto refusal = guard.look(offer(older), two.spec);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->verdict, Verdict::kDamaged);
}

TEST(SnapshotGuard, APromiseHoldsInItsViewOnly) {
  core::testing::Cluster two = cluster();
  SnapshotGuard guard;
  core::State older = two.state();
  older.clock += 1s;
  guard.look(hello(older, {{1, 4}, 1, 42}), two.spec);
  EXPECT_FALSE(guard.look(offer(two.state()), two.spec));
}

TEST(SnapshotGuard, RefusesAnotherCluster) {
  core::testing::Cluster two = cluster();
  core::Spec own = two.spec;
  own.cluster = "another";
  const auto refusal = SnapshotGuard().look(offer(two.state()), own);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->verdict, Verdict::kForeign);
  EXPECT_EQ(refusal->why, "it is of cluster 'test', and this node belongs to 'another'");
}

// Whatever happens to the bytes on their way: the decoder refuses them, or the guard does, or the state in
// them is the one that was promised.
TEST(SnapshotGuard, LetsNoChangedByteThrough) {
  core::testing::Cluster two = cluster();
  const core::State state = two.state();
  const std::string bytes = *wire::encode(offer(state));
  const auto get_through = [&](const std::string& changed) {
    const auto message = wire::decode_message(changed, NodeId{1});
    if (!message || message->view != kView) return false;
    SnapshotGuard guard;
    guard.look(hello(state), two.spec);
    const auto* snapshot = std::get_if<core::Snapshot>(&message->body);
    if (!snapshot || guard.look(*message, two.spec)) return false;
    return !(snapshot->state->digest() == state.digest() && *snapshot->state->spec == *state.spec);
  };
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(get_through(bytes.substr(0, length))) << "cut off at " << length;
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string changed = bytes;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << (i % 8)));
    EXPECT_FALSE(get_through(changed)) << "bit " << i;
  }
}

}  // namespace
}  // namespace komainu::engine
