// Many schedules at once: over all cores, seed after seed, and what came of them. The report is the same
// however many cores worked on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/schedule.h"

namespace komainu::sim {

struct Campaign {
  std::uint64_t first_seed = 1;
  std::uint64_t schedules = 0;
  std::uint32_t jobs = 1;
  std::uint32_t aggressiveness = 100;  // percent
  enum class After : std::uint8_t { kGoesOn, kStops } after_finding = After::kGoesOn;
};

struct CampaignReport {
  struct Finding {
    std::uint64_t seed = 0;
    std::string shape;
    Violation violation;
  };
  std::uint64_t schedules = 0;
  std::uint64_t delivered = 0;
  Duration virtual_time{0};
  double seconds = 0;
  double seconds_of_cores = 0;
  PremiseCounts premises{};
  std::map<std::string, std::uint64_t> shapes;
  std::vector<std::uint64_t> toys;  // seeds
  std::vector<Finding> findings;    // by seed

  // Times per million schedules.
  std::uint64_t per_million(std::size_t premise) const {
    return schedules == 0 ? 0 : premises[premise] * 1'000'000 / schedules;
  }
};

CampaignReport run_campaign(const Campaign& campaign, const Workloads& workloads);

std::string as_text(const CampaignReport& report);
std::string as_json(const CampaignReport& report);

}  // namespace komainu::sim
