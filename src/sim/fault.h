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
  kDaemonsHang,  // several at once: what they share stalls
  kCorosyncHang,
  kPartition,
  kIsolate,
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
  kNicFails,      // … with everything that goes through one of its NICs
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
  kFenceOff,
  kMonitorSuspend,
  kDisarm,
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(FaultKind::kDisarm) + 1;

std::string_view name_of(FaultKind kind);
std::optional<FaultKind> fault_named(std::string_view name);

// Rules are for moments of milliseconds, which faults that come at any time seldom hit: some wait for one,
// and then hit who is in it, at once or soon after.
enum class Moment : std::uint8_t {
  kAny,
  kOrder,  // the first member has admitted a start
  kStart,  // a node begins one
  kFence,
  kView,  // the first member has established one
};
inline constexpr std::array<std::string_view, 5> kMomentNames{"any", "order", "start", "fence", "view"};

struct Fault {
  FaultKind kind = FaultKind::kPowerOff;
  Moment when = Moment::kAny;  // the first such moment after `at`
  Duration at{0};
  Duration lasts{0};
  std::array<std::uint32_t, 4> choice{};  // drawn beforehand
};

std::string describe(const Fault& fault);

}  // namespace komainu::sim
