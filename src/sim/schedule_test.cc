// Random schedules of whole clusters: none breaks a rule, the same seed is the same schedule, and a toy is
// called one. The long runs are `./dev sim --schedules N`.
#include "sim/schedule.h"

#include <gtest/gtest.h>

#include "sim/campaign.h"

namespace komainu::sim {
namespace {

TEST(Schedule, BreaksNoRuleInAFewHundredSeeds) {
  const CampaignReport report =
      run_campaign({.first_seed = 1, .schedules = 300, .jobs = 2}, default_workloads());
  EXPECT_TRUE(report.findings.empty()) << as_text(report);
}

TEST(Schedule, IsTheSameForTheSameSeed) {
  Schedule schedule = draw_schedule(4, default_workloads(), 100);
  schedule.trace = Schedule::Trace::kKeep;
  const ScheduleReport one = run_schedule(schedule, default_workloads());
  const ScheduleReport two = run_schedule(schedule, default_workloads());
  EXPECT_GT(one.trace.size(), 1'000u);
  EXPECT_EQ(one.trace, two.trace);
  EXPECT_EQ(one.premises, two.premises);
}

TEST(Campaign, ReportsTheSameOnOneCoreAndOnTwo) {
  const CampaignReport one = run_campaign({.first_seed = 7, .schedules = 20, .jobs = 1}, default_workloads());
  const CampaignReport two = run_campaign({.first_seed = 7, .schedules = 20, .jobs = 2}, default_workloads());
  EXPECT_EQ(one.premises, two.premises);
  EXPECT_EQ(one.delivered, two.delivered);
  EXPECT_EQ(one.shapes, two.shapes);
}

TEST(Schedule, NeedsFaultsOfSeveralKindsOrItIsAToy) {
  Schedule schedule = draw_schedule(4, default_workloads(), 100);
  EXPECT_FALSE(run_schedule(schedule, default_workloads()).is_toy());
  schedule.faults.resize(3);
  schedule.too_little = Schedule::TooLittle::kIsLeft;
  EXPECT_TRUE(run_schedule(schedule, default_workloads()).is_toy());
}

TEST(Schedule, IsMadeLongerUntilEnoughHasHappened) {
  Schedule schedule = draw_schedule(4, default_workloads(), 100);
  schedule.faults.resize(3);
  EXPECT_FALSE(run_schedule(schedule, default_workloads()).is_toy());
}

}  // namespace
}  // namespace komainu::sim
