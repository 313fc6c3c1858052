// The scenario language: what it takes, and that every mistake is found in one run, each with its place.
#include "whatif/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "config/parse.h"
#include "drivers/driver.h"

namespace komainu::whatif {
namespace {

using ::testing::HasSubstr;

core::Spec example() {
  params::Registry registry;
  drivers::declare_types(registry);
  const auto text = config::read_file(std::string(KOMAINU_SOURCE) + "/docs/examples/two-nodes.toml");
  const config::Parsed parsed = config::parse(text.value(), registry);
  return parsed.spec.value();
}

// The diagnostic of that line, as one text.
std::string mistake_at(const ParsedScenario& parsed, std::uint32_t line) {
  const auto found =
      std::ranges::find_if(parsed.diagnostics, [&](const auto& d) { return d.at.line == line; });
  if (found == parsed.diagnostics.end()) return "nothing";
  return found->what + " | " + found->found + " | " + found->expected + " | " + found->help;
}

// A mistake in the last step, written without its `at`.
std::string mistake_in(const std::string& step) {
  const ParsedScenario parsed = parse_scenario("[[step]]\nat = \"1s\"\n" + step, example());
  EXPECT_FALSE(parsed.scenario) << step;
  EXPECT_EQ(parsed.diagnostics.size(), 1u) << step;
  if (parsed.diagnostics.empty()) return "nothing";
  return mistake_at(parsed, parsed.diagnostics[0].at.line);
}

TEST(Scenario, NamesObjectsAsTheConfigurationDoes) {
  const core::Spec spec = example();
  const ParsedScenario parsed = parse_scenario(R"(
until = "5min"
[assume]
fence = "3s"
[assume.start]
"web/nginx" = "7s"
systemd = "2s"
[initial]
groups = { web = "guest2" }
suspended = ["gateway"]
[[step]]
at = "0s"
do = "app-hangs"
resource = "web/nginx"
[[step]]
at = "10s"
do = "link-down"
node = "guest1"
link = 1
)",
                                               spec);
  ASSERT_TRUE(parsed.scenario) << config::render(parsed.diagnostics, "scenario", "");
  const Scenario& scenario = *parsed.scenario;
  const core::Group& group = spec.groups.begin()->second;
  EXPECT_EQ(scenario.until, 5min);
  EXPECT_EQ(scenario.assume.fence, 3s);
  EXPECT_EQ(scenario.assume.start_of(group, 1), 7s) << "the resource goes before its type";
  EXPECT_EQ(scenario.assume.stop_of(group, 1), 1s);
  EXPECT_EQ(scenario.initial.placed.at(group.id), std::next(spec.nodes.begin())->first);
  EXPECT_EQ(scenario.initial.suspended.size(), 1u);
  ASSERT_EQ(scenario.steps.size(), 2u);
  EXPECT_EQ(scenario.steps[0].action.resource, 1u);
  EXPECT_EQ(scenario.steps[1].action.link, 1u);
  EXPECT_EQ(describe(spec, scenario.steps[1].action), "link 1 of guest1 fails");
}

TEST(Scenario, IsToldOfAllItsMistakesInOneRun) {
  const ParsedScenario parsed = parse_scenario(R"(unti = "5min"
[initial]
groups = { web = "guest3" }
of = ["guest1"]
[[step]]
at = "10s"
do = "power-of"
node = "guest4"
[[step]]
at = "5s"
do = "power-off"
node = "gest1"
[[step]]
at = "7"
do = "freeze"
)",
                                               example());
  EXPECT_FALSE(parsed.scenario);
  EXPECT_THAT(mistake_at(parsed, 1), HasSubstr("unknown key \"unti\""));
  EXPECT_THAT(mistake_at(parsed, 1), HasSubstr("did you mean \"until\"?"));
  EXPECT_THAT(mistake_at(parsed, 3), HasSubstr("no node \"guest3\""));
  EXPECT_THAT(mistake_at(parsed, 4), HasSubstr("did you mean \"off\"?"));
  EXPECT_THAT(mistake_at(parsed, 7), HasSubstr("did you mean \"power-off\"?"));
  EXPECT_THAT(mistake_at(parsed, 8), HasSubstr("no node \"guest4\""));
  EXPECT_THAT(mistake_at(parsed, 10), HasSubstr("before the one above it"));
  EXPECT_THAT(mistake_at(parsed, 12), HasSubstr("did you mean \"guest1\"?"));
  EXPECT_THAT(mistake_at(parsed, 14), HasSubstr("no duration"));
  EXPECT_THAT(mistake_at(parsed, 13), HasSubstr("needs `node`"));
}

TEST(Scenario, RefusesWhatCannotBe) {
  EXPECT_THAT(mistake_in("do = \"app-dies\"\nresource = \"web/ngin\""),
              HasSubstr("did you mean \"web/nginx\"?"));
  EXPECT_THAT(mistake_in("do = \"power-off\"\nnode = \"guest1\"\nlink = 0"), HasSubstr("says nothing about"));
  EXPECT_THAT(mistake_in("do = \"link-down\"\nnode = \"guest1\"\nlink = 2"), HasSubstr("0 to 1"));
  EXPECT_THAT(mistake_in("do = \"link-down\"\nnode = \"guest1\"\npeer = \"guest1\""),
              HasSubstr("no link to itself"));
  EXPECT_THAT(mistake_in("do = \"nic-down\"\nnode = \"guest1\"\ninterface = \"eth0\""),
              HasSubstr("one of eth1"));
  EXPECT_THAT(mistake_in("do = \"unreachable\"\naddress = \"192.168.50.2\""),
              HasSubstr("one of 192.168.50.1"));
  EXPECT_THAT(mistake_in("do = \"bmc-dead\"\nnode = \"guest1\"\nlevel = 2"), HasSubstr("1 to 1"));
  EXPECT_THAT(mistake_in("do = \"arbiter-lost\""), HasSubstr("has no arbiter"));
  EXPECT_THAT(mistake_in("do = \"thaw\"\nnode = \"guest1\""), HasSubstr("repairs what is not broken"));
  EXPECT_THAT(mistake_in("do = \"partition\"\nparts = [\"guest1 guest2\"]"), HasSubstr("at least two parts"));
  EXPECT_THAT(mistake_in("do = \"partition\"\nparts = [\"guest1\", \"guest1 guest2\"]"),
              HasSubstr("in two parts"));
}

TEST(Scenario, RefusesABeginningThatCannotBe) {
  const auto mistake = [](const std::string& initial) {
    const ParsedScenario parsed = parse_scenario("[initial]\n" + initial, example());
    EXPECT_FALSE(parsed.scenario) << initial;
    return parsed.diagnostics.empty() ? "nothing" : parsed.diagnostics[0].what;
  };
  EXPECT_THAT(mistake("groups = { web = \"guest1\" }\noff = [\"guest1\"]"), HasSubstr("which is off"));
  EXPECT_THAT(mistake("groups = { web = \"guest1\" }\nstandby = [\"guest1\"]"), HasSubstr("on standby"));
  EXPECT_THAT(mistake("groups = { web = \"guest1\" }\nstopped = [\"web\"]"),
              HasSubstr("is stopped and runs"));
  EXPECT_THAT(mistake("drained = [\"guest1\"]\nstandby = [\"guest1\"]"), HasSubstr("drained and on standby"));
}

TEST(Scenario, EveryActionIsExplained) {
  const std::string reference = scenario_reference();
  for (const KindRow& row : kinds()) EXPECT_THAT(reference, HasSubstr(std::string(row.word)));
}

}  // namespace
}  // namespace komainu::whatif
