// With real ICMP in network namespaces.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/testing/net_namespace.h"
#include "drivers/testing/poll_loop.h"
#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using testing::NetNamespace;
using testing::PollLoop;
using testing::ReportLog;
using testing::Started;
using testing::World;

// A server and a neighbour, which answers at 192.0.2.12 and 2001:db8::12.
struct Network {
  NetNamespace server, neighbour;
  std::optional<NetNamespace::Inside> inside;

  Network() {
    server.join("eth1", neighbour, "eth1");
    for (const NetNamespace* one : {&server, &neighbour}) {
      const int last = one == &server ? 11 : 12;
      one->run("sysctl -qw net.ipv6.conf.eth1.accept_dad=0");
      one->run(fmt::format("ip addr add 192.0.2.{}/24 dev eth1", last));
      one->run(fmt::format("ip addr add 2001:db8::{}/64 dev eth1", last));
    }
    inside.emplace(server);
  }

  Verdict judge(std::vector<std::string> targets, const std::string& need = "any", Duration timeout = 500ms) {
    PollLoop loop;
    World world;
    ReportLog reports;
    const Schedule schedule{
        .interval = 1h, .timeout = timeout, .retries = 0, .quiet = Schedule::Quiet::kNever};
    const auto monitor =
        *ping().make({{"targets", std::move(targets)}, {"need", need}}, schedule,
                     {loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log}, {});
    Started<void> running(monitor->run(reports));
    if (!loop.run_until([&] { return !reports.verdicts.empty(); })) throw std::runtime_error("no judgement");
    return reports.verdicts.front();
  }
};

TEST(Ping, IsAnsweredOverBothFamilies) {
  Network network;
  const Verdict verdict = network.judge({"192.0.2.12", "2001:db8::12"}, "all", 10s);
  EXPECT_EQ(verdict.health, Health::kHealthy) << verdict.evidence;
}

TEST(Ping, UsesAnIcmpSocketWhereItMay) {
  Network network;
  network.server.run("sysctl -qw 'net.ipv4.ping_group_range=0 0'");
  EXPECT_EQ(network.judge({"192.0.2.12", "2001:db8::12"}, "all", 10s).health, Health::kHealthy);
}

TEST(Ping, OneSilentTargetIsAWarningOrAFailureAsConfigured) {
  Network network;
  const Verdict any = network.judge({"192.0.2.12", "192.0.2.99"}, "any");
  EXPECT_EQ(any.health, Health::kWarning);
  EXPECT_THAT(any.evidence, HasSubstr("no answer from 192.0.2.99"));
  EXPECT_EQ(network.judge({"192.0.2.12", "192.0.2.99"}, "all").health, Health::kFailed);
}

TEST(Ping, SilenceIsNoTimeout) {
  Network network;
  network.neighbour.run("ip link set eth1 down");
  const Verdict verdict = network.judge({"192.0.2.12", "2001:db8::12"});
  EXPECT_EQ(verdict.health, Health::kFailed);
  EXPECT_THAT(verdict.evidence, HasSubstr("no answer from 192.0.2.12, 2001:db8::12"));
}

TEST(Ping, SaysWhenThereIsNoRoute) {
  Network network;
  const Verdict verdict = network.judge({"203.0.113.1"});
  EXPECT_EQ(verdict.evidence, "no answer from 203.0.113.1: cannot ping 203.0.113.1: Network is unreachable");
}

TEST(Ping, ALostPacketIsNoSilence) {
  Network network;
  // The neighbour's answer to the first of three requests is dropped.
  network.neighbour.run("nft 'add table t'");
  network.neighbour.run("nft 'add chain t o { type filter hook output priority 0; }'");
  network.neighbour.run("nft 'add rule t o icmp type echo-reply icmp sequence 0 drop'");
  EXPECT_EQ(network.judge({"192.0.2.12"}, "any", 2s).health, Health::kHealthy);
}

}  // namespace
}  // namespace komainu::drivers
