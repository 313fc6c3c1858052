// What the operator sees, as it stands on the screen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "api/explain.h"
#include "api/status.h"
#include "core/testing.h"
#include "komainu/render/events.h"
#include "komainu/render/status.h"

namespace komainu::cli {
namespace {

using core::Activity;
using core::Health;
using core::testing::node;
using ::testing::HasSubstr;
using ::testing::Not;

const api::Position kSeenByFirst{
    .self = node(1), .phase = core::Phase::kEstablished, .view = {{1, 24}, 0}, .quorate = true};

class Screen : public ::testing::Test {
 protected:
  Screen() {
    setenv("TZ", "UTC", 1);
    tzset();
    cluster_.spec.cluster = "orders";
    cluster_.spec.version = 3;
    for (std::uint32_t number : {1U, 2U}) {
      core::Node& configured = cluster_.spec.nodes[node(number)];
      configured.name = "guest" + std::to_string(number);
      configured.links = {"10.0.1.1" + std::to_string(number), "192.168.50.1" + std::to_string(number)};
    }
    core::Group& orders = cluster_.group("orders-db", {node(1), node(2)});
    orders.resources = {{.name = "disk", .type = "filesystem"},
                        {.name = "address", .type = "floating-ip"},
                        {.name = "postgres", .type = "systemd"}};
    cluster_.group("billing");
    core::Monitor& lan = cluster_.monitor("business-lan", {orders.id});
    cluster_.monitor_of("orders-answers", orders.id);
    cluster_.has_fencer();
    cluster_.runs(kOrders, node(1));
    cluster_.runs(kBilling, node(2));
    cluster_.reports(lan.id, node(1), Health::kHealthy);
    cluster_.reports(lan.id, node(2), Health::kHealthy);
    cluster_.reports(MonitorId{2}, node(1), Health::kHealthy);
  }
  std::string screen(const Style& style = {}) {
    return render_status(api::status(cluster_.state(), kSeenByFirst), style);
  }

