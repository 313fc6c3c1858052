#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using testing::ReportLog;
using testing::result_of;
using testing::Started;
using testing::World;

Exit exited(int code) {
  return {Exit::How::kExited, code, "", "", false};
}

// A service that its commands start and stop.
struct Bench {
  World world;
  ReportLog reports;
  int running = 7;  // what probe says
  Params params{{"start", std::vector<std::string>{"/bin/app", "start"}},
                {"stop", std::vector<std::string>{"/bin/app", "stop"}},
                {"probe", std::vector<std::string>{"/bin/app", "probe"}}};
  std::unique_ptr<Resource> resource;

  Bench() {
    world.spawner.program = [this](const Command& command) -> std::optional<Exit> {
      if (command.argv[1] == "start") running = 0;
      if (command.argv[1] == "stop") running = 7;
      return exited(command.argv[1] == "probe" ? running : 0);
    };
    make();
  }
  void make() { resource = *command_resource().make(params, world.services(), {"node1", "orders/app"}); }
  int runs(std::string_view verb) const {
    return static_cast<int>(
        std::ranges::count_if(world.spawner.ran, [&](const Command& c) { return c.argv[1] == verb; }));
  }
};

TEST(CommandResource, StartsAndStops) {
  Bench bench;
  EXPECT_EQ(result_of(bench.resource->probe())->presence, Presence::kStopped);
  EXPECT_TRUE(result_of(bench.resource->start()));
  EXPECT_EQ(result_of(bench.resource->probe())->presence, Presence::kRunning);
  EXPECT_TRUE(result_of(bench.resource->start())) << "again";
  EXPECT_EQ(bench.runs("start"), 1);
  EXPECT_TRUE(result_of(bench.resource->stop()));
  EXPECT_TRUE(result_of(bench.resource->stop())) << "again";
  EXPECT_EQ(bench.runs("stop"), 2) << "a stop is always run: the probe may not see all";
}

TEST(CommandResource, WhatTheStartLeavesRunningLivesOn) {
  Bench bench;
  (void)result_of(bench.resource->start());
  for (const Command& command : bench.world.spawner.ran)
    EXPECT_EQ(command.leftovers == Command::Leftovers::kKeep, command.argv[1] == "start");
}

TEST(CommandResource, AStartIsOverWhenTheProbeSaysSo) {
  Bench bench;
  bench.world.spawner.program = [&](const Command& command) {
    return exited(command.argv[1] == "probe" ? bench.running : 0);
  };
  Started<Result<void>> start(bench.resource->start());
  bench.world.clock.advance(5s);
  EXPECT_FALSE(start.done());
  bench.running = 0;
  bench.world.clock.advance(1s);
  EXPECT_TRUE(start.value());
}

TEST(CommandResource, AStopIsNotBelievedWhenTheProbeSaysOtherwise) {
  Bench bench;
  bench.running = 0;
  bench.world.spawner.program = [](const Command&) { return exited(0); };
  const Result<void> stopped = result_of(bench.resource->stop());
  ASSERT_FALSE(stopped);
  EXPECT_THAT(stopped.error().what, HasSubstr("`/bin/app stop` succeeded, but `/bin/app probe` says"));
}

TEST(CommandResource, SaysWhichCommandFailedAndHow) {
  Bench bench;
  bench.world.spawner.program = [](const Command& command) {
    return command.argv[1] == "probe" ? exited(7) : Exit{Exit::How::kExited, 5, "", "no license\n", false};
  };
  EXPECT_EQ(result_of(bench.resource->start()).error().what, "`/bin/app start`: exit code 5: no license");
}

TEST(CommandResource, ReadsTheProbesExitCode) {
  const struct {
    Exit exit;
    std::optional<Presence> presence;
  } cases[] = {{exited(0), Presence::kRunning},
               {exited(3), Presence::kStopped},
               {exited(7), Presence::kStopped},
               {exited(1), Presence::kBroken},
               {exited(127), std::nullopt},
               {{Exit::How::kTimedOut, 0, "", "", false}, std::nullopt},
               {{Exit::How::kSignaled, 11, "", "", false}, std::nullopt}};
  for (const auto& [exit, presence] : cases) {
    Bench bench;
    bench.world.spawner.program = [&](const Command&) { return exit; };
    const Result<Probe> probe = result_of(bench.resource->probe());
    ASSERT_EQ(probe.has_value(), presence.has_value()) << exit.code;
    if (presence) {
      EXPECT_EQ(probe->presence, *presence) << exit.code;
    }
  }
}

TEST(CommandResource, WatchesByProbing) {
  Bench bench;
  bench.running = 0;
  Started<std::string> watch(bench.resource->watch(bench.reports));
  bench.world.clock.advance(30s);
  EXPECT_EQ(bench.runs("probe"), 3);
  bench.running = 7;
  bench.world.clock.advance(10s);
  EXPECT_EQ(watch.value(), "`/bin/app probe` says that it has stopped");
}

TEST(CommandResource, AProbeThatCannotTellIsAWarning) {
  Bench bench;
  Started<std::string> watch(bench.resource->watch(bench.reports));
  bench.world.spawner.program = [](const Command&) { return Exit{Exit::How::kTimedOut, 0, "", "", false}; };
  bench.world.clock.advance(20s);
  EXPECT_FALSE(watch.done());
  EXPECT_EQ(bench.reports.health(), Health::kWarning);
  bench.world.spawner.program = [](const Command&) { return exited(0); };
  bench.world.clock.advance(10s);
  EXPECT_EQ(bench.reports.health(), Health::kHealthy);
}

TEST(CommandResource, NeedNotBeWatched) {
  Bench bench;
  bench.params["watch_interval"] = Duration(0s);
  bench.make();
  Started<std::string> watch(bench.resource->watch(bench.reports));
  bench.world.clock.advance(1h);
  EXPECT_EQ(bench.runs("probe"), 0);
}

TEST(CommandResource, RefusesAProgramWithoutItsPath) {
  Bench bench;
  bench.params["stop"] = std::vector<std::string>{"app", "stop"};
  const auto made = command_resource().make(bench.params, bench.world.services(), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().what, "command: `stop` must begin with the absolute path of a program");
}

}  // namespace
}  // namespace komainu::drivers
