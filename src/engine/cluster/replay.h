// Runs the decision code over a recorded stream again: the same inputs, the same events. The acknowledgements
// in the stream say what state their senders had come to: so did the replay, or something is wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/replica.h"
#include "engine/cluster/snapshot_guard.h"
#include "engine/cluster/stream_record.h"

namespace komainu::engine {

class Replay {
 public:
  // Called for each event with when it happened (microseconds since 1970).
  using Sink = std::function<void(std::int64_t wall_us, const core::Event&)>;
  explicit Replay(Sink sink) : sink_(std::move(sink)) {}

  // An error says what is wrong with the record. Nothing is decided from what follows it, until the daemon
  // begins again.
  Result<void> take(const StreamRecord& record);
  // Records are missing here: the same.
  void lose_track();

  // States that were compared with what the stream says of them, and those that differ: a bug, or another
  // version of komainu.
  std::uint64_t compared() const { return compared_; }
  std::uint64_t differences() const { return differences_; }
  std::uint64_t messages() const { return messages_; }
  // Messages of which nothing was decided, because what came before them is missing.
  std::uint64_t passed_over() const { return passed_over_; }
  // Whose streams these were, in order.
  const std::vector<std::string>& clusters() const { return clusters_; }
  const core::Replica* replica() const { return replica_.get(); }

 private:
  Result<void> apply(const StreamRecord& record);
  Result<void> begin(const Began& began);
  Result<void> compare(const Established& established);
  void step(const StreamRecord& record, const core::Input& input);
  void compare(const core::Message& message);

  Sink sink_;
  std::unique_ptr<core::Replica> replica_;
  SnapshotGuard guard_;
  std::uint64_t compared_ = 0;
  std::uint64_t differences_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t passed_over_ = 0;
  std::vector<std::string> clusters_;
};

}  // namespace komainu::engine
