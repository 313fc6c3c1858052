// The scenario's sections as they are written: names instead of ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "params/declaration.h"
#include "whatif/run/action.h"
#include "whatif/run/assume.h"

namespace komainu::whatif {

struct ScenarioKeys {
  std::optional<Duration> until;
};

struct InitialKeys {
  std::vector<std::string> stopped;
  std::vector<std::string> off;
  std::vector<std::string> drained;
  std::vector<std::string> standby;
  std::vector<std::string> suspended;
};

struct StepKeys {
  Duration at{0};
  Kind kind = Kind::kPowerOff;
  std::optional<std::string> node;
  std::optional<std::string> peer;
  std::optional<std::uint32_t> link;
  std::vector<std::string> parts;
  std::optional<std::string> interface;
  std::optional<std::string> address;
  std::optional<std::string> group;
  std::optional<std::string> resource;
  std::optional<std::string> monitor;
  std::optional<std::uint32_t> level;
  std::optional<Duration> after;
  std::vector<std::string> missing;
  std::optional<std::string> evidence;
};

const params::Declaration<ScenarioKeys>& scenario_section();
const params::Declaration<Assumptions>& assume_section();
const params::Declaration<InitialKeys>& initial_section();
const params::Declaration<StepKeys>& step_section();

}  // namespace komainu::whatif
