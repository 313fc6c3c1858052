// Every single fault, or every pair of them, tried on a cluster at rest, and what comes of each: the table of
// an administrator's "what if".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/spec.h"
#include "whatif/run/rehearsal.h"
#include "whatif/scenario.h"

namespace komainu::whatif {

enum class Symbol : std::uint8_t {
  kContinues,  // ◎ the business goes on; if it was down, then without waiting for an operating system's boot
  kAfterBoot,  // ○ it goes on after a boot
  kLimits,     // △ not noticed, or nothing can be done; it goes on with limits
  kStops,      // × it stops until somebody helps
};

std::string_view to_string(Symbol symbol);  // "◎"
std::string_view word_of(Symbol symbol);    // "continues"

struct Trial {
  std::vector<Step> steps;
  enum class Sort : std::uint8_t { kFault, kMaintenance } sort = Sort::kFault;
  std::string text;
};

std::vector<Trial> single_faults(const core::Spec& spec);
// Two at once. Faults that show only later (a dead fencing device, a start that will fail) come first.
std::vector<Trial> fault_pairs(const core::Spec& spec);

struct GroupOutcome {
  GroupId group;
  Duration downtime{0};
  std::optional<NodeId> served_by;
  bool down = false;  // it was served before, and is not in the end
};

struct Outcome {
  std::optional<Detection> detection;
  std::vector<std::string> deeds;    // what komainu did, as sentences
  std::optional<Duration> downtime;  // of the group that was down longest; unset: one is down in the end
  Symbol symbol = Symbol::kContinues;
  bool twice = false;  // a group was active on two nodes at once
  std::vector<GroupOutcome> groups;
};

Outcome outcome_of(const Rehearsal& rehearsal, const Trial& trial);
// `setting`: what is assumed, and how things stand at first; its steps do not count.
Result<Outcome> run_trial(const core::SpecPtr& spec, const Scenario& setting, const Trial& trial);

}  // namespace komainu::whatif
