#include "core_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

namespace komainu::bench {

bool Report::ReportContext(const Context&) {
  return true;
}

void Report::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.error_occurred) {
      std::cerr << run.run_name.function_name << ": " << run.error_message << '\n';
      continue;
    }
    if (run.run_type != Run::RT_Aggregate) continue;
    Result& known = result(run.run_name.function_name);
    // Every benchmark asks for this unit. CPU time, since decisions wait for nothing: what else the machine
    // does must not count.
    const bool manual = run.run_name.time_type == "manual_time";
    const double microseconds = manual ? run.GetAdjustedRealTime() : run.GetAdjustedCPUTime();
    if (run.aggregate_name == "stddev") known.spread = microseconds;
    if (run.aggregate_name != "median") continue;
    known.microseconds = microseconds;
    auto memory = run.counters.find("MiB");
    if (memory != run.counters.end()) known.mebibytes = memory->second.value;
  }
}

Report::Result& Report::result(const std::string& name) {
  auto known = std::ranges::find(results_, name, &Result::name);
  return known != results_.end() ? *known : results_.emplace_back(Result{.name = name});
}

const Report::Result* Report::find(const std::string& name) const {
  auto known = std::ranges::find(results_, name, &Result::name);
  return known == results_.end() ? nullptr : &*known;
}

std::optional<double> Report::measured(const Budget& budget) const {
  const Result* known = find(budget.benchmark);
  if (!known) return std::nullopt;
  return budget.unit == "MiB" ? known->mebibytes : known->microseconds;
}

std::optional<double> Report::ratio_to_floor(const Budget& budget) const {
  const Result* known = find(budget.benchmark);
  const Result* floor = find(budget.floor);
  if (!known || !floor || floor->microseconds <= 0) return std::nullopt;
  return known->microseconds / floor->microseconds;
}

bool Report::show_table(const std::vector<Budget>& budgets) const {
  bool all_met = true;
  fmt::print("{:<58} {:>12} {:>12} {:>9}\n", "", "measured", "budget", "× floor");
  for (const Budget& budget : budgets) {
    const std::optional<double> value = measured(budget);
    if (!value) continue;
    const bool met = *value <= budget.at_most;
    all_met = all_met && met;
    const std::optional<double> ratio = ratio_to_floor(budget);
    fmt::print("{:<58} {:>8.1f} {:<3} {:>8.1f} {:<3} {:>9} {}\n", budget.what, *value, budget.unit,
               budget.at_most, budget.unit, ratio ? fmt::format("{:.1f}", *ratio) : "",
               met ? "met" : "MISSED");
  }
  fmt::print(
      "\nMedians. Floors, measured in the same run: copying one message; reading every group of the state "
      "once.\n");
  for (const Result& known : results_) {
    fmt::print("  {:<44} {:>10.2f} us ± {:.2f}\n", known.name, known.microseconds, known.spread);
  }
  return all_met;
}

bool Report::show_json(const std::vector<Budget>& budgets) const {
  bool all_met = true;
  boost::json::array rows;
  for (const Budget& budget : budgets) {
    const std::optional<double> value = measured(budget);
    if (!value) continue;
    const bool met = *value <= budget.at_most;
    all_met = all_met && met;
    boost::json::object row{{"what", budget.what},      {"benchmark", budget.benchmark}, {"measured", *value},
                            {"budget", budget.at_most}, {"unit", budget.unit},           {"met", met}};
    if (auto ratio = ratio_to_floor(budget)) row["ratio_to_floor"] = *ratio;
    rows.push_back(std::move(row));
  }
  boost::json::array all;
  for (const Result& known : results_) {
    all.push_back(
        {{"benchmark", known.name}, {"median_us", known.microseconds}, {"stddev_us", known.spread}});
  }
  std::cout << boost::json::object{{"budgets", rows}, {"benchmarks", all}} << '\n';
  return all_met;
}

}  // namespace komainu::bench
