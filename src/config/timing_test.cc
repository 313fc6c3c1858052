#include "config/timing.h"

#include <gtest/gtest.h>

namespace komainu::config {
namespace {

using core::ArbiterType;
using core::Profile;

TEST(Timing, LanIsTheCoresDefault) {
  EXPECT_EQ(default_timing(Profile::kLan, ArbiterType::kNone), core::Timing{});
}

TEST(Timing, TheQuorumDevicesTimeIsAddedToWhatHasToOutlastIt) {
  const core::Timing with = default_timing(Profile::kLan, ArbiterType::kQnetd);
  EXPECT_EQ(with.grace, core::Timing{}.grace + 5s);
  EXPECT_EQ(with.startup_wait, core::Timing{}.startup_wait + 5s);
  EXPECT_EQ(with.lease, core::Timing{}.lease + 7500ms) << "three quarters of it have to outlast it";
}

}  // namespace
}  // namespace komainu::config
