// The situations that the safety rules were made for. A simulation that never comes into one proves nothing
// about its rule, so it counts how often each arose.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace komainu::sim {

enum class Premise : std::uint8_t {
  kFenceNeeded,
  kFenceFailed,
  kLateFence,            // a device acted after its agent had given up
  kFenceOutlived,        // confirmed for an incarnation that is not the one known by then
  kMemberWithOpenFence,  // it must start nothing
  kFenceLost,            // its executor, or the daemon there, went during it
  kLeaseWaited,
  kLeaseRanOut,
  kBrakeHeld,
  kArbiterDenied,
  kSplit,           // nodes that are cut off, or a minority
  kLineagesMerged,  // states of two established views meet
  kColdStart,
  kColdStartWithNodeMissing,
  kUnknownNode,  // absent, and could run anything
  kOwnerThawed,
  kOrderLost,
  kOrphan,
  kKilledStartActed,
  kStartOvertaken,  // a stop came while a start was under way
  kSupersededResult,
  kStopLied,
  kStopFailed,
  kStoreStale,
  kStoreFailed,
  kSuspended,
  kStartWithSuspendedMember,
  kLateHello,  // of a member that was suspended before it said it
  kOtherView,  // a message of one was dropped
  kSnapshot,
  kSnapshotInterrupted,
  kStartedOver,
  kYielded,
  kWatchdogFired,
  kOtherFile,  // a member's configuration differs from the cluster's
  kConfigActivated,
  kConfigPendingInterrupted,
  kGivenUp,
  kSendsRefused,
  kFenceConfirmedByHand,
  kFenceAskedFor,  // by an operator
};
inline constexpr std::size_t kPremises = static_cast<std::size_t>(Premise::kFenceAskedFor) + 1;

inline constexpr std::array<std::string_view, kPremises> kPremiseNames{
    "fence needed",
    "fence failed",
    "fence acted after its agent gave up",
    "fence confirmed for an older incarnation",
    "member with an open fence",
    "fence lost with its executor",
    "lease waited for",
    "lease ran out",
    "brake held",
    "arbiter denied its vote",
    "without quorum",
    "two lineages merged",
    "cold start",
    "cold start with a node missing",
    "absent node that may run anything",
    "owner thawed",
    "order lost with its executor",
    "agent outlived its daemon",
    "killed start had acted",
    "stop overtook a start",
    "superseded result",
    "stop said it was done and was not",
    "stop failed",
    "old or lost store offered",
    "store could not be written",
    "member suspended",
    "start with a suspended member",
    "late Hello",
    "message of another view dropped",
    "snapshot sent",
    "snapshot interrupted",
    "daemon started over",
    "node yielded",
    "watchdog fired",
    "member with another configuration file",
    "configuration activated",
    "pending configuration interrupted",
    "recovery given up",
    "sends refused",
    "fence confirmed by hand",
    "fence asked for by an operator",
};

using PremiseCounts = std::array<std::uint64_t, kPremises>;

}  // namespace komainu::sim
