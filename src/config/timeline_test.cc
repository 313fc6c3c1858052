#include "config/timeline.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/duration_text.h"
#include "config/parse.h"
#include "config/testing.h"

namespace komainu::config {
namespace {

using ::testing::ElementsAre;
using testing::registry;
using testing::two_nodes;

core::Spec read(const std::string& text) {
  Parsed parsed = parse(text, registry());
  for (const Diagnostic& diagnostic : parsed.diagnostics)
    if (diagnostic.severity == Severity::kError) ADD_FAILURE() << diagnostic.what << "; " << diagnostic.help;
  return parsed.spec.value_or(core::Spec{});
}

// "token 1s", …
std::vector<std::string> phases(const core::Spec& spec, std::string_view name) {
  std::vector<std::string> result;
  for (const Timeline& line : timelines(spec, registry()))
    if (line.name == name)
      for (const Phase& phase : line.phases)
        result.push_back(fmt::format("{} {}", phase.name, duration_text(phase.length)));
  return result;
}
std::vector<std::string> names(const core::Spec& spec) {
  std::vector<std::string> result;
  for (const Timeline& line : timelines(spec, registry())) result.push_back(line.name);
  return result;
}

const std::string kMonitors = R"(
[[monitor]]
name     = "answers"
type     = "http"
watch    = "web"
url      = "http://192.168.50.100/"
interval = "2s"
timeout  = "1s"
retries  = 2

[[monitor]]
name    = "gateway"
type    = "ping"
targets = ["192.168.50.1"]
affects = ["web"]
)";

TEST(Timeline, ALostNodeIsFencedBeforeItsGroupStarts) {
  const core::Spec spec = read(two_nodes());
  EXPECT_THAT(phases(spec, "node-lost"),
              ElementsAre("token 1s", "consensus 1200ms", "Hellos 500ms", "fence_race 25ms", "fence 2s",
                          R"(start of "web" 2min)"));
  EXPECT_EQ(timelines(spec, registry()).front().sum(), 124725ms);
}

TEST(Timeline, WithoutFencingTheLeaseOfALostNodeIsWaitedFor) {
  core::Spec spec = read(two_nodes());
  spec.fencing.clear();
  EXPECT_THAT(phases(spec, "node-lost"),
              ElementsAre("token 1s", "consensus 1200ms", "Hellos 500ms", "lease 5s", "drain 10s",
                          "max_pause 1s", "1 % for the clocks 160ms", R"(start of "web" 2min)"));
  EXPECT_THAT(phases(spec, "daemon-hangs"), ElementsAre())
      << "its groups may run as long as its node is there";
  spec.timing.watchdog = 10s;
  EXPECT_THAT(phases(spec, "daemon-hangs"),
              ElementsAre("suspend_after 1s", "lease 5s", "watchdog 10s", "drain 10s", "max_pause 1s",
                          "1 % for the clocks 260ms", R"(start of "web" 2min)"))
      << "counted from the suspension";
  spec.quorum.allow_split_risk = true;
  EXPECT_THAT(phases(spec, "node-lost"),
              ElementsAre("token 1s", "consensus 1200ms", "Hellos 500ms", R"(start of "web" 2min)"));
}

TEST(Timeline, TheQuorumDeviceIsWaitedFor) {
  core::Spec spec = read(two_nodes("[quorum]\narbiter = { type = \"qnetd\", address = \"10.0.1.1\" }\n"));
  EXPECT_EQ(phases(spec, "node-lost").at(2), "the quorum device's sync_timeout 5s");
}

TEST(Timeline, MonitorsTakeAllTheirLooks) {
  const core::Spec spec = read(two_nodes(kMonitors));
  EXPECT_THAT(phases(spec, "monitor-fails"),
              ElementsAre("3 × interval and timeout 9s", R"(stop of "web" 2min)", R"(start of "web" 2min)"));
  EXPECT_THAT(phases(spec, "node-unfit"), ElementsAre("2 × interval and timeout 20s", "common_mode_wait 10s",
                                                      R"(stop of "web" 2min)", R"(start of "web" 2min)"));
}

TEST(Timeline, OfTheGroupThatTakesLongest) {
  const core::Spec spec = read(
      two_nodes("[[group]]\nname = \"slow\"\n[[group.resource]]\nname = \"x\"\ntype = \"systemd\"\nunit = "
                "\"x.service\"\nstart_timeout = \"10min\"\n"));
  EXPECT_THAT(phases(spec, "move"), ElementsAre(R"(stop of "slow" 1min)", R"(start of "slow" 10min)"));
}

TEST(Timeline, OnlyWhatCanHappenIsDrawn) {
  core::Spec spec = read(two_nodes(kMonitors));
  EXPECT_THAT(names(spec), ElementsAre("node-lost", "daemon-hangs", "process-dies", "monitor-fails",
                                       "node-unfit", "cold-start", "move"));
  spec.monitors.clear();
  EXPECT_THAT(names(spec), ElementsAre("node-lost", "daemon-hangs", "process-dies", "cold-start", "move"));
  spec.nodes.erase(std::prev(spec.nodes.end()));
  EXPECT_THAT(names(spec), ElementsAre("process-dies", "cold-start"));
  spec.groups.clear();
  EXPECT_THAT(names(spec), ElementsAre());
}

}  // namespace
}  // namespace komainu::config
