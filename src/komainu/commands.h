// What each command does. The language that leads here is src/komainu/program.cc's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "komainu/session.h"

namespace komainu::cli {

// ---- looking

Exit show_status(const Session& session);
Exit watch_status(const Session& session);
Exit show_membership(const Session& session);
Exit show_events(const Session& session, bool follow, std::optional<std::size_t> last);
Exit explain_group(const Session& session, const std::string& group);
Exit show_fencing(const Session& session);
Exit test_fencing(const Session& session, const std::optional<std::string>& node);

// ---- asking

Exit start_group(const Session& session, const std::string& group, const std::optional<std::string>& node);
Exit stop_group(const Session& session, const std::string& group);
Exit move_group(const Session& session, const std::string& group, const std::optional<std::string>& node);
Exit clear_group(const Session& session, const std::string& group);
Exit drain_node(const Session& session, const std::string& node);
Exit standby_node(const Session& session, const std::string& node);
Exit resume_node(const Session& session, const std::string& node);
Exit suspend_monitor(const Session& session, const std::string& monitor);
Exit resume_monitor(const Session& session, const std::string& monitor);
Exit confirm_fence(const Session& session, const std::string& node, bool sure);
Exit switch_off(const Session& session, const std::string& node, bool sure);
Exit disarm_cluster(const Session& session, const std::string& length, const std::string& why);
Exit arm_cluster(const Session& session);
Exit start_alone(const Session& session, bool sure);

// ---- configuration

Exit check_config(const Session& session, const std::string& file);
Exit config_timing(const Session& session, const std::string& file);
Exit config_evidence(const Session& session);
Exit config_reference(const Session& session, const std::string& topic);
Exit show_config(const Session& session, bool full);
Exit diff_config(const Session& session, const std::string& file);
Exit apply_config(const Session& session, const std::string& file);

// ---- making a cluster

struct Places {
  std::string config = "/etc/komainu/cluster.toml";
  std::string bundle = "/etc/komainu/join.bundle";
  std::string corosync_conf = "/etc/corosync/corosync.conf";
  std::string corosync_key = "/etc/corosync/authkey";
  std::string arbiter = "/etc/komainu/arbiter";  // what is exchanged with it
  std::string qdevice_database = "/etc/corosync/qdevice/net/nssdb";
  std::string key_bundle = "/etc/komainu/key.bundle";
};
// A key that is there already is kept. With an arbiter that has not signed the cluster's request, it leaves
// the request and says what to do.
Exit init_cluster(const Session& session, const Places& places);
// Without a bundle: the configuration and the key are in their places already.
Exit join_cluster(const Session& session, const Places& places, const std::optional<std::string>& bundle);
// Nothing uses it before the configuration names it.
Exit make_key(const Session& session, const Places& places);
Exit take_key(const Session& session, const Places& places, const std::string& bundle);

// ---- beforehand

// Without a scenario, or with one that has no steps: every single fault, or every pair of them.
enum class Tries : std::uint8_t { kSingle, kPairs };
Exit simulate(const Session& session, const std::string& cluster, const std::optional<std::string>& scenario,
              Tries tries);

// ---- afterwards

Exit replay(const Session& session, const std::string& file);

}  // namespace komainu::cli
