// `komainu config evidence`: what komainu makes of all it knows about a node, as the table that decides it.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "komainu/terminal.h"

namespace komainu::cli {

std::string render_evidence(const Style& style);

// {"rows": [{"verdict", "text", "when": {"node": ["lost", "unknown"], …}}]}, the first row that fits decides;
// what is not in `when` does not matter.
boost::json::object evidence_json();

}  // namespace komainu::cli
