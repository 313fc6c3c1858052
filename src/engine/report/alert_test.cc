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
  hook.world.spawner.program = [](const drivers::Command&) { return std::nullopt; };
  for (std::size_t alarm = 0; alarm < Alert::kMaxRunning + 3; ++alarm) hook.raises("another");
  EXPECT_EQ(hook.world.spawner.ran.size(), Alert::kMaxRunning);
  EXPECT_EQ(hook.alert.dropped(), 3u);
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
