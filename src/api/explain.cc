#include "api/explain.h"

#include <algorithm>
#include <ranges>

#include "api/documents/sentences.h"
#include "api/status.h"
#include "core/plan/placement.h"

namespace komainu::api {

std::vector<EventView> last_chain(const core::Spec& spec, const std::deque<StampedEvent>& events,
                                  GroupId group, core::Cause known) {
  auto about = [&](const StampedEvent& stamped) {
    const core::Event& event = stamped.event;
    return event.cause && (event.group == group || (!event.group && event.cause == known));
  };
  auto newest = std::ranges::find_if(events | std::views::reverse, about);
  std::vector<EventView> chain;
  if (newest == events.rend()) return chain;
  for (const StampedEvent& stamped : events)
    if (stamped.event.cause == newest->event.cause && (!stamped.event.group || stamped.event.group == group))
      chain.push_back(event_view(spec, stamped));
  return chain;
}

std::vector<PlacementView> placement(const core::State& state, GroupId group) {
  std::vector<PlacementView> views;
  const core::GroupState* known = state.group(group);
  for (const core::Candidate& candidate : core::explain_placement(state, group)) {
    const core::Node* node = state.spec->node(core::Spec::node_of(candidate.place));
    // "node2: no: drained": the name stands in a field of its own.
    std::string reason = core::to_text(*state.spec, candidate).substr(node->name.size() + 2);
    views.push_back({.node = node->name,
                     .chosen = known && known->online() == candidate.place,
                     .eligible = !candidate.obstacle,
                     .reason = std::move(reason)});
  }
  return views;
}

Explanation explain(const core::State& state, const Position& position,
                    const std::deque<StampedEvent>& events, const core::Group& group) {
  Explanation made{.group = group_view(state, position, group)};
  made.summary = sentence(group.name, made.group);
  const core::GroupState* known = state.group(group.id);
  made.chain = last_chain(*state.spec, events, group.id, known ? known->cause : core::Cause{});
  // Outside a view it is not known who could take it.
  if (position.established()) made.placement = placement(state, group.id);
  return made;
}

}  // namespace komainu::api
