#include "core/plan/dirty.h"

#include <algorithm>

#include "core/plan/plan.h"

namespace komainu::core {
namespace {

// Its counters fall, its ladder goes on, or the brakes are released, as time passes.
bool changes_with_time(const GroupState& group) {
  return group.trouble || group.failovers.count > 0 || !group.failed_at.empty() || !group.restarts.empty() ||
         std::ranges::any_of(group.at, [](const auto& entry) {
           return entry.second == Activity::kFailed || entry.second == Activity::kUnsafe;
         });
}

// A quarantine ends, or nobody could fence whom an operator wanted off.
bool something_settles_with_time(const State& state) {
  const std::uint32_t flaps = state.spec->brakes.flaps;
  return std::ranges::any_of(state.nodes,
                             [&](const auto& entry) {
                               return entry.second.fence_wish || entry.second.losses.count >= flaps;
                             }) ||
         std::ranges::any_of(state.monitors, [&](const auto& entry) {
           return std::ranges::any_of(entry.second.flaps,
                                      [&](const auto& at) { return at.second.count >= flaps; });
         });
}

}  // namespace

void DirtyGroups::note(const State& before, const Message& message) {
  if (all_) return;
  if (const Fact* fact = std::get_if<Fact>(&message.body)) {
    note(before, *fact);
  } else if (std::holds_alternative<Proposal>(message.body)) {
    all();
  }
}

void DirtyGroups::note(const State& before, const Fact& fact) {
  if (const auto* report = std::get_if<GroupReport>(&fact)) {
    const GroupState* known = before.group(report->group);
    const bool came_up = known && known->order && known->order->id == report->order &&
                         known->at.size() == 1 && known->order->kind != OrderKind::kStop &&
                         report->activity == Activity::kOnline;
    if (!came_up) return all();
    some_.insert(report->group);
    for (const auto& [id, group] : before.spec->groups) {
      const bool depends = std::ranges::any_of(
          group.after, [&](const Dependency& dependency) { return dependency.other == report->group; });
      if (depends) some_.insert(id);
    }
  } else if (const auto* result = std::get_if<MonitorResult>(&fact)) {
    const Monitor* configured = before.spec->monitor(result->monitor);
    const GroupState* group = configured && configured->group ? before.group(*configured->group) : nullptr;
    const bool changes_nothing = configured && configured->affects.empty() &&
                                 result->health != Health::kFailed && (!group || !group->trouble);
    if (!changes_nothing) all();
  } else if (std::holds_alternative<Tick>(fact)) {
    for (const auto& [id, monitor] : before.monitors) {
      const Monitor* configured = before.spec->monitor(id);
      if (!configured) continue;
      const bool fails =
          std::ranges::any_of(monitor.at, [](const auto& entry) { return entry.second == Health::kFailed; });
      if (fails) some_.insert(configured->affects.begin(), configured->affects.end());
    }
    for (const auto& [id, group] : before.groups) {
      if (changes_with_time(group)) some_.insert(id);
    }
    if (something_settles_with_time(before) || before.disarmed) all();
  } else {
    all();
  }
}

void DirtyGroups::planned(const std::vector<Planned>& proposals) {
  all_ = !proposals.empty();
  some_.clear();
}

}  // namespace komainu::core
