#include "engine/spawner/spawner.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>

#include "engine/cgroup.h"
#include "engine/loop/loop.h"
#include "engine/testing/dead_filesystem.h"
#include "engine/testing/tasks.h"

namespace komainu::engine {
namespace {

using drivers::Command;
using drivers::Exit;
using testing::Background;
using testing::DeadFilesystem;
using ::testing::HasSubstr;
using testing::kPatience;

// Cgroups of this process's own, beside those of a running komainu; gone when the test is.
struct Name {
  std::string text;
  Name() {
    static int count = 0;
    text = fmt::format("komainu-test-{}-{}", ::getpid(), ++count);
  }
  ~Name() {
    if (auto cgroup = Cgroup::delegated(text)) {
      [[maybe_unused]] auto killed = cgroup->kill();
      const LocalTime until = boot_time() + kPatience;
      while (cgroup->populated() && boot_time() < until) ::usleep(1000);
      for (const std::string& child : cgroup->children()) cgroup->remove_child(child);
      ::rmdir(cgroup->path().c_str());
    }
  }
};

bool has_cgroups() {
  const Name name;
  return Cgroup::delegated(name.text).has_value();
}

// A daemon with its loop and its spawner.
struct Daemon {
  Loop loop;
  std::unique_ptr<Spawner> spawner;
  std::optional<spawner::Ready> ready;
  std::string lost;

  explicit Daemon(const std::string& name, Spawner::Options options = {}) {
    options.name = name;
    auto forked = Spawner::fork(options);
    EXPECT_TRUE(forked) << forked.error().what;
    spawner = std::move(*forked);
    spawner->attach(
        loop.io(), [this](const spawner::Ready& r) { ready = r; },
        [this](const std::string& why) { lost = why; });
  }
  Result<Exit> run(const Command& command) { return testing::wait(loop, spawner->run(command)); }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, kPatience); }
};

Command shell(const std::string& script) {
  return Command{.label = "test", .argv = {"sh", "-c", script}, .timeout = 30s, .grace = 1s};
}

// A zombie that its new parent has not fetched yet is not.
bool alive(pid_t pid) {
  const std::string stat = read_kernel_file(AT_FDCWD, fmt::format("/proc/{}/stat", pid).c_str());
  const auto end_of_name = stat.rfind(") ");
  return end_of_name != std::string::npos && stat[end_of_name + 2] != 'Z' && stat[end_of_name + 2] != 'X';
}

// A process that left its cgroup is past everything it could do, but /proc may show it for a moment more.
bool dies(Daemon& daemon, pid_t pid) {
  return daemon.until([pid] { return !alive(pid); });
}

// The text of a file as soon as it has a whole line.
std::string line_of(Daemon& daemon, const std::string& path) {
  std::string line;
  EXPECT_TRUE(daemon.until([&] {
    std::ifstream file(path);
    return std::getline(file, line) && !file.eof();
  })) << path;
  return line;
}

struct TemporaryFile {
  std::string path;
  explicit TemporaryFile(const std::string& text = {}) {
    char name[] = "/tmp/komainu-test-XXXXXX";
    const Fd fd(::mkstemp(name));
    path = name;
    EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  ~TemporaryFile() { ::unlink(path.c_str()); }
};

TEST(Spawner, ReportsExitCodeAndBothStreams) {
  Name name;
  Daemon daemon(name.text);
  auto exit = daemon.run(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(exit) << exit.error().what;
  EXPECT_EQ(exit->how, Exit::How::kExited);
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(exit->output, "out\n");
  EXPECT_EQ(exit->errors, "err\n");
  EXPECT_FALSE(exit->truncated);
}

TEST(Spawner, ReportsTheSignalThatEndedAnAgent) {
  Name name;
  Daemon daemon(name.text);
  auto exit = daemon.run(shell("kill -USR2 $$"));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->how, Exit::How::kSignaled);
  EXPECT_EQ(exit->code, SIGUSR2);
}

TEST(Spawner, SaysWhyAProgramCouldNotBeStarted) {
  Name name;
  Daemon daemon(name.text);
  auto exit = daemon.run(Command{.label = "resource a/b", .argv = {"/nonexistent/program"}, .timeout = 5s});
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().what, "resource a/b: cannot run /nonexistent/program: No such file or directory");
}