  static constexpr GroupId kOrders{1};
  static constexpr GroupId kBilling{2};
  core::testing::Cluster cluster_{2};
};

TEST_F(Screen, ShowsAHealthyCluster) {
  EXPECT_EQ(screen(), R"(orders: healthy
2 of 2 nodes present, quorum, view 1.24.0, configuration 3; seen by guest1

NODES
  guest1 *  member    2/2 links  healthy
  guest2    member    2/2 links  healthy

GROUPS
  orders-db  online on guest1  disk → address → postgres
  billing    online on guest2  service

MONITORS: 2 healthy
)");
}

TEST_F(Screen, ShowsTheWatchdogsThatTheOthersCountOn) {
  cluster_.spec.fencing.clear();
  cluster_.spec.timing.watchdog = 10s;
  cluster_.node_state(node(1)).watchdog = 10s;
  const std::string shown = screen();
  EXPECT_THAT(shown, HasSubstr("guest1 *  member    2/2 links, watchdog 10s  healthy\n"));
  EXPECT_THAT(shown, HasSubstr("guest2    member    2/2 links, no watchdog   healthy\n"));
}

TEST_F(Screen, ShowsANodeThatIsLostAndWhatItHoldsBack) {
  cluster_.loses(node(2));
  cluster_.node_state(node(2)).fence_failures = 2;
  cluster_.monitor("storage", {});
  EXPECT_EQ(screen(), R"(orders: 3 alarms, 1 warning
1 of 2 nodes present, quorum, view 1.24.0, configuration 3; seen by guest1

NODES
  guest1 *  member    2/2 links  healthy
  guest2    absent    -          unknown: absent; it may run billing

GROUPS
  orders-db  online on guest1                           disk → address → postgres
  billing    last seen online on guest2, which is lost  service

MONITORS: 2 healthy, 1 not heard of yet

ALARMS
  alarm: node guest2: absent; it may run billing
    make sure that it is off, then `komainu fence confirm guest2`
  alarm: fencing guest2 failed 2 times
    `komainu events` says why; make sure that it is off, then `komainu fence confirm guest2`
  alarm: group billing was last seen online on guest2, which is lost: it starts elsewhere once that node is settled
    `komainu explain billing` and `komainu fence status` say what it waits for
  warning: orders-db can run nowhere else: guest2 (not a member at present)
)");
}

TEST_F(Screen, ShowsOutsideAViewWhatIsCertainAndDimmedWhatWasKnownLast) {
  const api::Position out{.self = node(1),
                          .phase = core::Phase::kOut,
                          .view = {{1, 24}, 0},
                          .holds = std::map<GroupId, Activity>{}};
  EXPECT_EQ(render_status(api::status(cluster_.state(), out), {}), R"(orders: 1 alarm
no quorum (out), view 1.24.0, configuration 3; seen by guest1

NODES
  guest1 *  in no view    -          unknown: no quorum
  guest2    member        2/2 links  healthy (last known)

GROUPS
  orders-db  not running here               disk → address → postgres
  billing    online on guest2 (last known)  service

MONITORS: 2 healthy (last known)

ALARMS
  alarm: guest1 has no quorum: its groups have been stopped
    check that Corosync runs here and on the other nodes, and the network between them (`corosync-cfgtool -s`); what is shown of the others is what was known last
)");
  const std::string coloured =
      render_status(api::status(cluster_.state(), out), {.colour = true, .width = 0});
  EXPECT_THAT(coloured, Not(HasSubstr("\x1b[32m"))) << "nothing is green";
  EXPECT_THAT(coloured, HasSubstr("\x1b[2monline on guest2 (last known)"));
}

TEST_F(Screen, ShowsWhatIsDegradedAndUnderWay) {
  cluster_.node_state(node(1)).links_down[node(2)] = 1;
  cluster_.has_duty(node(2), core::Duty::kDrained);
  cluster_.reports(MonitorId{1}, node(2), Health::kFailed);
  cluster_.edit().monitors[MonitorId{1}].evidence[core::testing::place(2)] = "eth1 has no carrier";
  cluster_.has_order(kBilling, node(2), core::OrderKind::kStop);
  cluster_.is_in_trouble(kOrders, node(1), "it answers 500");
  cluster_.group_state(kOrders).restarts[2].count = 1;
  EXPECT_EQ(screen(), R"(orders: 3 warnings
2 of 2 nodes present, quorum, view 1.24.0, configuration 3; seen by guest1

NODES
  guest1 *  member           1/2 links  degraded: link 10.0.1.11 to guest2 is down
  guest2    member  drained  1/2 links  degraded: monitor business-lan fails and link 10.0.1.12 to guest1 is down

GROUPS
  orders-db  online on guest1    disk → address → postgres (1 restart); disk: it answers 500
  billing    stopping on guest2  service

MONITORS: 1 healthy
  business-lan  guest2  failed  eth1 has no carrier

ALARMS
  warning: link 0 between guest1 (10.0.1.11) and guest2 is down
  warning: orders-db can run nowhere else: guest2 (drained)
  warning: monitor business-lan on guest2: failed: eth1 has no carrier
)");
}

TEST_F(Screen, TellsAMonitorWhoseGroupIsStoppedFromOneNotHeardOfYet) {
  cluster_.group_state(kOrders) = {};
  cluster_.edit().monitors[MonitorId{2}] = {};
  cluster_.monitor("storage", {});
  EXPECT_THAT(screen(),
              HasSubstr("MONITORS: 1 healthy, 1 idle: its group is not online, 1 not heard of yet\n"));
}

TEST_F(Screen, ColoursForATerminalAndCutsAtItsEdge) {
  const std::string shown = screen({.colour = true, .width = 40});
  EXPECT_THAT(shown, HasSubstr("\x1b[1morders\x1b[0m: \x1b[32mhealthy\x1b[0m\n"));
  EXPECT_THAT(shown, HasSubstr("  orders-db  \x1b[32monline on guest1\x1b[0m  \x1b[2mdisk → a…\x1b[0m\n"));
}

TEST_F(Screen, ShowsFencing) {
  cluster_.loses(node(2));
  cluster_.edit().fences = {1s, 2s, 3s};
  EXPECT_EQ(render_fence_status(api::fence_status(cluster_.state(), kSeenByFirst), {}), R"(level 1: agent

NODES
  guest1    nothing to do
  guest2    not fenced, the brake holds; once it is surely off: komainu fence confirm guest2

3 of 3 fences used in the last 10min: the brake holds
)");
}

TEST_F(Screen, AdvisesNoConfirmationOfANodeWhoseCorosyncAnswers) {
  cluster_.loses(node(2));
  cluster_.node_state(node(2)).ring_member = true;
  EXPECT_THAT(screen(),
              AllOf(HasSubstr("on guest2: `systemctl status komainud`"), Not(HasSubstr("fence confirm"))));
  EXPECT_THAT(render_fence_status(api::fence_status(cluster_.state(), kSeenByFirst), {}),
              AllOf(HasSubstr("on guest2: systemctl status komainud"), Not(HasSubstr("fence confirm"))));
}

TEST_F(Screen, ExplainsFromTheFirstSymptomToTheRecovery) {
  api::EventLog log;
  const auto happened = [&](Duration at, core::Severity severity, std::string text) {
    log.append(
        LocalTime{1000s + at},
        api::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + 20h + at),
        core::Event{
            .severity = severity, .cause = {node(1), {7}, 1}, .group = kOrders, .text = std::move(text)});
  };
  happened(0ms, core::Severity::kWarning, "orders-db/postgres failed on guest1: exit status 1");
  happened(1200us, core::Severity::kInfo, "restart of orders-db from postgres on guest1");
  happened(423ms, core::Severity::kInfo, "orders-db is online on guest1");
  EXPECT_EQ(render_explanation(
                api::explain(cluster_.state(), kSeenByFirst, log.all(), *cluster_.spec.group(kOrders)), {}),
            R"(orders-db is online on guest1

WHAT HAPPENED from 2026-11-22 20:00:00.000 on, 0.42 s in all
      +0.000 s  warning: orders-db/postgres failed on guest1: exit status 1
      +0.001 s  restart of orders-db from postgres on guest1
      +0.423 s  orders-db is online on guest1

WHY THERE, best place first
  guest1  here  preference 1, runs 1 group with it
  guest2        preference 2, runs 2 groups with it
)");
}

TEST_F(Screen, ShowsAnEventInLocalTimeAndWhatIsMissing) {
  api::EventView event{.number = 9,
                       .time = "2026-11-22T20:00:00.001234Z",
                       .severity = core::Severity::kAlarm,
                       .kind = core::EventKind::kFence,
                       .text = "fence of guest2\x1b[2J",
                       .missed = 3};
  EXPECT_EQ(render_event(event, {}),
            "(3 events are missing here)\n2026-11-22 20:00:00.001  fence     alarm: fence of guest2 [2J\n");
}

}  // namespace
}  // namespace komainu::cli
