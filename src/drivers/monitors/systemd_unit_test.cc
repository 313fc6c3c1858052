#include <gtest/gtest.h>

#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using testing::ReportLog;
using testing::Started;
using testing::World;

struct Bench {
  World world;
  ReportLog reports;
  std::unique_ptr<Monitor> monitor =
      *systemd_unit().make({{"unit", std::string("web.service")}}, {.interval = 5s}, world.services(), {});
  std::optional<Started<void>> running;

  ~Bench() { running.reset(); }
  void run() { running.emplace(monitor->run(reports)); }
  void becomes(const char* active, const char* sub) {
    world.systemd.set("web.service", {.active_state = active, .sub_state = sub});
  }
};

TEST(SystemdUnit, FollowsTheSignalsOfSystemd) {
  Bench bench;
  bench.run();
  EXPECT_TRUE(bench.reports.verdicts.empty()) << "quiet: it has not been active yet";
  bench.becomes("active", "running");
  EXPECT_EQ(bench.reports.health(), Health::kHealthy);
  bench.becomes("failed", "failed");
  EXPECT_EQ(bench.reports.health(), Health::kFailed);
  EXPECT_EQ(bench.reports.evidence(), "web.service is failed");
}

TEST(SystemdUnit, OnTheWayUpSaysNothingYet) {
  Bench bench;
  bench.run();
  bench.becomes("active", "running");
  bench.becomes("activating", "start-pre");
  EXPECT_EQ(bench.reports.health(), Health::kHealthy);
  bench.becomes("activating", "auto-restart");
  EXPECT_EQ(bench.reports.health(), Health::kFailed) << "it died, and systemd tries again";
  bench.becomes("activating", "start");
  EXPECT_EQ(bench.reports.health(), Health::kFailed);
}

TEST(SystemdUnit, ASilentSystemdIsAWarningAndIsAskedAgain) {
  Bench bench;
  bench.run();
  bench.becomes("active", "running");
  bench.world.systemd.gone = Error{"systemd does not answer", ""};
  bench.becomes("active", "running");
  EXPECT_EQ(bench.reports.health(), Health::kWarning);
  bench.world.systemd.gone.reset();
  bench.becomes("active", "exited");
  bench.world.clock.advance(5s);
  EXPECT_EQ(bench.reports.health(), Health::kHealthy);
}

}  // namespace
}  // namespace komainu::drivers