TEST(Spawner, KeepsTheEndOfAnEndlessOutput) {
  Name name;
  Daemon daemon(name.text);
  Command command = shell("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done");
  command.max_output = 1000;
  auto exit = daemon.run(command);
  ASSERT_TRUE(exit);
  EXPECT_TRUE(exit->truncated);
  EXPECT_EQ(exit->output.size(), 1000u);
  EXPECT_TRUE(exit->output.ends_with("19998\n19999\n"));
}

TEST(Spawner, GivesInputWithoutShowingItInTheArguments) {
  Name name;
  Daemon daemon(name.text);
  Command command = shell("cat");
  command.input = std::string(20000, 's') + "ecret";
  command.max_output = 30000;
  auto exit = daemon.run(command);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->output, command.input);
}

TEST(Spawner, RefusesARequestBeyondItsBounds) {
  Name name;
  Daemon daemon(name.text);
  Command command = shell("cat");
  command.input = std::string(spawner::kMaxInput + 1, 'x');
  EXPECT_FALSE(daemon.run(command));
  EXPECT_FALSE(daemon.run(shell(std::string(spawner::kMaxRequest, '#'))));
  EXPECT_TRUE(daemon.run(shell(":")));
}

TEST(Spawner, AgentsAreOrdinaryProcesses) {
  Name name;
  ::setenv("KOMAINU_TEST_LEAK", "1", 1);
  Daemon daemon(name.text);
  Command command = shell(
      "env | sort; grep SigBlk /proc/self/status; grep SigIgn /proc/self/status;"
      "ls /proc/self/fd; ulimit -Sn");
  command.environment["EXTRA"] = "yes";
  auto exit = daemon.run(command);
  ASSERT_TRUE(exit);
  EXPECT_THAT(exit->output, HasSubstr("EXTRA=yes\n"));
  EXPECT_THAT(exit->output, HasSubstr("PATH=/usr/local/sbin:/usr/local/bin:"));
  EXPECT_THAT(exit->output, ::testing::Not(HasSubstr("KOMAINU_TEST_LEAK")));
  EXPECT_THAT(exit->output, HasSubstr("SigBlk:\t0000000000000000\n"));
  EXPECT_THAT(exit->output, HasSubstr("SigIgn:\t0000000000000000\n"));
  EXPECT_THAT(exit->output, HasSubstr("\n0\n1\n2\n3\n1024\n"));  // 3 is the directory that ls reads
}

TEST(Spawner, EndsAnAgentAtItsDeadlineWithAllItStarted) {
  Name name;
  Daemon daemon(name.text);
  TemporaryFile file;
  // Neither the agent nor its child in another session heeds SIGTERM.
  Command command = shell(
      fmt::format("trap '' TERM; setsid sh -c 'echo $$ >{0}; sleep 1000' & sleep 1000; wait", file.path));
  command.timeout = 500ms;
  command.grace = 100ms;
  Background<Result<Exit>> running(daemon.loop, daemon.spawner->run(command));
  const pid_t child = std::stoi(line_of(daemon, file.path));
  EXPECT_TRUE(alive(child));
  auto exit = running.wait();
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->how, Exit::How::kTimedOut);
  EXPECT_TRUE(!daemon.ready->contained || dies(daemon, child));
  ::kill(child, SIGKILL);
}

TEST(Spawner, LetsAnAgentEndItselfAtSigterm) {
  Name name;
  Daemon daemon(name.text);
  Command command = shell("trap 'echo bye; exit 0' TERM; echo hello; sleep 1000 & wait");
  command.timeout = 500ms;
  command.grace = 20s;
  auto exit = daemon.run(command);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->how, Exit::How::kTimedOut);
  EXPECT_EQ(exit->output, "hello\nbye\n");
}

