#include "config/timing_rules.h"

namespace komainu::config {
namespace {

using core::Spec;
using enum Amount;
using enum Relation;

bool several(const Spec& spec) {
  return spec.nodes.size() > 1;
}
// The end of a lease stands for a fence.
bool leased(const Spec& spec) {
  return several(spec) && spec.fencing.empty();
}

constexpr Condition kAlways{"always", [](const Spec&) { return true; }};
constexpr Condition kSeveralNodes{"with several nodes", several};
constexpr Condition kFenced{"with fencing", [](const Spec& spec) { return !spec.fencing.empty(); }};
constexpr Condition kLeased{"without fencing", leased};
constexpr Condition kGuarded{"without fencing, with a watchdog", [](const Spec& spec) {
                               return leased(spec) && spec.timing.watchdog > Duration{0};
                             }};
constexpr Condition kQuorumDevice{"with a quorum device", [](const Spec& spec) {
                                    return several(spec) && spec.quorum.arbiter == core::ArbiterType::kQnetd;
                                  }};

}  // namespace

std::span<const TimingRule> timing_rules() {
  // The first amount on the left is what a person would look at first. A change of the membership takes token
  // + consensus, and what the quorum device takes; then the daemons say Hello.
  static const std::vector<TimingRule> rules{
      {"consensus",
       {{kConsensus}},
       kAtLeast,
       {{kToken, 6, 5}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kError,
       "Corosync refuses less (corosync.conf(5))"},
      {"quorum device heard",
       {{kDeviceTimeout, 4, 5}},
       kAtLeast,
       {{kShortestSign}},
       kQuorumDevice,
       Each::kCluster,
       Severity::kError,
       "corosync-qdevice sends its signs of life no faster"},
      {"quorum device decides",
       {{kDeviceSync}},
       kAtLeast,
       {{kDeviceTimeout, 2}},
       kQuorumDevice,
       Each::kCluster,
       Severity::kError,
       "qnetd gives the vote away only after it has missed a sign of life of the half that is gone"},
      {"suspension",
       {{kSuspendAfter}},
       kAtLeast,
       {{kTick, 2}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kError,
       "daemons acknowledge once a tick: healthy ones would be suspended"},
      {"loss after suspension",
       {{kLostAfter}},
       kLonger,
       {{kSuspendAfter}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kError,
       "a member is suspended first, and only then treated as lost"},
      {"loss after a restart",
       {{kLostAfter}},
       kAtLeast,
       {{kDaemonRestart}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kWarning,
       "a daemon that systemd is restarting would be treated as lost"},
      {"loss after a hang",
       {{kSuspendAfter}, {kLostAfter}},
       kAtLeast,
       {{kServiceRestart}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kWarning,
       "systemd kills a daemon that hangs and starts it again: its node would be lost just before"},
      {"survivors keep their groups",
       {{kGrace}},
       kAtLeast,
       {{kToken}, {kConsensus}, {kDeviceSync}, {kHello}, {kTick, 2}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kError,
       "the loss of a peer takes so long, and the last sign of the stream may be two ticks old by then: the "
       "survivors would stop their groups, too"},
      {"nodes boot together",
       {{kStartupWait}},
       kLonger,
       {{kToken}, {kConsensus}, {kDeviceSync}, {kHello}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kError,
       "nodes that boot at the same time would fence each other before they have met"},
      {"fence race",
       {{kToken}},
       kLonger,
       {{kFenceRace}},
       kSeveralNodes,
       Each::kCluster,
       Severity::kWarning,
       "it decides who of two shoots first; longer only delays every recovery"},
      {"yield before takeover",
       {{kLease}},
       kLonger,
       {{kGrace}},
       kLeased,
       Each::kCluster,
       Severity::kError,
       "a node has to stop its groups before the others take its lease for over and start them"},
      {"lease outlasts a change",
       {{kLease, 3, 4}},
       kLonger,
       {{kToken}, {kConsensus}, {kDeviceSync}, {kHello}},
       kLeased,
       Each::kCluster,
       Severity::kError,
       "it is renewed every quarter, and cannot be renewed while the membership changes: the survivors would "
       "stop their groups, too"},
      {"pause within the lease",
       {{kLease}},
       kAtLeast,
       {{kMaxPause, 2}},
       kLeased,
       Each::kCluster,
       Severity::kError,
       "a node that finds itself paused for half its lease gives up its groups"},
      {"pause within the watchdog",
       {{kWatchdog, 4, 5}},
       kLonger,
       {{kMaxPause}},
       kGuarded,
       Each::kCluster,
       Severity::kError,
       "it is fed every fifth of its time: a pause that the lease survives would reset the node"},
      {"stop before the reset",
       {{kLease}, {kWatchdog}},
       kAtLeast,
       {{kGrace}, {kGroupStop}},
       kGuarded,
       Each::kGroup,
       Severity::kWarning,
       "a node that is cut off begins to stop after `grace`, and its watchdog is not fed beyond the lease "
       "before all has stopped: a stop that takes all its time would end in a reset"},
      {"address check within the start",
       {{kStartTimeout}},
       kLonger,
       {{kAddressCheck}},
       kAlways,
       Each::kCheckedResource,
       Severity::kError,
       "the start would time out while it still asks whether the address is in use"},
      {"common mode",
       {{kCommonModeWait}},
       kAtLeast,
       {{kMonitorLook}},
       kSeveralNodes,
       Each::kMonitorOfNodes,
       Severity::kWarning,
       "the other nodes take so long to find the same: what all share would move groups"},
      {"brake",
       {{kBrakeWindow}},
       kAtLeast,
       {{kBrakedFences}},
       kFenced,
       Each::kFencingLevel,
       Severity::kWarning,
       "a device that never confirms would be tried for ever: the first try is forgotten before the last"},
  };
  return rules;
}

}  // namespace komainu::config
