// A rehearsal for people and for programs. The JSON is documented in docs/simulate.md; `kSimulateVersion`
// rises when a program that understood it no longer would.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/spec.h"
#include "komainu/terminal.h"
#include "whatif/run/rehearsal.h"
#include "whatif/trials.h"

namespace komainu::cli {

inline constexpr int kSimulateVersion = 1;

// What is taken for granted, so that nobody reads a guess as a measurement.
std::string render_assumptions(const core::Spec& spec, const whatif::Assumptions& assume, const Style& style);
boost::json::object assumptions_json(const core::Spec& spec, const whatif::Assumptions& assume);

// ---- a scenario

enum class Rest : std::uint8_t {
  kReached,     // nothing more would happen
  kCut,         // as long as the scenario wanted
  kNotReached,  // things went on and on
};

std::string render_line(const core::Spec& spec, const whatif::Line& line, const Style& style);
boost::json::object line_json(const core::Spec& spec, const whatif::Line& line);
std::string render_end(const whatif::Rehearsal& rehearsal, Rest rest, const Style& style);
std::vector<boost::json::object> end_json(const whatif::Rehearsal& rehearsal, Rest rest);

// ---- the table

class TrialTable {
 public:
  explicit TrialTable(const core::Spec& spec) : spec_(spec) {}

  void add(const whatif::Trial& trial, const whatif::Outcome& outcome);
  std::string text(const Style& style) const;

 private:
  const core::Spec& spec_;
  Table faults_, maintenance_;
  std::size_t counts_[4] = {};
};

boost::json::object trial_json(const core::Spec& spec, std::size_t number, std::size_t of,
                               const whatif::Trial& trial, const whatif::Outcome& outcome);

}  // namespace komainu::cli
