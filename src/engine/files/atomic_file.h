// Files that are either the old or the new ones, also after a crash or a power cut. These calls wait for the
// disk: they are for the Writer's thread, and for the time before the loop runs.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace komainu::engine {

// Written beside its place, synced, renamed over it, and the folder synced.
Result<void> write_atomically(const std::string& path, std::string_view bytes, mode_t mode);

// Unset: there is no such file.
Result<std::optional<std::string>> read_whole(const std::string& path, std::size_t max_size);

}  // namespace komainu::engine
