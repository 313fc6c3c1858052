#include "komainu/render/status.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/documents/sentences.h"
#include "api/documents/words.h"
#include "base/duration_text.h"
#include "komainu/render/events.h"

namespace komainu::cli {
namespace {

using api::word;
using core::Severity;

std::string heading(const Style& style, std::string_view text) {
  return "\n" + paint(style, Colour::kBold, text) + "\n";
}

std::string count(std::size_t number, std::string_view one) {
  return fmt::format("{} {}{}", number, one, number == 1 ? "" : "s");
}

// "orders: healthy", "orders: 1 alarm, 2 warnings"
std::string headline(const api::Status& status, const Style& style) {
  const auto with = [&](Severity severity) {
    return static_cast<std::size_t>(std::ranges::count(status.alarms, severity, &api::AlarmView::severity));
  };
  std::string text = paint(style, Colour::kBold, printable(status.cluster)) + ": ";
  const std::size_t alarms = with(Severity::kAlarm), warnings = with(Severity::kWarning);
  if (alarms > 0) text += paint(style, Colour::kRed, count(alarms, "alarm"));
  if (warnings > 0)
    text += (alarms > 0 ? ", " : "") + paint(style, Colour::kYellow, count(warnings, "warning"));
  if (alarms + warnings == 0) text += paint(style, Colour::kGreen, "healthy");
  return text;
}

std::string quorum(const api::Status& status) {
  const auto members = std::ranges::count(status.nodes, core::Standing::kMember, &api::NodeView::standing);
  std::string text =
      status.established()
          ? fmt::format("{} of {} present, quorum", members, count(status.nodes.size(), "node"))
          : fmt::format("{} ({})", status.quorate ? "joining" : "no quorum", word(status.phase));
  text += fmt::format(", view {}, configuration {}", status.view, status.config_version);
  if (status.pending_config_version)
    text += fmt::format(" ({} being applied)", *status.pending_config_version);
  return text + fmt::format("; seen by {}", printable(status.self));
}

Table::Cell standing(const api::NodeView& node) {
  if (node.last_known && node.self) return {"in no view", Colour::kRed};
  switch (node.standing) {
    case core::Standing::kMember:
      if (node.suspended) return {"suspended", Colour::kYellow};
      if (node.leaving) return {"leaving", Colour::kYellow};
      return {"member", Colour::kGreen};
    case core::Standing::kUnknown:
    case core::Standing::kLost:
      return {"absent", Colour::kRed};
    case core::Standing::kLeft:
      return {"stopped", Colour::kPlain};
    case core::Standing::kSettled:
      return {"settled", Colour::kPlain};
  }
  return {};
}

// What joins it to the others, and what guards them from it.
Table::Cell joined(const api::NodeView& node) {
  if (node.standing != core::Standing::kMember || node.links.empty() || (node.last_known && node.self))
    return {"-", Colour::kDim};
  const auto up = std::ranges::count_if(node.links, [](const auto& link) { return link.down_to.empty(); });
  const bool all = static_cast<std::size_t>(up) == node.links.size();
  Table::Cell cell{fmt::format("{}/{} links", up, node.links.size()), all ? Colour::kPlain : Colour::kYellow};
  if (node.watchdog) cell.text += ", watchdog " + duration_text(*node.watchdog);
  if (!node.guarded) {
    cell.text += node.watchdog ? " is too slow" : ", no watchdog";
    cell.colour = Colour::kRed;
  }
  return cell;
}

Table::Cell verdict(const api::NodeView& node) {
  using core::Verdict;
  std::string text{word(node.verdict)};
  if (node.verdict != Verdict::kHealthy && !node.reason.empty()) text += ": " + printable(node.reason);
  if (node.last_known && !node.self) return {text + " (last known)", Colour::kDim};
  const Colour colour = node.verdict == Verdict::kHealthy      ? Colour::kGreen
                        : node.verdict == Verdict::kDegraded   ? Colour::kYellow
                        : node.verdict == Verdict::kSurelyDown ? Colour::kPlain
                                                               : Colour::kRed;
  return {std::move(text), colour};
}

std::string nodes(const api::Status& status, const Style& style) {
  Table table;
  for (const api::NodeView& node : status.nodes) {
    std::vector<Table::Cell> row{
        {printable(node.name) + (node.self ? " *" : ""), Colour::kPlain},
        standing(node),
        {node.duty == core::Duty::kActive ? "" : std::string(word(node.duty)), Colour::kYellow},
        joined(node),
        verdict(node)};
    if (node.last_known && !node.self)
      for (Table::Cell& cell : row) cell.colour = Colour::kDim;
    table.row(std::move(row));
  }
  return heading(style, "NODES") + table.text(style);
}

Table::Cell state(const api::GroupView& group) {
  std::string text = api::where(group);
  if (group.move_to && (group.at.size() != 1 || group.at[0].node != *group.move_to))
    text += fmt::format(", to {}", *group.move_to);
  Colour colour = Colour::kPlain;
  if (group.last_known)
    colour = Colour::kDim;
  else if (group.online())
    colour = Colour::kGreen;
  else if (std::ranges::any_of(group.at,
                               [](const auto& at) { return at.activity == core::Activity::kUnsafe; }) ||
           group.given_up || group.at.size() > 1)
    colour = Colour::kRed;
  else if (api::wanted(group) || !group.at.empty())
    colour = Colour::kYellow;
  return {printable(text), colour};
}

// "disk → address → postgres"; the one in trouble with what is wrong with it.
std::string resources(const api::GroupView& group) {
  std::string text;
  for (const api::ResourceView& resource : group.resources) {
    if (!text.empty()) text += " → ";
    text += resource.name;
    if (resource.restarts > 0) text += fmt::format(" ({})", count(resource.restarts, "restart"));
  }
  if (group.trouble && !group.trouble->evidence.empty())
    text += fmt::format("; {}: {}", group.trouble->resource, group.trouble->evidence);
  return printable(text);
}

std::string groups(const api::Status& status, const Style& style) {
  if (status.groups.empty()) return heading(style, "GROUPS") + "  none configured\n";
  Table table;
  for (const api::GroupView& group : status.groups)
    table.row({{printable(group.name)}, state(group), {resources(group), Colour::kDim}});
  return heading(style, "GROUPS") + table.text(style);
}

// It runs where its group is online, and that is so nowhere.
bool runs_nowhere(const api::Status& status, const api::MonitorView& monitor) {
  const auto group = std::ranges::find(status.groups, monitor.group,
                                       [](const api::GroupView& view) { return std::optional(view.name); });
  return group != status.groups.end() && !group->online();
}

std::string monitors(const api::Status& status, const Style& style) {
  Table table;
  std::size_t healthy = 0, silent = 0, idle = 0;
  const std::string_view as_of = status.established() ? "" : " (last known)";
  for (const api::MonitorView& monitor : status.monitors) {
    if (monitor.suspended) {
      table.row({{printable(monitor.name)}, {""}, {"suspended", Colour::kYellow}});
      continue;
    }
    bool shown = false, known = false;
    for (const api::HealthView& at : monitor.at) {
      known = known || at.health != core::Health::kUnknown;
      if (at.health != core::Health::kWarning && at.health != core::Health::kFailed) continue;
      shown = true;
      table.row({{printable(monitor.name)},
                 {printable(at.node)},
                 {fmt::format("{}{}", word(at.health), as_of), !status.established() ? Colour::kDim
                                                               : at.health == core::Health::kFailed
                                                                   ? Colour::kRed
                                                                   : Colour::kYellow},
                 {printable(at.evidence)}});
    }
    if (!shown) ++(known ? healthy : runs_nowhere(status, monitor) ? idle : silent);
  }
  if (status.monitors.empty()) return {};
  std::string text = fmt::format("MONITORS: {} healthy", healthy);
  if (idle > 0) text += fmt::format(", {} idle: {} group is not online", idle, idle == 1 ? "its" : "their");
  if (silent > 0) text += fmt::format(", {} not heard of yet", silent);
  text += as_of;
  return heading(style, text) + table.text(style);
}

}  // namespace

std::string render_alarms(const std::vector<api::AlarmView>& alarms, const Style& style) {
  if (alarms.empty()) return {};
  std::string text = heading(style, "ALARMS");
  for (const api::AlarmView& alarm : alarms) {
    text += "  " +
            paint(style, colour_of(alarm.severity),
                  fmt::format("{}: {}", word(alarm.severity), printable(alarm.text))) +
            "\n";
    if (!alarm.help.empty()) text += "    " + printable(alarm.help) + "\n";
  }
  return text;
}

std::string render_membership(const api::Status& status, const Style& style) {
  return headline(status, style) + "\n" + paint(style, Colour::kDim, quorum(status)) + "\n" +
         nodes(status, style);
}

std::string render_status(const api::Status& status, const Style& style) {
  return render_membership(status, style) + groups(status, style) + monitors(status, style) +
         render_alarms(status.alarms, style);
}

std::string render_fence_test(const api::FenceTest& test, const Style& style) {
  Table table;
  std::vector<std::string> failing;
  for (const api::FenceTestedView& node : test.nodes) {
    if (!node.can_be_fenced) failing.push_back(node.node);
    if (node.devices.empty())
      table.row({{printable(node.node)}, {""}, {"no device reaches it", Colour::kRed}});
    for (const api::FenceTriedView& device : node.devices) {
      const std::string said = device.answers ? "ok" : printable(device.problem);
      table.row({{printable(node.node)},
                 {fmt::format("level {}", device.level + 1)},
                 {printable(device.device)},
                 {elapsed(device.took)},
                 {said, device.answers ? Colour::kGreen : Colour::kRed}});
    }
  }
  std::string text = heading(style, "NODES") + table.text(style) + "\n";
  if (failing.empty())
    text += fmt::format("each can be fenced from {}", printable(test.self));
  else
    text += paint(
        style, Colour::kRed,
        fmt::format("{} cannot be fenced from {}", printable(api::list(failing)), printable(test.self)));
  return text + "; the other nodes ask for themselves: `komainu fence test` there\n";
}

std::string render_fence_status(const api::FenceStatus& fencing, const Style& style) {
  std::string text;
  if (fencing.levels.empty()) text += "no fencer is configured\n";
  for (std::size_t i = 0; i < fencing.levels.size(); ++i) {
    std::vector<std::string> devices;
    for (const api::FenceDeviceView& device : fencing.levels[i].devices) {
      std::string& shown = devices.emplace_back(device.type);
      if (!device.agent.empty()) shown += " " + device.agent;
      if (!device.targets.empty()) shown += fmt::format(" ({})", api::list(device.targets));
    }
    text += fmt::format("level {}: {}\n", i + 1, printable(api::list(devices)));
  }
  Table table;
  for (const api::FenceTargetView& node : fencing.nodes) {
    Table::Cell state{"nothing to do", Colour::kPlain};
    if (!node.open.empty())
      state = {fmt::format("being fenced by {} at level {}", node.open[0].executor, node.open[0].level + 1),
               Colour::kYellow};
    else if (node.wanted_off_by && !node.last_known)
      state = {fmt::format("to be fenced, as {} asked", *node.wanted_off_by), Colour::kYellow};
    else if (node.last_known)
      state = {"not known: this node is in no view of the cluster", Colour::kDim};
    else if (node.needed && node.corosync)
      state = {fmt::format("its daemon is gone, its Corosync answers; on {}: systemctl status komainud",
                           node.node),
               Colour::kRed};
    else if (node.braked)
      state = {fmt::format("not fenced, the brake holds; once it is surely off: komainu fence confirm {}",
                           node.node),
               Colour::kRed};
    else if (node.needed)
      state = {fmt::format("absent, not settled; once it is surely off: komainu fence confirm {}", node.node),
               Colour::kRed};
    else if (node.standing == core::Standing::kSettled)
      state = {"settled: it surely runs nothing", Colour::kGreen};
    std::string failures = node.failures == 0 ? "" : count(node.failures, "failure") + " in a row";
    table.row({{printable(node.node)}, {failures, Colour::kRed}, {printable(state.text), state.colour}});
  }
  text += heading(style, "NODES") + table.text(style);
  const bool braked = fencing.brake_used >= fencing.brake_fences;
  text += "\n" +
          paint(style, braked ? Colour::kRed : Colour::kPlain,
                fmt::format("{} of {} fences used in the last {}{}", fencing.brake_used, fencing.brake_fences,
                            duration_text(fencing.brake_window), braked ? ": the brake holds" : "")) +
          "\n";
  return text;
}

}  // namespace komainu::cli
