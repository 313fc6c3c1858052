// What a rehearsal writes down, in the order of its happening.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/time.h"
#include "core/effects.h"

namespace komainu::whatif {

enum class Topic : std::uint8_t {
  kFault,  // the scenario's doing …
  kRepair,
  kReport,
  kRequest,
  kWorld,    // what became of it outside komainu: power, processes
  kFact,     // what komainu saw
  kVerdict,  // what it makes of a node
  kOrder,    // what it decided
  kRefused,  // what it did not do
};

inline std::string_view to_string(Topic topic) {
  static constexpr std::string_view kWords[] = {"fault", "repair",  "report", "request", "world",
                                                "fact",  "verdict", "order",  "refused"};
  return kWords[static_cast<int>(topic)];
}

struct Line {
  Duration at{0};
  Topic topic = Topic::kWorld;
  core::Severity severity = core::Severity::kInfo;
  std::uint32_t cause = 0;  // of the same first symptom; 0: none
  std::optional<NodeId> node;
  std::optional<GroupId> group;
  std::optional<MonitorId> monitor;
  std::string text;
};

}  // namespace komainu::whatif
