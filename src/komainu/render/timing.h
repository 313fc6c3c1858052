// `komainu config timing`: how long each kind of failover takes at worst, and what holds between the times.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <vector>

#include "config/timeline.h"
#include "config/timing_check.h"
#include "komainu/terminal.h"

namespace komainu::cli {

std::string render_timelines(const std::vector<config::Timeline>& timelines, const Style& style);

// Each rule with the object that comes closest to breaking it.
std::string render_checks(const core::Spec& spec, const params::Registry& registry, const Style& style);

// {"timelines": [{"name", "title", "sum_us", "phases": [{"name", "from_us", "length_us"}]}],
//  "checks": [{"name", "object", "left", "left_us", "relation", "right", "right_us", "holds", "severity",
//              "reason"}]}
boost::json::object timing_json(const core::Spec& spec, const params::Registry& registry);

}  // namespace komainu::cli
