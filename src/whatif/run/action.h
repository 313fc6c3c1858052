// What can be made to happen in a rehearsal: faults, repairs, what a monitor says, and what operators ask
// for. The table is data: the scenario's reader, its diagnostics and `komainu help simulate` are made of it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "core/spec.h"

namespace komainu::whatif {

enum class Kind : std::uint8_t {
  // faults of servers
  kPowerOff,
  kOsCrash,
  kFreeze,
  kShutdown,
  kPowerLoss,
  kDaemonCrash,
  kDaemonHang,
  kCorosyncHang,
  // … of networks
  kLinkDown,
  kPartition,
  kNicDown,
  kUnreachable,
  kArbiterLost,
  // … of applications and their agents
  kAppDies,
  kAppHangs,
  kAppWrong,
  kStartFails,
  kStartHangs,
  kStopFails,
  kStopHangs,
  // … of fencing devices
  kBmcDead,
  kBmcSlow,
  // repairs
  kPowerOn,
  kThaw,
  kPowerBack,
  kDaemonResume,
  kCorosyncResume,
  kLinkUp,
  kHeal,
  kNicUp,
  kReachable,
  kArbiterBack,
  kStartWorks,
  kStopWorks,
  kBmcWorks,
  // what a monitor says, whatever the reason
  kMonitorFailed,
  kMonitorWarning,
  kMonitorHealthy,
  // requests of an operator
  kGroupStart,
  kGroupStop,
  kGroupMove,
  kGroupClear,
  kNodeDrain,
  kNodeStandby,
  kNodeResume,
  kMonitorSuspend,
  kMonitorResume,
  kFenceConfirm,
  kFenceOff,
  kStartAlone,
};

enum class Sort : std::uint8_t { kFault, kRepair, kReport, kRequest };

std::string_view to_string(Sort sort);  // "fault"

// The keys that say what an action is about.
enum class Key : std::uint8_t {
  kNode,
  kPeer,
  kLink,
  kParts,
  kInterface,
  kAddress,
  kGroup,
  kResource,
  kMonitor,
  kLevel,
  kAfter,
  kMissing,
  kEvidence,
};
inline constexpr int kKeys = 13;

std::string_view to_string(Key key);  // as the scenario writes it

// A set of keys.
class Keys {
 public:
  constexpr Keys() = default;
  constexpr Keys(std::initializer_list<Key> keys) {
    for (Key key : keys) bits_ |= bit(key);
  }
  constexpr bool contains(Key key) const { return (bits_ & bit(key)) != 0; }
  std::vector<std::string> names() const;

 private:
  static constexpr std::uint32_t bit(Key key) { return 1U << static_cast<unsigned>(key); }
  std::uint32_t bits_ = 0;
};

struct KindRow {
  Kind kind;
  std::string_view word;  // as the scenario writes it
  Sort sort;
  Keys required;
  Keys allowed;  // beyond the required ones
  std::string_view text;
};

std::span<const KindRow> kinds();
const KindRow& row_of(Kind kind);

// Names are resolved. Which members are set follows from the kind.
struct Action {
  Kind kind = Kind::kPowerOff;
  std::optional<NodeId> node;
  std::optional<NodeId> peer;
  std::optional<GroupId> group;
  std::optional<std::uint32_t> resource;  // of the group
  std::optional<MonitorId> monitor;
  std::optional<std::uint32_t> link;   // from 0, as the configuration lists addresses
  std::optional<std::uint32_t> level;  // of fencing, from 0
  std::string name;                    // interface, address, or evidence
  std::vector<NodeSet> parts;
  NodeSet missing;
  Duration after{0};
  bool operator==(const Action&) const = default;
};

// "guest1 loses power": one sentence for the administrator.
std::string describe(const core::Spec& spec, const Action& action);

}  // namespace komainu::whatif
