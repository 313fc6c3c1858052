#include "drivers/monitors/schedule.h"

#include <gtest/gtest.h>

#include "drivers/testing/world.h"

namespace komainu::drivers {
namespace {

using testing::FakeClock;
using testing::ReportLog;
using testing::Started;

// Answers as scripted, the last answer for ever; none: it does not answer.
class Script final : public Check {
 public:
  Script(std::vector<std::optional<Health>> answers, int& looks)
      : answers_(std::move(answers)), looks_(looks) {}
  Task<Verdict> look(Duration) override {
    const std::size_t i = std::min<std::size_t>(static_cast<std::size_t>(looks_++), answers_.size() - 1);
    if (!answers_[i]) {
      auto stay = forever();
      co_await stay;
    }
    co_return Verdict{*answers_[i], *answers_[i] == Health::kHealthy ? "" : "seen"};
  }

 private:
  std::vector<std::optional<Health>> answers_;
  int& looks_;
};

struct Bench {
  FakeClock clock;
  ReportLog reports;
  Schedule schedule{.interval = 10s, .timeout = 3s, .retries = 2, .quiet = Schedule::Quiet::kNever};
  int looks = 0;
  std::unique_ptr<Monitor> monitor;
  std::optional<Started<void>> running;

  ~Bench() { running.reset(); }
  void run(std::vector<std::optional<Health>> answers) {
    monitor = polled(std::make_unique<Script>(std::move(answers), looks), schedule, clock);
    running.emplace(monitor->run(reports));
  }
};

constexpr auto kHealthy = Health::kHealthy;
constexpr auto kWarning = Health::kWarning;
constexpr auto kFailed = Health::kFailed;

TEST(Schedule, LooksEveryIntervalAfterTheStartDelay) {
  Bench bench;
  bench.schedule.start_delay = 4s;
  bench.run({kHealthy});
  bench.clock.advance(3999ms);
  EXPECT_EQ(bench.looks, 0);
  bench.clock.advance(1ms);
  EXPECT_EQ(bench.looks, 1);
  bench.clock.advance(9999ms);
  EXPECT_EQ(bench.looks, 1);
  bench.clock.advance(1ms);
  EXPECT_EQ(bench.looks, 2);
  EXPECT_EQ(bench.reports.verdicts.size(), 1u) << "only changes are reported";
}

TEST(Schedule, AFailureCountsOnlyAfterItsRetries) {
  Bench bench;
  bench.run({kHealthy, kFailed});
  bench.clock.advance(20s);
  EXPECT_EQ(bench.looks, 3);
  EXPECT_EQ(bench.reports.health(), kHealthy);
  bench.clock.advance(10s);
  EXPECT_EQ(bench.reports.health(), kFailed);
  EXPECT_EQ(bench.reports.evidence(), "seen");
}

TEST(Schedule, AnythingButAFailureStartsTheCountAnew) {
  Bench bench;
  bench.run({kHealthy, kFailed, kFailed, kWarning, kFailed, kFailed, kHealthy});
  bench.clock.advance(60s);
  EXPECT_EQ(bench.looks, 7);
  ASSERT_EQ(bench.reports.verdicts.size(), 3u);
  EXPECT_EQ(bench.reports.verdicts[1].health, kWarning);
  EXPECT_EQ(bench.reports.verdicts[2].health, kHealthy);
}

TEST(Schedule, ATimeoutIsAFailureOrAWarningAsConfigured) {
  for (const auto& [on_timeout, health] : {std::pair{Schedule::OnTimeout::kFailed, kFailed},
                                           std::pair{Schedule::OnTimeout::kWarning, kWarning}}) {
    Bench bench;
    bench.schedule.retries = 0;
    bench.schedule.on_timeout = on_timeout;
    bench.run({kHealthy, std::nullopt});
    bench.clock.advance(10s + 3s - 1us);
    EXPECT_EQ(bench.reports.health(), kHealthy);
    bench.clock.advance(1us);
    EXPECT_EQ(bench.reports.health(), health);
    EXPECT_EQ(bench.reports.evidence(), "no answer within 3s");
  }
}

TEST(Schedule, LooksThatTakeLongDoNotPileUp) {
  Bench bench;
  bench.schedule.interval = 1s;
  bench.run({std::nullopt});
  bench.clock.advance(9s);
  EXPECT_EQ(bench.looks, 4) << "at 0, 3, 6 and 9 s: each takes its timeout";
}

TEST(Schedule, IsQuietUntilHealthyOnce) {
  Bench bench;
  bench.schedule.retries = 0;
  bench.schedule.quiet = Schedule::Quiet::kUntilHealthy;
  bench.run({kFailed, kFailed, std::nullopt, kHealthy, kFailed});
  bench.clock.advance(25s);
  EXPECT_TRUE(bench.reports.verdicts.empty());
  bench.clock.advance(5s);
  EXPECT_EQ(bench.reports.health(), kHealthy);
  bench.clock.advance(10s);
  EXPECT_EQ(bench.reports.health(), kFailed);
}

TEST(Schedule, ATimeoutThatIsAWarningDoesNotEndTheQuiet) {
  Bench bench;
  bench.schedule.retries = 0;
  bench.schedule.quiet = Schedule::Quiet::kUntilHealthy;
  bench.schedule.on_timeout = Schedule::OnTimeout::kWarning;
  bench.run({std::nullopt, kFailed});
  bench.clock.advance(30s);
  EXPECT_TRUE(bench.reports.verdicts.empty());
}

TEST(Schedule, ALookThatWarnsHasSeenThatItWorks) {
  Bench bench;
  bench.schedule.retries = 0;
  bench.schedule.quiet = Schedule::Quiet::kUntilHealthy;
  bench.run({kWarning, kFailed});
  EXPECT_EQ(bench.reports.health(), kWarning);
  bench.clock.advance(10s);
  EXPECT_EQ(bench.reports.health(), kFailed);
}

TEST(Schedule, EndsWhenItIsCancelledInTheMiddleOfALook) {
  Bench bench;
  bench.run({std::nullopt});
  bench.running->cancel();
  EXPECT_TRUE(bench.running->was_cancelled());
}

TEST(Judge, WhatTheKernelTellsNeedsNoConfirmation) {
  Judge judge({.retries = 5, .quiet = Schedule::Quiet::kUntilHealthy});
  EXPECT_FALSE(judge.told({kFailed, "down"})) << "quiet";
  EXPECT_TRUE(judge.told({kHealthy, ""}));
  EXPECT_EQ(judge.told({kFailed, "down"}), (Verdict{kFailed, "down"}));
  EXPECT_FALSE(judge.told({kFailed, "still down"}));
}

}  // namespace
}  // namespace komainu::drivers
