// The times of a profile, and the proof that a configuration's times fit together.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "config/diagnostic.h"
#include "core/spec.h"

namespace komainu::config {

// How long votequorum waits for its quorum device, in normal operation and while the membership changes
// (corosync-qdevice(8)). Nothing can be sent during the latter.
struct QuorumDeviceTimes {
  Duration timeout;
  Duration sync_timeout;
};
QuorumDeviceTimes quorum_device_times(core::Profile profile);

// What is not named in [timing].
core::Timing default_timing(core::Profile profile, core::ArbiterType arbiter);

// The longest that an ordinary loss of a member keeps the others from acting.
Duration membership_change(const core::Spec& spec);

struct TimingProblem {
  Severity severity = Severity::kError;
  std::string key;   // of [timing]
  std::string what;  // with both sides' values
  std::string help;
};

// Every inequality that does not hold.
std::vector<TimingProblem> timing_problems(const core::Spec& spec);

}  // namespace komainu::config
