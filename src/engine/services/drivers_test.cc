// The drivers on the daemon's own services: real links, addresses, processes and files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "drivers/testing/net_namespace.h"
#include "drivers/types.h"
#include "engine/loop/loop.h"
#include "engine/services/netlink.h"
#include "engine/services/systemd.h"
#include "engine/spawner/spawner.h"
#include "engine/testing/tasks.h"
#include "engine/testing/user_systemd.h"

namespace komainu::engine {
namespace {

using drivers::Health;
using drivers::Presence;
using drivers::testing::NetNamespace;
using testing::Background;
using ::testing::HasSubstr;
using testing::kPatience;
using testing::UserSystemd;

class Reports final : public drivers::Reports {
 public:
  void report(const drivers::Verdict& verdict) override { last = verdict; }
  bool is(Health health) const { return last && last->health == health; }
  std::optional<drivers::Verdict> last;
};

class Log final : public drivers::Log {
 public:
  void info(std::string_view) override {}
  void warning(std::string_view) override {}
};

// What komainud gives its drivers.
struct Engine {
  Loop loop;
  std::unique_ptr<Spawner> spawner = fork();
  Systemd systemd{loop};
  std::unique_ptr<Netlink> netlink = *Netlink::open(loop);
  Log log;
  drivers::Services services{loop, loop, *spawner, *spawner, systemd, *netlink, log};

  Engine() {
    spawner->attach(
        loop.io(), [](const spawner::Ready&) {}, [](const std::string& why) { ADD_FAILURE() << why; });
  }
  static std::unique_ptr<Spawner> fork() {
    static int count = 0;
    Spawner::Options options;
    options.name = fmt::format("komainu-drivers-test-{}-{}", ::getpid(), ++count);
    auto forked = Spawner::fork(options);
    if (!forked) throw std::runtime_error(forked.error().what);
    return std::move(*forked);
  }
  template <class T>
  drivers::detail::Unit<T> wait(drivers::Task<T> task) {
    return testing::wait(loop, std::move(task));
  }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, kPatience); }
};

// ---- addresses

// A daemon in a network namespace, joined by eth1 with a neighbour.
struct Network {
  NetNamespace server, neighbour;
  std::optional<NetNamespace::Inside> inside;
  std::optional<Engine> daemon;

  Network() {
    server.join("eth1", neighbour, "eth1");
    for (const NetNamespace* one : {&server, &neighbour}) {
      const int last = one == &server ? 11 : 12;
      one->run("sysctl -qw net.ipv6.conf.eth1.accept_dad=0");
      one->run(fmt::format("ip addr add 192.0.2.{}/24 dev eth1", last));
      one->run(fmt::format("ip addr add 2001:db8::{}/64 dev eth1", last));
    }
    inside.emplace(server);
    daemon.emplace();
  }
  std::unique_ptr<drivers::Resource> floating_ip(const std::string& address) {
    return *drivers::floating_ip().make({{"address", address}}, daemon->services,
                                        {"node1", "orders/address"});
  }
  bool has(const std::string& address) const {
    return server.output("ip -o addr show dev eth1").find(" " + address + " ") != std::string::npos;
  }
};

const char* const kAddresses[] = {"192.0.2.100/24", "2001:db8::100/64"};

TEST(FloatingIpOfTheKernel, ComesAndGoesAndAnswers) {
  Network network;
  for (const std::string address : kAddresses) {
    const auto resource = network.floating_ip(address);
    Engine& daemon = *network.daemon;
    const Result<void> started = daemon.wait(resource->start());
    ASSERT_TRUE(started) << started.error().what;
    EXPECT_TRUE(network.has(address));
    EXPECT_EQ(daemon.wait(resource->probe())->presence, Presence::kRunning);
    network.neighbour.run("ping -q -c 1 -W 5 " + address.substr(0, address.find('/')) + " >/dev/null");
    EXPECT_TRUE(daemon.wait(resource->start())) << "again";

    Reports reports;
    {
      Background<std::string> watch(daemon.loop, resource->watch(reports));
      daemon.wait(daemon.loop.sleep(200ms));  // what the kernel tells late must not look like a loss
      EXPECT_FALSE(watch.done()) << watch.wait();
    }
    EXPECT_TRUE(daemon.wait(resource->stop()));
    EXPECT_FALSE(network.has(address));
    EXPECT_TRUE(daemon.wait(resource->stop())) << "again";
    EXPECT_EQ(daemon.wait(resource->probe())->presence, Presence::kStopped);
  }
}