TEST(Spawner, ACancelledAgentIsGoneWhenTheTaskEnds) {
  Name name;
  Daemon daemon(name.text);
  TemporaryFile file;
  Background<Result<Exit>> running(
      daemon.loop, daemon.spawner->run(shell(fmt::format("echo $$ >{}; sleep 1000", file.path))));
  const pid_t agent = std::stoi(line_of(daemon, file.path));
  running.cancel_and_wait();
  EXPECT_TRUE(running.cancelled());
  EXPECT_TRUE(dies(daemon, agent));
}

TEST(Spawner, KillsWhatAnAgentLeavesBehind) {
  Name name;
  Daemon daemon(name.text);
  auto exit = daemon.run(shell("sleep 1000 >/dev/null 2>&1 & echo $!"));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->how, Exit::How::kExited);
  EXPECT_EQ(exit->code, 0);
  EXPECT_TRUE(dies(daemon, std::stoi(exit->output)));
}

TEST(Spawner, KeepsWhatAnApplicationStartLeavesBehind) {
  Name name;
  pid_t application = 0;
  {
    Daemon daemon(name.text);
    Command command = shell("setsid sleep 1000 >/dev/null 2>&1 & echo $!");
    command.leftovers = Command::Leftovers::kKeep;
    auto exit = daemon.run(command);
    ASSERT_TRUE(exit);
    application = std::stoi(exit->output);
    EXPECT_TRUE(alive(application));
  }
  EXPECT_TRUE(alive(application)) << "it must outlive the daemon";
  Daemon successor(name.text);
  EXPECT_TRUE(successor.run(shell(":")));
  EXPECT_TRUE(alive(application)) << "the next daemon must adopt it";
  ::kill(application, SIGKILL);
}

TEST(Spawner, KillsTheLeftoversOfAnApplicationStartThatFailed) {
  Name name;
  Daemon daemon(name.text);
  Command command = shell("sleep 1000 >/dev/null 2>&1 & echo $!; exit 1");
  command.leftovers = Command::Leftovers::kKeep;
  auto exit = daemon.run(command);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 1);
  EXPECT_TRUE(dies(daemon, std::stoi(exit->output)));
}

TEST(Spawner, RunsManyAgentsAtOnce) {
  Name name;
  Daemon daemon(name.text);
  std::vector<drivers::Task<Result<Exit>>> tasks;
  std::vector<Command> commands;
  for (int i = 0; i < 100; ++i) commands.push_back(shell(fmt::format("echo {}", i)));
  for (const Command& command : commands) tasks.push_back(daemon.spawner->run(command));
  auto exits = testing::wait(daemon.loop, drivers::all(std::move(tasks)));
  for (std::size_t i = 0; i < exits.size(); ++i) {
    ASSERT_TRUE(exits[i]) << exits[i].error().what;
    EXPECT_EQ(exits[i]->output, fmt::format("{}\n", i));
  }
}

TEST(Spawner, RefusesMoreAgentsThanItsBound) {
  Name name;
  Daemon daemon(name.text);
  const Command waiting = shell("sleep 1000");
  std::vector<std::unique_ptr<Background<Result<Exit>>>> running;
  for (std::size_t i = 0; i < spawner::kMaxAgents; ++i)
    running.push_back(std::make_unique<Background<Result<Exit>>>(daemon.loop, daemon.spawner->run(waiting)));
  auto refused = daemon.run(shell(":"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("agents run already"));
  running.clear();
  EXPECT_TRUE(daemon.run(shell(":")));
}

TEST(Spawner, TheHelpersMemoryIsLockedWhereAsked) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's memory cannot be locked";
#endif
  Name name;
  Daemon daemon(name.text, {.memory = Spawner::Options::Memory::kLocked});
  ASSERT_TRUE(daemon.run(shell(":")));
  const std::string status =
      read_kernel_file(AT_FDCWD, fmt::format("/proc/{}/status", daemon.spawner->helper_pid()).c_str());
  EXPECT_THAT(status, HasSubstr("VmLck:"));
  EXPECT_THAT(status, ::testing::Not(::testing::ContainsRegex("VmLck:[ \t]*0 kB")));
  const auto agent = daemon.run(shell("grep VmLck: /proc/self/status"));
  EXPECT_THAT(agent->output, ::testing::ContainsRegex("VmLck:[ \t]*0 kB")) << "agents are ordinary";
}

