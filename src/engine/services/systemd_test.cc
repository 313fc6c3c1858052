#include "engine/services/systemd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/testing/tasks.h"
#include "engine/testing/user_systemd.h"

namespace komainu::engine {
namespace {

using drivers::UnitState;
using drivers::UnitWatch;
using testing::Background;
using ::testing::HasSubstr;
using testing::kPatience;
using testing::UserSystemd;
using testing::wait;

class SystemdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!UserSystemd::possible()) GTEST_SKIP() << "needs cgroup v2 and systemd's program";
    manager.emplace();
    manager->unit("runs.service", "[Service]\nExecStart=sleep 1000\n");
    manager->unit("fails.service", "[Service]\nType=oneshot\nExecStart=false\n");
    manager->unit("slow.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sleep 1000\n");
    // Its start job waits until slow.service is up, and meanwhile it is inactive.
    manager->unit("queued.service",
                  "[Unit]\nAfter=slow.service\nRequires=slow.service\n[Service]\nExecStart=sleep 1000\n");
    systemd.emplace(loop, manager->endpoints());
  }

  UnitState state(const std::string& unit) {
    auto found = wait(loop, systemd->unit_state(unit));
    EXPECT_TRUE(found) << found.error().what;
    return found.value_or(UnitState{});
  }
  // Waits for the next state of `watch`.
  UnitState next(UnitWatch& watch) {
    auto found = wait(loop, watch.next());
    EXPECT_TRUE(found) << found.error().what;
    return found.value_or(UnitState{});
  }
  // … until one has this active state.
  UnitState next(UnitWatch& watch, const std::string& active) {
    for (;;) {
      UnitState found = next(watch);
      if (found.active_state == active || HasFailure()) return found;
    }
  }

  std::optional<UserSystemd> manager;
  Loop loop;
  std::optional<Systemd> systemd;
};

TEST_F(SystemdTest, StartsAndStopsAUnit) {
  auto started = wait(loop, systemd->start_unit("runs.service"));
  ASSERT_TRUE(started) << started.error().what;
  const UnitState up = state("runs.service");
  EXPECT_EQ(up.load_state, "loaded");
  EXPECT_EQ(up.active_state, "active");
  EXPECT_EQ(up.sub_state, "running");
  EXPECT_EQ(up.result, "success");
  EXPECT_EQ(up.invocation_id.size(), 32u);
  EXPECT_EQ(::kill(up.main_pid, 0), 0);

  auto stopped = wait(loop, systemd->stop_unit("runs.service"));
  ASSERT_TRUE(stopped) << stopped.error().what;
  EXPECT_EQ(state("runs.service").active_state, "inactive");
  EXPECT_NE(::kill(up.main_pid, 0), 0);
}

TEST_F(SystemdTest, SaysWhyAStartFailed) {
  auto started = wait(loop, systemd->start_unit("fails.service"));
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("fails.service: the job ended as 'failed'"));
  EXPECT_THAT(started.error().what, HasSubstr("exit-code"));
  EXPECT_THAT(started.error().help, HasSubstr("journalctl -u fails.service"));
}

TEST_F(SystemdTest, ForgetsAFailure) {
  EXPECT_FALSE(wait(loop, systemd->start_unit("fails.service")));
  EXPECT_EQ(state("fails.service").active_state, "failed");
  EXPECT_TRUE(wait(loop, systemd->reset_failed("fails.service")));
  EXPECT_EQ(state("fails.service").active_state, "inactive");
  EXPECT_TRUE(wait(loop, systemd->reset_failed("nobody-has-loaded-this.service")));
}

TEST_F(SystemdTest, TellsAUnitThatDoesNotExist) {
  EXPECT_EQ(state("no-such.service").load_state, "not-found");
  auto started = wait(loop, systemd->start_unit("no-such.service"));
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("no-such.service"));
}

TEST_F(SystemdTest, RefusesWhatIsNoUnitName) {
  auto found = wait(loop, systemd->unit_state("not a unit"));
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().what, HasSubstr("not a unit"));
}

TEST_F(SystemdTest, AWatchSeesADeathAtOnce) {
  ASSERT_TRUE(wait(loop, systemd->start_unit("runs.service")));
  auto watch = systemd->watch_unit("runs.service");
  const UnitState up = next(*watch);
  ASSERT_EQ(up.active_state, "active");
  Background<Result<UnitState>> waiting(loop, watch->next());
  loop.run_until([] { return false; }, 50ms);
  EXPECT_FALSE(waiting.done()) << "nothing changed";

  const LocalTime before = boot_time();
  ::kill(up.main_pid, SIGKILL);
  auto down = waiting.wait();
  ASSERT_TRUE(down) << down.error().what;
  fmt::print("a killed service was seen after {} us\n", (boot_time() - before).count());
  EXPECT_NE(down->active_state, "active");
  const UnitState failed = down->active_state == "failed" ? *down : next(*watch, "failed");
  EXPECT_EQ(failed.result, "signal");
}

TEST_F(SystemdTest, AWatchSeesWhatOthersDoToAUnitThatWasNotLoaded) {
  auto watch = systemd->watch_unit("runs.service");
  EXPECT_EQ(next(*watch).active_state, "inactive");
  Systemd other(loop, manager->endpoints());
  ASSERT_TRUE(wait(loop, other.start_unit("runs.service")));
  EXPECT_EQ(next(*watch, "active").active_state, "active");
  ASSERT_TRUE(wait(loop, other.stop_unit("runs.service")));
  EXPECT_EQ(next(*watch, "inactive").active_state, "inactive");
  ASSERT_TRUE(wait(loop, other.start_unit("runs.service")));
  EXPECT_EQ(next(*watch, "active").active_state, "active");
}

