// The sections of cluster.toml as they are written: names instead of ids, and what each key means. What a
// driver adds to a section comes from its own declaration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/time.h"
#include "core/spec.h"
#include "params/declaration.h"

namespace komainu::config {

inline constexpr std::size_t kMaxLinks = 8;       // knet's bound, corosync.conf(5)
inline constexpr std::size_t kMaxNameBytes = 64;  // names go into cgroups, units and corosync.conf

struct ClusterKeys {
  std::string name;
  core::Profile profile = core::Profile::kLan;
  std::optional<std::string> alert;
  std::optional<std::string> watchdog;
  std::optional<std::string> key;
};

struct NodeKeys {
  std::string name;
  std::optional<std::uint32_t> id;  // as Corosync counts: from 1
  std::vector<IpAddress> links;
  std::optional<std::string> watchdog;
};

struct QuorumKeys {
  core::NoQuorum on_no_quorum = core::NoQuorum::kStop;
  bool allow_split_risk = false;
  std::vector<IpAddress> ping;
};

struct ArbiterKeys {
  core::ArbiterType type = core::ArbiterType::kNone;
  std::optional<std::string> address;
};

struct DeviceKeys {
  std::string type;
  std::vector<std::string> nodes;
};

struct GroupKeys {
  std::string name;
  std::vector<std::string> prefer;
  bool strict = false;
  core::Failback failback = core::Failback::kManual;
  bool autostart = true;
  std::int32_t priority = 0;
  std::vector<std::string> after;
  std::vector<std::string> after_here;
  std::vector<std::string> apart;
  std::vector<std::string> near;
  std::optional<bool> holds_data;
};

struct ResourceKeys {
  std::string name;
  std::string type;
  Duration start_timeout = core::Resource{}.start_timeout;
  Duration stop_timeout = core::Resource{}.stop_timeout;
};

struct MonitorKeys {
  std::string name;
  std::string type;
  std::optional<std::string> watch;
  std::vector<std::string> affects;
  Duration interval = core::Monitor{}.interval;
  Duration timeout = core::Monitor{}.timeout;
  std::uint32_t retries = core::Monitor{}.retries;
  Duration start_delay = core::Monitor{}.start_delay;
  bool timeout_is_failure = true;
  bool quiet_until_healthy = true;
  std::optional<Duration> common_mode_wait;
};

const params::Declaration<ClusterKeys>& cluster_section();
const params::Declaration<NodeKeys>& node_section();
const params::Declaration<QuorumKeys>& quorum_section();
const params::Declaration<ArbiterKeys>& arbiter_section();
const params::Declaration<DeviceKeys>& device_section();
const params::Declaration<GroupKeys>& group_section();
const params::Declaration<ResourceKeys>& resource_section();
const params::Declaration<MonitorKeys>& monitor_section();
const params::Declaration<core::Ladder>& ladder_section();
const params::Declaration<core::Timing>& timing_section();
const params::Declaration<core::Brakes>& brakes_section();

}  // namespace komainu::config
