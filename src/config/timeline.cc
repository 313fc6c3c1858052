#include "config/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "config/timing.h"
#include "config/timing_amounts.h"

namespace komainu::config {
namespace {

using core::Group;
using core::Monitor;

class Draughtsman {
 public:
  Draughtsman(const core::Spec& spec, const params::Registry& registry) : spec_(spec), registry_(registry) {}

  std::vector<Timeline> run() {
    if (spec_.groups.empty()) return {};
    if (spec_.nodes.size() > 1) {
      node_lost();
      daemon_hangs();
    }
    resource_dies();
    monitor_fails();
    if (spec_.nodes.size() > 1) monitor_of_nodes_fails();
    cold_start();
    if (spec_.nodes.size() > 1) move();
    return std::move(lines_);
  }

 private:
  // ---- kinds of failover

  void node_lost() {
    const Group& group = slowest(start_of);
    Timeline& line =
        begin("node-lost", fmt::format("a node loses power; group \"{}\" starts on another", group.name));
    membership(line);
    settle(line);
    add(line, start(group));
  }

  // Without a fencer or a watchdog nobody can tell whether it has stopped its groups: nothing is done about
  // it.
  void daemon_hangs() {
    const bool leased = spec_.timing.watchdog > Duration{0} && !spec_.quorum.allow_split_risk;
    if (spec_.fencing.empty() && !leased) return;
    const Group& group = slowest(start_of);
    Timeline& line =
        begin("daemon-hangs",
              fmt::format("a daemon hangs while its node lives, and does not come back; group \"{}\" "
                          "starts on another node",
                          group.name));
    add(line, {"suspend_after", spec_.timing.suspend_after});
    // Without a fencer the wait for the lease begins with the suspension.
    if (!spec_.fencing.empty()) add(line, {"lost_after", spec_.timing.lost_after});
    settle(line);
    add(line, start(group));
  }

  // A restart begins with the resource that failed: at worst with the first, and all others above it.
  void resource_dies() {
    const Group& group = slowest(both_of);
    Timeline& line = begin("process-dies", fmt::format("a process of group \"{}\" dies; {}", group.name,
                                                       recovery(group.on_failure)));
    add(line, {"the kernel tells", Duration{0}});
    again(line, group);
  }

  void monitor_fails() {
    const Monitor* slowest = nullptr;
    for (const auto& [id, monitor] : spec_.monitors)
      if (monitor.group && (!slowest || detection(monitor) > detection(*slowest))) slowest = &monitor;
    if (!slowest) return;
    const Group& group = *spec_.group(*slowest->group);
    Timeline& line =
        begin("monitor-fails", fmt::format("what monitor \"{}\" watches no longer answers; {}", slowest->name,
                                           recovery(slowest->on_failure.value_or(group.on_failure))));
    add(line, look(*slowest));
    again(line, group);
  }

  void monitor_of_nodes_fails() {
    const Monitor* slowest = nullptr;
    const auto until_move = [&](const Monitor& monitor) {
      return detection(monitor) + monitor.common_mode_wait;
    };
    for (const auto& [id, monitor] : spec_.monitors)
      if (!monitor.affects.empty() && (!slowest || until_move(monitor) > until_move(*slowest)))
        slowest = &monitor;
    if (!slowest) return;
    const GroupId moved = *std::ranges::max_element(slowest->affects, {},
                                                    [&](GroupId id) { return both_of(*spec_.group(id)); });
    const Group& group = *spec_.group(moved);
    Timeline& line = begin(
        "node-unfit",
        fmt::format("monitor \"{}\" fails on one node only; group \"{}\" moves", slowest->name, group.name));
    add(line, look(*slowest));
    add(line, {"common_mode_wait", slowest->common_mode_wait});
    again(line, group);
  }

