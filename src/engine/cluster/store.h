// The store as it is found when the daemon starts. One that cannot be believed is never used: it may know
// less than this node once acknowledged.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/state.h"

namespace komainu::engine {

struct StoreProblem {
  enum class Remedy : std::uint8_t {
    kTryAgain,  // the disk may answer later
    kPerson,    // it stays so until somebody does something about it
  };
  Remedy remedy = Remedy::kPerson;
  Error error;  // names the file, and says what to do
};

// Unset: there is none, so this node has never been in a cluster.
std::expected<std::optional<core::Durable>, StoreProblem> read_store(const std::string& path);
// `cluster` is what cluster.toml says, `path` where the store was read.
std::expected<void, StoreProblem> belongs_to(const core::Durable& durable, const std::string& cluster,
                                             const std::string& path);

}  // namespace komainu::engine
