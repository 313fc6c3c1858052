// `./dev sim`: the decision code of a whole cluster in one process.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include "sim/chaos.h"
#include "sim/standard.h"

namespace komainu::sim {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

bool explore_all(std::uint64_t most_states, const std::string& only) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t states = 0;
  std::uint64_t violations = 0;
  for (const Exploration& exploration : standard_explorations(most_states)) {
    if (exploration.name.find(only) == std::string::npos) continue;
    const auto start = std::chrono::steady_clock::now();
    const Report report = explore(exploration);
    const char* end = report.end == Report::End::kExhausted ? "exhausted"
                      : report.end == Report::End::kCapped  ? "capped"
                                                            : "VIOLATION";
    states += report.states;
    fmt::print("{:<52} {:>10}  {:>9} states, depth {:>3}, {:5.1f} s\n", exploration.name, end, report.states,
               report.depth, seconds_since(start));
    std::fflush(stdout);
    if (!report.finding) continue;
    ++violations;
    fmt::print("  {}\n", report.finding->what);
    for (const std::string& step : report.finding->trace) fmt::print("    {}\n", step);
  }
  fmt::print("{} states, {} violations, {:.0f} s\n", states, violations, seconds_since(begin));
  return violations == 0;
}

bool run_schedules(std::uint64_t count, std::uint64_t first_seed) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t violations = 0;
  std::uint64_t delivered = 0;
  for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
    Scenario scenario;
    scenario.quorum = static_cast<Quorum>(seed % 3);
    scenario.nodes = scenario.quorum == Quorum::kMajority ? 3 : 2;
    scenario.groups = 2;
    scenario.planner = Scenario::Planner::kReplicas;
    Chaos chaos(scenario, choices_of(seed));
    const std::optional<std::string> wrong = chaos.run();
    delivered += chaos.seen().delivered;
    if (!wrong) continue;
    ++violations;
    fmt::print("seed {}: {}\n", seed, *wrong);
  }
  const double seconds = seconds_since(begin);
  fmt::print("{} messages delivered, {:.0f} per second\n", delivered,
             static_cast<double>(delivered) / seconds);
  fmt::print("{} schedules, {} violations\n", count, violations);
  return violations == 0;
}

}  // namespace
}  // namespace komainu::sim

int main(int argc, char** argv) {
  CLI::App app{"komainu-sim: a virtual cluster, judged by where its groups really run"};
  bool exhaustive = false;
  std::string only;
  std::uint64_t most_states = 300'000;
  std::uint64_t schedules = 0;
  std::uint64_t seed = 1;
  app.add_flag("--exhaustive", exhaustive, "every interleaving of small clusters, breadth first");
  app.add_option("--states", most_states, "with --exhaustive: states after which one exploration is capped")
      ->capture_default_str();
  app.add_option("--only", only, "with --exhaustive: only explorations whose names contain this");
  app.add_option("--schedules", schedules, "this many random schedules");
  app.add_option("--seed", seed, "of the first schedule; the same seed is the same schedule")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!exhaustive && schedules == 0) {
    fmt::print(stderr, "komainu-sim: say --exhaustive, or --schedules N; --help tells more\n");
    return 2;
  }
  bool good = true;
  if (exhaustive) good = komainu::sim::explore_all(most_states, only) && good;
  if (schedules > 0) good = komainu::sim::run_schedules(schedules, seed) && good;
  return good ? 0 : 1;
}
