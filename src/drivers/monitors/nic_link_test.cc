#include <gtest/gtest.h>
#include <linux/if.h>

#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using testing::ReportLog;
using testing::Started;
using testing::World;

struct Bench {
  World world;
  ReportLog reports;
  std::unique_ptr<Monitor> monitor;
  std::optional<Started<void>> running;
  Link link{.index = 3, .name = "eth1", .up = true, .carrier = true, .operstate = IF_OPER_UP};

  ~Bench() { running.reset(); }
  void run(Schedule schedule = {}) {
    monitor = *nic_link().make({{"interface", std::string("eth1")}}, schedule, world.services(), {});
    running.emplace(monitor->run(reports));
  }
};

TEST(NicLink, TellsEveryChangeOfTheLinkAtOnce) {
  Bench bench;
  bench.world.netlink.set_link(bench.link);
  bench.run({.retries = 5});
  EXPECT_EQ(bench.reports.health(), Health::kHealthy);

  bench.link.carrier = false;
  bench.world.netlink.set_link(bench.link);
  EXPECT_EQ(bench.reports.health(), Health::kFailed);
  EXPECT_EQ(bench.reports.evidence(), "eth1 has no carrier");

  bench.link.carrier = true;
  bench.world.netlink.set_link(bench.link);
  EXPECT_EQ(bench.reports.health(), Health::kHealthy);

  bench.world.netlink.remove_link(3);
  EXPECT_EQ(bench.reports.evidence(), "there is no interface eth1");
}

TEST(NicLink, SaysWhatIsWrong) {
  const struct {
    Link link;
    const char* evidence;
  } cases[] = {
      {{.index = 3, .name = "eth1", .up = false, .carrier = false, .operstate = IF_OPER_DOWN},
       "eth1 is switched off (ip link set eth1 up)"},
      {{.index = 3, .name = "eth1", .up = true, .carrier = true, .operstate = IF_OPER_DORMANT},
       "eth1 waits for its authentication (802.1X)"},
      {{.index = 3, .name = "eth1", .up = true, .carrier = true, .operstate = IF_OPER_LOWERLAYERDOWN},
       "eth1 stands on a link that is down"},
      {{.index = 3, .name = "eth1", .up = true, .carrier = true, .operstate = IF_OPER_DOWN},
       "eth1 is not operational (operstate 2)"},
  };
  for (const auto& [link, evidence] : cases) {
    Bench bench;
    bench.world.netlink.set_link(link);
    bench.run({.quiet = Schedule::Quiet::kNever});
    EXPECT_EQ(bench.reports.health(), Health::kFailed);
    EXPECT_EQ(bench.reports.evidence(), evidence);
  }
}

TEST(NicLink, TakesADriverWithoutOperstateAtItsCarrier) {
  Bench bench;
  bench.link.operstate = IF_OPER_UNKNOWN;
  bench.world.netlink.set_link(bench.link);
  bench.run();
  EXPECT_EQ(bench.reports.health(), Health::kHealthy);
}

TEST(NicLink, IsQuietAboutALinkThatWasNeverUp) {
  Bench bench;
  bench.run();
  EXPECT_TRUE(bench.reports.verdicts.empty());
}

}  // namespace
}  // namespace komainu::drivers