TEST(FloatingIpOfTheKernel, AStopLeavesNothingOfAStartThatWasCancelledWhileItAdded) {
  Network network;
  Engine& daemon = *network.daemon;
  for (const std::string address : kAddresses) {
    const auto resource = network.floating_ip(address);
    std::promise<void> asked, kernel;
    daemon.netlink->thread().submit(
        [&]() -> Result<void> {
          asked.set_value();
          kernel.get_future().wait();
          return {};
        },
        [](const Result<void>&) {});
    asked.get_future().wait();
    {
      Background<Result<void>> starting(daemon.loop, resource->start());
      ASSERT_TRUE(daemon.until([&] { return daemon.netlink->thread().waiting() > 0; }));
      starting.cancel_and_wait();
      EXPECT_TRUE(starting.cancelled());
    }
    Background<Result<void>> stopping(daemon.loop, resource->stop());
    EXPECT_FALSE(stopping.done());
    kernel.set_value();
    EXPECT_TRUE(stopping.wait());
    EXPECT_FALSE(network.has(address));
    EXPECT_EQ(daemon.wait(resource->probe())->presence, Presence::kStopped);
  }
}

TEST(FloatingIpOfTheKernel, SeesItsAddressTakenAway) {
  Network network;
  for (const std::string address : kAddresses) {
    const auto resource = network.floating_ip(address);
    ASSERT_TRUE(network.daemon->wait(resource->start()));
    Reports reports;
    Background<std::string> watch(network.daemon->loop, resource->watch(reports));
    network.server.run("ip addr del " + address + " dev eth1");
    EXPECT_EQ(watch.wait(), address + " was removed from its interface");
  }
}

TEST(FloatingIpOfTheKernel, SeesItsLinkGoDownAndCanStillBeStopped) {
  Network network;
  const auto resource = network.floating_ip(kAddresses[0]);
  ASSERT_TRUE(network.daemon->wait(resource->start()));
  Reports reports;
  Background<std::string> watch(network.daemon->loop, resource->watch(reports));
  network.neighbour.run("ip link set eth1 down");
  EXPECT_EQ(watch.wait(), "eth1 has no carrier (192.0.2.100)");
  EXPECT_EQ(network.daemon->wait(resource->probe())->presence, Presence::kBroken);
  EXPECT_TRUE(network.daemon->wait(resource->stop()));
  EXPECT_FALSE(network.has(kAddresses[0]));
  EXPECT_FALSE(network.daemon->wait(resource->start())) << "and does not come up without a carrier";
}

TEST(FloatingIpOfTheKernel, RefusesAnAddressInUse) {
  Network network;
  for (const std::string address : kAddresses) {
    network.neighbour.run("ip addr add " + address + " dev eth1");
    const auto resource = network.floating_ip(address);
    const Result<void> started = network.daemon->wait(resource->start());
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error().what, HasSubstr("is in use by "));
    EXPECT_FALSE(network.has(address));
  }
}

TEST(NicLinkOfTheKernel, SeesTheCableOfTheOtherEnd) {
  Network network;
  const auto monitor =
      *drivers::nic_link().make({{"interface", std::string("eth1")}}, {}, network.daemon->services, {});
  Reports reports;
  Background<void> running(network.daemon->loop, monitor->run(reports));
  EXPECT_TRUE(network.daemon->until([&] { return reports.is(Health::kHealthy); }));
  network.neighbour.run("ip link set eth1 down");
  EXPECT_TRUE(network.daemon->until([&] { return reports.is(Health::kFailed); }));
  EXPECT_EQ(reports.last->evidence, "eth1 has no carrier");
  network.neighbour.run("ip link set eth1 up");
  EXPECT_TRUE(network.daemon->until([&] { return reports.is(Health::kHealthy); }));
  network.server.run("ip link del eth1");
  EXPECT_TRUE(network.daemon->until([&] { return reports.is(Health::kFailed); }));
  EXPECT_EQ(reports.last->evidence, "there is no interface eth1");
}

// ---- units