// ---- the daemon's end

// Runs `body` in a process of its own, so that it can be killed.
template <class Body>
pid_t in_process(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  return pid;
}

TEST(Spawner, TakesUnfinishedAgentsAlongWhenTheDaemonDies) {
  Name name;
  TemporaryFile unfinished, start;
  const pid_t daemon_pid = in_process([&] {
    Daemon daemon(name.text);
    Command plain = shell(fmt::format("trap '' TERM; echo $$ >{}; sleep 1000", unfinished.path));
    Command application = shell(fmt::format("echo $$ >{}; sleep 1000", start.path));
    application.leftovers = Command::Leftovers::kKeep;
    Background<Result<Exit>> a(daemon.loop, daemon.spawner->run(plain));
    Background<Result<Exit>> b(daemon.loop, daemon.spawner->run(application));
    daemon.loop.run();
  });
  Name other;
  Daemon watcher(other.text);
  const pid_t first = std::stoi(line_of(watcher, unfinished.path));
  const pid_t second = std::stoi(line_of(watcher, start.path));
  ASSERT_TRUE(alive(first) && alive(second));
  ::kill(daemon_pid, SIGKILL);
  ::waitpid(daemon_pid, nullptr, 0);
  EXPECT_TRUE(watcher.until([&] { return !alive(first) && !alive(second); }));
}

TEST(Spawner, ANewDaemonKillsItsPredecessorsAgentsFirst) {
  if (!has_cgroups()) GTEST_SKIP() << "needs cgroup v2";
  Name name;
  TemporaryFile file;
  const pid_t daemon_pid = in_process([&] {
    Daemon daemon(name.text);
    // A process in a session of its own, which only the cgroup holds.
    Background<Result<Exit>> a(
        daemon.loop,
        daemon.spawner->run(shell(fmt::format("setsid sh -c 'echo $$ >{}; sleep 1000' & wait", file.path))));
    daemon.loop.run();
  });
  pid_t agent = 0;
  {
    Name other;
    Daemon watcher(other.text);
    agent = std::stoi(line_of(watcher, file.path));
  }
  ASSERT_TRUE(alive(agent));
  // The daemon hangs, so its spawner goes on: the successor must end both the spawner and the agent.
  ::kill(daemon_pid, SIGSTOP);
  {
    Daemon successor(name.text);
    EXPECT_TRUE(successor.until([&] { return successor.ready.has_value(); }));
    EXPECT_TRUE(dies(successor, agent));
    EXPECT_TRUE(successor.ready->stuck.empty());
    EXPECT_TRUE(successor.run(shell(":")));
  }
  ::kill(daemon_pid, SIGKILL);
  ::waitpid(daemon_pid, nullptr, 0);
}

TEST(Spawner, WithoutCgroupsANewDaemonWaitsForItsPredecessorsSpawner) {
  if (has_cgroups()) GTEST_SKIP() << "covered by cgroups here";
  Name name;
  auto first = std::make_unique<Daemon>(name.text);
  EXPECT_TRUE(first->run(shell(":")));
  Daemon second(name.text, {.predecessor_patience = 20s});
  // As long as the first lives, nothing may come; a moment is enough to see a second that does not wait.
  EXPECT_FALSE(second.loop.run_until([&] { return second.ready.has_value(); }, 200ms));
  first.reset();
  EXPECT_TRUE(second.until([&] { return second.ready.has_value(); }));
  EXPECT_TRUE(second.ready->stuck.empty());
}

TEST(Spawner, WithoutCgroupsAPredecessorsSpawnerThatHangsCountsAsStuckUntilItHasEnded) {
  if (has_cgroups()) GTEST_SKIP() << "covered by cgroups here";
  Name name;
  auto first = std::make_unique<Daemon>(name.text);
  EXPECT_TRUE(first->run(shell(":")));
  Daemon second(name.text, {.predecessor_patience = 50ms});
  ASSERT_TRUE(second.until([&] { return second.ready.has_value(); }));
  EXPECT_THAT(second.ready->stuck, ::testing::ElementsAre("the spawner of an earlier daemon"));
  EXPECT_EQ(second.spawner->stuck(), 1u);
  first.reset();
  EXPECT_TRUE(second.until([&] { return second.spawner->stuck() == 0; }));
}

