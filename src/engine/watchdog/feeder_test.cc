#include "engine/watchdog/feeder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/testing/world.h"

namespace komainu::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A device on a bench: what was done to it, and whether the machine would still be there.
struct Hardware {
  LocalTime now{100s};
  std::vector<std::string> calls;
  Duration timeout{60s};
  Duration shortest{1s};
  std::optional<LocalTime> fires;
  std::optional<LocalTime> fired;
  bool broken = false;

  void touch() { fires = now + timeout; }
  void passes(Duration time) {
    now = now + time;
    if (fires && now >= *fires && !fired) fired = fires;
  }
};

class FakeDevice final : public WatchdogDevice {
 public:
  explicit FakeDevice(Hardware& hardware) : hardware_(hardware) {
    hardware_.calls.emplace_back("open");
    hardware_.touch();
  }
  ~FakeDevice() override { hardware_.calls.emplace_back("close"); }
  Duration timeout() const override { return hardware_.timeout; }
  Result<void> set_timeout(Duration timeout) override {
    hardware_.calls.push_back("set " + std::to_string(timeout / 1s));
    hardware_.timeout = std::max(timeout, hardware_.shortest);
    hardware_.touch();
    return {};
  }
  Result<void> feed() override {
    if (hardware_.broken) return failure("cannot feed the watchdog: Input/output error");
    hardware_.calls.emplace_back("feed");
    hardware_.touch();
    return {};
  }
  Result<void> disarm() override {
    hardware_.calls.emplace_back("V");
    hardware_.fires.reset();
    return {};
  }
  std::string description() const override { return "a fake"; }

 private:
  Hardware& hardware_;
};

struct Bench {
  Hardware hardware;
  drivers::testing::World world;
  bool idle = true;
  std::optional<std::string> against;
  std::optional<Error> refuses;
  std::vector<std::optional<Duration>> told;
  std::vector<std::string> alarms;
  std::optional<WatchdogFeeder> feeder;

  Bench() { starts_daemon(); }
  void starts_daemon() {
    feeder.emplace(FeederParts{.open = [this]() -> Result<std::unique_ptr<WatchdogDevice>> {
                                 if (refuses) return std::unexpected(*refuses);
                                 return std::make_unique<FakeDevice>(hardware);
                               },
                               .idle = [this] { return idle; },
                               .tell = [this](std::optional<Duration> timeout) { told.push_back(timeout); },
                               .alarm = [this](const Error& error) { alarms.push_back(error.what); },
                               .log = world.log});
    feeder->require([this](LocalTime) { return against; });
    feeder->want(10s);
  }
  // As the loop does it.
  void lives(Duration time) {
    const LocalTime until = hardware.now + time;
    while (hardware.now < until) {
      const Duration next = feeder->beat(hardware.now);
      hardware.passes(std::min<Duration>(next, until - hardware.now));
    }
  }
  std::ptrdiff_t count(const std::string& call) const { return std::ranges::count(hardware.calls, call); }
};

TEST(WatchdogFeeder, ArmsWithTheConfiguredTimeoutAndFeedsFromThenOn) {
  Bench bench;
  bench.lives(60s);
  EXPECT_FALSE(bench.hardware.fired);
  EXPECT_EQ(bench.hardware.calls[0], "open");
  EXPECT_EQ(bench.hardware.calls[1], "set 10");
  EXPECT_GE(bench.count("feed"), 50);
  EXPECT_THAT(bench.told, ElementsAre(Duration{10s}));
}

TEST(WatchdogFeeder, OpensNothingWhereNoneIsWanted) {
  Bench bench;
  bench.feeder->want(0s);
  bench.lives(10s);
  EXPECT_THAT(bench.hardware.calls, IsEmpty());
}

TEST(WatchdogFeeder, LetsTheMachineBeResetOnceSomethingSpeaksAgainstFeeding) {
  Bench bench;
  bench.lives(30s);
  bench.idle = false;
  bench.against = "the lease has run out";
  const LocalTime last = bench.hardware.now;
  bench.lives(11s);
  ASSERT_TRUE(bench.hardware.fired);
  EXPECT_LE(*bench.hardware.fired, last + 10s);
  EXPECT_THAT(bench.alarms, ElementsAre("the watchdog is not fed: the lease has run out"));
}

TEST(WatchdogFeeder, FeedsOnWhenWhatSpokeAgainstItPassedInTime) {
  Bench bench;
  bench.lives(30s);
  bench.against = "the lease has run out";
  bench.lives(8s);
  bench.against.reset();
  bench.lives(30s);
  EXPECT_FALSE(bench.hardware.fired);
}

TEST(WatchdogFeeder, AllConditionsMustHold) {
  Bench bench;
  std::optional<std::string> other;
  bench.feeder->require([&](LocalTime) { return other; });
  bench.lives(5s);
  other = "user space gets nothing done";
  const auto fed = bench.count("feed");
  bench.lives(5s);
  EXPECT_EQ(bench.count("feed"), fed);
}

