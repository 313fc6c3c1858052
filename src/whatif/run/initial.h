// How things stand when a rehearsal begins: what differs from the steady state that the cluster comes to by
// itself.
#pragma once

#include <map>
#include <vector>

#include "base/id.h"

namespace komainu::whatif {

struct Initial {
  std::map<GroupId, NodeId> placed;
  std::vector<GroupId> stopped;
  NodeSet off;
  NodeSet drained;
  NodeSet standby;
  std::vector<MonitorId> suspended;
};

}  // namespace komainu::whatif