  void cold_start() {
    const Group& group = slowest(start_of);
    const bool several = spec_.nodes.size() > 1;
    Timeline& line =
        begin("cold-start", several ? fmt::format("all nodes start but one, which stays off; group \"{}\" "
                                                  "starts",
                                                  group.name)
                                    : fmt::format("the server starts; group \"{}\" starts", group.name));
    if (several) {
      membership(line);
      add(line, {"startup_wait", spec_.timing.startup_wait});
      if (spec_.fencing.empty() && !spec_.quorum.allow_split_risk) {
        line.title += " after `komainu fence confirm`";
      } else {
        settle(line);
      }
    }
    add(line, start(group));
  }

  void move() {
    const Group& group = slowest(both_of);
    Timeline& line = begin("move", fmt::format("group \"{}\" is moved by hand", group.name));
    again(line, group);
  }

  // ---- phases

  void membership(Timeline& line) const {
    add(line, {"token", spec_.timing.token});
    add(line, {"consensus", consensus(spec_.timing)});
    for (const Amount amount : {Amount::kDeviceSync, Amount::kHello}) {
      const Duration length = value_of(spec_, registry_, amount, WholeCluster{});
      if (length > Duration{0}) add(line, {name_of(spec_, amount, WholeCluster{}), length});
    }
  }

  // Until it is certain that the lost node runs nothing.
  void settle(Timeline& line) const {
    const core::Timing& times = spec_.timing;
    if (spec_.fencing.empty()) {
      if (spec_.quorum.allow_split_risk) return;
      // docs/protocol.md: the wait is 1 % longer, for the clocks.
      const Duration waits = times.lease + times.watchdog + times.drain + times.max_pause;
      add(line, {"lease", times.lease});
      if (times.watchdog > Duration{0}) add(line, {"watchdog", times.watchdog});
      add(line, {"drain", times.drain});
      add(line, {"max_pause", times.max_pause});
      add(line, {"1 % for the clocks", waits / 100});
      return;
    }
    if (times.fence_race > Duration{0} && spec_.nodes.size() == 2)
      add(line, {"fence_race", times.fence_race});
    add(line, {spec_.fencing.size() > 1 ? "fence by level 1" : "fence", longest_fence(spec_, registry_, 0)});
  }

  static Phase start(const Group& group) {
    return {fmt::format("start of \"{}\"", group.name), start_of(group)};
  }
  static void again(Timeline& line, const Group& group) {
    add(line, {fmt::format("stop of \"{}\"", group.name), stop_of(group)});
    add(line, start(group));
  }

  Duration detection(const Monitor& monitor) const {
    const params::DriverType* type = registry_.find(params::Kind::kMonitor, monitor.type);
    if (type && type->pace == params::Pace::kEvents) return Duration{0};
    return (monitor.interval + monitor.timeout) * (monitor.retries + 1);
  }
  Phase look(const Monitor& monitor) const {
    const Duration length = detection(monitor);
    if (length == Duration{0}) return {"the kernel tells", length};
    return {fmt::format("{} × interval and timeout", monitor.retries + 1), length};
  }

  static std::string recovery(const core::Ladder& ladder) {
    if (ladder.restart > 0) return "it is started again where it was";
    return ladder.failover > 0 ? "it starts on another node" : "its final action follows";
  }

  // ---- helpers

  static Duration both_of(const Group& group) { return stop_of(group) + start_of(group); }
  const Group& slowest(Duration (*length)(const Group&)) const {
    return std::ranges::max_element(spec_.groups, {}, [&](const auto& entry) { return length(entry.second); })
        ->second;
  }
  Timeline& begin(std::string name, std::string title) {
    lines_.push_back({std::move(name), std::move(title), {}});
    return lines_.back();
  }
  static void add(Timeline& line, Phase phase) { line.phases.push_back(std::move(phase)); }

  const core::Spec& spec_;
  const params::Registry& registry_;
  std::vector<Timeline> lines_;
};

}  // namespace

Duration Timeline::sum() const {
  Duration all{0};
  for (const Phase& phase : phases) all += phase.length;
  return all;
}

std::vector<Timeline> timelines(const core::Spec& spec, const params::Registry& registry) {
  return Draughtsman(spec, registry).run();
}

}  // namespace komainu::config
