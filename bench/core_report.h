// What the benchmarks of the core are held to, and how the result is shown.
#pragma once

#include <benchmark/benchmark.h>

#include <optional>
#include <string>
#include <vector>

namespace komainu::bench {

struct Budget {
  std::string benchmark;  // its registered name
  std::string what;
  double at_most = 0;  // microseconds, or MiB for what is measured in memory
  std::string unit;
  std::string floor;  // another benchmark: what this one is shown as a multiple of
};

// Collects the medians and compares them with the budgets.
class Report : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  // Returns whether all budgets were met. A budget whose benchmark did not run (it was filtered out) is not
  // shown.
  bool show_table(const std::vector<Budget>& budgets) const;
  bool show_json(const std::vector<Budget>& budgets) const;

 private:
  struct Result {
    std::string name;
    double microseconds = 0;
    double spread = 0;  // standard deviation, microseconds
    std::optional<double> mebibytes;
  };
  const Result* find(const std::string& name) const;
  std::optional<double> measured(const Budget& budget) const;
  std::optional<double> ratio_to_floor(const Budget& budget) const;
  Result& result(const std::string& name);

  std::vector<Result> results_;
};

}  // namespace komainu::bench
