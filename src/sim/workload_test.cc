#include "sim/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace komainu::sim {
namespace {

const std::string kSchedule =
    "[schedule]\nlength = \"10min\"\nfaults = [3, 5]\nstorms = [1, 2]\nstorm = \"20s\"\n";

std::string complaint(const std::string& text) {
  const auto workloads = parse_workloads(text, "w.toml");
  return workloads ? "none" : workloads.error();
}

TEST(Workload, IsReadWithItsTimesAndKinds) {
  const auto workloads =
      parse_workloads(kSchedule +
                          "[[workload]]\nname = \"power\"\nfaults = [\"power-off\", \"freeze\"]\nweight = 2\n"
                          "lasts = [\"250ms\", \"1min\"]\n",
                      "w.toml");
  ASSERT_TRUE(workloads) << workloads.error();
  EXPECT_EQ(workloads->length, 10min);
  ASSERT_EQ(workloads->all.size(), 1u);
  EXPECT_EQ(workloads->all[0].faults, (std::vector{FaultKind::kPowerOff, FaultKind::kFreeze}));
  EXPECT_EQ(workloads->all[0].lasts.least, 250ms);
  EXPECT_EQ(workloads->all[0].when, Moment::kAny);
}

TEST(Workload, MayWaitForAMoment) {
  const auto at = [](const std::string& when) {
    return kSchedule + "[[workload]]\nname = \"x\"\nwhen = \"" + when +
           "\"\nfaults = [\"isolate\"]\nweight = 1\nlasts = [\"1s\", \"2s\"]\n";
  };
  const auto workloads = parse_workloads(at("start"), "w.toml");
  ASSERT_TRUE(workloads) << workloads.error();
  Random random(1);
  const auto faults = draw_faults(*workloads, random, 100, 45s);
  EXPECT_TRUE(std::ranges::all_of(faults, [](const Fault& fault) { return fault.when == Moment::kStart; }));
  EXPECT_EQ(complaint(at("stop")),
            "w.toml:8:8: there is no such moment; there are: any, order, start, fence, view");
}

TEST(Workload, SaysWhereAMistakeIsAndWhatIsAllowed) {
  const std::string unknown =
      kSchedule +
      "[[workload]]\nname = \"x\"\nfaults = [\"power-of\"]\nweight = 1\nlasts = [\"1s\", \"2s\"]\n";
  EXPECT_TRUE(complaint(unknown).starts_with("w.toml:8:11: there is no such fault; there are: power-off, "))
      << complaint(unknown);
  EXPECT_TRUE(complaint(kSchedule + "speed = 3\n").starts_with("w.toml:6:9: 'speed' is not known here"));
  EXPECT_TRUE(complaint("[schedule]\nlength = \"ten\"\n").starts_with("w.toml:2:10: expected a duration"));
  EXPECT_TRUE(complaint("[schedule\n").starts_with("w.toml:"));
}

TEST(Workload, DrawsMoreFaultsWhenItIsMoreAggressive) {
  Random random(1);
  Random same(1);
  const auto some = draw_faults(default_workloads(), random, 100, 45s);
  const auto many = draw_faults(default_workloads(), same, 300, 45s);
  EXPECT_EQ(many.size(), 3 * some.size());
  EXPECT_TRUE(std::ranges::is_sorted(many, {}, &Fault::at));
}

TEST(Fault, HasANameThatFindsItAgain) {
  for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
    const auto fault = static_cast<FaultKind>(kind);
    EXPECT_EQ(fault_named(name_of(fault)), fault);
  }
}

}  // namespace
}  // namespace komainu::sim
