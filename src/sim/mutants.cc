#include "sim/mutants.h"

#include <algorithm>

namespace komainu::sim {
namespace {

bool shows(const core::NamedRule& mutant, const CampaignReport::Finding& finding, const Campaign& campaign,
           const Workloads& workloads) {
  if (finding.violation.breach == Breach::kLiveness && mutant.guards == core::Guards::kSafety) return false;
  const Schedule same = draw_schedule(finding.seed, workloads, campaign.aggressiveness);
  return !run_schedule(same, workloads).violation;
}

}  // namespace

Hunt hunt(const core::NamedRule& mutant, Campaign campaign, const Workloads& workloads) {
  Hunt result;
  const std::uint64_t most = campaign.schedules;
  campaign.after_finding = Campaign::After::kStops;
  while (result.schedules < most && !result.found) {
    campaign.schedules = most - result.schedules;
    core::dropped_rule = mutant.rule;
    const CampaignReport report = run_campaign(campaign, workloads);
    core::dropped_rule = core::Rule::kNone;
    campaign.first_seed += report.schedules;
    result.schedules += report.schedules;
    result.seconds += report.seconds;
    const auto found = std::ranges::find_if(
        report.findings, [&](const auto& finding) { return shows(mutant, finding, campaign, workloads); });
    if (found != report.findings.end()) result.found = *found;
  }
  return result;
}

}  // namespace komainu::sim
