#include "config/timing_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/duration_text.h"
#include "config/sections.h"
#include "config/testing.h"
#include "config/timing.h"

namespace komainu::config {
namespace {

using core::ArbiterType;
using core::Profile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::registry;

constexpr Profile kProfiles[] = {Profile::kFast, Profile::kLan, Profile::kWan};

// Without fencing: then every time counts.
core::Spec spec(Profile profile, ArbiterType arbiter, std::size_t nodes = 4) {
  core::Spec result;
  result.profile = profile;
  result.quorum.arbiter = arbiter;
  result.timing = default_timing(profile, arbiter);
  result.timing.watchdog = 10s;
  for (std::uint32_t id = 0; id < nodes; ++id) result.nodes[NodeId{id}].id = NodeId{id};
  core::Group& group = result.groups[GroupId{0}];
  group.id = GroupId{0};
  group.name = "web";
  group.resources.resize(2);
  group.resources[0].name = "address";
  group.resources[0].type = "floating-ip";
  group.resources[1].name = "nginx";
  group.resources[1].type = "systemd";
  for (core::Resource& resource : group.resources) resource.stop_timeout = 5s;
  return result;
}
core::Spec lan() {
  return spec(Profile::kLan, ArbiterType::kNone);
}
core::Spec fenced() {
  core::Spec result = lan();
  result.fencing.push_back({{{"agent", {}, {}}}});
  return result;
}
void add_monitor(core::Spec& to) {
  core::Monitor& monitor = to.monitors[MonitorId{0}];
  monitor = {.id = MonitorId{0}, .name = "gateway", .type = "ping", .affects = {GroupId{0}}};
  monitor.common_mode_wait = monitor.interval + monitor.timeout;
}

std::vector<std::string> texts(const core::Spec& spec) {
  std::vector<std::string> result;
  for (const TimingProblem& problem : timing_problems(spec, registry())) result.push_back(problem.what);
  return result;
}

void apply(core::Spec& spec, const std::vector<TimingChange>& repair) {
  for (const TimingChange& change : repair) {
    EXPECT_EQ(value_of(spec, registry(), change.key), change.from);
    set(spec, change.key, change.to);
  }
}

std::string repair_of(const TimingProblem& problem) {
  std::string text;
  for (const TimingChange& change : problem.repair)
    text += (text.empty() ? "" : ", ") + change.key.key + " " + duration_text(change.to);
  return text;
}

TEST(TimingCheck, ProfilesHoldEveryRule) {
  for (const Profile profile : kProfiles)
    for (const ArbiterType arbiter : {ArbiterType::kNone, ArbiterType::kQnetd}) {
      core::Spec whole = spec(profile, arbiter);
      add_monitor(whole);
      EXPECT_THAT(texts(whole), IsEmpty()) << static_cast<int>(profile);
      whole.fencing.push_back({{{"agent", {}, {}}}});
      EXPECT_THAT(texts(whole), IsEmpty()) << static_cast<int>(profile);
    }
}

TEST(TimingCheck, EveryRuleThatAConfigurationCanBreakIsBrokenByACaseBelow) {
  std::set<std::string_view> unbreakable{"consensus", "quorum device heard", "quorum device decides"};
  std::set<std::string_view> names;
  for (const TimingRule& rule : timing_rules()) EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
  EXPECT_EQ(names.size(), 15 + unbreakable.size()) << "a new rule needs a case in EachRuleIsChecked";
}

TEST(TimingCheck, EachRuleIsChecked) {
  const struct {
    void (*change)(core::Spec&);
    const char* problem;
    const char* repair;
  } cases[] = {
      {[](core::Spec& s) { s.timing.tick = 600ms; },
       "suspend_after (1s) is shorter than 2 × tick (2 × 600ms = 1200ms)", "suspend_after 1200ms"},
      {[](core::Spec& s) { s.timing.lost_after = s.timing.daemon_restart = s.timing.suspend_after = 2s; },
       "lost_after (2s) is not longer than suspend_after (2s)", "lost_after 2001ms"},
      {[](core::Spec& s) { s.timing.daemon_restart = 13s; },
       "lost_after (12s) is shorter than daemon_restart (13s)", "lost_after 13s"},
      {[](core::Spec& s) { s.timing.lost_after = s.timing.daemon_restart = 1500ms; },
       "suspend_after + lost_after (1s + 1500ms = 2500ms) is shorter than the restart by systemd (3100ms)",
       "lost_after 2100ms"},
      {[](core::Spec& s) { s.timing.grace = 3100ms; },
       "grace (3100ms) is shorter than token + consensus + Hellos + 2 × tick (1s + 1200ms + 500ms + 2 × "
       "250ms "
       "= 3200ms)",
       "grace 3200ms"},
      {[](core::Spec& s) { s.timing.startup_wait = 2s; },
       "startup_wait (2s) is not longer than token + consensus + Hellos (1s + 1200ms + 500ms = 2700ms)",
       "startup_wait 2701ms"},
      {[](core::Spec& s) { s.timing.fence_race = 1s; }, "token (1s) is not longer than fence_race (1s)",
       "token 1001ms"},
      {[](core::Spec& s) { s.timing.grace = s.timing.lease; }, "lease (5s) is not longer than grace (5s)",
       "lease 5001ms"},
      {[](core::Spec& s) {
         s.timing.lease = 3600ms;
         s.timing.grace = 3200ms;
       },
       "3/4 × lease (3/4 × 3600ms = 2700ms) is not longer than token + consensus + Hellos (1s + 1200ms + "
       "500ms = 2700ms)",
       "lease 3601ms"},
      {[](core::Spec& s) { s.timing.max_pause = 2600ms; },
       "lease (5s) is shorter than 2 × max_pause (2 × 2600ms = 5200ms)", "max_pause 2500ms"},
      {[](core::Spec& s) {
         s.timing.watchdog = 1s;
         for (core::Resource& resource : s.groups[GroupId{0}].resources) resource.stop_timeout = 500ms;
       },
       "4/5 × watchdog (4/5 × 1s = 800ms) is not longer than max_pause (1s)", "max_pause 799ms"},
      {[](core::Spec& s) { s.groups[GroupId{0}].resources[1].stop_timeout = 15s; },
       "lease + watchdog (5s + 10s = 15s) is shorter than grace + the stop of group \"web\" (4s + 20s = 24s)",
       "watchdog 19s"},
      {[](core::Spec& s) {
         s.groups[GroupId{0}].resources[0].start_timeout = 1s;
         s.groups[GroupId{0}].resources[0].params["probe_wait"] = Duration{1s};
       },
       "start_timeout of resource \"web/address\" (1s) is not longer than its check of the address (1s)",
       "start_timeout 1001ms"},
      {[](core::Spec& s) {
         add_monitor(s);
         s.monitors[MonitorId{0}].common_mode_wait = 9s;
       },
       "common_mode_wait of monitor \"gateway\" (9s) is shorter than its interval and timeout (10s)",
       "common_mode_wait 10s"},
      {[](core::Spec& s) {
         s.fencing.push_back({{{"agent", {{"power_wait", Duration{4min}}}, {}}}});
         s.timing.lease = 1s;  // of no account
       },
       "window of [brakes] (10min) is shorter than 3 tries of fencing level 1 (12min)", "window 12min"},
  };
  for (const auto& [change, problem, repair] : cases) {
    core::Spec wrong = lan();
    change(wrong);
    const std::vector<TimingProblem> problems = timing_problems(wrong, registry());
    ASSERT_THAT(texts(wrong), ElementsAre(problem));
    EXPECT_EQ(repair_of(problems[0]), repair) << problem;
    apply(wrong, problems[0].repair);
    EXPECT_THAT(texts(wrong), IsEmpty()) << problem;
  }
}

TEST(TimingCheck, ARepairTakesAlongWhatWouldBreakNext) {
  core::Spec wrong = lan();
  wrong.timing.token = 10s;
  wrong.timing.startup_wait = 1min;
  wrong.timing.suspend_after = 3s;
  const std::vector<TimingProblem> problems = timing_problems(wrong, registry());
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(repair_of(problems[0]), "token 1363ms") << "one change is smaller than grace and lease together";
  wrong = lan();
  wrong.timing.token = 200ms;
  wrong.timing.grace = 500ms;
  wrong.timing.lease = 1300ms;
  wrong.timing.max_pause = 500ms;
  EXPECT_EQ(repair_of(timing_problems(wrong, registry()).at(0)), "grace 1440ms, lease 1441ms")
      << "token and tick cannot be short enough";
}

TEST(TimingCheck, TheReasonAndTheRepairAreSaid) {
  core::Spec wrong = lan();
  wrong.timing.grace = wrong.timing.lease;
  EXPECT_EQ(timing_problems(wrong, registry()).at(0).help,
            "a node has to stop its groups before the others take its lease for over and start them; the "
            "smallest change that repairs it: lease = \"5001ms\"");
}

TEST(TimingCheck, TheLeaseMattersOnlyWithoutFencing) {
  core::Spec wrong = fenced();
  wrong.timing.lease = 1s;
  wrong.timing.watchdog = 1s;
  EXPECT_THAT(texts(wrong), IsEmpty());
  wrong.fencing.clear();
  EXPECT_EQ(texts(wrong).size(), 5U);
}

TEST(TimingCheck, OneServerWaitsForNobody) {
  core::Spec alone = spec(Profile::kLan, ArbiterType::kNone, 1);
  alone.timing.grace = 500ms;
  EXPECT_THAT(texts(alone), IsEmpty());
}

TEST(TimingCheck, AFencingLevelTakesAsLongAsItsDevicesForTheSlowestNode) {
  core::Spec two = fenced();
  two.fencing[0].devices = {{"agent", {{"power_wait", Duration{10s}}}, {NodeId{0}}},
                            {"agent", {{"power_wait", Duration{20s}}}, {}},
                            {"agent", {{"power_wait", Duration{5s}}}, {NodeId{1}}}};
  EXPECT_EQ(longest_fence(two, registry(), 0), 30s);
}

// ---- every configuration that is broken can be repaired

// Any that the file may hold, often at the edge.
Duration some_duration(const params::Param& declared) {
  const auto low = std::get<Duration>(*declared.min) / 1s;
  const auto high = std::get<Duration>(*declared.max) / 1s;
  const bool whole_seconds = declared.problem(ParamValue{Duration{61'001ms}}).has_value() &&
                             !declared.problem(ParamValue{Duration{61s}});
  const auto near = *rc::gen::weightedOneOf<std::int64_t>(
      {{4, rc::gen::inRange<std::int64_t>(low, std::min<std::int64_t>(high, low + 20) + 1)},
       {1, rc::gen::inRange<std::int64_t>(low, high + 1)}});
  const Duration fraction = whole_seconds ? Duration{0} : Duration{*rc::gen::inRange(0, 1000) * 1ms};
  return std::clamp(near * Duration{1s} + fraction, std::get<Duration>(*declared.min),
                    std::get<Duration>(*declared.max));
}

core::Spec some_spec() {
  core::Spec any = spec(*rc::gen::elementOf(std::vector<Profile>(std::begin(kProfiles), std::end(kProfiles))),
                        *rc::gen::element(ArbiterType::kNone, ArbiterType::kQnetd), *rc::gen::inRange(2, 5));
  for (const params::Param& param : timing_section().schema().params)
    if (*rc::gen::inRange(0, 2) == 0) set(any, {TimingTable{}, param.name}, some_duration(param));
  if (*rc::gen::inRange(0, 2) == 0) any.fencing.push_back({{{"agent", {}, {}}}});
  any.quorum.allow_split_risk = *rc::gen::inRange(0, 4) == 0;
  add_monitor(any);
  std::vector<TimingKey> others{{MonitorId{0}, "interval"},
                                {MonitorId{0}, "timeout"},
                                {MonitorId{0}, "common_mode_wait"},
                                {BrakesTable{}, "window"}};
  for (std::size_t i = 0; i < 2; ++i)
    for (const char* key : {"start_timeout", "stop_timeout"})
      others.push_back({ResourceAt{GroupId{0}, i}, key});
  others.push_back({ResourceAt{GroupId{0}, 0}, "probe_wait"});
  if (!any.fencing.empty()) others.push_back({DeviceAt{0, 0}, "power_wait"});
  for (const TimingKey& key : others)
    if (*rc::gen::inRange(0, 3) == 0) set(any, key, some_duration(declaration_of(any, registry(), key)));
  return any;
}

using Broken = std::set<std::pair<std::string_view, Subject>>;
Broken broken(const core::Spec& spec) {
  Broken result;
  for (const TimingCheck& check : timing_checks(spec, registry()))
    if (!check.holds) result.emplace(check.rule->name, check.subject);
  return result;
}

RC_GTEST_PROP(TimingRepair, LeadsToAConfigurationThatPasses, ()) {
  core::Spec any = some_spec();
  Broken before = broken(any);
  while (!before.empty()) {
    const TimingProblem problem = timing_problems(any, registry()).front();
    RC_ASSERT(!problem.repair.empty());
    apply(any, problem.repair);
    const Broken after = broken(any);
    RC_ASSERT(after.size() < before.size());
    RC_ASSERT(std::ranges::includes(before, after));  // nothing that held is broken
    before = after;
  }
  for (const params::Param& param : timing_section().schema().params)
    RC_ASSERT(!param.problem(ParamValue{value_of(any, registry(), {TimingTable{}, param.name})}));
}

RC_GTEST_PROP(TimingRepair, IsNoLargerThanItHasToBe, ()) {
  const core::Spec any = some_spec();
  for (const TimingProblem& problem : timing_problems(any, registry())) {
    if (problem.repair.size() != 1) continue;
    const TimingChange& change = problem.repair.front();
    const Duration step = change.key.key == "watchdog" ? 1s : 1ms;
    core::Spec less = any;
    set(less, change.key, change.to > change.from ? change.to - step : change.to + step);
    const Broken still = broken(less);
    RC_ASSERT(std::ranges::any_of(still, [&](const auto& b) { return b.first == problem.rule->name; }));
  }
}

}  // namespace
}  // namespace komainu::config
