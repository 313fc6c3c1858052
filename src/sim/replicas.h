// The replicas of a virtual cluster and everything they say, behind small numbers, so that a World is a few
// hundred bytes and the same World code serves two very different runs:
//
//   LiveReplicas       one Replica for each running daemon, stepped in place: random schedules, benchmarks
//   InternedReplicas   each distinct Replica, message and step is computed once (hash consing) and never
//                      changes: the exploration, where millions of worlds share some thousand replicas
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "base/digest.h"
#include "core/effects.h"
#include "core/message.h"
#include "core/replica.h"
#include "sim/test_channel.h"

namespace komainu::sim {

using ReplicaRef = std::uint32_t;
using OrderRef = std::uint32_t;
using FenceRef = std::uint32_t;
using DurableRef = std::uint32_t;
inline constexpr ReplicaRef kNoReplica = 0;
inline constexpr OrderRef kNoOrder = 0;

// An Effect that the world acts on, with its contents behind a number.
struct Act {
  enum class Kind : std::uint8_t {
    kSend,         // ref: message
    kExecute,      // subject: group; ref: order
    kProbe,        // subject: group
    kFence,        // subject: target; ref: fence
    kCancelFence,  // subject: target; ref: fence
    kYield,
    kStore,  // ref: durable; token
    kRejoin,
    kSpecProposed,  // token
    kRestartOs,
  };
  Kind kind = Kind::kSend;
  std::uint32_t subject = 0;
  std::uint32_t ref = 0;
  std::uint64_t token = 0;
};

struct Outcome {
  ReplicaRef replica = kNoReplica;
  std::span<const Act> acts;  // valid until the next call
};

class Replicas {
 public:
  Replicas() = default;
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;
  virtual ~Replicas() = default;

  virtual ReplicaRef start(const core::ReplicaOptions& options, DurableRef stored) = 0;
  virtual Outcome step(ReplicaRef replica, LocalTime now, const core::Input& input) = 0;
  virtual Outcome deliver(ReplicaRef replica, LocalTime now, MessageRef message) = 0;
  // Sends what the replica did not think of itself.
  virtual Outcome say(ReplicaRef replica, const core::Body& body) = 0;
  virtual void stop(ReplicaRef replica) = 0;

  virtual const core::Replica& at(ReplicaRef replica) const = 0;
  virtual const core::Message& message(MessageRef message) const = 0;
  virtual const core::Order& order(OrderRef order) const = 0;
  virtual const core::FenceOrder& fence(FenceRef fence) const = 0;
};

std::uint64_t digest_of_message(const core::Message& message);
std::uint64_t digest_of_input(const core::Input& input);
// One line for a trace.
std::string describe(const core::Message& message);

class LiveReplicas final : public Replicas {
 public:
  explicit LiveReplicas(core::SpecPtr spec) : spec_(std::move(spec)) {}

  ReplicaRef start(const core::ReplicaOptions& options, DurableRef stored) override;
  Outcome step(ReplicaRef replica, LocalTime now, const core::Input& input) override;
  Outcome deliver(ReplicaRef replica, LocalTime now, MessageRef message) override;
  Outcome say(ReplicaRef replica, const core::Body& body) override;
  void stop(ReplicaRef replica) override;

  const core::Replica& at(ReplicaRef replica) const override { return *replicas_[replica]; }
  const core::Message& message(MessageRef message) const override {
    return messages_[message - first_message_];
  }
  const core::Order& order(OrderRef order) const override { return orders_[order]; }
  const core::FenceOrder& fence(FenceRef fence) const override { return fences_[fence]; }

  // Messages before this one will not be delivered any more.
  void forget_before(MessageRef message);
  MessageRef next_message() const { return first_message_ + static_cast<MessageRef>(messages_.size()); }
  // What the replicas told the operators, oldest first, since the last call.
  std::vector<core::Event> take_events() { return std::exchange(events_, {}); }
  std::vector<core::Answer> take_answers() { return std::exchange(answers_, {}); }
  void keep_events() { keeps_events_ = true; }

 private:
  void translate(core::Effects effects);

  core::SpecPtr spec_;
  std::vector<std::unique_ptr<core::Replica>> replicas_{1};
  std::deque<core::Message> messages_;
  MessageRef first_message_ = 1;
  std::vector<core::Order> orders_{1};
  std::vector<core::FenceOrder> fences_{1};
  std::vector<core::Durable> durables_{1};
  std::vector<Act> acts_;
  std::vector<core::Event> events_;
  std::vector<core::Answer> answers_;
  bool keeps_events_ = false;
};

}  // namespace komainu::sim
