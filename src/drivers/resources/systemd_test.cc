#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReportLog;
using testing::result_of;
using testing::Started;
using testing::World;

const std::string kUnit = "web.service";

UnitState unit(std::string active, std::string sub, pid_t pid = 0) {
  UnitState state;
  state.load_state = "loaded";
  state.active_state = std::move(active);
  state.sub_state = std::move(sub);
  state.main_pid = pid;
  return state;
}

struct Bench {
  World world;
  std::unique_ptr<Resource> resource = *systemd().make({{"unit", kUnit}}, world.services(), {});
  ReportLog reports;
};

// A child that waits to be killed.
struct Child {
  Child() {
    pid = ::fork();
    if (pid == 0) {
      ::pause();
      ::_exit(0);
    }
  }
  ~Child() { kill(); }
  void kill() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
  }
  pid_t pid;
};

TEST(Systemd, StartsAfterForgettingEarlierFailures) {
  Bench bench;
  EXPECT_TRUE(result_of(bench.resource->start()));
  EXPECT_THAT(bench.world.systemd.jobs, ElementsAre("reset-failed web.service", "start web.service"));
}

TEST(Systemd, AStartIsOverOnlyWhenTheUnitIsActive) {
  Bench bench;
  bench.world.systemd.work = [](const std::string&, UnitState& state) -> Result<void> {
    state = unit("failed", "failed");
    state.result = "exit-code";
    return {};
  };
  const Result<void> started = result_of(bench.resource->start());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().what, "web.service was started and is failed (exit-code)");
}

TEST(Systemd, PassesOnWhatBecameOfTheJob) {
  Bench bench;
  bench.world.systemd.work = [](const std::string&, UnitState&) -> Result<void> {
    return failure("the job timed out");
  };
  EXPECT_EQ(result_of(bench.resource->start()).error().what, "the job timed out");
  bench.world.systemd.units[kUnit] = unit("active", "running");
  EXPECT_EQ(result_of(bench.resource->stop()).error().what, "the job timed out");
}

TEST(Systemd, StoppingWhatIsStoppedDoesNothing) {
  Bench bench;
  for (const char* state : {"inactive", "failed"}) {
    bench.world.systemd.units[kUnit] = unit(state, "dead");
    EXPECT_TRUE(result_of(bench.resource->stop()));
  }
  EXPECT_TRUE(bench.world.systemd.jobs.empty());
}

TEST(Systemd, AStopIsOverOnlyWhenNothingIsLeft) {
  Bench bench;
  bench.world.systemd.units[kUnit] = unit("active", "running");
  bench.world.systemd.work = [](const std::string&, UnitState& state) -> Result<void> {
    state = unit("deactivating", "stop-sigkill");
    return {};
  };
  const Result<void> stopped = result_of(bench.resource->stop());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().what, "web.service was stopped and is deactivating (stop-sigkill)");
}

TEST(Systemd, ProbesByTheUnitsState) {
  const struct {
    const char* active;
    Presence presence;
  } cases[] = {{"active", Presence::kRunning},    {"reloading", Presence::kRunning},
               {"inactive", Presence::kStopped},  {"failed", Presence::kStopped},
               {"activating", Presence::kBroken}, {"deactivating", Presence::kBroken},
               {"maintenance", Presence::kBroken}};
  for (const auto& [active, presence] : cases) {
    Bench bench;
    bench.world.systemd.units[kUnit] = unit(active, "");
    EXPECT_EQ(result_of(bench.resource->probe())->presence, presence) << active;
  }
  Bench bench;
  bench.world.systemd.gone = Error{"systemd does not answer", ""};
  EXPECT_FALSE(result_of(bench.resource->probe()));
}

