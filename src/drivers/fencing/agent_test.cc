#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::result_of;
using testing::Started;
using testing::World;

constexpr int kOn = 0;
constexpr int kOff = 2;

Exit exited(int code, std::string errors = {}) {
  return {Exit::How::kExited, code, "", std::move(errors), false};
}

struct Bench {
  World world;
  Params params{{"agent", std::string("fence_test")}};

  std::unique_ptr<Fencer> fencer() { return *agent().make(params, world.services(), {"node2", "fence"}); }
  // What the agent answers to each action, one after the other; the last one for ever.
  void answers(std::map<std::string, std::vector<Exit>> answers) {
    world.spawner.program = [answers =
                                 std::move(answers)](const Command& command) mutable -> std::optional<Exit> {
      const std::string action = command.input.substr(7, command.input.find('\n') - 7);
      auto& left = answers.at(action);
      Exit exit = left.front();
      if (left.size() > 1) left.erase(left.begin());
      return exit;
    };
  }
};

TEST(Agent, SwitchesOffAndReadsBack) {
  Bench bench;
  bench.answers({{"off", {exited(0)}}, {"status", {exited(kOff)}}});
  const auto fencer = bench.fencer();
  const Result<void> off = result_of(fencer->off("node1"));
  ASSERT_TRUE(off) << off.error().what;
  ASSERT_EQ(bench.world.spawner.ran.size(), 2u);
  EXPECT_EQ(bench.world.spawner.ran[0].input, "action=off\nplug=node1\n");
  EXPECT_EQ(bench.world.spawner.ran[1].input, "action=status\nplug=node1\n");
  EXPECT_EQ(bench.world.spawner.ran[0].timeout, 60s);
}

TEST(Agent, IsGivenTheTimeThatItsParametersAllow) {
  Bench bench;
  bench.params["timeout"] = Duration{10min};
  bench.params["confirm_within"] = Duration{5min};
  EXPECT_GT(bench.fencer()->longest_off(), 25min) << "the order, five minutes, and a last status";
}

TEST(Agent, DoesNotBelieveAnAgentThatSaysItSwitchedOff) {
  Bench bench;
  bench.answers({{"off", {exited(0)}}, {"status", {exited(kOn)}}});
  const auto fencer = bench.fencer();
  Started<Result<void>> off(fencer->off("node1"));
  bench.world.clock.advance(9s);
  EXPECT_FALSE(off.done());
  bench.world.clock.advance(2s);
  ASSERT_TRUE(off.done());
  EXPECT_EQ(off.value().error().what, "node1 is not confirmed off: its status is on (off: exit code 0)");
  EXPECT_THAT(off.value().error().help, HasSubstr("komainu fence confirm node1"));
}

TEST(Agent, WaitsUntilTheStatusIsOff) {
  Bench bench;
  bench.answers({{"off", {exited(0)}}, {"status", {exited(kOn), exited(1, "busy"), exited(kOff)}}});
  const auto fencer = bench.fencer();
  Started<Result<void>> off(fencer->off("node1"));
  EXPECT_FALSE(off.done());
  bench.world.clock.advance(1s);
  EXPECT_TRUE(off.value());
}

TEST(Agent, OffIsConfirmedByTheStatusEvenIfSwitchingOffFailed) {
  Bench bench;
  bench.answers({{"off", {exited(1, "already off")}}, {"status", {exited(kOff)}}});
  const auto fencer = bench.fencer();
  EXPECT_TRUE(result_of(fencer->off("node1")));
}

TEST(Agent, IsNotConfirmedWhenTheDeviceDoesNotAnswer) {
  Bench bench;
  bench.params["confirm_within"] = Duration(0s);
  bench.world.spawner.program = [](const Command&) { return Exit{Exit::How::kTimedOut, 15, "", "", false}; };
  const auto fencer = bench.fencer();
  const Result<void> off = result_of(fencer->off("node1"));
  ASSERT_FALSE(off);
  EXPECT_THAT(off.error().what, HasSubstr("no end within its timeout"));
}

