#include "core/invariants/invariants.h"

#include <algorithm>
#include <map>
#include <string>

#include "core/same_keys.h"

namespace komainu::core {
namespace {

std::string of_group(GroupId id, const char* what) {
  return "group " + std::to_string(id.value) + " " + what;
}
std::string of_node(NodeId id, const char* what) {
  return "node " + std::to_string(id.value) + " " + what;
}

std::optional<std::string> broken_by(GroupId id, const GroupState& group, const State& state) {
  for (const auto& [place, activity] : group.at) {
    const NodeState* node = state.node(Spec::node_of(place));
    if (!node) return of_group(id, "is where no node is");
    // Rule 2 counts such a node as stopped.
    if (node->standing == Standing::kSettled || node->standing == Standing::kLeft)
      return of_group(id, "is on a node that is known to run nothing");
  }
  if (!group.order) return std::nullopt;
  if (!group.at.contains(group.order->place)) return of_group(id, "is ordered where it may not run");
  if (group.order->executor != Spec::node_of(group.order->place))
    return of_group(id, "is ordered from elsewhere");
  return std::nullopt;
}

std::optional<std::string> broken_by(NodeId id, const NodeState& node, const State& state) {
  const bool member = node.standing == Standing::kMember;
  if (member && node.incarnation == Incarnation{}) return of_node(id, "is a member that nobody knows");
  if (node.suspended && !member) return of_node(id, "is suspended and no member");
  if (node.fences.contains(id)) return of_node(id, "fences itself");
  for (const auto& [executor, order] : node.fences) {
    if (order.executor != executor || !state.node(executor))
      return of_node(id, "is fenced by somebody who is not there");
  }
  return std::nullopt;
}

bool are_apart(const Group& one, const Group& other) {
  auto names = [](const Group& from, GroupId whom) {
    return std::ranges::find(from.apart, whom) != from.apart.end();
  };
  return names(one, other.id) || names(other, one.id);
}

}  // namespace

std::optional<std::string> broken_invariant(const State& state) {
  if (!same_keys(state.groups, state.spec->groups) || !same_keys(state.nodes, state.spec->nodes) ||
      !same_keys(state.monitors, state.spec->monitors))
    return "the state has other objects than its configuration";
  for (const auto& [id, group] : state.groups) {
    if (auto broken = broken_by(id, group, state)) return broken;
  }
  for (const auto& [id, node] : state.nodes) {
    if (auto broken = broken_by(id, node, state)) return broken;
  }
  for (Duration fence : state.fences) {
    if (fence > state.clock) return "a fence lies in the future";
  }
  return std::nullopt;
}

std::optional<std::string> unsound_start(const State& state, GroupId id) {
  const GroupState& group = state.groups.at(id);
  const Group& configured = state.spec->groups.at(id);
  if (!group.order || group.order->kind == OrderKind::kStop) return std::nullopt;
  const PlaceId place = group.order->place;
  const NodeState& node = state.nodes.at(group.order->executor);
  if (node.standing != Standing::kMember) return of_group(id, "starts on no member");
  if (node.suspended) return of_group(id, "starts on a suspended member");
  if (!node.fences.empty()) return of_group(id, "starts where a fence may hit");
  for (const auto& [other, known] : state.nodes) {
    const PlaceId elsewhere = Spec::place_of(other);
    if (elsewhere == place) continue;
    if (group.at.contains(elsewhere)) return of_group(id, "starts while it may run elsewhere");
    if (state.possible_places(configured).contains(elsewhere))
      return of_group(id, "starts while an unknown node may run it");
  }
  if (group.order->kind == OrderKind::kRestart) return std::nullopt;
  std::map<std::string, std::int64_t> used;
  for (const auto& [other, known] : state.groups) {
    if (!known.at.contains(place)) continue;
    const Group& here = state.spec->groups.at(other);
    if (other != id && are_apart(configured, here)) return of_group(id, "shares a place that it must not");
    for (const auto& [what, need] : here.needs) used[what] += need;
  }
  auto capacity = state.spec->capacity.find(group.order->executor);
  if (capacity == state.spec->capacity.end()) return std::nullopt;
  for (const auto& [what, limit] : capacity->second) {
    if (configured.needs.contains(what) && used[what] > limit)
      return of_group(id, "starts where it has no room");
  }
  return std::nullopt;
}

}  // namespace komainu::core