TEST(Spawner, SaysWhenItsHelperHasDied) {
  Name name;
  Daemon daemon(name.text);
  Background<Result<Exit>> running(daemon.loop, daemon.spawner->run(shell("sleep 1000")));
  EXPECT_TRUE(daemon.until([&] { return daemon.ready.has_value(); }));
  ::kill(daemon.spawner->helper_pid(), SIGKILL);
  auto exit = running.wait();
  ASSERT_FALSE(exit);
  EXPECT_THAT(exit.error().what, HasSubstr("the spawner has died"));
  EXPECT_EQ(daemon.lost, "the spawner has died");
  EXPECT_FALSE(daemon.run(shell(":")));
}

// ---- dead disks

TEST(Spawner, AnAgentOnADeadDiskHoldsNobodyUp) {
  Name name;
  Daemon daemon(name.text, {.kill_patience = 200ms});
  EXPECT_TRUE(daemon.run(shell(":")));
  DeadFilesystem dead;
  Command hanging{.label = "dead", .argv = {dead.file()}, .timeout = 600s, .grace = 100ms};
  Background<Result<Exit>> stuck(daemon.loop, daemon.spawner->run(hanging));
  ASSERT_TRUE(daemon.until([&] { return dead.dropped() > 0; }));

  const LocalTime before = boot_time();
  auto exit = daemon.run(shell("echo fine"));
  const Duration took = boot_time() - before;
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->output, "fine\n");
  EXPECT_FALSE(stuck.done());
  RecordProperty("agent_beside_a_dead_disk_us", static_cast<int>(took.count()));
  fmt::print("an agent beside one on a dead disk took {} us\n", took.count());

  stuck.cancel_and_wait();
  EXPECT_EQ(daemon.spawner->stuck(), 1u);
  dead.revive();
  EXPECT_TRUE(daemon.until([&] { return daemon.spawner->stuck() == 0; }));
}

TEST(Spawner, AStuckAgentIsReportedAndNotRunAgainUntilItIsGone) {
  Name name;
  Daemon daemon(name.text, {.kill_patience = 200ms});
  DeadFilesystem dead;
  Command command{.label = "dead", .argv = {dead.file()}, .timeout = 100ms, .grace = 100ms};
  auto exit = daemon.run(command);
  ASSERT_TRUE(exit) << exit.error().what;
  EXPECT_EQ(exit->how, Exit::How::kStuck);
  auto again = daemon.run(command);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().what, HasSubstr("survived SIGKILL"));
  EXPECT_TRUE(daemon.run(shell(":"))) << "other agents must still run";

  dead.revive();
  EXPECT_TRUE(daemon.until([&] { return daemon.spawner->stuck() == 0; }));
  auto afterwards = daemon.run(command);
  EXPECT_TRUE(!afterwards || afterwards->how != Exit::How::kStuck);
}

TEST(Spawner, StuckAgentsNeverPileUp) {
  Name name;
  Daemon daemon(name.text, {.kill_patience = 500ms});
  DeadFilesystem dead;
  std::vector<Command> commands;
  for (std::size_t i = 0; i < spawner::kMaxStuck; ++i)
    commands.push_back(
        Command{.label = "dead", .argv = {dead.file(), std::to_string(i)}, .timeout = 3s, .grace = 10ms});
  std::vector<drivers::Task<Result<Exit>>> tasks;
  for (const Command& command : commands) tasks.push_back(daemon.spawner->run(command));
  for (const auto& exit : testing::wait(daemon.loop, drivers::all(std::move(tasks)))) {
    ASSERT_TRUE(exit) << exit.error().what;
    EXPECT_EQ(exit->how, Exit::How::kStuck);
  }
  EXPECT_TRUE(daemon.until([&] { return daemon.spawner->stuck() == spawner::kMaxStuck; }));
  auto refused = daemon.run(shell(":"));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("survived SIGKILL"));
  dead.revive();
  EXPECT_TRUE(daemon.until([&] { return daemon.spawner->stuck() == 0; }));
  EXPECT_TRUE(daemon.run(shell(":")));
}

