// What the daemon is told on its command line.
#pragma once

#include <string>

#include "api/server.h"

namespace komainu {

struct Options {
  std::string config = "/etc/komainu/cluster.toml";
  std::string state = "/var/lib/komainu";
  std::string runtime = "/run/komainu";
  std::string socket{api::kSocketPath};
  std::string corosync_conf = "/etc/corosync/corosync.conf";
  std::string node;

  std::string store() const { return state + "/store"; }
  std::string flow_stamp() const { return runtime + "/last-flow"; }
};

}  // namespace komainu
