#include "config/timing.h"

namespace komainu::config {
// qdevice sends a sign of life to qnetd every 0.8 × timeout (at least 1 s), and qnetd waits for a silent one
// before it gives the vote to the other half: sync_timeout has to cover that, as it does in the defaults of
// corosync-qdevice(8), 10 s and 30 s.
QuorumDeviceTimes quorum_device_times(core::Profile profile) {
  switch (profile) {
    case core::Profile::kFast:
      return {1500ms, 4s};
    case core::Profile::kLan:
      return {2s, 5s};
    case core::Profile::kWan:
      break;
  }
  return {5s, 15s};
}

core::Timing default_timing(core::Profile profile, core::ArbiterType arbiter) {
  core::Timing timing;
  switch (profile) {
    case core::Profile::kFast:
      timing.token = 300ms;
      timing.suspend_after = 500ms;
      timing.grace = 2s;
      timing.lease = 3s;
      timing.tick = 100ms;
      break;
    case core::Profile::kLan:
      break;
    case core::Profile::kWan:
      timing.token = 5s;
      timing.suspend_after = 5s;
      timing.lost_after = 30s;
      timing.startup_wait = 60s;
      timing.grace = 20s;
      timing.lease = 25s;
      timing.tick = 1s;
      timing.rank_delay = 250ms;
      timing.fence_race = 250ms;
      break;
  }
  if (arbiter == core::ArbiterType::kQnetd) {
    timing.grace += quorum_device_times(profile).sync_timeout;
    timing.lease += quorum_device_times(profile).sync_timeout * 3 / 2;  // three quarters of it count
    timing.startup_wait += quorum_device_times(profile).sync_timeout;
  }
  return timing;
}

Duration consensus(const core::Timing& timing) {
  return timing.token * 6 / 5;
}

Duration stop_of(const core::Group& group) {
  Duration sum{0};
  for (const core::Resource& resource : group.resources) sum += resource.stop_timeout;
  return sum;
}
Duration start_of(const core::Group& group) {
  Duration sum{0};
  for (const core::Resource& resource : group.resources) sum += resource.start_timeout;
  return sum;
}

}  // namespace komainu::config
