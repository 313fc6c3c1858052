#include "komainu/goal.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/documents/sentences.h"

namespace komainu::cli {
namespace {

using core::Activity;

Judgement is(Progress progress, const api::Explanation& now) {
  return {progress, api::sentence(now.group.name, now.group)};
}

// Unknown while the node that is asked is in no view: no reason to give up.
bool has_place(const api::Explanation& now, const std::string& except = {}) {
  if (now.placement.empty()) return true;
  return std::ranges::any_of(now.placement,
                             [&](const auto& place) { return place.eligible && place.node != except; });
}

// "guest1: no: drained; guest2: no: not a member"
std::string obstacles(const api::Explanation& now) {
  std::string text;
  for (const api::PlacementView& place : now.placement)
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", place.node, place.reason);
  return text;
}

const api::ActivityView* unsafe(const api::GroupView& group) {
  auto it = std::ranges::find(group.at, Activity::kUnsafe, &api::ActivityView::activity);
  return it == group.at.end() ? nullptr : &*it;
}

bool at_rest(const api::GroupView& group) {
  return !group.order && !group.trouble;
}

}  // namespace

Judgement started(const api::Explanation& now, const std::optional<std::string>& node) {
  const api::GroupView& group = now.group;
  const std::string* online = group.online();
  if (online && at_rest(group)) {
    if (!node || *online == *node) return is(Progress::kReached, now);
    return is(group.move_to ? Progress::kGoing : Progress::kMissed, now);
  }
  if (group.given_up || group.wish == core::Intent::Wish::kStop) return is(Progress::kMissed, now);
  if (at_rest(group) && group.may_run.empty() && !has_place(now))
    return {Progress::kStuck, fmt::format("{} cannot start: {}", group.name, obstacles(now))};
  return is(Progress::kGoing, now);
}

Judgement stopped(const api::Explanation& now) {
  if (const auto* at = unsafe(now.group)) {
    const std::string& name = now.group.name;
    return {Progress::kStuck, fmt::format("{} could not be stopped on {}", name, at->node)};
  }
  if (now.group.wish != core::Intent::Wish::kStop) return is(Progress::kMissed, now);
  return is(now.group.at.empty() && !now.group.order ? Progress::kReached : Progress::kGoing, now);
}

Judgement moved(const api::Explanation& now, const std::optional<std::string>& from,
                const std::optional<std::string>& node) {
  const api::GroupView& group = now.group;
  if (const std::string* online = group.online(); online && at_rest(group)) {
    if (node ? *online == *node : online != nullptr && from != *online) return is(Progress::kReached, now);
    return is(group.move_to ? Progress::kGoing : Progress::kMissed, now);
  }
  if (group.given_up || group.wish == core::Intent::Wish::kStop) return is(Progress::kMissed, now);
  if (unsafe(group)) return is(Progress::kStuck, now);
  if (at_rest(group) && group.may_run.empty() && !has_place(now))
    return {Progress::kStuck, fmt::format("{} cannot start: {}", group.name, obstacles(now))};
  return is(Progress::kGoing, now);
}

Judgement emptied(const api::NodeView& node, const std::vector<api::Explanation>& here) {
  if (node.duty == core::Duty::kActive) return {Progress::kMissed, fmt::format("{} was resumed", node.name)};
  if (here.empty()) return {Progress::kReached, fmt::format("{} runs nothing", node.name)};
  std::string staying;
  for (const api::Explanation& group : here) {
    const bool leaves =
        !at_rest(group.group) || node.duty == core::Duty::kStandby || has_place(group, node.name);
    if (leaves && !unsafe(group.group)) return {Progress::kGoing, fmt::format("{} leaves", group.group.name)};
    staying += fmt::format("{}{} stays on {}: {}", staying.empty() ? "" : "; ", group.group.name, node.name,
                           unsafe(group.group) ? "it could not be stopped" : obstacles(group));
  }
  return {Progress::kStuck, staying};
}

Judgement switched_off(const api::NodeView& node) {
  if (node.standing == core::Standing::kSettled)
    return {Progress::kReached, fmt::format("{} is off, confirmed", node.name)};
  if (!node.wanted_off_by)
    return {Progress::kMissed,
            fmt::format("{} was not fenced, and is not going to be: `komainu events` says why", node.name)};
  return {Progress::kGoing, node.fences.empty()
                                ? fmt::format("{} is to be fenced", node.name)
                                : fmt::format("{} fences {}", node.fences[0].executor, node.name)};
}

}  // namespace komainu::cli
