// The key of Corosync as a file. It is spoken of by its fingerprint: the key itself is never shown, and never
// travels through the cluster.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace komainu::engine {

inline constexpr std::size_t kMinCorosyncKey = 128;  // corosync.conf(5), `keyfile`
inline constexpr std::size_t kMaxCorosyncKey = 4096;

// The first 8 bytes of its SHA-256, in hexadecimal: `sha256sum FILE | cut -c 1-16`.
std::string key_fingerprint(std::string_view key);

// Is this key there, and root's alone? A file that others could read is not made secret by closing it. Waits
// for the disk.
Result<void> check_corosync_key(const std::string& path, const std::string& fingerprint);

}  // namespace komainu::engine
