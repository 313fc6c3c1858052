// What must hold between the times of a configuration, as data: one row for each inequality, with its reason.
// src/config/timing_check evaluates the rows and finds the smallest change that repairs a broken one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "core/spec.h"

namespace komainu::config {

// What a side of an inequality is made of: src/config/timing_amounts has their values.
enum class Amount : std::uint8_t {
  // [timing]
  kToken,
  kSuspendAfter,
  kLostAfter,
  kDaemonRestart,
  kStartupWait,
  kGrace,
  kLease,
  kWatchdog,
  kDrain,
  kMaxPause,
  kTick,
  kFenceRace,
  // what follows from it and from the profile
  kConsensus,      // 1.2 × token, corosync.conf(5)
  kDeviceTimeout,  // of the quorum device, which sends a sign of life every 0.8 × this, corosync-qdevice(8)
  kDeviceSync,     // how long the membership waits for its vote; zero without one
  // given by the program and the system around it
  kHello,           // after the membership has settled, the daemons still say Hello to each other
  kShortestSign,    // corosync-qdevice's least time between signs of life
  kServiceRestart,  // how long systemd takes to notice that the daemon hangs, and to start it again
  // of the object that a row is asked about
  kGroupStop,  // the stop timeouts of its resources
  kStartTimeout,
  kAddressCheck,
  kMonitorLook,  // one interval and one timeout
  kCommonModeWait,
  kFence,  // the longest that a fencing level takes
  kBrakeWindow,
  kBrakedFences,  // as many such fences as the brake allows in its window
};

struct Term {
  Amount amount;
  int times = 1;
  int over = 1;
};

enum class Relation : std::uint8_t { kAtLeast, kLonger };

// What a row is asked about: the cluster as a whole, or each …
enum class Each : std::uint8_t { kCluster, kGroup, kCheckedResource, kMonitorOfNodes, kFencingLevel };

struct Condition {
  std::string_view text;  // "without fencing"
  bool (*holds)(const core::Spec&);
};

struct TimingRule {
  std::string_view name;
  std::vector<Term> left;
  Relation relation;
  std::vector<Term> right;
  const Condition& applies;
  Each each;
  Severity severity;
  std::string_view reason;
};

std::span<const TimingRule> timing_rules();

}  // namespace komainu::config
