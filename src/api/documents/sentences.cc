#include "api/documents/sentences.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/documents/words.h"

namespace komainu::api {
namespace {

std::string doing(const GroupView& group, const ActivityView& at) {
  if (at.last_known) return fmt::format("{} on {} (last known)", word(at.activity), at.node);
  if (at.absent) return fmt::format("last seen {} on {}, which is lost", word(at.activity), at.node);
  switch (at.activity) {
    case core::Activity::kUnknown:
      return fmt::format("not looked at yet on {}", at.node);
    case core::Activity::kStarting:
      if (group.order && group.order->kind == core::OrderKind::kRestart)
        return fmt::format("restarting {} on {}", group.order->resource, at.node);
      return fmt::format("starting on {}", at.node);
    case core::Activity::kOnline:
      return fmt::format("online on {}", at.node);
    case core::Activity::kFailed:
      return group.trouble ? fmt::format("failed on {} ({})", at.node, group.trouble->resource)
                           : fmt::format("failed on {}", at.node);
    case core::Activity::kStopping:
      return fmt::format("stopping on {}", at.node);
    case core::Activity::kUnsafe:
      return fmt::format("unsafe on {} (it could not be stopped)", at.node);
  }
  return {};
}

}  // namespace

bool wanted(const GroupView& group) {
  if (group.given_up) return false;
  return group.wish == core::Intent::Wish::kRun ||
         (group.wish == core::Intent::Wish::kAutomatic && group.autostart);
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return text;
}

std::string where(const GroupView& group) {
  std::vector<std::string> parts;
  for (const ActivityView& at : group.at) parts.push_back(doing(group, at));
  if (!parts.empty()) return list(parts);
  if (group.last_known) return "not running here";
  if (group.order && group.order->kind == core::OrderKind::kStart)
    return fmt::format("about to start on {}", group.order->node);
  if (group.given_up) return "stopped for good after repeated failures";
  if (group.wish == core::Intent::Wish::kStop) return "stopped by the operator";
  if (!wanted(group)) return "stopped";
  if (!group.may_run.empty()) return fmt::format("held back: it may be running on {}", list(group.may_run));
  return "stopped, though it should run";
}

std::string sentence(std::string_view subject, const GroupView& group) {
  const bool past = !group.at.empty() && std::ranges::all_of(group.at, &ActivityView::absent);
  return fmt::format("{} {} {}", subject, past ? "was" : "is", where(group));
}

}  // namespace komainu::api