// A daemon beside a real systemd with a service of its own.
class UnitOfSystemd : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!UserSystemd::possible()) GTEST_SKIP() << "needs cgroup v2 and systemd's program";
    manager.emplace();
    manager->unit("web.service", "[Service]\nExecStart=sleep 1000\n");
    manager->unit("broken.service", "[Service]\nType=notify\nExecStart=false\n");
    manager->unit("slow.service", "[Service]\nType=oneshot\nExecStart=sleep 1000\n");
    manager->unit("queued.service",
                  "[Unit]\nAfter=slow.service\nRequires=slow.service\n[Service]\nExecStart=sleep 1000\n");
    daemon.emplace();
    systemd.emplace(daemon->loop, manager->endpoints());
    services.emplace(drivers::Services{daemon->loop, daemon->loop, *daemon->spawner, *daemon->spawner,
                                       *systemd, *daemon->netlink, daemon->log});
  }
  std::unique_ptr<drivers::Resource> resource(const std::string& unit = "web.service") {
    return *drivers::systemd().make({{"unit", unit}}, *services, {"node1", "orders/web"});
  }
  Presence presence(drivers::Resource& of) {
    const Result<drivers::Probe> probe = daemon->wait(of.probe());
    EXPECT_TRUE(probe) << probe.error().what;
    return probe ? probe->presence : Presence::kBroken;
  }
  pid_t main_pid() { return daemon->wait(systemd->unit_state("web.service"))->main_pid; }

  std::optional<UserSystemd> manager;
  std::optional<Engine> daemon;
  std::optional<Systemd> systemd;
  std::optional<drivers::Services> services;
  Reports reports;
};

TEST_F(UnitOfSystemd, StartsAndStops) {
  const auto web = resource();
  EXPECT_EQ(presence(*web), Presence::kStopped);
  const Result<void> started = daemon->wait(web->start());
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_EQ(presence(*web), Presence::kRunning);
  EXPECT_TRUE(daemon->wait(web->start())) << "again";
  EXPECT_TRUE(daemon->wait(web->stop()));
  EXPECT_EQ(presence(*web), Presence::kStopped);
  EXPECT_TRUE(daemon->wait(web->stop())) << "again";
}

TEST_F(UnitOfSystemd, SaysWhyItDoesNotStart) {
  const Result<void> started = daemon->wait(resource("broken.service")->start());
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("broken.service"));
  const Result<void> missing = daemon->wait(resource("missing.service")->start());
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().what, HasSubstr("missing.service"));
  EXPECT_TRUE(daemon->wait(resource("missing.service")->stop())) << "what is not there has stopped";
}

TEST_F(UnitOfSystemd, StartsAgainHoweverOftenItFailed) {
  const auto web = resource();
  for (int i = 0; i < 8; ++i) {  // systemd's own limit is 5 starts in 10 seconds
    const Result<void> started = daemon->wait(web->start());
    ASSERT_TRUE(started) << started.error().what;
    Background<std::string> watch(daemon->loop, web->watch(reports));
    ::kill(main_pid(), SIGKILL);
    watch.wait();
  }
}

TEST_F(UnitOfSystemd, StopsAServiceThatHangs) {
  const auto web = resource();
  ASSERT_TRUE(daemon->wait(web->start()));
  ::kill(main_pid(), SIGSTOP);
  EXPECT_TRUE(daemon->wait(web->stop()));
}

TEST_F(UnitOfSystemd, AStartThatIsQueuedHasToBeStopped) {
  const auto queued = resource("queued.service");
  Systemd predecessor(daemon->loop, manager->endpoints());
  Background<Result<void>> starting(daemon->loop, predecessor.start_unit("queued.service"));
  ASSERT_TRUE(daemon->until([&] { return daemon->wait(systemd->unit_state("queued.service"))->has_job; }));
  const Result<drivers::Probe> probe = daemon->wait(queued->probe());
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->presence, Presence::kBroken);
  EXPECT_EQ(probe->evidence, "queued.service is inactive, and a job of it is queued");
  const Result<void> stopped = daemon->wait(queued->stop());
  ASSERT_TRUE(stopped) << stopped.error().what;
  EXPECT_EQ(presence(*queued), Presence::kStopped);
  EXPECT_FALSE(starting.wait());
}

TEST_F(UnitOfSystemd, AStopThatFollowsACancelledStartLeavesNothing) {
  const auto queued = resource("queued.service");
  presence(*queued);  // connected
  Background<Result<void>> starting(daemon->loop, queued->start());
  daemon->wait(daemon->loop.sleep(Duration{0}));
  starting.cancel_and_wait();
  EXPECT_TRUE(daemon->wait(queued->stop()));
  EXPECT_EQ(presence(*queued), Presence::kStopped);
  EXPECT_FALSE(daemon->wait(systemd->unit_state("queued.service"))->has_job);
}

