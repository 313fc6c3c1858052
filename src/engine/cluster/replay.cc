#include "engine/cluster/replay.h"

#include <optional>
#include <utility>
#include <variant>

#include "base/overloaded.h"
#include "core/consistent.h"
#include "wire/wire.h"

namespace komainu::engine {
namespace {

Result<void> fits_together(const char* what, const std::string& problem) {
  if (problem.empty()) return {};
  return failure(std::string(what) + " does not fit together: " + problem);
}

}  // namespace

void Replay::lose_track() {
  replica_.reset();
}

Result<void> Replay::take(const StreamRecord& record) {
  Result<void> taken = apply(record);
  if (!taken) lose_track();
  return taken;
}

Result<void> Replay::apply(const StreamRecord& record) {
  return std::visit(Overloaded{
                        [&](const Began& began) { return begin(began); },
                        [&](const Established& established) { return compare(established); },
                        [&](const Came& came) -> Result<void> {
                          Result<core::Message> message = wire::decode_message(came.bytes, came.from);
                          if (!message) return std::unexpected(message.error());
                          ++(replica_ ? messages_ : passed_over_);
                          if (!replica_) return {};
                          if (auto refusal = guard_.look(*message, *replica_->state().spec))
                            return failure("a snapshot was not used: " + refusal->why);
                          compare(*message);
                          step(record, core::Delivered{std::move(*message)});
                          return {};
                        },
                        [&](const auto& input) -> Result<void> {
                          step(record, input);
                          return {};
                        },
                    },
                    record.what);
}

Result<void> Replay::begin(const Began& began) {
  Result<core::Durable> durable = wire::decode_durable(began.durable);
  if (!durable) return std::unexpected(durable.error());
  if (auto fits = fits_together("the configuration", core::inconsistency(*durable->spec)); !fits) return fits;
  const std::string& cluster = durable->spec->cluster;
  if (clusters_.empty() || clusters_.back() != cluster) clusters_.push_back(cluster);
  replica_ = std::make_unique<core::Replica>(
      core::ReplicaOptions{
          .self = began.self, .incarnation = began.incarnation, .boot = began.boot, .plans = false},
      durable->spec, *durable);
  return {};
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

Result<void> Replay::compare(const Established& established) {
  Result<core::State> state = wire::decode_state(established.state);
  if (!state) return std::unexpected(state.error());
  if (auto fits = fits_together("a state", core::inconsistency(*state)); !fits) return fits;
  // What came is recorded when it comes, and the state when the daemon has got so far: the replay may be
  // ahead.
  if (!replica_ || replica_->state().lineage != state->lineage || replica_->position() > 0) return {};
  ++compared_;
  if (replica_->state().digest() != state->digest()) ++differences_;
  return {};
}

void Replay::step(const StreamRecord& record, const core::Input& input) {
  if (!replica_) return;
  for (const core::Effect& effect : replica_->step(record.at, input)) {
    if (auto* event = std::get_if<core::Event>(&effect)) sink_(record.wall_us, *event);
  }
}

}  // namespace komainu::engine
