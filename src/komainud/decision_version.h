// The version of the decisions that this daemon offers to its cluster (core/replica.h): by itself the
// program's own. Built with KOMAINU_DECISION_VERSION it is that number, for the test of an upgrade.
#pragma once

#include <cstdint>

namespace komainu {

extern const std::uint32_t decision_version;

}  // namespace komainu