TEST_F(SystemdTest, ACancelledStartLeavesNoJobBehind) {
  {
    Background<Result<void>> starting(loop, systemd->start_unit("slow.service"));
    auto watch = systemd->watch_unit("slow.service");
    next(*watch, "activating");
    starting.cancel_and_wait();
    EXPECT_TRUE(starting.cancelled());
  }
  ASSERT_TRUE(wait(loop, systemd->stop_unit("slow.service")));
  EXPECT_EQ(state("slow.service").active_state, "failed");  // so does systemd call a start that was killed
  EXPECT_EQ(state("slow.service").main_pid, 0);
}

TEST_F(SystemdTest, TellsOfAStartThatIsQueued) {
  auto watch = systemd->watch_unit("queued.service");
  EXPECT_FALSE(next(*watch).has_job);
  Background<Result<void>> starting(loop, systemd->start_unit("queued.service"));
  const UnitState waiting = next(*watch);
  EXPECT_EQ(waiting.active_state, "inactive");
  EXPECT_TRUE(waiting.has_job);
  starting.cancel_and_wait();
  EXPECT_FALSE(state("queued.service").has_job);
  EXPECT_EQ(state("queued.service").active_state, "inactive");
}

TEST_F(SystemdTest, AStartThatIsCancelledBeforeItsAnswerLeavesNoJobBehind) {
  state("queued.service");  // connected
  ::kill(manager->pid(), SIGSTOP);
  Background<Result<void>> starting(loop, systemd->start_unit("queued.service"));
  starting.cancel();
  loop.run_until([] { return false; }, 20ms);
  EXPECT_FALSE(starting.done()) << "nobody knows yet what systemd makes of it";
  ::kill(manager->pid(), SIGCONT);
  ASSERT_TRUE(loop.run_until([&] { return starting.done(); }, kPatience));
  EXPECT_TRUE(starting.cancelled());
  const UnitState after = state("queued.service");
  EXPECT_EQ(after.active_state, "inactive");
  EXPECT_FALSE(after.has_job);
}

TEST_F(SystemdTest, AStopTakesThePlaceOfAStartThatIsQueued) {
  Systemd predecessor(loop, manager->endpoints());
  Background<Result<void>> starting(loop, predecessor.start_unit("queued.service"));
  auto watch = systemd->watch_unit("queued.service");
  while (!next(*watch).has_job) continue;
  auto stopped = wait(loop, systemd->stop_unit("queued.service"));
  ASSERT_TRUE(stopped) << stopped.error().what;
  EXPECT_FALSE(state("queued.service").has_job);
  const Result<void> started = starting.wait();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("the job ended as 'canceled'"));
}

TEST_F(SystemdTest, WhoeverAsksForTheSameSharesTheJob) {
  Background<Result<void>> one(loop, systemd->start_unit("queued.service"));
  Background<Result<void>> another(loop, systemd->start_unit("queued.service"));
  auto watch = systemd->watch_unit("queued.service");
  while (!next(*watch).has_job) continue;
  ASSERT_TRUE(wait(loop, systemd->stop_unit("queued.service")));
  EXPECT_FALSE(one.wait());
  EXPECT_FALSE(another.wait());
}

TEST_F(SystemdTest, SeveralCallsWaitAtOnce) {
  std::vector<drivers::Task<Result<UnitState>>> tasks;
  for (int i = 0; i < 50; ++i) tasks.push_back(systemd->unit_state(fmt::format("unit-{}.service", i)));
  for (const auto& found : wait(loop, drivers::all(std::move(tasks)))) {
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(found->load_state, "not-found");
  }
}

TEST_F(SystemdTest, AHungManagerHoldsNobodyUp) {
  EXPECT_EQ(state("runs.service").active_state, "inactive");
  ::kill(manager->pid(), SIGSTOP);
  auto bounded = drivers::within(loop, 100ms, systemd->unit_state("runs.service"));
  EXPECT_FALSE(wait(loop, std::move(bounded)).has_value());
  ::kill(manager->pid(), SIGCONT);
  EXPECT_EQ(state("runs.service").active_state, "inactive");
}

TEST_F(SystemdTest, SaysWhenTheManagerIsGoneAndFindsTheNextOne) {
  ASSERT_TRUE(wait(loop, systemd->start_unit("runs.service")));
  auto watch = systemd->watch_unit("runs.service");
  next(*watch);
  Background<Result<UnitState>> waiting(loop, watch->next());
  Background<Result<void>> starting(loop, systemd->start_unit("slow.service"));
  manager->kill();
  EXPECT_FALSE(waiting.wait());
  EXPECT_FALSE(starting.wait());
  auto found = wait(loop, systemd->unit_state("runs.service"));
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().what, HasSubstr("cannot reach systemd"));

  manager->start();
  EXPECT_EQ(state("runs.service").active_state, "inactive");
  EXPECT_EQ(next(*watch).active_state, "inactive");
}

TEST(Systemd, SaysWhatItTriedWhereThereIsNone) {
  Loop loop;
  Systemd systemd(loop, {{Systemd::Endpoint::Kind::kManager, "unix:path=/nonexistent/private"}});
  auto started = wait(loop, systemd.start_unit("x.service"));
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("cannot reach systemd at unix:path=/nonexistent/private"));
}

}  // namespace
}  // namespace komainu::engine
