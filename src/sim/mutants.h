// The checker can fail: a core without one of its rules (core/rules.h) runs schedule after schedule, until
// one shows what the rule is for.
//
// Not every violation does. The core that has all its rules must pass the same seed, and where the rule
// guards safety, it must be safety that was lost: that a cluster did not come to order in time is what luck
// brings, too.
#pragma once

#include <cstdint>
#include <optional>

#include "core/rules.h"
#include "sim/campaign.h"

namespace komainu::sim {

struct Hunt {
  std::uint64_t schedules = 0;  // until it was found, or all
  double seconds = 0;
  std::optional<CampaignReport::Finding> found;
};

// At most `campaign.schedules` schedules from its first seed on.
Hunt hunt(const core::NamedRule& mutant, Campaign campaign, const Workloads& workloads);

}  // namespace komainu::sim