TEST(Spawner, ANewDaemonNamesThePredecessorsAgentsThatAreStuck) {
  if (!has_cgroups()) GTEST_SKIP() << "needs cgroup v2";
  Name name;
  DeadFilesystem dead;
  const Command command{
      .label = "resource orders/web", .argv = {dead.file()}, .timeout = 50ms, .grace = 10ms};
  auto first = std::make_unique<Daemon>(name.text, Spawner::Options{.kill_patience = 100ms});
  auto exit = first->run(command);
  ASSERT_TRUE(exit);
  ASSERT_EQ(exit->how, Exit::How::kStuck);
  first.reset();

  Daemon successor(name.text, {.predecessor_patience = 200ms});
  ASSERT_TRUE(successor.until([&] { return successor.ready.has_value(); }));
  EXPECT_THAT(successor.ready->stuck, ::testing::ElementsAre("resource_orders_web"));
  EXPECT_THAT(successor.spawner->stuck_agents(), ::testing::ElementsAre("resource_orders_web"));
  EXPECT_TRUE(successor.run(shell(":")));
  EXPECT_EQ(successor.spawner->stuck(), 1u);
  dead.revive();
  EXPECT_TRUE(successor.until([&] { return successor.spawner->stuck() == 0; }));
}

TEST(Spawner, TellsAgentsThatMayStillActFromThoseThatOnlyLook) {
  for (const char* label : {"resource_orders_web", "resource orders/web", "fence n1 off", "anything else"})
    EXPECT_TRUE(may_act(label)) << label;
  for (const char* label :
       {"monitor_disk", "monitor disk", "read__etc_komainu_secret", "resolve_db", "alert"})
    EXPECT_FALSE(may_act(label)) << label;
}

// ---- files

TEST(SpawnerFiles, ReadsAFile) {
  Name name;
  Daemon daemon(name.text);
  const std::string text(100'000, 'x');
  TemporaryFile file(text);
  auto read =
      testing::wait(daemon.loop, daemon.spawner->read(file.path, 200'000, drivers::Files::Secrecy::kNormal));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, text);
}

TEST(SpawnerFiles, SaysWhatIsWrongWithAFile) {
  Name name;
  Daemon daemon(name.text);
  TemporaryFile file("password");
  auto read = [&](const std::string& path, std::size_t size, drivers::Files::Secrecy secrecy) {
    auto result = testing::wait(daemon.loop, daemon.spawner->read(path, size, secrecy));
    return result ? "read" : result.error().what;
  };
  using enum drivers::Files::Secrecy;
  EXPECT_EQ(read("/nonexistent", 10, kNormal), "cannot read /nonexistent: No such file or directory");
  EXPECT_EQ(read("/tmp", 10, kNormal), "cannot read /tmp: not a regular file");
  EXPECT_EQ(read(file.path, 3, kNormal), fmt::format("cannot read {}: larger than 3 bytes", file.path));
  EXPECT_EQ(read(file.path, 10, kSecret), "read");
  ASSERT_EQ(::chmod(file.path.c_str(), 0644), 0);
  EXPECT_THAT(read(file.path, 10, kSecret), HasSubstr("others than root may read it"));
}

TEST(SpawnerFiles, GivesUpOnADeadDisk) {
  Name name;
  Daemon daemon(name.text, {.kill_patience = 100ms});
  DeadFilesystem dead;
  auto reading = daemon.spawner->read(dead.file(), 10, drivers::Files::Secrecy::kNormal);
  auto read = testing::wait(daemon.loop, drivers::within(daemon.loop, 100ms, std::move(reading)));
  EXPECT_FALSE(read);
  EXPECT_EQ(daemon.spawner->stuck(), 1u);
  dead.revive();
  EXPECT_TRUE(daemon.until([&] { return daemon.spawner->stuck() == 0; }));
}

}  // namespace
}  // namespace komainu::engine
