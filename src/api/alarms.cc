#include "api/alarms.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/documents/sentences.h"
#include "api/documents/words.h"
#include "base/duration_text.h"

namespace komainu::api {
namespace {

using core::Activity;
using core::Severity;
using core::Standing;

using Alarms = std::vector<AlarmView>;

void say(Alarms& alarms, Severity severity, std::string text, std::string help = {}) {
  alarms.push_back({severity, std::move(text), std::move(help)});
}

// What came of the groups of a node that has no quorum.
std::string_view without_quorum(const Status& status, core::NoQuorum on_no_quorum) {
  if (on_no_quorum == core::NoQuorum::kFreeze)
    return "its groups are frozen: what runs here runs on, nothing is started or moved";
  const auto self = std::ranges::find(status.nodes, true, &NodeView::self);
  return self == status.nodes.end() || self->groups.empty() ? "its groups have been stopped"
                                                            : "it stops its groups and starts none";
}

void about_view(Alarms& alarms, const Status& status, core::NoQuorum on_no_quorum) {
  if (status.established()) {
    if (status.cold)
      say(alarms, Severity::kInfo, "cold start: waiting for absent nodes before groups are started",
          "to start without them: `komainu fence confirm NODE` for each that is surely off");
    return;
  }
  if (status.quorate)
    say(alarms, Severity::kWarning,
        fmt::format("{} is joining the cluster: nothing starts here yet", status.self));
  else
    say(alarms, Severity::kAlarm,
        fmt::format("{} has no quorum: {}", status.self, without_quorum(status, on_no_quorum)),
        "check that Corosync runs here and on the other nodes, and the network between them "
        "(`corosync-cfgtool -s`); what is shown of the others is what was known last");
}

// A dead link has two ends and is told once, at the first.
void about_links(Alarms& alarms, const Status& status, const NodeView& node) {
  for (const LinkView& link : node.links)
    for (const NodeView& other : status.nodes) {
      if (&other <= &node || std::ranges::find(link.down_to, other.name) == link.down_to.end()) continue;
      say(alarms, Severity::kWarning,
          fmt::format("link {} between {} ({}) and {} is down", link.number, node.name, link.address,
                      other.name));
    }
}

// The cluster believes no word that a node is off whose Corosync answers.
std::string what_settles(const NodeView& node) {
  if (node.corosync) return fmt::format("on {}: `systemctl status komainud`", node.name);
  return fmt::format("make sure that it is off, then `komainu fence confirm {}`", node.name);
}

void about_nodes(Alarms& alarms, const Status& status) {
  for (const NodeView& node : status.nodes) {
    const bool absent = node.standing == Standing::kUnknown || node.standing == Standing::kLost;
    if (absent)
      say(alarms, Severity::kAlarm, fmt::format("node {}: {}", node.name, node.reason), what_settles(node));
    if (node.standing == Standing::kSettled || node.standing == Standing::kLeft)
      say(alarms, Severity::kWarning,
          node.standing == Standing::kLeft
              ? fmt::format("node {} takes no part: its daemon was stopped", node.name)
              : fmt::format("node {} takes no part: it surely runs nothing", node.name),
          node.corosync ? fmt::format("on {}: `systemctl start komainud`", node.name)
                        : "switch it on: it joins by itself");
    if (node.verdict == core::Verdict::kIsolated)
      say(alarms, Severity::kWarning, fmt::format("node {} is isolated: it {}", node.name, node.reason));
    if (node.wanted_off_by)
      say(alarms, Severity::kWarning,
          fmt::format("{} wants {} off: {}", *node.wanted_off_by, node.name,
                      node.fence_failures == 0 ? "it is being fenced"
                                               : fmt::format("it failed {} times", node.fence_failures)),
          node.fence_failures == 0 ? "" : "`komainu events` says why");
    if (absent && node.fence_failures > 0)
      say(alarms, Severity::kAlarm, fmt::format("fencing {} failed {} times", node.name, node.fence_failures),
          node.corosync ? "`komainu events` says why" : "`komainu events` says why; " + what_settles(node));
    if (node.suspended)
      say(alarms, Severity::kWarning,
          fmt::format("node {} is suspended: it has stopped acknowledging", node.name));
    if (node.standing == Standing::kMember && !node.guarded)
      say(alarms, Severity::kAlarm,
          fmt::format("node {} starts no group: its watchdog is {}", node.name,
                      node.watchdog ? "slower than [timing] watchdog allows" : "not armed"),
          fmt::format("`journalctl -u komainud` on {} says why", node.name));
    about_links(alarms, status, node);
  }
}

// A moment after each change of it this is over.
void about_corosync(Alarms& alarms, const Status& status) {
  const auto names_of = [&](bool NodeView::* that) {
    std::string names;
    for (const NodeView& node : status.nodes)
      if (node.*that) names += (names.empty() ? "" : ", ") + node.name;
    return names;
  };
  const std::string behind = names_of(&NodeView::corosync_behind);
  const std::string awaited = names_of(&NodeView::corosync_awaited);
  if (behind.empty()) return;
  say(alarms, Severity::kWarning,
      fmt::format("Corosync on {} does not run by configuration {} yet{}", behind, status.config_version,
                  awaited.empty() ? "" : ": it waits for " + awaited),
      awaited.empty()
          ? ""
          : "bring them back: nodes, links, the arbiter and the key do not change before; for one that is "
            "off for good: `corosync-cfgtool -R`, and then take it out");
}

// Active on two nodes as far as the state knows: what must never be.
bool twice(const GroupView& group) {
  return std::ranges::count_if(group.at, [](const ActivityView& at) {
           return at.activity == Activity::kOnline || at.activity == Activity::kStarting ||
                  at.activity == Activity::kFailed;
         }) > 1;
}

void about_stopping(Alarms& alarms, const GroupView& group) {
  for (const ActivityView& at : group.at)
    if (at.activity == Activity::kUnsafe && !at.last_known)
      say(alarms, Severity::kAlarm,
          fmt::format("group {} could not be stopped on {}; it starts nowhere else until that node is fenced",
                      group.name, at.node),
          fmt::format("see `komainu explain {}` and `komainu fence status`", group.name));
}

void about_group(Alarms& alarms, const GroupView& group) {
  if (twice(group))
    say(alarms, Severity::kAlarm, fmt::format("group {} is active twice: {}", group.name, where(group)));
  about_stopping(alarms, group);
  if (group.at.size() == 1 && group.at[0].absent)
    say(alarms, Severity::kAlarm,
        fmt::format("group {} was {}: it starts elsewhere once that node is settled", group.name,
                    where(group)),
        fmt::format("`komainu explain {}` and `komainu fence status` say what it waits for", group.name));
  if (group.given_up)
    say(alarms, Severity::kAlarm,
        fmt::format("group {} was stopped for good after repeated failures", group.name),
        fmt::format("repair what `komainu explain {0}` shows, then `komainu group clear {0}`", group.name));
  else if (wanted(group) && group.at.empty() && !group.order)
    say(alarms, Severity::kAlarm,
        fmt::format("group {} should run and does not: {}", group.name, where(group)),
        fmt::format("`komainu explain {}` says why", group.name));
}

// One warning for all groups with the same reason: with one node of two they are all of them.
void about_spares(Alarms& alarms, const Status& status) {
  std::map<std::string, std::vector<std::string>> alone;
  for (const GroupView& group : status.groups)
    if (!group.nowhere_else.empty()) alone[group.nowhere_else].push_back(group.name);
  for (const auto& [why, groups] : alone)
    say(alarms, Severity::kWarning, fmt::format("{} can run nowhere else: {}", list(groups), why));
}

void about_monitor(Alarms& alarms, const MonitorView& monitor) {
  if (monitor.suspended)
    return say(alarms, Severity::kWarning,
               fmt::format("monitor {} is suspended: nothing is done about what it finds", monitor.name),
               fmt::format("`komainu monitor resume {}` ends that", monitor.name));
  const bool of_fencing = monitor.type == "fencing";
  if (monitor.fails_everywhere && !of_fencing)
    say(alarms, Severity::kAlarm,
        fmt::format("monitor {} fails on every node: a fault that all share; nothing is moved for it",
                    monitor.name));
  for (const HealthView& at : monitor.at) {
    if (at.health != core::Health::kWarning && at.health != core::Health::kFailed) continue;
    if (of_fencing && at.health == core::Health::kFailed) {
      say(alarms, Severity::kAlarm, fmt::format("fencing from {}: {}", at.node, at.evidence),
          "if it were lost, what it runs would start nowhere: mend the device, its options or its network");
      continue;
    }
    say(alarms, Severity::kWarning,
        fmt::format("monitor {} on {}: {}{}{}", monitor.name, at.node, word(at.health),
                    at.evidence.empty() ? "" : ": ", at.evidence));
  }
}

void about_disarm(Alarms& alarms, const Status& status) {
  if (!status.disarmed) return;
  const Duration left = status.disarmed->left;
  say(alarms, Severity::kAlarm,
      fmt::format("disarmed by {} for another {}: {}", status.disarmed->by,
                  duration_text(left > 2min ? std::chrono::ceil<std::chrono::minutes>(left)
                                            : std::max<Duration>(left / 1s * 1s, 1s)),
                  status.disarmed->why),
      "nothing is started, restarted, fenced or reset; `komainu cluster arm` ends that");
}

}  // namespace

std::vector<AlarmView> alarms(const Status& status, const FenceStatus& fencing, core::NoQuorum on_no_quorum) {
  Alarms alarms;
  about_disarm(alarms, status);
  about_view(alarms, status, on_no_quorum);
  if (!status.established()) {
    for (const GroupView& group : status.groups) about_stopping(alarms, group);
    return alarms;
  }
  about_nodes(alarms, status);
  about_corosync(alarms, status);
  if (fencing.brake_used >= fencing.brake_fences && !fencing.levels.empty())
    say(alarms, Severity::kAlarm,
        fmt::format("the brake on fencing holds: {} fences in the last {} s", fencing.brake_used,
                    fencing.brake_window / 1s),
        "find out why nodes fail; a node that is surely off can be confirmed by hand: `komainu fence confirm "
        "NODE`");
  for (const GroupView& group : status.groups) about_group(alarms, group);
  about_spares(alarms, status);
  for (const MonitorView& monitor : status.monitors) about_monitor(alarms, monitor);
  std::ranges::stable_sort(alarms, std::greater<>(), &AlarmView::severity);
  return alarms;
}

}  // namespace komainu::api
