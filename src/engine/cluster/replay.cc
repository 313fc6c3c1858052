#include "engine/cluster/replay.h"

#include <optional>
#include <utility>
#include <variant>

#include "base/overloaded.h"
#include "wire/wire.h"

namespace komainu::engine {

void Replay::step(const StreamRecord& record, const core::Input& input) {
  if (!replica_) return;
  for (const core::Effect& effect : replica_->step(record.at, input)) {
    if (auto* event = std::get_if<core::Event>(&effect)) sink_(record.wall_us, *event);
  }
}

void Replay::compare(const core::Message& message) {
  const auto* ack = std::get_if<core::Ack>(&message.body);
  const bool tells = ack && replica_ && replica_->phase() == core::Phase::kEstablished &&
                     message.view == replica_->view() && ack->position <= replica_->position();
  const std::optional<std::uint64_t> digest = tells ? replica_->digest_at(ack->position) : std::nullopt;
  if (!digest) return;
  ++compared_;
  if (*digest != ack->digest) ++differences_;
}

Result<void> Replay::take(const StreamRecord& record) {
  return std::visit(
      Overloaded{
          [&](const Began& began) -> Result<void> {
            Result<core::Durable> durable = wire::decode_durable(began.durable);
            if (!durable) return std::unexpected(durable.error());
            replica_ = std::make_unique<core::Replica>(
                core::ReplicaOptions{
                    .self = began.self, .incarnation = began.incarnation, .boot = began.boot, .plans = false},
                durable->spec, *durable);
            follows_ = false;
            return {};
          },
          [&](const Came& came) -> Result<void> {
            Result<core::Message> message = wire::decode_message(came.bytes, came.from);
            if (!message) return std::unexpected(message.error());
            ++messages_;
            compare(*message);
            step(record, core::Delivered{std::move(*message)});
            return {};
          },
          [&](const Established& established) -> Result<void> {
            Result<core::State> state = wire::decode_state(established.state);
            if (!state) return std::unexpected(state.error());
            if (!replica_) return {};
            const bool differs = replica_->state().digest() != state->digest();
            if (follows_) ++compared_;
            if (differs && follows_) ++differences_;
            if (differs) replica_->adopt(std::move(*state));
            follows_ = true;
            return {};
          },
          [&](const auto& input) -> Result<void> {
            step(record, input);
            return {};
          },
      },
      record.what);
}

}  // namespace komainu::engine
