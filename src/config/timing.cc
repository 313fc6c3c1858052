#include "config/timing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration_text.h"
#include "config/sections.h"

namespace komainu::config {
namespace {

// After the membership has settled, the daemons still say Hello to each other.
constexpr Duration kHello = 500ms;

class Checker {
 public:
  explicit Checker(const core::Spec& spec) : spec_(spec), t_(spec.timing), change_(membership_change(spec)) {}

  std::vector<TimingProblem> run() {
    if (spec_.nodes.size() < 2) return {};  // nobody else acts, so nothing has to be waited for
    members();
    require(
        t_.watchdog == Duration::zero(), "watchdog", "is counted on",
        "this version feeds no watchdog device: leave it out, and let drain cover the stop of every group");
    if (spec_.fencing.empty()) lease();
    return std::move(problems_);
  }

 private:
  void members() {
    const std::string change = fmt::format("the loss of a peer takes up to {}", duration_text(change_));
    require(t_.suspend_after >= 2 * t_.tick, "suspend_after",
            fmt::format("is shorter than two ticks ({})", duration_text(2 * t_.tick)),
            "daemons acknowledge once a tick: healthy ones would be suspended");
    require(t_.lost_after > t_.suspend_after, "lost_after",
            fmt::format("is not longer than suspend_after ({})", duration_text(t_.suspend_after)),
            "a member is suspended first, and only then treated as lost");
    require(t_.lost_after >= t_.daemon_restart, "lost_after",
            fmt::format("is shorter than daemon_restart ({})", duration_text(t_.daemon_restart)),
            "a daemon that systemd is restarting would be fenced", Severity::kWarning);
    require(
        t_.grace >= change_ + kHello, "grace",
        fmt::format("is shorter than {}", duration_text(change_ + kHello)),
        change +
            " (2.2 × token, and the quorum device); with less, the survivors would stop their groups too");
    require(t_.startup_wait > change_ + kHello, "startup_wait",
            fmt::format("is not longer than {}", duration_text(change_ + kHello)),
            "nodes that boot at the same time would fence each other before they have met");
    require(t_.fence_race < t_.token, "fence_race",
            fmt::format("is not shorter than token ({})", duration_text(t_.token)),
            "it decides who of two shoots first; longer only delays every recovery", Severity::kWarning);
  }

  // Only where the end of a lease stands for a fence.
  void lease() {
    require(t_.grace < t_.lease, "grace",
            fmt::format("is not shorter than lease ({})", duration_text(t_.lease)),
            "a node has to stop its groups before the others take its lease for over and start them");
    require(t_.lease * 3 / 4 > change_, "lease",
            fmt::format("is too short: three quarters of it are not longer than {}", duration_text(change_)),
            "it is renewed every quarter, and cannot be renewed while the membership changes");
    require(t_.max_pause * 2 <= t_.lease, "max_pause",
            fmt::format("is longer than half the lease ({})", duration_text(t_.lease / 2)),
            "a node that finds itself paused for half its lease gives up its groups");
    if (spec_.quorum.allow_split_risk) return;  // both halves go on anyway
    for (const auto& [id, group] : spec_.groups) {
      Duration stop{0};
      for (const core::Resource& resource : group.resources) stop += resource.stop_timeout;
      require(t_.lease - t_.grace + t_.drain >= stop, "drain",
              fmt::format(
                  "is too short: group \"{}\" may take {} to stop, and others start it {} after it began to",
                  group.name, duration_text(stop), duration_text(t_.lease - t_.grace + t_.drain)),
              "add fencing, or raise drain, or lower the stop timeouts of its resources");
    }
  }

  void require(bool holds, const char* key, std::string what, std::string help,
               Severity severity = Severity::kError) {
    if (holds) return;
    const auto value = std::get<Duration>(timing_section().write(t_).at(key));
    problems_.push_back(
        {severity, key, fmt::format("{} ({}) {}", key, duration_text(value), what), std::move(help)});
  }

  const core::Spec& spec_;
  const core::Timing& t_;
  Duration change_;
  std::vector<TimingProblem> problems_;
};

}  // namespace

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
    timing.lease += quorum_device_times(profile).sync_timeout;
    timing.startup_wait += quorum_device_times(profile).sync_timeout;
  }
  return timing;
}

Duration membership_change(const core::Spec& spec) {
  Duration change = spec.timing.token + spec.timing.token * 6 / 5;
  if (spec.quorum.arbiter == core::ArbiterType::kQnetd)
    change += quorum_device_times(spec.profile).sync_timeout;
  return change;
}

std::vector<TimingProblem> timing_problems(const core::Spec& spec) {
  return Checker(spec).run();
}

}  // namespace komainu::config
