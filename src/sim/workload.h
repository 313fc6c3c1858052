// A workload file: which faults random schedules are made of, how often and how long.
// `workloads/default.toml` is compiled in.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sim/fault.h"
#include "sim/random.h"

namespace komainu::sim {

struct Workload {
  std::string name;
  std::vector<FaultKind> faults;
  Moment when = Moment::kAny;
  std::uint32_t weight = 1;
  Span lasts;
};

struct Workloads {
  Duration length{0};
  std::uint32_t fewest_faults = 0;
  std::uint32_t most_faults = 0;
  std::uint32_t fewest_storms = 1;
  std::uint32_t most_storms = 1;
  Duration storm{0};
  std::vector<Workload> all;
};

// The file as text; `name` is for complaints, which say file:line:column.
std::expected<Workloads, std::string> parse_workloads(std::string_view text, const std::string& name);
const Workloads& default_workloads();

// The faults of one schedule, by time. `aggressiveness` in percent of what the file says.
std::vector<Fault> draw_faults(const Workloads& workloads, Random& random, std::uint32_t aggressiveness,
                               Duration begin);

}  // namespace komainu::sim
