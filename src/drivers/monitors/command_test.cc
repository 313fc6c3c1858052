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

  void run(const std::string& convention, std::optional<Exit> exit) {
    world.spawner.program = [&](const Command&) { return exit; };
    const auto monitor = *command_monitor().make(
        {{"command", std::vector<std::string>{"/bin/check", "-x"}}, {"convention", convention}},
        {.interval = 1h, .timeout = 3s, .retries = 0, .quiet = Schedule::Quiet::kNever}, world.services(),
        {"node1", "disk-space"});
    Started<void> running(monitor->run(reports));
    world.clock.advance(3s);
  }
};

TEST(CommandMonitor, ReadsTheExitCodeByItsConvention) {
  const struct {
    int code;
    Health exit_code;
    Health plugin;
  } cases[] = {{0, Health::kHealthy, Health::kHealthy}, {1, Health::kFailed, Health::kWarning},
               {2, Health::kFailed, Health::kFailed},   {3, Health::kFailed, Health::kWarning},
               {4, Health::kFailed, Health::kFailed},   {127, Health::kFailed, Health::kFailed}};
  for (const auto& c : cases) {
    const Exit exit{Exit::How::kExited, c.code, "DISK: 97% used", "", false};
    Bench by_exit_code, by_plugin;
    by_exit_code.run("exit-code", exit);
    EXPECT_EQ(by_exit_code.reports.health(), c.exit_code) << c.code;
    by_plugin.run("plugin", exit);
    EXPECT_EQ(by_plugin.reports.health(), c.plugin) << c.code;
    if (c.code == 2) {
      EXPECT_EQ(by_plugin.reports.evidence(), "`/bin/check -x`: exit code 2: DISK: 97% used");
    }
  }
}

TEST(CommandMonitor, AProgramThatIsKilledHasFailed) {
  Bench bench;
  bench.run("plugin", Exit{Exit::How::kSignaled, 11, "", "", false});
  EXPECT_EQ(bench.reports.evidence(), "`/bin/check -x`: killed by signal 11");
}

TEST(CommandMonitor, AProgramThatDoesNotEndIsATimeout) {
  Bench bench;
  bench.run("plugin", std::nullopt);
  EXPECT_EQ(bench.reports.health(), Health::kFailed);
  EXPECT_EQ(bench.reports.evidence(), "no answer within 3s");
}

TEST(CommandMonitor, TellsTheProgramForWhomItRuns) {
  Bench bench;
  bench.run("exit-code", Exit{});
  ASSERT_EQ(bench.world.spawner.ran.size(), 1u);
  EXPECT_EQ(bench.world.spawner.ran[0].environment.at("KOMAINU_MONITOR"), "disk-space");
  EXPECT_EQ(bench.world.spawner.ran[0].environment.at("KOMAINU_NODE"), "node1");
}

}  // namespace
}  // namespace komainu::drivers
