// One fault or operation of a random schedule, as a value: a schedule is a list of them, and a failing one is
// shrunk by leaving some out. Which node or group it means is chosen when it comes, from numbers that were
// drawn before, so that leaving out one fault does not change what the others are.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace komainu::sim {

enum class FaultKind : std::uint8_t {
  kPowerOff,
  kPowerOffOwner,  // of a group
  kDaemonCrash,
  kShutDown,
  kFreeze,
  kFreezeOwner,
  kDaemonHang,
  kCorosyncHang,
  kPartition,
  kIsolateOwner,
  kOneWay,   // one direction between two nodes
  kCutPair,  // two nodes do not hear each other; the rest does
  kSwizzle,  // links go one by one in some order, and come back in another
  kLinkLoss,
  kArbiterLoss,
  kVoteMoves,
  kSendsRefused,
  kProcessDies,
  kStartFails,
  kStopFails,
  kStopLies,
  kAgentsHang,
  kAgentsSlow,
  kMonitorFails,  // of a group, until it is restarted
  kPlaceFails,    // what a node reaches
  kCommonMode,    // … the same on all
  kDeviceSlow,
  kDeviceDead,
  kDeviceLate,
  kDeviceRefuses,
  kDiskSlow,
  kDiskFails,
  kOldStore,
  kLostStore,
  kPowerLoss,  // everywhere; some come back later
  kGroupStart,
  kGroupStop,
  kGroupMove,
  kGroupClear,
  kDrain,
  kStandby,
  kResume,
  kConfigApply,
  kFenceConfirm,  // of a node that is off, and stays off as long as this lasts
  kMonitorSuspend,
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(FaultKind::kMonitorSuspend) + 1;

std::string_view name_of(FaultKind kind);
std::optional<FaultKind> fault_named(std::string_view name);

struct Fault {
  FaultKind kind = FaultKind::kPowerOff;
  Duration at{0};
  Duration lasts{0};
  std::array<std::uint32_t, 4> choice{};  // drawn beforehand
};

std::string describe(const Fault& fault);

}  // namespace komainu::sim
