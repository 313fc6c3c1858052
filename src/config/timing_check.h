// Do the times of a configuration fit together, and what is the least that has to change if not? The rules
// are in src/config/timing_rules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/timing_amounts.h"
#include "config/timing_rules.h"

namespace komainu::config {

struct TimingChange {
  TimingKey key;
  Duration from{0};
  Duration to{0};
  bool operator==(const TimingChange&) const = default;
};

// A rule, asked about one object.
struct TimingCheck {
  const TimingRule* rule = nullptr;
  Subject subject;
  Duration left{0};
  Duration right{0};
  bool holds = true;
};

// Every rule that applies, for every object that it is asked about.
std::vector<TimingCheck> timing_checks(const core::Spec& spec, const params::Registry& registry);

// "grace", or "lease × 3/4 (3750ms)"; "token + consensus (1s + 1200ms = 2200ms)".
std::string left_text(const core::Spec& spec, const params::Registry& registry, const TimingCheck& check);
std::string right_text(const core::Spec& spec, const params::Registry& registry, const TimingCheck& check);

struct TimingProblem {
  Severity severity = Severity::kError;
  const TimingRule* rule = nullptr;
  std::vector<TimingKey> keys;  // of both sides, in the rule's order
  std::string what;             // with both sides' values
  std::string help;             // the reason, and the repair
  // Makes this rule hold and breaks none that held: the fewest changes, and of those the smallest. Empty
  // where bounds do not allow one, or where there are too many problems to look.
  std::vector<TimingChange> repair;
};

// Every check that does not hold.
std::vector<TimingProblem> timing_problems(const core::Spec& spec, const params::Registry& registry);

}  // namespace komainu::config
