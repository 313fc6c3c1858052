#include "sim/shape.h"

#include <fmt/format.h>

#include <algorithm>

namespace komainu::sim {
namespace {

using core::Spec;

constexpr std::uint32_t kMostGroups = 9;

// A second is short here: a schedule of ten minutes has few enough ticks to run thousands of them.
core::Timing timing_of(Shape::Guard guard, std::uint32_t nodes) {
  core::Timing timing;
  timing.suspend_after = 2s;
  timing.tick = nodes == 2 ? 1500ms : 2500ms;
  if (guard != Shape::Guard::kLease) return timing;
  timing.lease = 8s;
  timing.watchdog = 3s;
  timing.drain = 3s;
  return timing;
}

core::Resource service(const char* name) {
  return {.name = name, .type = "command", .params = {}, .start_timeout = 8s, .stop_timeout = 8s};
}

core::Group draw_group(Random& random, std::uint32_t number, std::uint32_t nodes, Shape::Guard guard) {
  core::Group group;
  group.id = GroupId{number};
  group.name = fmt::format("group{}", number);
  group.resources.push_back(service("address"));
  if (random.one_in(2)) group.resources.push_back(service("service"));
  if (random.one_in(6)) group.resources.push_back(service("helper"));
  for (std::uint32_t node = 0; node < nodes; ++node) {
    if (random.one_in(3)) group.prefer.push_back(PlaceId{(node + number) % nodes});
  }
  if (group.prefer.size() > 1 && random.one_in(6)) group.strictness = core::Strictness::kPreferredOnly;
  if (random.one_in(3)) group.failback = core::Failback::kAutomatic;
  group.priority = static_cast<std::int32_t>(random.below(3));
  if (random.one_in(2)) group.needs["memory"] = 1 + random.below(3);
  group.on_failure.restart = random.below(3);
  group.on_failure.failover = random.below(4);
  constexpr std::array kLast{core::FinalAction::kStopGroup, core::FinalAction::kStopGroup,
                             core::FinalAction::kNone,      core::FinalAction::kReset,
                             core::FinalAction::kRestartOs, core::FinalAction::kStopNode};
  group.on_failure.then = kLast[random.below(kLast.size())];
  // A configuration that asks for a reset without a fencer is refused.
  if (group.on_failure.then == core::FinalAction::kReset && guard != Shape::Guard::kFencer)
    group.on_failure.then = core::FinalAction::kRestartOs;
  group.on_failure.forget_after = 60s;
  group.holds_data = guard == Shape::Guard::kFencer && random.one_in(3);
  return group;
}

void relate(core::Group& group, Random& random, std::uint32_t number) {
  if (number == 1) return;
  const GroupId other{1 + random.below(number - 1)};
  switch (random.below(5)) {
    case 0:
      group.apart.push_back(other);
      break;
    case 1:
      group.near.push_back(other);
      break;
    case 2:
      group.after.push_back({other, random.one_in(3) ? core::Dependency::Where::kSamePlace
                                                     : core::Dependency::Where::kAnywhere});
      break;
    default:
      break;
  }
}

void add_monitors(Spec& spec, Random& random) {
  std::uint32_t number = 0;
  for (const auto& [id, group] : spec.groups) {
    if (!random.one_in(2)) continue;
    core::Monitor monitor;
    monitor.id = MonitorId{++number};
    monitor.name = fmt::format("answers{}", id.value);
    monitor.type = "tcp";
    monitor.group = id;
    monitor.resource = static_cast<std::uint32_t>(group.resources.size()) - 1;
    spec.monitors[monitor.id] = monitor;
  }
  // Both look through the same NIC.
  for (const auto& [name, type] : {std::pair("gateway", "ping"), std::pair("lan", "nic-link")}) {
    core::Monitor reach;
    reach.id = MonitorId{++number};
    reach.name = name;
    reach.type = type;
    for (const auto& [id, group] : spec.groups)
      if (random.one_in(2)) reach.affects.push_back(id);
    spec.monitors[reach.id] = reach;
  }
}

void draw_guard(Shape& shape, Spec& spec, Random& random, std::uint32_t nodes) {
  const std::uint32_t draw = random.below(20);
  if (nodes == 2) {
    if (draw == 0) shape.guard = Shape::Guard::kSplitRisk;
    if (draw != 0 && draw < 12) spec.quorum.arbiter = core::ArbiterType::kQnetd;
  } else if (draw < 5) {
    shape.guard = Shape::Guard::kLease;
  } else if (nodes % 2 == 0 && draw < 13) {
    spec.quorum.arbiter = core::ArbiterType::kQnetd;
  }
  spec.quorum.allow_split_risk = shape.guard == Shape::Guard::kSplitRisk;
  if (shape.guard != Shape::Guard::kFencer) return;
  const core::FenceLevel level{{core::FenceDevice{.type = "agent", .params = {}, .targets = {}}}};
  spec.fencing.assign(random.one_in(3) ? 2 : 1, level);
}

}  // namespace

Shape draw_shape(Random& random, std::uint64_t seed) {
  Shape shape;
  auto spec = std::make_shared<Spec>();
  constexpr std::array kNodes{2U, 2U, 2U, 3U, 3U, 3U, 3U, 4U, 5U};
  const std::uint32_t nodes = kNodes[random.below(kNodes.size())];
  spec->cluster = "sim";
  spec->version = 1;
  for (std::uint32_t i = 0; i < nodes; ++i)
    spec->nodes[NodeId{i}] = core::Node{NodeId{i}, fmt::format("node{}", i), {}};
  draw_guard(shape, *spec, random, nodes);
  spec->timing = timing_of(shape.guard, nodes);
  spec->brakes = {1 + random.below(6), 60s + std::chrono::seconds(random.below(90))};
  const std::uint32_t groups = 5 + random.below(3);
  for (std::uint32_t g = 1; g <= groups; ++g) {
    core::Group group = draw_group(random, g, nodes, shape.guard);
    relate(group, random, g);
    spec->groups[group.id] = std::move(group);
  }
  for (std::uint32_t i = 0; i < nodes; ++i)
    if (random.one_in(2)) spec->capacity[NodeId{i}]["memory"] = 4 + random.below(8);
  add_monitors(*spec, random);

  shape.options.seed = seed;
  shape.options.most_drift_ppm = 10'000;
  Latencies& takes = shape.options.latencies;
  takes.boot = {3s, 12s};
  takes.timer = {150ms, 450ms};
  if (random.one_in(4)) takes.deliver = {200us, 60ms};  // a loaded daemon
  if (random.one_in(4)) takes.verdict = {1ms, 4s};      // late, and early relative to the view
  if (random.one_in(6)) takes.vote = {100ms, 10s};      // a quorum device that lets sync wait
  if (random.one_in(4)) takes.report = {1ms, 3s};
  if (random.one_in(4)) takes.store = {1ms, 900ms};
  for (std::uint32_t i = 0; i < nodes; ++i)
    if (random.one_in(6)) shape.options.decision_versions[NodeId{i}] = 2;
  if (random.one_in(5)) shape.options.files[NodeId{random.below(nodes)}] = changed(*spec, random);
  shape.spec = spec;
  return shape;
}

core::SpecPtr changed(const Spec& before, Random& random) {
  auto spec = std::make_shared<Spec>(before);
  auto any = [&]() -> core::Group& {
    auto it = spec->groups.begin();
    std::advance(it, random.below(static_cast<std::uint32_t>(spec->groups.size())));
    return it->second;
  };
  switch (random.below(6)) {
    case 0: {
      const std::uint32_t next = spec->groups.rbegin()->first.value + 1;
      if (next > kMostGroups) break;
      core::Group group;
      group.id = GroupId{next};
      group.name = fmt::format("group{}", next);
      group.resources.push_back(service("address"));
      spec->groups[group.id] = group;
      break;
    }
    case 1: {
      const GroupId gone = any().id;
      if (spec->groups.size() <= 5) break;
      spec->groups.erase(gone);
      std::erase_if(spec->monitors, [&](const auto& entry) { return entry.second.group == gone; });
      for (auto& [id, group] : spec->groups) {
        std::erase(group.apart, gone);
        std::erase(group.near, gone);
        std::erase_if(group.after, [&](const core::Dependency& on) { return on.other == gone; });
      }
      for (auto& [id, monitor] : spec->monitors) std::erase(monitor.affects, gone);
      break;
    }
    case 2:
      spec->capacity[spec->nodes.begin()->first]["memory"] = 4 + random.below(8);
      break;
    case 3:
      any().prefer = {PlaceId{random.below(static_cast<std::uint32_t>(spec->nodes.size()))}};
      break;
    case 4:
      spec->brakes.fences = 1 + random.below(6);
      break;
    default: {
      core::Group& group = any();
      group.priority = static_cast<std::int32_t>(random.below(5));
      group.failback =
          group.failback == core::Failback::kManual ? core::Failback::kAutomatic : core::Failback::kManual;
      break;
    }
  }
  return spec;
}

std::string describe(const Shape& shape) {
  const Spec& spec = *shape.spec;
  const char* quorum = spec.two_node() ? "two_node" : spec.arbiter_votes() != 0 ? "qnetd" : "majority";
  constexpr std::array kGuards{"fencer", "lease", "split risk accepted"};
  return fmt::format("{} nodes, {}, {}, {} groups", spec.nodes.size(), quorum,
                     kGuards[static_cast<std::size_t>(shape.guard)], spec.groups.size());
}

}  // namespace komainu::sim
