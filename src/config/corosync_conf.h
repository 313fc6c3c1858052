// corosync.conf(5) of a cluster, the same on all nodes.
#pragma once

#include <string>

#include "core/spec.h"

namespace komainu::config {

// Where Corosync finds the key that all nodes share: at least 128 bytes, mode 0400.
inline constexpr const char* kCorosyncKey = "/etc/corosync/authkey";
// … where the configuration names one by its fingerprint, beside it.
std::string corosync_key_file(const core::Spec& spec, const std::string& unnamed = kCorosyncKey);

// For two and more nodes; a single server needs no Corosync. Corosync's node ids are ours + 1, since it knows
// no 0. The same Spec always gives the same bytes.
std::string corosync_conf(const core::Spec& spec);

}  // namespace komainu::config