// Opening a device feeds it.
TEST(WatchdogFeeder, DoesNotEvenOpenTheDeviceAgainstACondition) {
  Bench bench;
  bench.lives(10s);
  bench.idle = false;
  bench.against = "the lease has run out";
  const LocalTime last = bench.hardware.now;
  for (int crash = 0; crash < 20; ++crash) {
    bench.starts_daemon();
    bench.lives(1s);
  }
  EXPECT_EQ(bench.count("open"), 1);
  ASSERT_TRUE(bench.hardware.fired);
  EXPECT_LE(*bench.hardware.fired, last + 10s);
}

TEST(WatchdogFeeder, ASuccessorThatMayGoOnTakesItOver) {
  Bench bench;
  bench.lives(10s);
  bench.idle = false;
  bench.hardware.passes(4s);
  bench.starts_daemon();
  bench.lives(30s);
  EXPECT_FALSE(bench.hardware.fired);
  EXPECT_EQ(bench.count("V"), 0) << "between the two it stayed armed";
}

TEST(WatchdogFeeder, ASuccessorNeverTakesALongerTimeoutWhileSomethingRuns) {
  Bench bench;
  bench.feeder->want(5s);
  bench.lives(2s);
  bench.idle = false;
  bench.starts_daemon();  // wants 10 s
  bench.lives(2s);
  EXPECT_EQ(bench.hardware.timeout, Duration{5s});
  bench.feeder->want(20s);
  EXPECT_EQ(bench.hardware.timeout, Duration{5s});
  bench.idle = true;
  bench.feeder->want(20s);
  EXPECT_EQ(bench.hardware.timeout, Duration{20s});
}

TEST(WatchdogFeeder, IsFastEnoughBeforeTheOthersCountOnIt) {
  Bench bench;
  bench.lives(2s);
  bench.idle = false;
  EXPECT_TRUE(bench.feeder->prepare(4s));
  EXPECT_EQ(bench.hardware.timeout, Duration{4s});
  bench.hardware.shortest = 3s;
  EXPECT_FALSE(bench.feeder->prepare(2s));
}

TEST(WatchdogFeeder, DisarmsAndSaysSoWhenTheDeviceIsSlowerThanAllowed) {
  Bench bench;
  bench.hardware.shortest = 16s;
  bench.lives(1s);
  EXPECT_THAT(bench.hardware.calls, ElementsAre("open", "set 10", "V", "close"));
  EXPECT_THAT(bench.told, IsEmpty());
  ASSERT_EQ(bench.alarms.size(), 1u);
  EXPECT_THAT(bench.alarms[0], HasSubstr("timeout is 16s, as read back, and the others wait for 10s"));
}

TEST(WatchdogFeeder, TriesAgainWhileTheDeviceIsSomebodyElses) {
  Bench bench;
  bench.refuses = Error{"cannot open the watchdog: Device or resource busy", {}};
  bench.lives(20s);
  EXPECT_EQ(bench.alarms.size(), 1u) << "the same is said once";
  EXPECT_THAT(bench.told, IsEmpty());
  bench.refuses.reset();
  bench.lives(10s);
  EXPECT_THAT(bench.told, ElementsAre(Duration{10s}));
}

TEST(WatchdogFeeder, SaysThatNothingGuardsTheNodeWhenTheDeviceFails) {
  Bench bench;
  bench.lives(5s);
  bench.hardware.broken = true;
  bench.lives(5s);
  EXPECT_THAT(bench.told, ElementsAre(Duration{10s}, std::nullopt));
  EXPECT_EQ(bench.alarms.size(), 1u);
}

// The kernel disarms on close only if the magic character came just before.
TEST(WatchdogFeeder, EndsWithTheMagicCharacterAndThenCloses) {
  Bench bench;
  bench.lives(1s);
  bench.hardware.calls.clear();
  bench.feeder->end();
  EXPECT_THAT(bench.hardware.calls, ElementsAre("V", "close"));
  bench.hardware.passes(60s);
  EXPECT_FALSE(bench.hardware.fired);
}

TEST(WatchdogFeeder, StaysArmedAtTheEndWhileSomethingRuns) {
  Bench bench;
  bench.lives(1s);
  bench.idle = false;
  bench.hardware.calls.clear();
  bench.feeder->end();
  EXPECT_THAT(bench.hardware.calls, ElementsAre("close"));
  bench.hardware.passes(60s);
  EXPECT_TRUE(bench.hardware.fired);
}

// A machine that stood still: the device did, too, or had reset it.
TEST(WatchdogFeeder, FeedsAfterAPauseOnlyIfNothingSpeaksAgainstItThen) {
  Bench bench;
  const LocalTime lease = bench.hardware.now + 20s;
  bench.feeder->require([&](LocalTime now) {
    return now <= lease ? std::nullopt : std::optional<std::string>("the lease has run out");
  });
  bench.lives(10s);
  bench.idle = false;
  const auto fed = bench.count("feed");
  bench.hardware.now = bench.hardware.now + 3600s;
  bench.feeder->beat(bench.hardware.now);
  EXPECT_EQ(bench.count("feed"), fed);
}

}  // namespace
}  // namespace komainu::engine
