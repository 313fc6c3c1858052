#include "engine/cluster/outgoing.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "wire/wire.h"

namespace komainu::engine {

namespace {

// What is left is for who runs what, what failed and how often: it takes some 100 bytes a group.
constexpr std::size_t kMaxConfigured = wire::kMaxMessage / 8 * 7;
constexpr const char* kSmaller = "make it smaller: fewer groups or monitors, or a second cluster";

// Texts that only people read, and a proposal that ends with the view in any case (core/view/establish).
core::Snapshot without_texts(const core::Snapshot& snapshot) {
  auto state = std::make_shared<core::State>(*snapshot.state);
  state->pending_spec.reset();
  for (auto& [id, monitor] : state->monitors) monitor.evidence.clear();
  for (auto& [id, group] : state->groups) {
    if (group.trouble) group.trouble->evidence.clear();
  }
  return {std::move(state)};
}

}  // namespace

std::optional<Error> too_large(const core::SpecPtr& spec) {
  const std::size_t size = wire::encode(core::cold_state(spec, {})).size();
  if (size <= kMaxConfigured) return std::nullopt;
  return Error{
      fmt::format("the configuration takes {} bytes; a node that joins can be sent {}", size, kMaxConfigured),
      kSmaller};
}

Outgoing outgoing(const core::Message& message) {
  Result<std::string> bytes = wire::encode(message);
  if (bytes) return {std::move(*bytes), {}};
  core::Message instead = message;
  if (const auto* snapshot = std::get_if<core::Snapshot>(&message.body)) {
    instead.body = without_texts(*snapshot);
    if (Result<std::string> smaller = wire::encode(instead)) return {std::move(*smaller), {}};
    bytes.error() = {"the cluster's state cannot be sent to the nodes that join: " + bytes.error().what,
                     fmt::format("stop komainud on the nodes that joined last, then {}", kSmaller)};
  }
  instead.body = core::Ack{};
  return {*wire::encode(instead), std::move(bytes.error())};
}

}  // namespace komainu::engine
