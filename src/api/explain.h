// Why a group is where it is, and what happened from the first symptom on.
#pragma once

#include <deque>
#include <vector>

#include "api/backend.h"
#include "api/documents/model.h"
#include "api/event_log.h"
#include "core/state.h"

namespace komainu::api {

// The last chain of events about the group: those that share the cause of the newest one, which is the
// group's own, or has the cause by which the group waits (`known`) for what is to be done. What the log has
// forgotten is missing from the front.
std::vector<EventView> last_chain(const core::Spec& spec, const std::deque<StampedEvent>& events,
                                  GroupId group, core::Cause known);

// What speaks for and against every place, best first: the planner's own comparison.
std::vector<PlacementView> placement(const core::State& state, GroupId group);

Explanation explain(const core::State& state, const Position& position,
                    const std::deque<StampedEvent>& events, const core::Group& group);

}  // namespace komainu::api
