#include "sim/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace komainu::sim {
namespace {

constexpr std::uint64_t kEnoughPerMillion = 1'000;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void add(CampaignReport& report, std::uint64_t seed, const ScheduleReport& one) {
  ++report.schedules;
  report.delivered += one.delivered;
  report.virtual_time += one.length;
  for (std::size_t i = 0; i < kPremises; ++i) report.premises[i] += one.premises[i];
  ++report.shapes[one.shape.substr(0, one.shape.rfind(','))];
  if (one.violation) {
    report.findings.push_back({seed, one.shape, *one.violation});
  } else if (one.is_toy()) {
    report.toys.push_back(seed);
  }
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + '"';
}

}  // namespace

CampaignReport run_campaign(const Campaign& campaign, const Workloads& workloads) {
  const auto begin = std::chrono::steady_clock::now();
  CampaignReport report;
  std::mutex guard;
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> enough{false};
  const auto work = [&] {
    const auto start = std::chrono::steady_clock::now();
    while (!enough) {
      const std::uint64_t number = next++;
      if (number >= campaign.schedules) break;
      const std::uint64_t seed = campaign.first_seed + number;
      const ScheduleReport one =
          run_schedule(draw_schedule(seed, workloads, campaign.aggressiveness), workloads);
      const std::scoped_lock lock(guard);
      add(report, seed, one);
      if (one.violation && campaign.after_finding == Campaign::After::kStops) enough = true;
    }
    const std::scoped_lock lock(guard);
    report.seconds_of_cores += seconds_since(start);
  };
  {
    std::vector<std::jthread> workers;
    for (std::uint32_t i = 1; i < campaign.jobs; ++i) workers.emplace_back(work);
    work();
  }
  std::ranges::sort(report.toys);
  std::ranges::sort(report.findings, {}, &CampaignReport::Finding::seed);
  report.seconds = seconds_since(begin);
  return report;
}

std::string as_text(const CampaignReport& report) {
  std::string text;
  for (const auto& [shape, count] : report.shapes) text += fmt::format("{:>9} x {}\n", count, shape);
  text += "\npremises                                        times   per million schedules\n";
  for (std::size_t i = 0; i < kPremises; ++i) {
    const std::uint64_t per_million = report.per_million(i);
    text += fmt::format("  {:<42} {:>9}   {:>11}{}\n", kPremiseNames[i], report.premises[i], per_million,
                        per_million < kEnoughPerMillion ? "  too few" : "");
  }
  const double cores = std::max(report.seconds_of_cores, 1e-9);
  text += fmt::format(
      "\n{:.0f} virtual hours, {} messages delivered, {:.0f} per second and core, {:.2f} ms per schedule and "
      "core, "
      "{:.1f} s\n",
      static_cast<double>(report.virtual_time.count()) / 3.6e9, report.delivered,
      static_cast<double>(report.delivered) / cores,
      1e3 * cores / static_cast<double>(std::max<std::uint64_t>(1, report.schedules)), report.seconds);
  for (const auto& finding : report.findings)
    text += fmt::format("seed {} ({}): {}\n", finding.seed, finding.shape, finding.violation.what);
  for (std::uint64_t seed : report.toys)
    text += fmt::format("seed {} is a toy: it proves too little\n", seed);
  return text;
}

std::string as_json(const CampaignReport& report) {
  std::string premises;
  for (std::size_t i = 0; i < kPremises; ++i)
    premises += fmt::format("{}{}:{{\"times\":{},\"per_million\":{}}}", i == 0 ? "" : ",",
                            quoted(std::string(kPremiseNames[i])), report.premises[i], report.per_million(i));
  std::string findings;
  for (const auto& finding : report.findings)
    findings +=
        fmt::format("{}{{\"seed\":{},\"cluster\":{},\"breach\":{},\"what\":{}}}", findings.empty() ? "" : ",",
                    finding.seed, quoted(finding.shape),
                    quoted(std::string(kBreachNames[static_cast<std::size_t>(finding.violation.breach)])),
                    quoted(finding.violation.what));
  return fmt::format(
      "{{\"schedules\":{},\"violations\":{},\"toys\":[{}],\"virtual_seconds\":{},\"messages\":{},\"seconds\":"
      "{:.3f},"
      "\"core_seconds\":{:.3f},\"premises\":{{{}}},\"findings\":[{}]}}",
      report.schedules, report.findings.size(), fmt::join(report.toys, ","),
      report.virtual_time.count() / 1'000'000, report.delivered, report.seconds, report.seconds_of_cores,
      premises, findings);
}

}  // namespace komainu::sim
