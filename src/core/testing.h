// A cluster for tests, built in sentences:
//
//   Cluster cluster(2);                                     // node1 and node2, both members, nothing runs
//   Group& database = cluster.group("database", {node(1), node(2)});
//   cluster.runs(database.id, node(1));
//   cluster.loses(node(1));
//   plan(cluster.state(), node(2)) …
//
// Spec and State are plain values and public: what has no sentence here is set directly.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "core/spec.h"
#include "core/state.h"

namespace komainu::core::testing {

constexpr NodeId node(std::uint32_t number) {
  return NodeId{number};
}
constexpr PlaceId place(std::uint32_t number) {
  return PlaceId{number};
}

class Cluster {
 public:
  // Nodes are named after their ids, which begin with `first`: node1, node2 …
  explicit Cluster(std::uint32_t nodes, std::uint32_t first = 1) {
    spec.cluster = "test";
    spec.version = 1;
    for (std::uint32_t number = first; number < first + nodes; ++number) {
      const NodeId id{number};
      spec.nodes[id] = Node{id, "node" + std::to_string(number), {"10.0.0." + std::to_string(number)}};
      NodeState& known = state_.nodes[id];
      known.version = 1;
      known.standing = Standing::kMember;
      known.incarnation = incarnation(id);
    }
    state_.cold = false;
  }

  // ---- what is configured; references stay valid

  Group& group(const std::string& name, std::initializer_list<NodeId> prefer = {}) {
    const GroupId id{static_cast<std::uint32_t>(spec.groups.size()) + 1};
    Group& group = spec.groups[id];
    group.id = id;
    group.name = name;
    group.resources.push_back(Resource{.name = "service", .type = "command", .params = {}});
    for (NodeId preferred : prefer) group.prefer.push_back(Spec::place_of(preferred));
    state_.groups[id].version = 1;
    return group;
  }
  // A monitor of nodes, by which the places of `affects` are judged.
  Monitor& monitor(const std::string& name, std::initializer_list<GroupId> affects) {
    const MonitorId id{static_cast<std::uint32_t>(spec.monitors.size()) + 1};
    Monitor& monitor = spec.monitors[id];
    monitor.id = id;
    monitor.name = name;
    monitor.type = "command";
    monitor.affects = affects;
    state_.monitors[id];
    return monitor;
  }
  Monitor& monitor_of(const std::string& name, GroupId group) {
    Monitor& added = monitor(name, {});
    added.group = group;
    return added;
  }
  // One level with one device that reaches every node.
  void has_fencer() {
    spec.fencing.push_back(FenceLevel{{FenceDevice{.type = "agent", .params = {}, .targets = {}}}});
  }

  // ---- what is known

  const NodeState& node_state(NodeId id) const { return state_.nodes.at(id); }
  NodeState& node_state(NodeId id) { return state_.nodes.at(id); }
  GroupState& group_state(GroupId id) { return state_.groups.at(id); }

  void does(GroupId group, NodeId where, Activity activity) {
    GroupState& known = group_state(group);
    known.at[Spec::place_of(where)] = activity;
    ++known.version;
  }
  void runs(GroupId group, NodeId where) { does(group, where, Activity::kOnline); }
  void has_order(GroupId group, NodeId where, OrderKind kind) {
    does(group, where, kind == OrderKind::kStop ? Activity::kStopping : Activity::kStarting);
    group_state(group).order = Order{.id = {.view = {}, .position = ++orders_},
                                     .kind = kind,
                                     .place = Spec::place_of(where),
                                     .executor = where,
                                     .executor_incarnation = incarnation(where)};
  }
  void is_in_trouble(GroupId group, NodeId where, std::string evidence = "it answers 500") {
    GroupState& known = group_state(group);
    known.trouble = Trouble{0, std::nullopt, Spec::place_of(where), std::move(evidence)};
    ++known.version;
  }

  // Left the view without a word; it may run what `at` says.
  void loses(NodeId id) { stands(id, Standing::kLost); }
  void stands(NodeId id, Standing standing) {
    NodeState& known = node_state(id);
    known.standing = standing;
    known.suspended = false;
    known.since = state_.clock;
    ++known.version;
  }
  void suspends(NodeId id) {
    NodeState& known = node_state(id);
    known.suspended = true;
    known.since = state_.clock;
    ++known.version;
  }
  void has_duty(NodeId id, Duty duty) {
    node_state(id).duty = duty;
    ++node_state(id).version;
  }
  // An operator asked for it just now.
  void is_wanted_off(NodeId id) {
    NodeState& known = node_state(id);
    known.fence_wish =
        FenceWish{.until = state_.clock + FenceWish::kLasts, .by = "root", .cause = {id, incarnation(id), 7}};
    ++known.version;
  }
  void reports(MonitorId monitor, NodeId where, Health health) {
    MonitorState& known = state_.monitors[monitor];
    known.at[Spec::place_of(where)] = health;
    known.since[Spec::place_of(where)] = state_.clock - 24h;  // every other place would have said the same
  }
  void passes(Duration time) { state_.clock += time; }

  static constexpr Incarnation incarnation(NodeId id) { return Incarnation{1000 + id.value}; }

  // The state with the present configuration installed; valid until the next call.
  const State& state() {
    if (!state_.spec || *state_.spec != spec) {
      state_.spec = std::make_shared<const Spec>(spec);
      state_.spec_digest = digest_of(*state_.spec);
    }
    return state_;
  }
  State& edit() {
    state();
    return state_;
  }

  Spec spec;

 private:
  State state_;
  std::uint64_t orders_ = 0;
};

}  // namespace komainu::core::testing
