// Which node of the configuration this machine is, and which of its boots this is.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "core/spec.h"

namespace komainu {

// By name: `given`, or else this machine's host name (with or without its domain).
Result<NodeId> find_self(const core::Spec& spec, const std::string& given);

// Another value after each boot. The kernel's boot id alone does not change when a container is started anew:
// the start of process 1 tells those boots apart.
std::uint64_t boot_identity();

}  // namespace komainu
