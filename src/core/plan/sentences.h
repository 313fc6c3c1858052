// What plan() yields, as sentences: for tests.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <variant>
#include <vector>

#include "core/plan/plan.h"
#include "core/record/events.h"
#include "core/testing.h"

namespace komainu::core::testing {

struct Sentence {
  const State& state;

  std::string operator()(const StartGroup& start) const {
    return fmt::format("start {} on {}", name_of(state, start.group), name_of(state, start.place));
  }
  std::string operator()(const StopGroup& stop) const {
    return fmt::format("stop {} on {}{}{}: {}", name_of(state, stop.group), name_of(state, stop.place),
                       stop.counts_as_failover ? " (failover)" : "", stop.gives_up ? " (for good)" : "",
                       stop.reason);
  }
  std::string operator()(const RestartGroup& restart) const {
    return fmt::format("restart {} on {} from resource {}", name_of(state, restart.group),
                       name_of(state, restart.place), restart.first_resource);
  }
  std::string operator()(const FenceNode& fence) const {
    return fmt::format("{} fences {} by level {}: {}", name_of(state, fence.executor),
                       name_of(state, fence.target), fence.level, fence.reason);
  }
  std::string operator()(const SettleNode& settle) const {
    return fmt::format("take {} for stopped", name_of(state, settle.target));
  }
  std::string operator()(const NodeAction& action) const {
    const char* what = action.action == FinalAction::kStopNode ? "stop" : "restart the OS of";
    return fmt::format("{} {} for {}", what, name_of(state, action.node), name_of(state, action.group));
  }
};

inline std::string to_sentence(const State& state, const Planned& planned) {
  return std::visit(Sentence{state}, planned.proposal);
}

// What `planner` plans now.
inline std::vector<std::string> plans(Cluster& cluster, NodeId planner = node(1)) {
  std::vector<std::string> sentences;
  for (const Planned& planned : plan(cluster.state(), planner).due) {
    sentences.push_back(to_sentence(cluster.state(), planned));
  }
  return sentences;
}

}  // namespace komainu::core::testing
