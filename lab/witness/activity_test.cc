#include "activity.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace komainu::witness {
namespace {

using namespace std::chrono_literals;

constexpr ServerSet kNobody = 0, kFirst = 1, kSecond = 2, kBoth = 3;

TEST(Activity, AMoveWithAGapBetweenIsNoViolation) {
  Activity activity(1, 10ms);
  activity.sample(at(0), {kFirst});
  activity.sample(at(10), {kNobody});
  activity.sample(at(20), {kSecond});
  EXPECT_TRUE(activity.violations(at(0)).empty());
  EXPECT_EQ(activity.changes(at(0)).size(), 3u);
}

TEST(Activity, OneSampleOnTwoServersIsADoubleActivation) {
  Activity activity(1, 10ms);
  activity.sample(at(0), {kFirst});
  activity.sample(at(10), {kBoth});
  activity.sample(at(20), {kSecond});
  const auto found = activity.violations(at(0));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].servers, kBoth);
  EXPECT_EQ(found[0].begin, at(10));
  EXPECT_EQ(found[0].end, at(20));
}

TEST(Activity, ADoubleActivationThatLastsHasNoEnd) {
  Activity activity(1, 10ms);
  activity.sample(at(0), {kBoth});
  ASSERT_EQ(activity.violations(at(0)).size(), 1u);
  EXPECT_FALSE(activity.violations(at(0))[0].end);
}

TEST(Activity, TwoThingsOnDifferentServersAreNoViolation) {
  Activity activity(2, 10ms);
  activity.sample(at(0), {kFirst, kSecond});
  EXPECT_TRUE(activity.violations(at(0)).empty());
}

TEST(Activity, ADoubleActivationThatEndedBeforeTheMarkIsNotOfThisMark) {
  Activity activity(1, 10ms);
  activity.sample(at(0), {kBoth});
  activity.sample(at(10), {kFirst});
  EXPECT_TRUE(activity.violations(at(20)).empty());
  EXPECT_EQ(activity.violations(at(0)).size(), 1u);
}

TEST(Activity, ReportsWhenTheJudgeItselfDidNotLook) {
  Activity activity(1, 10ms);
  activity.sample(at(0), {kFirst});
  activity.sample(at(10), {kFirst});
  activity.sample(at(200), {kFirst});
  EXPECT_EQ(activity.largest_gap(at(0)), Duration(190ms));
  EXPECT_EQ(activity.largest_gap(at(300)), Duration(0));
}

}  // namespace
}  // namespace komainu::witness
