#include "config/timing_amounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/overloaded.h"
#include "config/sections.h"
#include "config/timing.h"

namespace komainu::config {
namespace {

using core::Spec;
using params::Kind;
using params::Registry;

constexpr Duration kHelloTakes = 500ms;
// corosync-qdevice(8): 0.8 × timeout, and no less than this.
constexpr Duration kLeastSign = 1s;
// packaging/komainud.service: WatchdogSec and RestartSec.
constexpr Duration kServiceWatchdog = 3s;
constexpr Duration kServiceRestartDelay = 100ms;

const core::Resource& at(const Spec& spec, const ResourceAt& place) {
  return spec.groups.at(place.group).resources.at(place.index);
}
const core::FenceDevice& at(const Spec& spec, const DeviceAt& place) {
  return spec.fencing.at(place.level).devices.at(place.index);
}

Duration takes(const Registry& registry, Kind kind, const std::string& type, const Params& params) {
  const params::DriverType* known = registry.find(kind, type);
  return known && known->takes ? known->takes(params) : Duration{0};
}

bool reaches(const core::FenceDevice& device, NodeId node) {
  return device.targets.empty() || std::ranges::find(device.targets, node) != device.targets.end();
}

// What [timing] calls the amount; null of another.
const char* timing_key(Amount amount) {
  switch (amount) {
    case Amount::kToken:
    case Amount::kConsensus:
      return "token";
    case Amount::kSuspendAfter:
      return "suspend_after";
    case Amount::kLostAfter:
      return "lost_after";
    case Amount::kDaemonRestart:
      return "daemon_restart";
    case Amount::kStartupWait:
      return "startup_wait";
    case Amount::kGrace:
      return "grace";
    case Amount::kLease:
      return "lease";
    case Amount::kWatchdog:
      return "watchdog";
    case Amount::kDrain:
      return "drain";
    case Amount::kMaxPause:
      return "max_pause";
    case Amount::kTick:
      return "tick";
    case Amount::kFenceRace:
      return "fence_race";
    case Amount::kDeviceTimeout:
    case Amount::kDeviceSync:
    case Amount::kHello:
    case Amount::kShortestSign:
    case Amount::kServiceRestart:
    case Amount::kGroupStop:
    case Amount::kStartTimeout:
    case Amount::kAddressCheck:
    case Amount::kMonitorLook:
    case Amount::kCommonModeWait:
    case Amount::kFence:
    case Amount::kBrakeWindow:
    case Amount::kBrakedFences:
      break;
  }
  return nullptr;
}

// The durations among a driver's own parameters.
template <class Table>
void add_durations(std::vector<TimingKey>& keys, const Registry& registry, Kind kind, const std::string& type,
                   const Table& table) {
  const params::DriverType* known = registry.find(kind, type);
  if (!known || !known->takes) return;
  for (const params::Param& param : known->schema.params)
    if (param.type == params::Type::kDuration && !param.list && param.default_value)
      keys.push_back({table, param.name});
}

bool is_resource_key(const std::string& key) {
  return key == "start_timeout" || key == "stop_timeout";
}

// The parameters that a driver is given under this key, and its declaration.
std::pair<const Params*, const params::Param*> driver_param(const Spec& spec, const Registry& registry,
                                                            const TimingKey& key) {
  const auto of = [&](Kind kind, const std::string& type, const Params& params) {
    return std::pair{&params, registry.find(kind, type)->schema.find(key.key)};
  };
  if (const auto* resource = std::get_if<ResourceAt>(&key.table))
    return of(Kind::kResource, at(spec, *resource).type, at(spec, *resource).params);
  const auto& device = at(spec, std::get<DeviceAt>(key.table));
  return of(Kind::kFencer, device.type, device.params);
}

Duration core::Monitor::* monitor_time(const std::string& key) {
  return key == "interval"  ? &core::Monitor::interval
         : key == "timeout" ? &core::Monitor::timeout
                            : &core::Monitor::common_mode_wait;
}

}  // namespace

// ---- what a rule is asked about

std::vector<Subject> subjects(const Spec& spec, const Registry& registry, Each each) {
  std::vector<Subject> result;
  switch (each) {
    case Each::kCluster:
      result.emplace_back(WholeCluster{});
      break;
    case Each::kGroup:
      for (const auto& [id, group] : spec.groups) result.emplace_back(id);
      break;
    case Each::kCheckedResource:
      for (const auto& [id, group] : spec.groups)
        for (std::size_t i = 0; i < group.resources.size(); ++i)
          if (const auto* type = registry.find(Kind::kResource, group.resources[i].type); type && type->takes)
            result.emplace_back(ResourceAt{id, i});
      break;
    case Each::kMonitorOfNodes:
      for (const auto& [id, monitor] : spec.monitors) {
        const params::DriverType* type = registry.find(Kind::kMonitor, monitor.type);
        if (type && type->pace == params::Pace::kPolled && !monitor.affects.empty()) result.emplace_back(id);
      }
      break;
    case Each::kFencingLevel:
      for (std::size_t i = 0; i < spec.fencing.size(); ++i) result.emplace_back(LevelAt{i});
      break;
  }
  return result;
}

std::string name_of(const Spec& spec, const Subject& subject) {
  return std::visit(
      Overloaded{[](const WholeCluster&) { return std::string(); },
                 [&](GroupId id) { return fmt::format("group \"{}\"", spec.group(id)->name); },
                 [&](const ResourceAt& place) {
                   return fmt::format("resource \"{}/{}\"", spec.group(place.group)->name,
                                      at(spec, place).name);
                 },
                 [&](MonitorId id) { return fmt::format("monitor \"{}\"", spec.monitor(id)->name); },
                 [](const LevelAt& level) { return fmt::format("fencing level {}", level.index + 1); }},
      subject);
}

// ---- what a repair may change

Duration value_of(const Spec& spec, const Registry& registry, const TimingKey& key) {
  const auto driver = [&] {
    const auto [params, declared] = driver_param(spec, registry, key);
    const auto given = params->find(key.key);
    return std::get<Duration>(given == params->end() ? *declared->default_value : given->second);
  };
  return std::visit(Overloaded{[&](const TimingTable&) {
                                 return std::get<Duration>(timing_section().write(spec.timing).at(key.key));
                               },
                               [&](const BrakesTable&) { return spec.brakes.window; },
                               [&](const ResourceAt& place) {
                                 const core::Resource& resource = at(spec, place);
                                 return key.key == "start_timeout"  ? resource.start_timeout
                                        : key.key == "stop_timeout" ? resource.stop_timeout
                                                                    : driver();
                               },
                               [&](MonitorId id) { return spec.monitor(id)->*monitor_time(key.key); },
                               [&](const DeviceAt&) { return driver(); }},
                    key.table);
}

void set(Spec& spec, const TimingKey& key, Duration value) {
  std::visit(Overloaded{[&](const TimingTable&) {
                          spec.timing = timing_section().read_partial({{key.key, value}}, spec.timing);
                        },
                        [&](const BrakesTable&) { spec.brakes.window = value; },
                        [&](const ResourceAt& place) {
                          core::Resource& resource = spec.groups.at(place.group).resources.at(place.index);
                          if (key.key == "start_timeout")
                            resource.start_timeout = value;
                          else if (key.key == "stop_timeout")
                            resource.stop_timeout = value;
                          else
                            resource.params[key.key] = value;
                        },
                        [&](MonitorId id) { spec.monitors.at(id).*monitor_time(key.key) = value; },
                        [&](const DeviceAt& place) {
                          spec.fencing.at(place.level).devices.at(place.index).params[key.key] = value;
                        }},
             key.table);
}

const params::Param& declaration_of(const Spec& spec, const Registry& registry, const TimingKey& key) {
  return *std::visit(Overloaded{[&](const TimingTable&) { return timing_section().schema().find(key.key); },
                                [&](const BrakesTable&) { return brakes_section().schema().find(key.key); },
                                [&](const ResourceAt&) {
                                  return is_resource_key(key.key) ? resource_section().schema().find(key.key)
                                                                  : driver_param(spec, registry, key).second;
                                },
                                [&](MonitorId) { return monitor_section().schema().find(key.key); },
                                [&](const DeviceAt&) { return driver_param(spec, registry, key).second; }},
                     key.table);
}

std::string name_of(const Spec& spec, const TimingKey& key) {
  const std::string owner = std::visit(
      Overloaded{[](const TimingTable&) { return std::string(); },
                 [](const BrakesTable&) { return std::string("[brakes]"); },
                 [&](const ResourceAt& place) { return name_of(spec, Subject{place}); },
                 [&](MonitorId id) { return name_of(spec, Subject{id}); },
                 [](const DeviceAt& place) {
                   return fmt::format("device {} of fencing level {}", place.index + 1, place.level + 1);
                 }},
      key.table);
  return owner.empty() ? key.key : fmt::format("{} of {}", key.key, owner);
}

// ---- amounts

Duration longest_fence(const Spec& spec, const Registry& registry, std::size_t level) {
  Duration longest{0};
  for (const auto& [id, node] : spec.nodes) {
    Duration all{0};
    for (const core::FenceDevice& device : spec.fencing.at(level).devices)
      if (reaches(device, id)) all += takes(registry, Kind::kFencer, device.type, device.params);
    longest = std::max(longest, all);
  }
  return longest;
}

Duration value_of(const Spec& spec, const Registry& registry, Amount amount, const Subject& subject) {
  const bool device = spec.quorum.arbiter == core::ArbiterType::kQnetd;
  const auto resource = [&]() -> const core::Resource& { return at(spec, std::get<ResourceAt>(subject)); };
  const auto monitor = [&]() -> const core::Monitor& { return *spec.monitor(std::get<MonitorId>(subject)); };
  const auto fence = [&] { return longest_fence(spec, registry, std::get<LevelAt>(subject).index); };
  switch (amount) {
    case Amount::kConsensus:
      return consensus(spec.timing);
    case Amount::kDeviceTimeout:
      return device ? quorum_device_times(spec.profile).timeout : Duration{0};
    case Amount::kDeviceSync:
      return device ? quorum_device_times(spec.profile).sync_timeout : Duration{0};
    case Amount::kHello:
      return kHelloTakes;
    case Amount::kShortestSign:
      return kLeastSign;
    case Amount::kServiceRestart:
      return kServiceWatchdog + kServiceRestartDelay;
    case Amount::kGroupStop:
      return stop_of(*spec.group(std::get<GroupId>(subject)));
    case Amount::kStartTimeout:
      return resource().start_timeout;
    case Amount::kAddressCheck:
      return takes(registry, Kind::kResource, resource().type, resource().params);
    case Amount::kMonitorLook:
      return monitor().interval + monitor().timeout;
    case Amount::kCommonModeWait:
      return monitor().common_mode_wait;
    case Amount::kFence:
      return fence();
    case Amount::kBrakeWindow:
      return spec.brakes.window;
    case Amount::kBrakedFences:
      return fence() * spec.brakes.fences;
    case Amount::kToken:
    case Amount::kSuspendAfter:
    case Amount::kLostAfter:
    case Amount::kDaemonRestart:
    case Amount::kStartupWait:
    case Amount::kGrace:
    case Amount::kLease:
    case Amount::kWatchdog:
    case Amount::kDrain:
    case Amount::kMaxPause:
    case Amount::kTick:
    case Amount::kFenceRace:
      break;
  }
  return value_of(spec, registry, TimingKey{TimingTable{}, timing_key(amount)});
}

std::string name_of(const Spec& spec, Amount amount, const Subject& subject) {
  switch (amount) {
    case Amount::kConsensus:
      return "consensus";
    case Amount::kDeviceTimeout:
      return "the quorum device's timeout";
    case Amount::kDeviceSync:
      return "the quorum device's sync_timeout";
    case Amount::kHello:
      return "Hellos";
    case Amount::kShortestSign:
      return "its shortest interval";
    case Amount::kServiceRestart:
      return "the restart by systemd";
    case Amount::kGroupStop:
      return "the stop of " + name_of(spec, subject);
    case Amount::kStartTimeout:
      return "start_timeout of " + name_of(spec, subject);
    case Amount::kAddressCheck:
      return "its check of the address";
    case Amount::kMonitorLook:
      return "its interval and timeout";
    case Amount::kCommonModeWait:
      return "common_mode_wait of " + name_of(spec, subject);
    case Amount::kFence:
      return name_of(spec, subject);
    case Amount::kBrakeWindow:
      return "window of [brakes]";
    case Amount::kBrakedFences:
      return fmt::format("{} tries of {}", spec.brakes.fences, name_of(spec, subject));
    case Amount::kToken:
    case Amount::kSuspendAfter:
    case Amount::kLostAfter:
    case Amount::kDaemonRestart:
    case Amount::kStartupWait:
    case Amount::kGrace:
    case Amount::kLease:
    case Amount::kWatchdog:
    case Amount::kDrain:
    case Amount::kMaxPause:
    case Amount::kTick:
    case Amount::kFenceRace:
      break;
  }
  return timing_key(amount);
}

std::vector<TimingKey> keys_behind(const Spec& spec, const Registry& registry, Amount amount,
                                   const Subject& subject) {
  std::vector<TimingKey> keys;
  switch (amount) {
    case Amount::kDeviceTimeout:
    case Amount::kDeviceSync:
    case Amount::kHello:
    case Amount::kShortestSign:
    case Amount::kServiceRestart:
      break;
    case Amount::kGroupStop: {
      const GroupId group = std::get<GroupId>(subject);
      for (std::size_t i = 0; i < spec.group(group)->resources.size(); ++i)
        keys.push_back({ResourceAt{group, i}, "stop_timeout"});
      break;
    }
    case Amount::kStartTimeout:
      keys.push_back({std::get<ResourceAt>(subject), "start_timeout"});
      break;
    case Amount::kAddressCheck: {
      const auto place = std::get<ResourceAt>(subject);
      add_durations(keys, registry, Kind::kResource, at(spec, place).type, place);
      break;
    }
    case Amount::kMonitorLook:
      keys.push_back({std::get<MonitorId>(subject), "interval"});
      keys.push_back({std::get<MonitorId>(subject), "timeout"});
      break;
    case Amount::kCommonModeWait:
      keys.push_back({std::get<MonitorId>(subject), "common_mode_wait"});
      break;
    case Amount::kFence:
    case Amount::kBrakedFences: {
      const std::size_t level = std::get<LevelAt>(subject).index;
      const auto& devices = spec.fencing.at(level).devices;
      for (std::size_t i = 0; i < devices.size(); ++i)
        add_durations(keys, registry, Kind::kFencer, devices[i].type, DeviceAt{level, i});
      break;
    }
    case Amount::kBrakeWindow:
      keys.push_back({BrakesTable{}, "window"});
      break;
    case Amount::kConsensus:
    case Amount::kToken:
    case Amount::kSuspendAfter:
    case Amount::kLostAfter:
    case Amount::kDaemonRestart:
    case Amount::kStartupWait:
    case Amount::kGrace:
    case Amount::kLease:
    case Amount::kWatchdog:
    case Amount::kDrain:
    case Amount::kMaxPause:
    case Amount::kTick:
    case Amount::kFenceRace:
      keys.push_back({TimingTable{}, timing_key(amount)});
  }
  return keys;
}

}  // namespace komainu::config
