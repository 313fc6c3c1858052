#include "sim/fault.h"

#include <fmt/format.h>

#include <algorithm>

namespace komainu::sim {
namespace {

constexpr std::array<std::string_view, kFaultKinds> kNames{
    "power-off",       "power-off-owner", "daemon-crash",   "shut-down",    "freeze",        "freeze-owner",
    "daemon-hang",     "daemons-hang",    "corosync-hang",  "partition",    "isolate",       "isolate-owner",
    "one-way",         "cut-pair",        "swizzle",        "link-loss",    "arbiter-loss",  "vote-moves",
    "sends-refused",   "process-dies",    "start-fails",    "stop-fails",   "stop-lies",     "agents-hang",
    "agents-slow",     "monitor-fails",   "place-fails",    "nic-fails",    "common-mode",   "device-slow",
    "device-dead",     "device-late",     "device-refuses", "disk-slow",    "disk-fails",    "old-store",
    "lost-store",      "power-loss",      "group-start",    "group-stop",   "group-move",    "group-clear",
    "drain",           "standby",         "resume",         "config-apply", "fence-confirm", "fence-off",
    "monitor-suspend", "disarm"};

}  // namespace

std::string_view name_of(FaultKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}
std::optional<FaultKind> fault_named(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<FaultKind>(found - kNames.begin());
}
std::string describe(const Fault& fault) {
  const auto seconds = [](Duration time) { return static_cast<double>(time.count()) / 1e6; };
  const std::string when =
      fault.when == Moment::kAny
          ? ""
          : fmt::format(" at the next {}", kMomentNames[static_cast<std::size_t>(fault.when)]);
  return fmt::format("{:9.3f} s  {:<16} for {:.3f} s  ({}, {}, {}, {}){}", seconds(fault.at),
                     name_of(fault.kind), seconds(fault.lasts), fault.choice[0], fault.choice[1],
                     fault.choice[2], fault.choice[3], when);
}

}  // namespace komainu::sim