TEST_F(UnitOfSystemd, SeesItsDeathAndItsStop) {
  const auto web = resource();
  ASSERT_TRUE(daemon->wait(web->start()));
  {
    Background<std::string> watch(daemon->loop, web->watch(reports));
    const pid_t pid = main_pid();
    ::kill(pid, SIGKILL);
    EXPECT_EQ(watch.wait(), fmt::format("the main process of web.service (pid {}) has died", pid));
  }
  ASSERT_TRUE(daemon->wait(web->start()));
  Background<std::string> watch(daemon->loop, web->watch(reports));
  daemon->wait(daemon->loop.sleep(100ms));
  ASSERT_FALSE(watch.done()) << "a service that has just been started is watched";
  ASSERT_TRUE(daemon->wait(systemd->stop_unit("web.service")));
  EXPECT_THAT(watch.wait(), HasSubstr("web.service"));
}

TEST_F(UnitOfSystemd, ItsMonitorsSeeItComeAndGo) {
  for (const auto* type : {&drivers::systemd_unit(), &drivers::process()}) {
    const auto monitor = *type->make({{"unit", std::string("web.service")}}, {}, *services, {});
    Reports seen;
    Background<void> running(daemon->loop, monitor->run(seen));
    ASSERT_TRUE(daemon->wait(resource()->start()));
    EXPECT_TRUE(daemon->until([&] { return seen.is(Health::kHealthy); })) << type->schema.name;
    ::kill(main_pid(), SIGKILL);
    EXPECT_TRUE(daemon->until([&] { return seen.is(Health::kFailed); })) << type->schema.name;
  }
}

// ---- programs

// Scripts in a directory that goes with the test.
class Scripts {
 public:
  Scripts() {
    char path[] = "/tmp/komainu-drivers-XXXXXX";
    if (!::mkdtemp(path)) throw std::runtime_error("cannot make a directory");
    directory_ = path;
  }
  ~Scripts() { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0700) const {
    std::ofstream(path(name)) << text;
    ::chmod(path(name).c_str(), mode);
    return path(name);
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string directory_;
};

TEST(CommandOfTheShell, WhatItStartsLivesOnUntilItIsStopped) {
  const Scripts scripts;
  const std::string pid_file = scripts.path("pid");
  const std::string app = scripts.write("app", fmt::format(R"sh(#!/bin/sh
case $1 in
  start) setsid sleep 1000 >/dev/null 2>&1 & echo $! >{0} ;;
  stop) test -e {0} && kill $(cat {0}); rm -f {0} ;;
  probe) test -e {0} || exit 7; kill -0 $(cat {0}) ;;
esac
)sh",
                                                           pid_file));
  Engine daemon;
  const auto resource = *drivers::command_resource().make({{"start", std::vector{app, std::string("start")}},
                                                           {"stop", std::vector{app, std::string("stop")}},
                                                           {"probe", std::vector{app, std::string("probe")}},
                                                           {"watch_interval", Duration(20ms)}},
                                                          daemon.services, {"node1", "orders/app"});
  EXPECT_EQ(daemon.wait(resource->probe())->presence, Presence::kStopped);
  const Result<void> started = daemon.wait(resource->start());
  ASSERT_TRUE(started) << started.error().what;
  EXPECT_EQ(daemon.wait(resource->probe())->presence, Presence::kRunning);
  {
    Reports reports;
    Background<std::string> watch(daemon.loop, resource->watch(reports));
    ::kill(std::stoi(scripts.read("pid")), SIGKILL);
    EXPECT_THAT(watch.wait(), HasSubstr("probe`: exit code 1"));
  }
  ASSERT_TRUE(daemon.wait(resource->start()));
  EXPECT_TRUE(daemon.wait(resource->stop()));
  EXPECT_EQ(daemon.wait(resource->probe())->presence, Presence::kStopped);
}

