#include "channel/loss_filter.h"

#include <gtest/gtest.h>

namespace komainu::channel {
namespace {

TEST(LossFilter, TellsTheSameFailureToConnectOnce) {
  LossFilter losses;
  EXPECT_TRUE(losses.lost("cannot connect"));
  EXPECT_FALSE(losses.lost("cannot connect"));
  EXPECT_TRUE(losses.lost("another number"));
  losses.reset();
  EXPECT_TRUE(losses.lost("another number"));
}

// The verdict on a ring may come before the group was joined.
TEST(LossFilter, TellsEveryLossOfAConnectionOfWhichSomethingWasTold) {
  LossFilter losses;
  losses.told();
  EXPECT_TRUE(losses.lost("another process of this server"));
  losses.told();
  EXPECT_TRUE(losses.lost("another process of this server"));
  EXPECT_FALSE(losses.lost("another process of this server"));
}

}  // namespace
}  // namespace komainu::channel