TEST(Systemd, AQueuedJobIsNotStopped) {
  for (const char* state : {"inactive", "failed"}) {
    Bench bench;
    bench.world.systemd.units[kUnit] = unit(state, "dead");
    bench.world.systemd.units[kUnit].has_job = true;
    const Probe probe = *result_of(bench.resource->probe());
    EXPECT_EQ(probe.presence, Presence::kBroken);
    EXPECT_EQ(probe.evidence, fmt::format("web.service is {}, and a job of it is queued", state));
    bench.world.systemd.work = [](const std::string&, UnitState& of) -> Result<void> {
      of.has_job = false;
      return {};
    };
    EXPECT_TRUE(result_of(bench.resource->stop()));
    EXPECT_THAT(bench.world.systemd.jobs, ElementsAre("stop web.service"));
  }
}

TEST(Systemd, AStopThatLeavesAJobHasFailed) {
  Bench bench;
  bench.world.systemd.units[kUnit].active_state = "inactive";
  bench.world.systemd.units[kUnit].has_job = true;
  bench.world.systemd.work = [](const std::string&, UnitState&) -> Result<void> { return {}; };
  EXPECT_EQ(result_of(bench.resource->stop()).error().what,
            "web.service was stopped and is inactive, and a job of it is queued");
}

TEST(Systemd, SeesTheUnitLeaveItsActiveState) {
  Bench bench;
  bench.world.systemd.units[kUnit] = unit("active", "exited");
  Started<std::string> watch(bench.resource->watch(bench.reports));
  bench.world.systemd.set(kUnit, unit("reloading", "reload"));
  EXPECT_FALSE(watch.done());
  bench.world.systemd.set(kUnit, unit("activating", "auto-restart"));
  EXPECT_EQ(watch.value(), "web.service is activating (auto-restart)");
}

TEST(Systemd, SeesTheDeathOfTheMainProcessBeforeSystemdTells) {
  Bench bench;
  Child child;
  bench.world.systemd.units[kUnit] = unit("active", "running", child.pid);
  Started<std::string> watch(bench.resource->watch(bench.reports));
  EXPECT_FALSE(watch.done());
  const pid_t pid = child.pid;
  child.kill();
  bench.world.readiness.wake_all();
  EXPECT_EQ(watch.value(), "the main process of web.service (pid " + std::to_string(pid) + ") has died");
}

TEST(Systemd, FollowsAServiceThatHandsOverToANewMainProcess) {
  Bench bench;
  Child old_main, new_main;
  bench.world.systemd.units[kUnit] = unit("active", "running", old_main.pid);
  Started<std::string> watch(bench.resource->watch(bench.reports));
  bench.world.systemd.units[kUnit].main_pid = new_main.pid;  // its signal is still on the way
  old_main.kill();
  bench.world.readiness.wake_all();
  EXPECT_FALSE(watch.done());
  bench.world.systemd.set(kUnit, bench.world.systemd.units[kUnit]);
  EXPECT_FALSE(watch.done());
  new_main.kill();
  bench.world.readiness.wake_all();
  EXPECT_TRUE(watch.done());
}

TEST(Systemd, ThatSystemdIsSilentIsNoFailureOfTheUnit) {
  Bench bench;
  Child child;
  bench.world.systemd.units[kUnit] = unit("active", "running", child.pid);
  Started<std::string> watch(bench.resource->watch(bench.reports));
  bench.world.systemd.gone = Error{"systemd does not answer", ""};
  bench.world.systemd.set(kUnit, bench.world.systemd.units[kUnit]);
  bench.world.clock.advance(60s);
  EXPECT_FALSE(watch.done());
  EXPECT_FALSE(bench.world.log.lines.empty());
  child.kill();
  bench.world.readiness.wake_all();
  bench.world.clock.advance(1s);
  EXPECT_THAT(watch.value(), HasSubstr("has died")) << "its process is watched all the same";
}

TEST(Systemd, RefusesWhatIsNoNameOfAUnit) {
  World world;
  for (const char* name : {"nginx", ".service", "a b.service", "../x.service"})
    EXPECT_FALSE(systemd().make({{"unit", std::string(name)}}, world.services(), {})) << name;
  EXPECT_TRUE(systemd().make({{"unit", std::string("postgresql@15-main.service")}}, world.services(), {}));
}

}  // namespace
}  // namespace komainu::drivers
