// Whether clients are served, group by group: judged by what really runs, not by what komainu believes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/time.h"

namespace komainu::whatif {

struct Outage {
  Duration from{0};
  std::optional<Duration> to;  // unset: it lasts
};

struct Service {
  NodeSet served_by;
  std::vector<Outage> outages;
  bool twice = false;  // it was active on two nodes at once

  bool served() const { return !served_by.empty(); }
  Duration downtime(Duration until) const {
    Duration sum{0};
    for (const Outage& outage : outages) sum += outage.to.value_or(until) - outage.from;
    return sum;
  }
};

// When and by what a fault was noticed first.
struct Detection {
  Duration at{0};
  std::string by;
};

// What komainu had done, in order.
struct Deed {
  enum class What : std::uint8_t {
    kStart,
    kStop,
    kRestart,
    kFence,
    kFenceFailed,
    kYield
  } what = What::kStart;
  Duration at{0};
  NodeId node;  // where; kFence, kFenceFailed: the target
  std::optional<GroupId> group;
};

}  // namespace komainu::whatif