TEST(Agent, AnythingButOnAndOffIsNoStatus) {
  Bench bench;
  const auto fencer = bench.fencer();
  for (const Exit& exit : {exited(1), exited(3), exited(127), Exit{Exit::How::kSignaled, 2, "", "", false},
                           Exit{Exit::How::kTimedOut, 0, "", "", false}}) {
    bench.world.spawner.program = [&](const Command&) { return exit; };
    EXPECT_FALSE(result_of(fencer->status("node1")));
    EXPECT_FALSE(result_of(fencer->test("node1")));
  }
  bench.world.spawner.program = [](const Command&) { return exited(kOn); };
  EXPECT_EQ(*result_of(fencer->status("node1")), Power::kOn);
  EXPECT_TRUE(result_of(fencer->test("node1")));
}

TEST(Agent, TestHasNoEffect) {
  Bench bench;
  bench.answers({{"status", {exited(kOn)}}});  // any other action would throw
  const auto fencer = bench.fencer();
  EXPECT_TRUE(result_of(fencer->test("node1")));
}

TEST(Agent, ResetIsAConfirmedOffAndThenOn) {
  Bench bench;
  bench.answers({{"off", {exited(0)}}, {"status", {exited(kOff)}}, {"on", {exited(1, "relay stuck")}}});
  const auto fencer = bench.fencer();
  EXPECT_TRUE(result_of(fencer->reset("node1"))) << "it is off: nothing runs there";
  ASSERT_EQ(bench.world.log.lines.size(), 1u);
  EXPECT_THAT(bench.world.log.lines[0], HasSubstr("relay stuck"));

  Bench stuck;
  stuck.params["confirm_within"] = Duration(0s);
  stuck.answers({{"off", {exited(0)}}, {"status", {exited(kOn)}}});
  const auto other = stuck.fencer();
  EXPECT_FALSE(result_of(other->reset("node1"))) << "and it is not switched on";
}

TEST(Agent, SecretsGoToStandardInputAndNowhereElse) {
  Bench bench;
  bench.params["secret"] = std::string("/etc/komainu/bmc.secret");
  bench.params["options"] = std::vector<std::string>{"ip=192.0.2.11", "username=ha"};
  bench.params["confirm_within"] = Duration(0s);
  bench.world.files.content["/etc/komainu/bmc.secret"] = "password=tiger\npassword_2=lion\n";
  bench.world.spawner.program = [](const Command&) {
    return exited(1, "cannot log in as ha with tiger, lion");
  };
  const auto fencer = bench.fencer();
  const Result<void> off = result_of(fencer->off("node1"));

  const Command& command = bench.world.spawner.ran.front();
  EXPECT_EQ(command.argv, std::vector<std::string>{"fence_test"});
  EXPECT_TRUE(command.environment.empty());
  EXPECT_THAT(command.input, HasSubstr("ip=192.0.2.11\nusername=ha\npassword=tiger\npassword_2=lion\n"));
  EXPECT_EQ(bench.world.files.read_files.front().second, Files::Secrecy::kSecret);
  ASSERT_FALSE(off);
  EXPECT_THAT(off.error().what, HasSubstr("cannot log in as ha with ***, ***"));
  EXPECT_THAT(off.error().what + off.error().help + command.label, Not(HasSubstr("tiger")));
}

TEST(Agent, WithoutItsSecretItIsNotRun) {
  Bench bench;
  bench.params["secret"] = std::string("/etc/komainu/bmc.secret");
  const auto fencer = bench.fencer();
  const Result<Power> status = result_of(fencer->status("node1"));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().what, HasSubstr("/etc/komainu/bmc.secret"));
  EXPECT_TRUE(bench.world.spawner.ran.empty());
}

TEST(Agent, CallsANodeWhatTheDeviceCallsIt) {
  Bench bench;
  bench.params["plug_option"] = std::string("port");
  bench.params["plugs"] = std::vector<std::string>{"node10=1", "node1=7"};
  const auto fencer = bench.fencer();
  (void)result_of(fencer->status("node1"));
  (void)result_of(fencer->status("node3"));
  EXPECT_EQ(bench.world.spawner.ran[0].input, "action=status\nport=7\n");
  EXPECT_EQ(bench.world.spawner.ran[1].input, "action=status\nport=node3\n");
}

TEST(Agent, RefusesSecretsAmongItsOptions) {
  Bench bench;
  bench.params["options"] = std::vector<std::string>{"password=tiger"};
  const auto made = agent().make(bench.params, bench.world.services(), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().what, "agent: `options` must not set password");
}

}  // namespace
}  // namespace komainu::drivers