// A power switch as a program: it keeps the state of one machine in a file, and what it was told in another.
std::string power_switch(const Scripts& scripts) {
  return scripts.write("fence_file",
                       fmt::format(R"sh(#!/bin/sh
while read -r line; do
  echo "$line" >>{0}/told
  case $line in action=*) action=${{line#action=}} ;; password=*) password=${{line#password=}} ;; esac
done
test "$password" = tiger || {{ echo "wrong password $password" >&2; exit 1; }}
case $action in
  off|on) test -e {0}/stuck || echo $action >{0}/power ;;
  status) test "$(cat {0}/power)" = on || exit 2 ;;
esac
)sh",
                                   std::filesystem::path(scripts.path("x")).parent_path().string()));
}

TEST(AgentProgram, SwitchesOffWithASecretThatOnlyItSees) {
  const Scripts scripts;
  scripts.write("power", "on");
  Engine daemon;
  const Params params{{"agent", power_switch(scripts)},
                      {"secret", scripts.write("secret", "password=tiger\n", 0600)},
                      {"confirm_within", Duration(100ms)}};
  const auto fencer = *drivers::agent().make(params, daemon.services, {"node2", "fence"});
  EXPECT_TRUE(daemon.wait(fencer->test("node1")));
  EXPECT_EQ(*daemon.wait(fencer->status("node1")), drivers::Power::kOn);
  EXPECT_TRUE(daemon.wait(fencer->off("node1")));
  EXPECT_EQ(*daemon.wait(fencer->status("node1")), drivers::Power::kOff);
  EXPECT_THAT(scripts.read("told"), HasSubstr("plug=node1"));
  EXPECT_TRUE(daemon.wait(fencer->reset("node1")));
  EXPECT_EQ(scripts.read("power"), "on\n");

  scripts.write("stuck", "");
  const Result<void> off = daemon.wait(fencer->off("node1"));
  ASSERT_FALSE(off);
  EXPECT_THAT(off.error().what, HasSubstr("its status is on"));
}

TEST(AgentProgram, RefusesASecretThatOthersMayRead) {
  const Scripts scripts;
  Engine daemon;
  const Params params{{"agent", power_switch(scripts)},
                      {"secret", scripts.write("secret", "password=tiger\n", 0644)}};
  const auto fencer = *drivers::agent().make(params, daemon.services, {"node2", "fence"});
  EXPECT_FALSE(daemon.wait(fencer->status("node1")));
  EXPECT_EQ(scripts.read("told"), "") << "the agent was not run";
}

TEST(AgentProgram, AWrongPasswordIsNotRepeated) {
  const Scripts scripts;
  Engine daemon;
  const Params params{{"agent", power_switch(scripts)},
                      {"secret", scripts.write("secret", "password=leopard\n", 0600)}};
  const auto fencer = *drivers::agent().make(params, daemon.services, {"node2", "fence"});
  EXPECT_THAT(daemon.wait(fencer->status("node1")).error().what,
              HasSubstr("exit code 1: wrong password ***"));
}

TEST(CommandMonitorProgram, IsCutOffAtItsTimeout) {
  const Scripts scripts;
  const std::string check =
      scripts.write("check", "#!/bin/sh\necho $$ >" + scripts.path("pid") + "\nexec sleep 1000\n");
  Engine daemon;
  const drivers::Schedule schedule{
      .interval = 1h, .timeout = 2s, .retries = 0, .quiet = drivers::Schedule::Quiet::kNever};
  const auto monitor = *drivers::command_monitor().make({{"command", std::vector{check}}}, schedule,
                                                        daemon.services, {"node1", "check"});
  Reports reports;
  Background<void> running(daemon.loop, monitor->run(reports));
  EXPECT_TRUE(daemon.until([&] { return reports.is(Health::kFailed); }));
  EXPECT_EQ(reports.last->evidence, "no answer within 2s");
  EXPECT_NE(::kill(std::stoi(scripts.read("pid")), 0), 0) << "and nothing of it is left";
}

TEST(TcpMonitor, ResolvesNamesInAChild) {
  Engine daemon;
  const drivers::Schedule schedule{
      .interval = 1h, .timeout = 20s, .retries = 0, .quiet = drivers::Schedule::Quiet::kNever};
  const auto monitor = *drivers::tcp().make({{"host", std::string("localhost")}, {"port", std::int64_t{1}}},
                                            schedule, daemon.services, {"node1", "tcp"});
  Reports reports;
  Background<void> running(daemon.loop, monitor->run(reports));
  EXPECT_TRUE(daemon.until([&] { return reports.last.has_value(); }));
  EXPECT_THAT(reports.last->evidence, HasSubstr(":1: Connection refused"));
}

}  // namespace
}  // namespace komainu::engine
