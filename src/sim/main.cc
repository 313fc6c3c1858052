// `./dev sim`: the decision code of a whole cluster in one process.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/rules.h"
#include "sim/campaign.h"
#ifdef KOMAINU_MUTANTS
#include "sim/mutants.h"
#endif
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

// The workload's file, or the one that is compiled in.
Workloads workloads_of(const std::string& file) {
  if (file.empty()) return default_workloads();
  std::ifstream in(file);
  if (!in) {
    fmt::print(stderr, "komainu-sim: cannot read the workload {}\n", file);
    std::exit(2);
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto workloads = parse_workloads(text, file);
  if (workloads) return *workloads;
  fmt::print(stderr, "komainu-sim: {}\n", workloads.error());
  std::exit(2);
}

struct Asked {
  Campaign campaign;
  Workloads workloads;
  bool json = false;
  bool trace = false;
  bool shrinks = true;
};

void show_shortest(const Asked& asked, std::uint64_t seed) {
  constexpr std::uint32_t kMostRuns = 400;
  const Schedule failing = draw_schedule(seed, asked.workloads, asked.campaign.aggressiveness);
  const Schedule shortest = shrink(failing, asked.workloads, kMostRuns);
  fmt::print("seed {}, shrunk from {} faults to {}; again with: ./dev sim --replay {} --trace\n", seed,
             failing.faults.size(), shortest.faults.size(), seed);
  for (const Fault& fault : shortest.faults) fmt::print("  {}\n", describe(fault));
  fmt::print("  {}\n", run_schedule(shortest, asked.workloads).violation.value_or(Violation{}).what);
}

bool run_schedules(const Asked& asked) {
  const CampaignReport report = run_campaign(asked.campaign, asked.workloads);
  if (asked.json) {
    fmt::print("{}\n", as_json(report));
    return report.findings.empty() && report.toys.empty();
  }
  fmt::print("{}", as_text(report));
  if (asked.shrinks && !report.findings.empty()) show_shortest(asked, report.findings.front().seed);
  fmt::print("{} schedules, {} violations\n", report.schedules, report.findings.size());
  return report.findings.empty() && report.toys.empty();
}

// The seed's schedule, shrunk if it fails and that is asked for.
bool replay_seed(const Asked& asked, std::uint64_t seed) {
  Schedule schedule = draw_schedule(seed, asked.workloads, asked.campaign.aggressiveness);
  const bool fails = run_schedule(schedule, asked.workloads).violation.has_value();
  if (fails && asked.shrinks) schedule = shrink(schedule, asked.workloads, 400);
  if (asked.trace) schedule.trace = Schedule::Trace::kKeep;
  const ScheduleReport report = run_schedule(schedule, asked.workloads);
  for (const std::string& line : report.trace) fmt::print("{}\n", line);
  fmt::print("seed {}: {}\n", seed, report.shape);
  for (const Fault& fault : schedule.faults) fmt::print("  {}\n", describe(fault));
  fmt::print("{} messages delivered, {} faults of {} kinds\n", report.delivered, report.faults,
             report.kinds.count());
  fmt::print("{}\n", report.violation ? report.violation->what : "no violation");
  return !report.violation;
}

#ifdef KOMAINU_MUTANTS
// Those that a few hundred schedules find: for the test suite.
constexpr core::Rule kSoonFound[] = {
    core::Rule::kStability,
    core::Rule::kSuspendedCount,
    core::Rule::kLostMayRunAnything,
    core::Rule::kOwnViewOnly,
    core::Rule::kQuorumOfThisRing,
    core::Rule::kConsentCanEnd,
    core::Rule::kYields,
    core::Rule::kTicksAreCapped,
    core::Rule::kUnknownIsFenced,
    core::Rule::kLostOrderStays,
    core::Rule::kColdAbsentUnknown,
    core::Rule::kClusterConfiguration,
    core::Rule::kCureElsewhereOnly,
    core::Rule::kCountersDecay,
    core::Rule::kStopBeforeStart,
    core::Rule::kLatestResultOnly,
    core::Rule::kEpochByRing,
    core::Rule::kDurability,
    core::Rule::kOrphansKilled,
    core::Rule::kStopInReverse,
    core::Rule::kStoppedMeansProbed,
};

bool find_mutants(const Asked& asked, const std::string& only, std::span<const core::Rule> some) {
  constexpr std::uint64_t kMost = 20'000;
  bool all = true;
  for (const core::NamedRule& named : core::kRuleNames) {
    if (named.name.find(only) == std::string_view::npos) continue;
    if (!some.empty() && std::ranges::find(some, named.rule) == some.end()) continue;
    Campaign campaign = asked.campaign;
    campaign.schedules = campaign.schedules == 0 ? kMost : campaign.schedules;
    const Hunt hunted = hunt(named, campaign, asked.workloads);
    all &= hunted.found.has_value();
    fmt::print("{:<52} {} {:>6} schedules, {:6.1f} s", named.name,
               hunted.found ? "found after" : "SURVIVES   ", hunted.schedules, hunted.seconds);
    if (hunted.found)
      fmt::print("  {}: seed {} {}", kBreachNames[static_cast<std::size_t>(hunted.found->violation.breach)],
                 hunted.found->seed, hunted.found->violation.what);
    fmt::print("\n");
    std::fflush(stdout);
  }
  return all;
}
#endif

}  // namespace
}  // namespace komainu::sim

