#include "config/timing.h"

#include <gtest/gtest.h>

#include <string>

namespace komainu::config {
namespace {

using core::ArbiterType;
using core::Profile;

constexpr Profile kProfiles[] = {Profile::kFast, Profile::kLan, Profile::kWan};

core::Spec spec(Profile profile, ArbiterType arbiter, std::size_t nodes = 4) {
  core::Spec result;
  result.profile = profile;
  result.quorum.arbiter = arbiter;
  result.timing = default_timing(profile, arbiter);
  for (std::uint32_t id = 0; id < nodes; ++id) result.nodes[NodeId{id}].id = NodeId{id};
  core::Group& group = result.groups[GroupId{0}];
  group.name = "web";
  group.resources.resize(2);
  for (core::Resource& resource : group.resources) resource.stop_timeout = 5s;
  return result;
}

std::vector<std::string> texts(const core::Spec& spec) {
  std::vector<std::string> result;
  for (const TimingProblem& problem : timing_problems(spec)) result.push_back(problem.what);
  return result;
}
using Texts = std::vector<std::string>;

TEST(Timing, ProfilesHoldTheirOwnInequalities) {
  for (const Profile profile : kProfiles)
    for (const ArbiterType arbiter : {ArbiterType::kNone, ArbiterType::kQnetd})
      EXPECT_EQ(texts(spec(profile, arbiter)), Texts{}) << static_cast<int>(profile);
}

TEST(Timing, LanIsTheCoresDefault) {
  EXPECT_EQ(default_timing(Profile::kLan, ArbiterType::kNone), core::Timing{});
}

TEST(Timing, AMembershipChangeIsTokenAndConsensusAndTheQuorumDevice) {
  EXPECT_EQ(membership_change(spec(Profile::kFast, ArbiterType::kNone)), 660ms);
  EXPECT_EQ(membership_change(spec(Profile::kLan, ArbiterType::kNone)), 2200ms);
  EXPECT_EQ(membership_change(spec(Profile::kLan, ArbiterType::kQnetd)), 7200ms);
}

// corosync-qdevice(8): signs of life every 0.8 × timeout, at least 1 s.
TEST(Timing, TheQuorumDevicesTimesAreThoseItAccepts) {
  for (const Profile profile : kProfiles) {
    EXPECT_GE(quorum_device_times(profile).timeout * 8 / 10, 1s);
    EXPECT_GE(quorum_device_times(profile).sync_timeout, quorum_device_times(profile).timeout * 2);
  }
}

TEST(Timing, EachInequalityIsChecked) {
  const struct {
    void (*change)(core::Timing&);
    const char* problem;
  } cases[] = {
      {[](core::Timing& t) { t.tick = 600ms; }, "suspend_after (1s) is shorter than two ticks (1200ms)"},
      {[](core::Timing& t) { t.lost_after = t.daemon_restart = 1s; },
       "lost_after (1s) is not longer than suspend_after (1s)"},
      {[](core::Timing& t) { t.daemon_restart = 13s; },
       "lost_after (12s) is shorter than daemon_restart (13s)"},
      {[](core::Timing& t) { t.grace = 2600ms; }, "grace (2600ms) is shorter than 2700ms"},
      {[](core::Timing& t) { t.startup_wait = 2s; }, "startup_wait (2s) is not longer than 2700ms"},
      {[](core::Timing& t) { t.fence_race = 1s; }, "fence_race (1s) is not shorter than token (1s)"},
      {[](core::Timing& t) { t.grace = t.lease; }, "grace (5s) is not shorter than lease (5s)"},
      {[](core::Timing& t) {
         t.lease = 2900ms;
         t.grace = 2800ms;
       },
       "lease (2900ms) is too short: three quarters of it are not longer than 2200ms"},
      {[](core::Timing& t) { t.max_pause = 2600ms; },
       "max_pause (2600ms) is longer than half the lease (2500ms)"},
      {[](core::Timing& t) { t.watchdog = 10s; }, "watchdog (10s) is counted on"},
      {[](core::Timing& t) { t.drain = 8s; },
       "drain (8s) is too short: group \"web\" may take 10s to stop, and others start it 9s after it "
       "began to"},
  };
  for (const auto& [change, problem] : cases) {
    core::Spec wrong = spec(Profile::kLan, ArbiterType::kNone);
    change(wrong.timing);
    EXPECT_EQ(texts(wrong), Texts{problem});
  }
}

TEST(Timing, TheLeaseMattersOnlyWithoutFencing) {
  core::Spec fenced = spec(Profile::kLan, ArbiterType::kNone);
  fenced.timing.lease = 1s;
  EXPECT_NE(texts(fenced), Texts{});
  fenced.fencing.emplace_back();
  EXPECT_EQ(texts(fenced), Texts{});
}

TEST(Timing, OneServerWaitsForNobody) {
  core::Spec alone = spec(Profile::kLan, ArbiterType::kNone, 1);
  alone.timing.grace = 500ms;
  EXPECT_EQ(texts(alone), Texts{});
}

}  // namespace
}  // namespace komainu::config
