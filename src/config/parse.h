// cluster.toml → core::Spec. All mistakes in one run, each with its place.
//
//   text ─▶ Document ─▶ Draft ─▶ Spec ─▶ checks
//         syntax      keys,     names,   what objects mean to each other: quorum, fencing, data, times
//                     values    ids
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/diagnostic.h"
#include "core/spec.h"
#include "params/registry.h"

namespace komainu::config {

struct Parsed {
  std::optional<core::Spec> spec;  // set exactly if no diagnostic is an error
  std::vector<Diagnostic> diagnostics;
};

// An object of `current` that keeps its name keeps its id, and a removed one's id is not given to a new one.
// The version is one above the current one's, or 1.
Parsed parse(std::string_view text, const params::Registry& registry, const core::Spec* current = nullptr);

// The text of the file; an error also if it is larger than any configuration.
Result<std::string> read_file(const std::string& path);

}  // namespace komainu::config