int main(int argc, char** argv) {
  using komainu::sim::Campaign;
  CLI::App app{"komainu-sim: a virtual cluster, judged by where its groups really run"};
  bool exhaustive = false;
  std::string only;
  std::uint64_t most_states = 300'000;
  std::uint64_t replayed = 0;
  std::string workload;
  komainu::sim::Asked asked;
  Campaign& campaign = asked.campaign;
  campaign.jobs = std::max(1U, std::thread::hardware_concurrency());
  app.add_flag("--exhaustive", exhaustive, "every interleaving of small clusters, breadth first");
  app.add_option("--states", most_states,
                 "with --exhaustive: where explorations end that do not promise to exhaust their budget")
      ->capture_default_str();
  app.add_option("--only", only, "only explorations, or rules, whose names contain this");
  app.add_option("--schedules", campaign.schedules, "this many random schedules of ten virtual minutes");
  app.add_option("--seed", campaign.first_seed, "of the first schedule; the same seed is the same schedule")
      ->capture_default_str();
  app.add_option("--jobs", campaign.jobs, "schedules at a time; default: one for each core");
  app.add_option("--workload", workload, "a file like src/sim/workloads/default.toml, which is the default");
  app.add_option("--aggressiveness", campaign.aggressiveness, "faults, in percent of what the workload says")
      ->capture_default_str()
      ->check(CLI::Range(10U, 1'000U));
  auto* replay = app.add_option("--replay", replayed, "run the schedule of one seed, shrunk if it fails");
  app.add_flag("--trace", asked.trace, "with --replay: everything that was said and done");
  app.add_flag("!--no-shrink", asked.shrinks, "show a failing schedule as it was drawn");
  app.add_flag("--json", asked.json, "the report of --schedules for programs");
#ifdef KOMAINU_MUTANTS
  bool mutants = false;
  bool quick = false;
  app.add_flag("--mutants", mutants, "drop each rule in turn; the schedules must find out");
  app.add_flag("--quick", quick, "with --mutants: those that are found soon");
#endif
  CLI11_PARSE(app, argc, argv);
  asked.workloads = komainu::sim::workloads_of(workload);
#ifdef KOMAINU_MUTANTS
  if (mutants) {
    const std::span<const komainu::core::Rule> all;
    return komainu::sim::find_mutants(asked, only, quick ? komainu::sim::kSoonFound : all) ? 0 : 1;
  }
#endif
  if (!exhaustive && campaign.schedules == 0 && replay->count() == 0) {
    fmt::print(
        stderr,
        "komainu-sim: say --exhaustive, --schedules N, --replay SEED or --mutants; --help tells more\n");
    return 2;
  }
  bool good = true;
  if (exhaustive) good = komainu::sim::explore_all(most_states, only) && good;
  if (replay->count() != 0) good = komainu::sim::replay_seed(asked, replayed) && good;
  if (campaign.schedules > 0) good = komainu::sim::run_schedules(asked) && good;
  return good ? 0 : 1;
}
