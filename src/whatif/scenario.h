// The scenario language: a TOML file with what is assumed, how things stand at first, and what happens when.
// Objects are named as in the configuration. All mistakes are found in one run, each with its place.
//
//   [assume]                      how long things take
//   [initial]                     where groups are, what is off, drained, suspended
//   [[step]]                      at = "10s", do = "power-off", node = "guest1"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "config/diagnostic.h"
#include "core/spec.h"
#include "whatif/run/action.h"
#include "whatif/run/assume.h"
#include "whatif/run/initial.h"

namespace komainu::whatif {

struct Step {
  Duration at{0};
  Action action;
};

struct Scenario {
  Assumptions assume;
  Initial initial;
  std::vector<Step> steps;
  std::optional<Duration> until;  // unset: until nothing more happens
};

struct ParsedScenario {
  std::optional<Scenario> scenario;  // set exactly if no diagnostic is an error
  std::vector<config::Diagnostic> diagnostics;
};

ParsedScenario parse_scenario(std::string_view text, const core::Spec& spec);

// The language's keys and actions, for the manual.
std::string scenario_reference();

inline constexpr Duration kLongest = 24h;
inline constexpr std::size_t kMaxSteps = 1000;

}  // namespace komainu::whatif
