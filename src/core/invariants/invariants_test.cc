#include "core/invariants/invariants.h"

#include <gtest/gtest.h>

#include "core/testing.h"

namespace komainu::core {
namespace {

// Two nodes with one group; both are members.
State two_members() {
  auto spec = std::make_shared<Spec>();
  for (std::uint32_t i : {0U, 1U}) spec->nodes[NodeId{i}] = Node{NodeId{i}, "node", {}};
  spec->groups[GroupId{1}] = Group{.id = GroupId{1}, .name = "g", .needs = {{"memory", 2}}};
  spec->groups[GroupId{2}] = Group{.id = GroupId{2}, .name = "h", .needs = {{"memory", 2}}};
  State state = cold_state(spec, {});
  for (auto& [id, node] : state.nodes) {
    node.standing = Standing::kMember;
    node.incarnation = Incarnation{id.value + 1};
  }
  return state;
}
void starts(State& state, GroupId group, NodeId on) {
  state.groups[group].at[Spec::place_of(on)] = Activity::kStarting;
  state.groups[group].order = Order{.kind = OrderKind::kStart, .place = Spec::place_of(on), .executor = on};
}
void configure(State& state, auto change) {
  Spec spec = *state.spec;
  change(spec);
  state.spec = std::make_shared<const Spec>(spec);
}

TEST(Invariants, HoldWhereNothingIsWrong) {
  State state = two_members();
  starts(state, GroupId{1}, NodeId{0});
  EXPECT_EQ(broken_invariant(state), std::nullopt);
  EXPECT_EQ(unsound_start(state, GroupId{1}), std::nullopt);
}

TEST(Invariants, AreBrokenByAGroupOnANodeThatIsTakenForStopped) {
  State state = two_members();
  state.groups[GroupId{1}].at[PlaceId{1}] = Activity::kOnline;
  state.nodes[NodeId{1}].standing = Standing::kSettled;
  EXPECT_TRUE(broken_invariant(state));
}

TEST(Invariants, AreBrokenByAnOrderWithoutItsPlace) {
  State state = two_members();
  starts(state, GroupId{1}, NodeId{0});
  state.groups[GroupId{1}].at.clear();
  EXPECT_TRUE(broken_invariant(state));
}

TEST(Invariants, CallAStartUnsoundWhileAnUnknownNodeMayRunTheGroup) {
  State state = two_members();
  starts(state, GroupId{1}, NodeId{0});
  state.nodes[NodeId{1}].standing = Standing::kUnknown;
  EXPECT_TRUE(unsound_start(state, GroupId{1}));
}

TEST(Invariants, CallAStartUnsoundWhereItsGroupHasNoRoomOrMustNotBe) {
  State state = two_members();
  starts(state, GroupId{1}, NodeId{0});
  starts(state, GroupId{2}, NodeId{0});
  EXPECT_EQ(unsound_start(state, GroupId{2}), std::nullopt);
  State full = state;
  configure(full, [](Spec& spec) { spec.capacity[NodeId{0}]["memory"] = 3; });
  EXPECT_TRUE(unsound_start(full, GroupId{2}));
  State shared = state;
  configure(shared, [](Spec& spec) { spec.groups[GroupId{1}].apart = {GroupId{2}}; });
  EXPECT_TRUE(unsound_start(shared, GroupId{2}));
}

TEST(Invariants, CallAStartUnsoundOnTheTargetOfAFence) {
  State state = two_members();
  starts(state, GroupId{1}, NodeId{0});
  state.nodes[NodeId{0}].fences[NodeId{1}] = FenceOrder{.executor = NodeId{1}};
  EXPECT_TRUE(unsound_start(state, GroupId{1}));
}

}  // namespace
}  // namespace komainu::core
