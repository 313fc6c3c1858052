// The active configuration as text: `komainu config show`, and what a change means: `komainu config diff`.
#pragma once

#include <string>
#include <vector>

#include "core/spec.h"

namespace komainu::config {

// The configuration as cluster.toml would say it with every key named, so that nothing depends on defaults.
// What parse() makes of it differs from `spec` in its source and version only, if it is given `spec` as the
// current one. A driver's defaults are the driver's and not shown.
std::string show(const core::Spec& spec);

// What changes from one to the other, one sentence each: `group "web": failback was "manual", is
// "automatic"`. Comments, order of keys and defaults that are written out are no changes.
std::vector<std::string> diff(const core::Spec& before, const core::Spec& after);

}  // namespace komainu::config
