#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/testing/poll_loop.h"
#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using testing::PollLoop;
using testing::ReportLog;
using testing::Started;
using testing::World;

// A child of a given name that waits to be killed; a zombie until it is reaped.
class Child {
 public:
  explicit Child(const std::string& name = "sleeper") {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_NAME, name.c_str());
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ready[1]);
      ::close(ready[0]);
      ::pause();
      ::_exit(0);
    }
    ::close(ready[1]);
    char byte;
    (void)!::read(ready[0], &byte, 1);  // its end closes when the child has its name
    ::close(ready[0]);
  }
  Child(const Child&) = delete;
  ~Child() { reap(); }
  void kill() const { ::kill(pid_, SIGKILL); }
  void reap() {
    if (pid_ <= 0) return;
    kill();
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// Real processes and a real clock; systemd and the files are scripted.
struct Bench {
  PollLoop loop;
  World world;
  ReportLog reports;
  std::unique_ptr<Monitor> monitor;
  std::optional<Started<void>> running;

  ~Bench() { running.reset(); }
  void run(const Params& params, Duration interval = 1h) {
    Services services{loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log};
    Schedule schedule{.interval = interval, .retries = 5, .quiet = Schedule::Quiet::kNever};
    auto made = process().make(params, schedule, services, {});
    ASSERT_TRUE(made) << made.error().what;
    monitor = std::move(*made);
    running.emplace(monitor->run(reports));
  }
  bool becomes(Health health) {
    return loop.run_until([&] { return reports.health() == health; });
  }
};

std::string unique_name() {
  return fmt::format("kmn{}", ::getpid());
}

TEST(Process, SeesTheDeathOfAUnitsMainProcessWithoutWaitingForAnInterval) {
  Bench bench;
  Child child;
  bench.world.systemd.units["web.service"] = {.active_state = "active", .main_pid = child.pid()};
  bench.run({{"unit", std::string("web.service")}});
  EXPECT_TRUE(bench.becomes(Health::kHealthy));
  child.kill();
  EXPECT_TRUE(bench.becomes(Health::kFailed));
  EXPECT_THAT(bench.reports.evidence(), HasSubstr("has died"));

  Child next;
  bench.world.systemd.set("web.service", {.active_state = "active", .main_pid = next.pid()});
  EXPECT_TRUE(bench.becomes(Health::kHealthy));
}

TEST(Process, AUnitWithoutAMainProcessHasFailed) {
  Bench bench;
  bench.world.systemd.units["web.service"] = {.active_state = "inactive", .sub_state = "dead"};
  bench.run({{"unit", std::string("web.service")}});
  EXPECT_TRUE(bench.becomes(Health::kFailed));
  EXPECT_EQ(bench.reports.evidence(), "web.service has no main process: it is inactive (dead)");
}

TEST(Process, FollowsAPidFile) {
  Bench bench;
  Child child;
  bench.world.files.content["/run/web.pid"] = fmt::format("{}\n", child.pid());
  bench.run({{"pid_file", std::string("/run/web.pid")}}, 50ms);
  EXPECT_TRUE(bench.becomes(Health::kHealthy));
  child.kill();
  EXPECT_TRUE(bench.becomes(Health::kFailed)) << "a zombie counts as dead";
  Child next;
  bench.world.files.content["/run/web.pid"] = fmt::format("{}\n", next.pid());
  EXPECT_TRUE(bench.becomes(Health::kHealthy));
  bench.world.files.content["/run/web.pid"] = "1; reboot";
  EXPECT_TRUE(bench.becomes(Health::kFailed));
  EXPECT_EQ(bench.reports.evidence(), "/run/web.pid holds no process number");
}

TEST(Process, CountsTheProcessesOfAName) {
  Bench bench;
  Child one(unique_name()), two(unique_name());
  bench.run({{"process", unique_name()}, {"count", std::int64_t{2}}});
  EXPECT_TRUE(bench.becomes(Health::kHealthy));
  two.kill();
  EXPECT_TRUE(bench.becomes(Health::kFailed)) << "at once, though the interval is an hour";
  EXPECT_EQ(bench.reports.evidence(),
            fmt::format("1 of the 2 processes of {} that are needed", unique_name()));
}

TEST(Process, SeesNewProcessesOfTheNameAfterAnInterval) {
  Bench bench;
  bench.run({{"process", unique_name()}}, 50ms);
  EXPECT_TRUE(bench.becomes(Health::kFailed));
  Child one(unique_name());
  EXPECT_TRUE(bench.becomes(Health::kHealthy));
}

TEST(Process, WantsExactlyOneWayToFindThem) {
  World world;
  EXPECT_FALSE(process().make({}, {}, world.services(), {}));
  EXPECT_FALSE(process().make({{"process", std::string("a")}, {"unit", std::string("a.service")}}, {},
                              world.services(), {}));
  const auto long_name =
      process().make({{"process", std::string("a-name-of-17-byte")}}, {}, world.services(), {});
  ASSERT_FALSE(long_name);
  EXPECT_THAT(long_name.error().help, HasSubstr("a-name-of-17-by\""));
}

}  // namespace
}  // namespace komainu::drivers
