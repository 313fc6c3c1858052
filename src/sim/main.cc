// `./dev sim`: the decision code of a whole cluster in one process.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sim/chaos.h"
#include "sim/standard.h"

namespace komainu::sim {
namespace {

// Each holds an exploration in memory.
constexpr std::size_t kMostWorkers = 4;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

const char* word(Report::End end) {
  switch (end) {
    case Report::End::kExhausted:
      return "exhausted";
    case Report::End::kCapped:
      return "capped";
    case Report::End::kViolation:
      break;
  }
  return "VIOLATION";
}

// One line an exploration, in the order of the list, whoever is ready first.
class Ledger {
 public:
  explicit Ledger(std::vector<Exploration> explorations)
      : explorations_(std::move(explorations)), reports_(explorations_.size()) {}

  void work() {
    for (std::size_t i; (i = next_++) < explorations_.size();) {
      const auto begin = std::chrono::steady_clock::now();
      Report report = explore(explorations_[i]);
      const std::lock_guard lock(mutex_);
      reports_[i] = {std::move(report), seconds_since(begin)};
      for (; told_ < reports_.size() && reports_[told_]; ++told_)
        tell(explorations_[told_], *reports_[told_]);
    }
  }
  // All is as promised.
  bool conclude(double seconds) const {
    fmt::print(
        "{} states; {} exhausted, {} capped ({} of them were to be exhausted), {} violations, {:.0f} s\n",
        states_, exhausted_, capped_, broken_promises_, violations_, seconds);
    return violations_ == 0 && broken_promises_ == 0;
  }

 private:
  struct Done {
    Report report;
    double seconds = 0;
  };

  void tell(const Exploration& exploration, const Done& done) {
    const Report& report = done.report;
    const bool capped = report.end == Report::End::kCapped;
    const bool broken = capped && exploration.goal == Exploration::Goal::kExhaust;
    states_ += report.states;
    capped_ += capped ? 1 : 0;
    exhausted_ += report.end == Report::End::kExhausted ? 1 : 0;
    broken_promises_ += broken ? 1 : 0;
    fmt::print("{:<52} {:>10}  {:>9} states, depth {:>3}, {:5.1f} s{}\n", exploration.name, word(report.end),
               report.states, report.depth, done.seconds, broken ? "  MUST BE EXHAUSTED" : "");
    if (report.finding) {
      ++violations_;
      fmt::print("  {}\n", report.finding->what);
      for (const std::string& step : report.finding->trace) fmt::print("    {}\n", step);
    }
    std::fflush(stdout);
  }

  const std::vector<Exploration> explorations_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;
  std::vector<std::optional<Done>> reports_;
  std::size_t told_ = 0;
  std::uint64_t states_ = 0, exhausted_ = 0, capped_ = 0, broken_promises_ = 0, violations_ = 0;
};

bool explore_all(std::uint64_t most_states, const std::string& only) {
  std::vector<Exploration> chosen = standard_explorations(most_states);
  std::erase_if(chosen, [&](const Exploration& one) { return one.name.find(only) == std::string::npos; });
  const auto begin = std::chrono::steady_clock::now();
  const std::size_t workers =
      std::min<std::size_t>(std::max(1U, std::thread::hardware_concurrency()), kMostWorkers);
  Ledger ledger(std::move(chosen));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < workers; ++i) threads.emplace_back([&] { ledger.work(); });
  }
  return ledger.conclude(seconds_since(begin));
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
  app.add_option("--states", most_states,
                 "with --exhaustive: where explorations end that do not promise to exhaust their budget")
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
