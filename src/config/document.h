// The text of a configuration as a TOML document. Whatever the text is, this ends soon and says why.
#pragma once

#include <toml++/toml.h>

#include <cstddef>
#include <optional>
#include <string_view>

#include "config/diagnostic.h"

namespace komainu::config {

inline constexpr std::size_t kMaxFileBytes = 1024 * 1024;

struct Document {
  toml::table root;
  // Lines with syntax errors were left out to find the mistakes in the rest: what is missing may stand there.
  bool incomplete = false;
};

// None: nothing of it can be read.
std::optional<Document> read_document(std::string_view text, Diagnostics& diagnostics);

Region region_of(const toml::source_region& source);

}  // namespace komainu::config
