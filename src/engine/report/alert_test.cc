#include "engine/report/alert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing.h"
#include "drivers/testing/world.h"

namespace komainu::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// Its commands run until the test lets them end.
class HeldSpawner final : public drivers::Spawner {
 public:
  drivers::testing::Waiters held;
  drivers::Task<Result<drivers::Exit>> run(const drivers::Command&) override {
    auto wait = held.wait();
    co_await wait;
    co_return drivers::Exit{};
  }
  const std::vector<std::string>& stuck_agents() const override { return stuck_; }

 private:
  const std::vector<std::string> stuck_;
};

struct Hook {
  Hook() {
    cluster.spec.alert_command = "mail -s komainu root";
    cluster.group("web");
  }
  void raises(std::string text) {
    alert.raise(
        cluster.spec,
        {core::Severity::kAlarm, core::EventKind::kGroup, {}, NodeId{2}, GroupId{1}, {}, std::move(text)});
  }

  core::testing::Cluster cluster{2};
  drivers::testing::World world;
  Alert alert{world.services()};
};

TEST(Alert, TellsTheCommandWhatTheAlarmIsAbout) {
  Hook hook;
  hook.raises("web is down; $(reboot)");
  ASSERT_EQ(hook.world.spawner.ran.size(), 1u);
  const drivers::Command& command = hook.world.spawner.ran[0];
  EXPECT_THAT(command.argv, ElementsAre("/bin/sh", "-c", "mail -s komainu root"))
      << "the alarm's text is never part of the command";
  EXPECT_THAT(
      command.environment,
      UnorderedElementsAre(Pair("KOMAINU_CLUSTER", "test"), Pair("KOMAINU_NODE", "node2"),
                           Pair("KOMAINU_GROUP", "web"), Pair("KOMAINU_TEXT", "web is down; $(reboot)")));
}

TEST(Alert, RunsNothingWhereNothingIsConfigured) {
  Hook hook;
  hook.cluster.spec.alert_command.clear();
  hook.raises("web is down");
  EXPECT_TRUE(hook.world.spawner.ran.empty());
}

TEST(Alert, DropsAndCountsAlarmsWhileTooManyCommandsRun) {
  Hook hook;
  HeldSpawner spawner;
  Alert alert({hook.world.clock, hook.world.readiness, spawner, hook.world.files, hook.world.systemd,
               hook.world.netlink, hook.world.log});
  const core::Event alarm{core::Severity::kAlarm, core::EventKind::kGroup, {}, {}, {}, {}, "another"};
  for (std::size_t number = 0; number < Alert::kMaxRunning + 3; ++number)
    alert.raise(hook.cluster.spec, alarm);
  EXPECT_EQ(spawner.held.size(), Alert::kMaxRunning);
  EXPECT_EQ(alert.dropped(), 3u);
  spawner.held.wake();
  alert.raise(hook.cluster.spec, alarm);
  EXPECT_EQ(spawner.held.size(), 1u);
  spawner.held.wake();
}

TEST(Alert, LogsACommandThatFails) {
  Hook hook;
  hook.world.spawner.program = [](const drivers::Command&) {
    drivers::Exit exit;
    exit.code = 1;
    exit.errors = "no such user";
    return std::optional(exit);
  };
  hook.raises("web is down");
  EXPECT_THAT(hook.world.log.lines, ElementsAre(HasSubstr("no such user")));
}

}  // namespace
}  // namespace komainu::engine
