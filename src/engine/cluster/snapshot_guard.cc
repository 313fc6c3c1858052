#include "engine/cluster/snapshot_guard.h"

#include <fmt/format.h>

#include <variant>

#include "core/consistent.h"

namespace komainu::engine {

std::optional<SnapshotGuard::Refusal> SnapshotGuard::look(const core::Message& message,
                                                          const core::Spec& own) {
  if (const auto* hello = std::get_if<core::Hello>(&message.body)) {
    promised_[message.from] = {message.view, hello->state_digest};
    return std::nullopt;
  }
  const auto* snapshot = std::get_if<core::Snapshot>(&message.body);
  if (!snapshot) return std::nullopt;
  const core::State& state = *snapshot->state;
  if (state.spec && state.spec->cluster != own.cluster)
    return Refusal{Verdict::kForeign, fmt::format("it is of cluster '{}', and this node belongs to '{}'",
                                                  state.spec->cluster, own.cluster)};
  if (std::string problem = core::inconsistency(state); !problem.empty())
    return Refusal{Verdict::kDamaged, std::move(problem)};
  const auto promise = promised_.find(message.from);
  if (promise != promised_.end() && promise->second.view == message.view &&
      promise->second.state_digest != state.digest())
    return Refusal{Verdict::kDamaged, "it is not the state that its sender's Hello promised"};
  return std::nullopt;
}

}  // namespace komainu::engine
