// The times of a profile, and what follows from them. src/config/timing_check proves that they fit together.
#pragma once

#include "base/time.h"
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

// How long Corosync takes to agree on a membership, after the token was lost.
Duration consensus(const core::Timing& timing);

// The longest that a group may take: its resources, one after the other.
Duration stop_of(const core::Group& group);
Duration start_of(const core::Group& group);

}  // namespace komainu::config
