// From the core's state to the API's documents: pure functions, ids become names here.
#pragma once

#include <string>
#include <vector>

#include "api/backend.h"
#include "api/documents/model.h"
#include "api/event_log.h"
#include "core/state.h"

namespace komainu::api {

// The version of this program, as `komainu --version` says.
std::string_view version();

Status status(const core::State& state, const Position& position);
GroupView group_view(const core::State& state, const Position& position, const core::Group& group);
NodeView node_view(const core::State& state, const Position& position, const core::Node& node);
MonitorView monitor_view(const core::State& state, const core::Monitor& monitor);
FenceStatus fence_status(const core::State& state, const Position& position);
FenceTest fence_test(const core::Spec& spec, NodeId self, NodeSet targets,
                     const std::vector<FenceTried>& tried);
Names names(const core::Spec& spec);
EventView event_view(const core::Spec& spec, const StampedEvent& event);

}  // namespace komainu::api
