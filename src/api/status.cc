#include "api/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>
#include <variant>

#include "api/alarms.h"
#include "api/documents/sentences.h"
#include "core/admit/admit.h"
#include "core/corosync.h"
#include "core/judge/judge.h"
#include "core/plan/placement.h"

namespace komainu::api {
namespace {

std::string name_of(const core::Spec& spec, NodeId id) {
  const core::Node* node = spec.node(id);
  return node ? node->name : fmt::format("node-{}", id.value);
}
std::string name_of(const core::Spec& spec, PlaceId place) {
  return name_of(spec, core::Spec::node_of(place));
}
std::string name_of(const core::Spec& spec, GroupId id) {
  const core::Group* group = spec.group(id);
  return group ? group->name : fmt::format("group-{}", id.value);
}
std::string name_of(const core::Spec& spec, MonitorId id) {
  const core::Monitor* monitor = spec.monitor(id);
  return monitor ? monitor->name : fmt::format("monitor-{}", id.value);
}
std::string resource_of(const core::Group& group, std::uint32_t index) {
  return index < group.resources.size() ? group.resources[index].name : std::string();
}

bool sees_down(const core::NodeState& node, NodeId peer, std::uint32_t link) {
  auto it = node.links_down.find(peer);
  return it != node.links_down.end() && link < 64 && (it->second >> link & 1) != 0;
}

std::vector<LinkView> links(const core::State& state, const core::Node& node) {
  std::vector<LinkView> views;
  const core::NodeState* here = state.node(node.id);
  for (std::uint32_t number = 0; number < node.links.size(); ++number) {
    LinkView& view = views.emplace_back(LinkView{number, node.links[number], {}});
    if (!here || here->standing != core::Standing::kMember) continue;
    for (const auto& [peer, there] : state.nodes)
      if (peer != node.id && there.standing == core::Standing::kMember &&
          (sees_down(*here, peer, number) || sees_down(there, node.id, number)))
        view.down_to.push_back(name_of(*state.spec, peer));
  }
  return views;
}

std::vector<FenceView> open_fences(const core::State& state, const core::NodeState& node) {
  std::vector<FenceView> views;
  for (const auto& [executor, order] : node.fences)
    views.push_back({name_of(*state.spec, executor), order.level});
  return views;
}

// Where the group is active. Outside a view the cluster records nothing: there this node's own rows are as
// its executor says.
std::map<PlaceId, core::Activity> activities(const Position& position, GroupId id,
                                             const core::GroupState& group) {
  std::map<PlaceId, core::Activity> at(group.at.begin(), group.at.end());
  if (position.established() || !position.holds) return at;
  const PlaceId here = core::Spec::place_of(position.self);
  at.erase(here);
  if (auto held = position.holds->find(id); held != position.holds->end()) at[here] = held->second;
  return at;
}

// What the verdict's row of the evidence table leaves open: which groups, which monitors, which links.
std::string reason(const core::State& state, const core::Node& node, const core::NodeState& known,
                   const NodeView& view, const core::Row& judged) {
  if (!view.fences.empty()) return fmt::format("being fenced by {}", view.fences[0].executor);
  if (known.fence_wish) return fmt::format("to be fenced, as {} asked", known.fence_wish->by);
  if (known.standing == core::Standing::kLost)
    return fmt::format("{}; {}", known.ring_member ? "its daemon is gone" : "absent",
                       view.groups.empty() ? "it ran no group" : "it may run " + list(view.groups));
  if (view.verdict != core::Verdict::kDegraded) return std::string(judged.text);
  std::vector<std::string> parts;
  for (const auto& [id, monitor] : state.monitors) {
    auto at = monitor.at.find(core::Spec::place_of(node.id));
    const core::Monitor* configured = state.spec->monitor(id);
    if (configured && !configured->group && !monitor.suspended && at != monitor.at.end() &&
        at->second == core::Health::kFailed)
      parts.push_back(fmt::format("monitor {} fails", configured->name));
  }
  for (const LinkView& link : view.links)
    if (!link.down_to.empty())
      parts.push_back(fmt::format("link {} to {} is down", link.address, list(link.down_to)));
  return parts.empty() ? std::string(judged.text) : list(parts);
}

// Why no other place could take a group that is online: "guest2 (drained)". Empty: one could, or the
// configuration allows no other.
std::string nowhere_else(const core::State& state, GroupId group, PlaceId online) {
  std::vector<std::string> others;
  for (const core::Candidate& candidate : core::explain_placement(state, group)) {
    if (candidate.place == online) continue;
    if (!candidate.obstacle) return {};
    if (candidate.obstacle->kind == core::Obstacle::Kind::kNotAllowed) continue;
    const std::string name = name_of(*state.spec, candidate.place);
    constexpr std::string_view kNo = ": no: ";
    others.push_back(
        fmt::format("{} ({})", name, core::to_text(*state.spec, candidate).substr(name.size() + kNo.size())));
  }
  return list(others);
}

std::string view_text(const core::ViewId& view) {
  return fmt::format("{}.{}.{}", view.ring.leader, view.ring.seq, view.round);
}

std::string time_text(WallTime when) {
  auto day = std::chrono::floor<std::chrono::days>(when);
  std::chrono::year_month_day date{day};
  auto us = (when - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     us / 3'600'000'000, us / 60'000'000 % 60, us / 1'000'000 % 60, us % 1'000'000);
}

std::optional<DisarmedView> disarmed_view(const core::State& state) {
  if (!state.disarmed) return std::nullopt;
  const core::Disarmed& disarmed = *state.disarmed;
  return DisarmedView{disarmed.by, disarmed.why, disarmed.until - state.clock};
}

}  // namespace

std::string_view version() {
  return KOMAINU_VERSION;
}

NodeView node_view(const core::State& state, const Position& position, const core::Node& node) {
  NodeView view{.name = node.name,
                .self = node.id == position.self,
                .last_known = !position.established(),
                .links = links(state, node)};
  const core::NodeState* known = state.node(node.id);
  if (!known) {
    view.reason = "not known to the cluster yet";
    return view;
  }
  view.standing = known->standing;
  view.suspended = known->suspended;
  view.leaving = known->leaving;
  view.corosync = known->ring_member;
  view.corosync_behind = core::corosync_behind(state).contains(node.id);
  view.corosync_awaited =
      !core::corosync_behind(state).empty() && core::corosync_awaits(state).contains(node.id);
  view.duty = known->duty;
  view.fences = open_fences(state, *known);
  if (known->fence_wish) view.wanted_off_by = known->fence_wish->by;
  view.fence_failures = known->fence_failures;
  view.watchdog = known->watchdog;
  view.guarded = state.spec->guarded_by(known->watchdog);
  for (const auto& [id, group] : state.groups)
    if (activities(position, id, group).contains(core::Spec::place_of(node.id)))
      view.groups.push_back(name_of(*state.spec, id));
  if (view.self && view.last_known) {
    view.verdict = core::Verdict::kUnknown;
    view.reason = position.quorate ? "joining the cluster" : "no quorum";
    return view;
  }
  const core::Row& judged = core::judge(state, core::Spec::place_of(node.id));
  view.verdict = judged.verdict;
  view.reason = reason(state, node, *known, view, judged);
  return view;
}

GroupView group_view(const core::State& state, const Position& position, const core::Group& group) {
  const core::Spec& spec = *state.spec;
  GroupView view{.name = group.name, .autostart = group.autostart, .last_known = !position.established()};
  for (const core::Resource& resource : group.resources) {
    view.resources.push_back({resource.name, resource.type, 0});
    view.start_limit += resource.start_timeout;
    view.stop_limit += resource.stop_timeout;
  }
  for (PlaceId place : group.prefer) view.prefer.push_back(name_of(spec, place));
  const core::GroupState* known = state.group(group.id);
  if (!known) return view;

  view.version = known->version;
  view.wish = known->intent.wish;
  if (known->intent.move_to) view.move_to = name_of(spec, *known->intent.move_to);
  for (const auto& [place, activity] : activities(position, group.id, *known)) {
    const core::NodeState* on = state.node(core::Spec::node_of(place));
    const bool absent = !on || on->standing != core::Standing::kMember;
    const bool certain = view.last_known && position.holds && core::Spec::node_of(place) == position.self;
    view.at.push_back({name_of(spec, place), activity, absent && !certain, view.last_known && !certain});
  }
  const bool stopped_here = view.last_known && position.holds && !position.holds->contains(group.id);
  for (PlaceId place : state.may_run(group.id))
    if (!stopped_here || core::Spec::node_of(place) != position.self)
      view.may_run.push_back(name_of(spec, place));
  if (known->order)
    view.order = OrderView{known->order->kind, name_of(spec, known->order->place),
                           known->order->kind == core::OrderKind::kRestart
                               ? resource_of(group, known->order->first_resource)
                               : std::string()};
  if (known->trouble)
    view.trouble = TroubleView{
        name_of(spec, known->trouble->place), resource_of(group, known->trouble->resource),
        known->trouble->monitor ? std::optional(name_of(spec, *known->trouble->monitor)) : std::nullopt,
        known->trouble->evidence};
  view.given_up = known->given_up;
  if (const auto online = known->online(); online && !view.last_known && view.online())
    view.nowhere_else = nowhere_else(state, group.id, *online);
  view.failovers = known->failovers.count;
  for (const auto& [place, failures] : known->failed_at)
    if (failures.count > 0) view.failed_at.push_back({name_of(spec, place), failures.count});
  for (const auto& [index, restarts] : known->restarts)
    if (index < view.resources.size()) view.resources[index].restarts = restarts.count;
  return view;
}

MonitorView monitor_view(const core::State& state, const core::Monitor& monitor) {
  const core::Spec& spec = *state.spec;
  MonitorView view{.name = monitor.name, .type = monitor.type};
  if (monitor.group) {
    view.group = name_of(spec, *monitor.group);
    if (const core::Group* group = spec.group(*monitor.group))
      view.resource = resource_of(*group, monitor.resource);
  }
  for (GroupId group : monitor.affects) view.affects.push_back(name_of(spec, group));
  auto known = state.monitors.find(monitor.id);
  if (known == state.monitors.end()) return view;
  view.suspended = known->second.suspended;
  view.fails_everywhere = core::fails_everywhere(state, monitor);
  for (const auto& [place, health] : known->second.at) {
    auto evidence = known->second.evidence.find(place);
    view.at.push_back({name_of(spec, place), health,
                       evidence == known->second.evidence.end() ? std::string() : evidence->second});
  }
  return view;
}

FenceStatus fence_status(const core::State& state, const Position& position) {
  const core::Spec& spec = *state.spec;
  FenceStatus status{.brake_fences = spec.brakes.fences,
                     .brake_window = spec.brakes.window,
                     .brake_used = static_cast<std::uint32_t>(core::used_brake(state))};
  for (const core::FenceLevel& level : spec.fencing) {
    FenceLevelView& view = status.levels.emplace_back();
    for (const core::FenceDevice& device : level.devices) {
      FenceDeviceView& of = view.devices.emplace_back(FenceDeviceView{.type = device.type});
      if (auto agent = device.params.find("agent"); agent != device.params.end())
        if (const auto* name = std::get_if<std::string>(&agent->second)) of.agent = *name;
      for (NodeId target : device.targets) of.targets.push_back(name_of(spec, target));
    }
  }
  for (const auto& [id, node] : spec.nodes) {
    FenceTargetView& view =
        status.nodes.emplace_back(FenceTargetView{.node = node.name, .last_known = !position.established()});
    const core::NodeState* known = state.node(id);
    if (!known) continue;
    view.standing = known->standing;
    view.open = open_fences(state, *known);
    if (known->fence_wish) view.wanted_off_by = known->fence_wish->by;
    view.failures = known->fence_failures;
    view.corosync = known->ring_member;
    view.needed = position.established() && id != position.self &&
                  (known->standing == core::Standing::kUnknown || known->standing == core::Standing::kLost);
    view.braked = view.needed && view.open.empty() && core::is_braked(state);
  }
  return status;
}

FenceTest fence_test(const core::Spec& spec, NodeId self, NodeSet targets,
                     const std::vector<FenceTried>& tried) {
  FenceTest test{.self = name_of(spec, self)};
  for (NodeId target : targets) {
    FenceTestedView& node = test.nodes.emplace_back(FenceTestedView{.node = name_of(spec, target)});
    std::map<std::uint32_t, bool> levels;
    for (const FenceTried& device : tried) {
      if (device.target != target) continue;
      bool& all_answer = levels.try_emplace(device.level, true).first->second;
      all_answer = all_answer && !device.problem;
      node.devices.push_back({.level = device.level,
                              .device = device.device,
                              .answers = !device.problem,
                              .problem = device.problem.value_or(""),
                              .took = device.took});
    }
    node.can_be_fenced = std::ranges::any_of(levels, [](const auto& level) { return level.second; });
  }
  return test;
}

Names names(const core::Spec& spec) {
  Names names;
  for (const auto& [id, node] : spec.nodes) names.nodes.push_back(node.name);
  for (const auto& [id, group] : spec.groups) names.groups.push_back(group.name);
  for (const auto& [id, monitor] : spec.monitors) names.monitors.push_back(monitor.name);
  return names;
}

EventView event_view(const core::Spec& spec, const StampedEvent& stamped) {
  const core::Event& event = stamped.event;
  EventView view{.number = stamped.number,
                 .time = time_text(stamped.when),
                 .at = stamped.at.since_boot,
                 .severity = event.severity,
                 .kind = event.kind,
                 .text = event.text};
  if (event.cause)
    view.cause = fmt::format("{}.{:x}.{}", name_of(spec, event.cause.origin), event.cause.incarnation.value,
                             event.cause.number);
  if (event.node) view.node = name_of(spec, *event.node);
  if (event.group) view.group = name_of(spec, *event.group);
  if (event.monitor) view.monitor = name_of(spec, *event.monitor);
  return view;
}

Status status(const core::State& state, const Position& position) {
  const core::Spec& spec = *state.spec;
  Status made{.version = std::string(version()),
              .cluster = spec.cluster,
              .self = name_of(spec, position.self),
              .phase = position.phase,
              .quorate = position.quorate,
              .view = view_text(position.view),
              .position = position.position,
              .epoch = state.lineage.epoch,
              .config_version = spec.version,
              .cold = state.cold,
              .disarmed = disarmed_view(state)};
  if (state.pending_spec) made.pending_config_version = state.pending_spec->spec->version;
  for (const auto& [id, node] : spec.nodes) made.nodes.push_back(node_view(state, position, node));
  for (const auto& [id, group] : spec.groups) made.groups.push_back(group_view(state, position, group));
  for (const auto& [id, monitor] : spec.monitors) made.monitors.push_back(monitor_view(state, monitor));
  made.alarms = alarms(made, fence_status(state, position), spec.quorum.on_no_quorum);
  return made;
}

}  // namespace komainu::api
