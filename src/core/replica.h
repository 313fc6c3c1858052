// One member of the replicated state machine: inputs in, effects out. No clock, socket or thread; the same
// code runs in production, in the simulator, in the exhaustive exploration and in `komainu replay`.
//
//        ring, quorum        Hellos of all members        (snapshot, if states differ)
//   out ─────────────▶ gathering ─────────────▶ syncing ─────────────▶ established ──┐
//    ▲                     ▲                                                          │
//    └── ring or quorum lost ──────────── a join, a leave, a late Hello ──────────────┘
//
// Only in an established view are facts recorded and proposals admitted. docs/protocol.md is the whole story.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/effects.h"
#include "core/message.h"
#include "core/state.h"

namespace komainu::core {

// ---- inputs

// The process group's membership, as one connection to Corosync tells it. `process` tells two runs of a
// daemon on one node apart while their incarnation is not known yet (cpg's pid).
struct RingChange {
  RingId ring;
  std::map<NodeId, std::uint32_t> members;  // daemons in the process group
  NodeSet ring_nodes;                       // nodes whose Corosync is in the ring
};
// The other connection's word.
struct QuorumVerdict {
  RingId ring;
  bool quorate = false;
};
// The connection to Corosync is gone.
struct ChannelLost {};
// A message of the stream, in order. Own messages come back the same way.
struct Delivered {
  Message message;
};
// What this node's monitors, resources, fencers and operators report; sent as facts, and sent anew in each
// view where they are levels.
struct Observed {
  Fact fact;
  Cause cause;  // none: it is a first symptom and becomes its own cause
};
struct Stored {
  std::uint64_t token = 0;
  bool ok = true;
};
// Time passes; at least every Replica::kTimerPeriod, and at Replica::next_due().
struct Timer {};

using Input = std::variant<RingChange, QuorumVerdict, ChannelLost, Delivered, Observed, Stored, Timer>;

// By which rules this komainu decides: it rises with each change after which the same inputs lead to another
// state or to other effects. All decide as the oldest member does (State::decision_version), so whatever a
// version does otherwise asks for that first, and sends nothing that an older one cannot read.
inline constexpr std::uint32_t kDecisionVersion = 1;

struct ReplicaOptions {
  NodeId self;
  Incarnation incarnation;
  std::uint64_t boot = 0;  // digest of the boot's identity
  // The last word of the stream that a predecessor on this boot heard: `grace` goes on counting from there,
  // or a daemon that crashes again and again would never yield.
  std::optional<LocalTime> last_flow;
  // The end of the lease that such a predecessor, or an earlier incarnation, had.
  std::optional<LocalTime> lease_until;
  bool plans = true;  // false: somebody else (the exploration) makes the proposals
  std::uint32_t decision_version = kDecisionVersion;
};

enum class Phase : std::uint8_t { kOut, kGathering, kSyncing, kEstablished };

class Replica {
 public:
  static constexpr Duration kTimerPeriod = 50ms;

  // `spec` and `durable` come from the store, or from cluster.toml on the first start.
  Replica(ReplicaOptions options, SpecPtr spec, const Durable& durable);
  Replica(const Replica&);
  Replica& operator=(const Replica&);
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();

  Effects step(LocalTime now, const Input& input);

  const State& state() const;
  Phase phase() const;
  ViewId view() const;
  NodeId self() const;
  Incarnation incarnation() const;
  bool quorate() const;
  std::uint64_t position() const;  // applied messages of this view
  bool stable(std::uint64_t position) const;
  // The digest of the state that an acknowledgement of this position carries; none: too long ago.
  std::optional<std::uint64_t> digest_at(std::uint64_t position) const;
  // When a Timer is wanted before the next period is over: something planned waits only for its time.
  std::optional<LocalTime> next_due() const;
  LocalTime last_flow() const;  // when an own message came back last
  // The operator has put the cluster out of action, as far as this node knows; also without a view.
  bool disarmed(LocalTime at) const;
  // Unset: there has never been one.
  std::optional<LocalTime> lease_until() const;
  // No others can take this node's groups at `at`: its lease is not over. True where leases are not used.
  bool may_run(LocalTime at) const;
  NodeSet responsive() const;  // established members that are not suspended
  // What may run here, as this node's own executor knows; unset activity means stopped.
  const std::map<GroupId, Activity>& holds() const;

  // Wraps a body for the present view as if this replica had sent it: for tests and the exploration.
  Message compose(Body body, Cause cause = {});

  // What decides the future in the exploration, for its set of visited states: of what only Timers change
  // there the lease where it is used, but not ticks.
  std::uint64_t digest() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace komainu::core
