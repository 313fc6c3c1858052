#include "engine/cluster/abandoned.h"

#include <fmt/format.h>

namespace komainu::engine {

bool DaemonEnd::comes_back() const {
  // "timeout" is a stop that took too long. After a start that did, the next end decides.
  const bool was_stopped = result == "success" || result == "timeout";
  const bool misconfigured = code == "exited" && status == std::to_string(kExitMisconfigured);
  return !was_stopped && !misconfigured;
}

std::optional<std::string> abandoned(const core::Spec& spec, const DaemonEnd& end,
                                     std::optional<LocalTime> last_flow, LocalTime now) {
  if (!spec.fencing.empty() || spec.nodes.size() < 2 || !last_flow) return std::nullopt;
  if (!end.comes_back()) return "komainud has ended and is not started again";
  if (now - *last_flow > spec.timing.grace)
    return fmt::format("komainud does not come up, and took no part for {} s", (now - *last_flow) / 1s);
  return std::nullopt;
}

}  // namespace komainu::engine
