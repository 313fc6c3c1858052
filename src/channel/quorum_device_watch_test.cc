#include "channel/quorum_device_watch.h"

#include <gtest/gtest.h>

namespace komainu::channel {
namespace {

using enum QuorumDevice;

// How often it has to be seen until it is told; 0: not within 100 looks.
int looks_until_told(QuorumDeviceWatch& watch, QuorumDevice seen) {
  for (int look = 1; look <= 100; ++look)
    if (watch.look(seen)) return look;
  return 0;
}

TEST(QuorumDeviceWatch, TellsAVoteAtOnceAndEachStateOnce) {
  QuorumDeviceWatch watch;
  EXPECT_EQ(looks_until_told(watch, kVotes), 1);
  EXPECT_EQ(looks_until_told(watch, kVotes), 0);
}

TEST(QuorumDeviceWatch, WaitsForADeviceThatIsBeingStarted) {
  QuorumDeviceWatch watch;
  for (int look = 1; look < QuorumDeviceWatch::kLooksAtFirst; ++look) EXPECT_FALSE(watch.look(kAbsent));
  EXPECT_TRUE(watch.look(kVotes)) << "it has come in time";
  QuorumDeviceWatch other;
  EXPECT_EQ(looks_until_told(other, kAbsent), QuorumDeviceWatch::kLooksAtFirst);
  EXPECT_EQ(looks_until_told(other, kVotes), QuorumDeviceWatch::kLooks);
}

TEST(QuorumDeviceWatch, TellsNothingOfAMoment) {
  QuorumDeviceWatch watch;
  watch.look(kVotes);
  for (int times = 0; times < 10; ++times) {
    EXPECT_FALSE(watch.look(kGivesNoVote));
    EXPECT_FALSE(watch.look(kVotes));
  }
  EXPECT_EQ(looks_until_told(watch, kGivesNoVote), QuorumDeviceWatch::kLooks);
  EXPECT_EQ(looks_until_told(watch, kHangs), QuorumDeviceWatch::kLooks);
}

}  // namespace
}  // namespace komainu::channel
