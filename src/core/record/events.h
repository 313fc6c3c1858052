// Wording shared by record, admit and the view: how an event names things.
#pragma once

#include <string>
#include <utility>

#include "core/effects.h"
#include "core/state.h"

namespace komainu::core {

inline std::string name_of(const State& state, NodeId id) {
  const Node* node = state.spec->node(id);
  return node ? node->name : "node " + std::to_string(id.value);
}
inline std::string name_of(const State& state, PlaceId id) {
  return name_of(state, Spec::node_of(id));
}
inline std::string name_of(const State& state, GroupId id) {
  const Group* group = state.spec->group(id);
  return group ? group->name : "group " + std::to_string(id.value);
}
inline std::string name_of(const State& state, MonitorId id) {
  const Monitor* monitor = state.spec->monitor(id);
  return monitor ? monitor->name : "monitor " + std::to_string(id.value);
}
inline std::string resource_name(const State& state, GroupId id, std::uint32_t resource) {
  const Group* group = state.spec->group(id);
  return group && resource < group->resources.size() ? group->resources[resource].name
                                                     : "resource " + std::to_string(resource);
}

inline void group_event(Effects& effects, Severity severity, EventKind kind, Cause cause, GroupId group,
                        std::optional<PlaceId> place, std::string text) {
  std::optional<NodeId> node;
  if (place) node = Spec::node_of(*place);
  effects.emplace_back(Event{severity, kind, cause, node, group, std::nullopt, std::move(text)});
}
inline void node_event(Effects& effects, Severity severity, EventKind kind, Cause cause, NodeId node,
                       std::string text) {
  effects.emplace_back(Event{severity, kind, cause, node, std::nullopt, std::nullopt, std::move(text)});
}

}  // namespace komainu::core
