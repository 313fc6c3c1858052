#include "engine/executor/monitor_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing.h"
#include "engine/testing/fake_drivers.h"

namespace komainu::engine {
namespace {

using core::Activity;
using core::Health;
using core::testing::node;
using core::testing::place;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Monitors that say nothing by themselves: what was made, with which schedule, and whether it still runs.
struct Made {
  drivers::Schedule schedule;
  drivers::Reports* reports = nullptr;  // null: it does not run
};
std::map<std::string, Made>& made() {
  static std::map<std::string, Made> all;
  return all;
}

class SilentMonitor final : public drivers::Monitor {
 public:
  explicit SilentMonitor(Made& self) : self_(self) {}
  drivers::Task<void> run(drivers::Reports& reports) override {
    self_.reports = &reports;
    drivers::Operation<> operation([&] {
      self_.reports = nullptr;
      operation.complete();
    });
    co_await operation;
  }

 private:
  Made& self_;
};

const drivers::MonitorType* silent_type(std::string_view) {
  static const drivers::MonitorType type{
      testing::detail::fake_schema(),
      [](const Params&, const drivers::Schedule& schedule, const drivers::Services&,
         const drivers::Identity& identity) -> Result<std::unique_ptr<drivers::Monitor>> {
        made()[identity.name].schedule = schedule;
        return std::make_unique<SilentMonitor>(made()[identity.name]);
      }};
  return &type;
}

struct MonitorBench : testing::Bench {
  MonitorBench() {
    made().clear();
    web = cluster.group("web").id;
    lan = cluster.monitor("lan", {web}).id;
    answers = cluster.monitor_of("answers", web).id;
  }
  ~MonitorBench() { runner.reset(); }
  void follow() { runner.follow(cluster.state()); }
  static bool runs(const std::string& name) { return made().contains(name) && made()[name].reports; }
  std::vector<Health> said_of(MonitorId id) const {
    std::vector<Health> said;
    for (const auto& result : reported<core::MonitorResult>()) {
      if (result.monitor == id) said.push_back(result.health);
    }
    return said;
  }

  core::testing::Cluster cluster{2};
  GroupId web;
  MonitorId lan, answers;
  Maker maker{"node1", services(), {.monitor = &silent_type}};
  MonitorRunner runner{node(1), maker, sink()};
};

TEST(MonitorRunner, RunsAGroupsMonitorsWhereTheGroupIsOnlineAndAtRest) {
  MonitorBench bench;
  bench.follow();
  EXPECT_TRUE(bench.runs("lan"));
  EXPECT_FALSE(bench.runs("answers"));
  bench.cluster.runs(bench.web, node(1));
  bench.follow();
  EXPECT_TRUE(bench.runs("answers"));
  made()["answers"].reports->report({drivers::Health::kFailed, "500"});

  bench.cluster.has_order(bench.web, node(1), core::OrderKind::kRestart);
  bench.follow();
  EXPECT_FALSE(bench.runs("answers"));
  EXPECT_THAT(bench.said_of(bench.answers), ElementsAre(Health::kFailed, Health::kUnknown));
}

TEST(MonitorRunner, RunsNoMonitorThatTheOperatorSuspended) {
  MonitorBench bench;
  bench.cluster.edit().monitors.at(bench.lan).suspended = true;
  bench.follow();
  EXPECT_FALSE(bench.runs("lan"));
}

// A daemon that restarts knows it from its store: was_healthy is durable.
TEST(MonitorRunner, IsQuietOnlyUntilAMonitorHasBeenHealthyOnceOnThisNode) {
  MonitorBench bench;
  bench.follow();
  EXPECT_EQ(made()["lan"].schedule.quiet, drivers::Schedule::Quiet::kUntilHealthy);
  bench.runner.reset();
  bench.cluster.edit().monitors.at(bench.lan).was_healthy = {place(2)};
  bench.follow();
  EXPECT_EQ(made()["lan"].schedule.quiet, drivers::Schedule::Quiet::kUntilHealthy) << "that was another node";
  bench.runner.reset();

  bench.cluster.edit().monitors.at(bench.lan).was_healthy = {place(1)};
  const core::State& before = bench.cluster.state();
  const core::State after = core::cold_state(before.spec, core::durable_part(before));
  bench.runner.follow(after);
  EXPECT_EQ(made()["lan"].schedule.quiet, drivers::Schedule::Quiet::kNever);
}

}  // namespace
}  // namespace komainu::engine
