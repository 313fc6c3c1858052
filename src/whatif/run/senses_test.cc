// How long a monitor needs is what its settings say; what it cannot see, it does not.
#include "whatif/run/senses.h"

#include <gtest/gtest.h>

namespace komainu::whatif {
namespace {

core::Monitor monitor_of(const char* type) {
  core::Monitor monitor;
  monitor.type = type;
  monitor.interval = 5s;
  monitor.timeout = 2s;
  monitor.retries = 1;
  return monitor;
}

TEST(Senses, ALookComesAnIntervalAfterTheFaultAndIsConfirmed) {
  const auto sight = sight_of(monitor_of("http"), Sickness::kDies);
  ASSERT_TRUE(sight);
  EXPECT_EQ(sight->health, core::Health::kFailed);
  EXPECT_EQ(sight->after, 5s + 5s + 10ms);
}

TEST(Senses, AHangTakesTheTimeoutToo) {
  EXPECT_EQ(sight_of(monitor_of("http"), Sickness::kHangs)->after, 5s + 5s + 2s);
  core::Monitor slow = monitor_of("http");
  slow.timeout = 8s;  // longer than the interval: looks do not pile up
  EXPECT_EQ(sight_of(slow, Sickness::kHangs)->after, 5s + 8s + 8s);
}

TEST(Senses, ATimeoutThatIsNoFailureOnlyWarns) {
  core::Monitor lenient = monitor_of("http");
  lenient.timeout_is_failure = false;
  EXPECT_EQ(sight_of(lenient, Sickness::kHangs)->health, core::Health::kWarning);
}

TEST(Senses, TheKernelTellsOfADeathAtOnceAndOfAHangNever) {
  EXPECT_LT(sight_of(monitor_of("process"), Sickness::kDies)->after, 100ms);
  EXPECT_FALSE(sight_of(monitor_of("process"), Sickness::kHangs));
  EXPECT_FALSE(sight_of(monitor_of("tcp"), Sickness::kHangs)) << "the kernel goes on accepting";
}

TEST(Senses, ACommandIsAskedEveryWatchInterval) {
  core::Resource resource{.name = "app", .type = "command"};
  EXPECT_EQ(own_watch_of(resource), 10s + 10ms);
  resource.params["watch_interval"] = Duration{3s};
  EXPECT_EQ(own_watch_of(resource), 3s + 10ms);
  resource.params["watch_interval"] = Duration{0s};
  EXPECT_FALSE(own_watch_of(resource));
}

}  // namespace
}  // namespace komainu::whatif
