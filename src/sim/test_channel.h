// Corosync's semantics for a few daemons in one process, as a value that can be copied and compared.
//
// Each ring has one ordered log. Delivery is *agreed, not safe*: members deliver at their own pace, and when
// the ring breaks, every component that goes on together delivers a prefix of the log of its own choice (at
// least what any of its members delivered already), then perhaps some later messages with others skipped
// (transitional configuration), then the membership of its new ring. What a sender had queued goes out in the
// next ring. libcpg and libquorum are two connections: memberships with messages on one, verdicts on the
// other, each in order, without order between them.
//
// The channel decides nothing: whoever drives it (World, a test, the exploration) chooses each step.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/id.h"
#include "core/ids.h"
#include "core/replica.h"
#include "core/spec.h"

namespace komainu::sim {

inline constexpr std::uint32_t kMaxMachines = 5;

// Short vectors without allocation: worlds are copied by the million.
template <class T, std::size_t N>
using Few = boost::container::small_vector<T, N>;

using MessageRef = std::uint32_t;  // of a Replicas pool: the channel does not look inside messages
using Process = std::uint8_t;      // one run of a daemon on its node; zero: none

template <class T>
using PerMachine = std::array<T, kMaxMachines>;

// One place of a ring's log.
struct Entry {
  enum class Kind : std::uint8_t { kMessage, kJoin, kLeave };
  Kind kind = Kind::kMessage;
  std::uint8_t node = 0;   // kJoin, kLeave
  Process process = 0;     // kJoin, kLeave
  MessageRef message = 0;  // kMessage
};

struct Ring {
  core::RingId id;
  NodeSet nodes;
  PerMachine<Process> started_with{};  // the process group when the ring was formed
  PerMachine<Process> daemons{};       // … after the last entry of the log
  bool gradual = false;                // members learn of each other's daemons one by one (cpg's join lists)
  Few<Entry, 12> log;                  // from the first entry that somebody has not delivered
};

// A stretch of one ring's log that a node delivers; a node that lags has several before it.
struct Segment {
  static constexpr std::uint32_t kOpen = std::numeric_limits<std::uint32_t>::max();
  std::uint8_t ring = 0;       // index into the rings
  bool joined = false;         // the daemon started in this ring: the port knows whom it met
  bool announced = false;      // the ring's membership has been delivered
  bool decided = false;        // the component has agreed where the ring ends: at `end`
  std::uint32_t next = 0;      // entry of the log
  std::uint32_t end = kOpen;   // kOpen: the ring is the present one
  Few<std::uint32_t, 1> late;  // entries delivered after `end`, others skipped
};

struct Verdict {
  std::uint8_t ring = 0;
  bool quorate = false;
};

// What one node sees of the network.
struct Port {
  bool powered = false;
  Process process = 0;            // of the daemon; zero: not running
  std::uint8_t ring = 0;          // where its Corosync is
  std::uint32_t highest_seq = 0;  // ring sequence numbers never fall on a node
  PerMachine<Process> known{};    // the process group as delivered so far
  Few<Segment, 2> stream;         // empty: no daemon
  Few<Verdict, 2> verdicts;       // not told yet
  std::optional<Verdict> last_verdict;
  Few<MessageRef, 3> queue;  // sent, not ordered yet
};

class TestChannel {
 public:
  explicit TestChannel(const core::Spec& spec);

  // ---- daemons
  void join(NodeId node, Process process);
  // The daemon is gone; what it had not got ordered is lost.
  void leave(NodeId node);
  void send(NodeId node, MessageRef message) { own(node).queue.push_back(message); }
  bool can_order(NodeId node) const { return !port(node).queue.empty() && port(node).powered; }
  // Orders the oldest message of the node's queue in its ring.
  void order(NodeId node);
  // The shell forgets what Corosync had not accepted, from the newest back.
  void drop_newest(NodeId node) { own(node).queue.pop_back(); }

  using Next = std::variant<std::monostate, core::RingChange, MessageRef>;
  // Deliver the next entry of the log, or the membership of the node's next ring once its old one has ended.
  bool can_deliver(NodeId node) const;
  Next deliver(NodeId node);  // monostate: nothing that the node does not know
  // The old ring ends here for the node and for all that went on with it; none of them is further.
  bool can_end(NodeId node) const;
  enum class Hole : std::uint8_t {
    kNone,  // nothing of the old ring comes after the end
    kOne,   // one message is lost, and the rest comes after all
  };
  bool can_end_with_hole(NodeId node) const;
  void end(NodeId node, Hole hole);
  bool can_judge(NodeId node) const { return port(node).process != 0 && !port(node).verdicts.empty(); }
  core::QuorumVerdict judge(NodeId node);

  // ---- network
  void power_on(NodeId node);  // in a ring of its own, without a daemon
  void power_off(NodeId node);
  enum class Merge : std::uint8_t { kAtOnce, kGradual };
  // The components, disjoint sets of powered nodes, form rings; `vote` names the one that the arbiter likes.
  // How much of its old ring each of them delivers is decided by and by, with end().
  void form(std::span<const NodeSet> components, std::optional<std::size_t> vote, Merge merge);
  // The arbiter's vote moves to the ring of a node, or to nobody.
  void move_vote(std::optional<NodeId> node);

  // ---- to look at
  std::uint32_t machines() const { return machines_; }
  bool has_arbiter() const { return arbiter_votes_ != 0; }
  const Port& port(NodeId node) const { return ports_[node.value]; }
  std::span<const Ring> rings() const { return {rings_.data(), rings_.size()}; }
  std::optional<std::uint8_t> vote() const { return vote_; }
  bool quorate(std::uint8_t ring) const;
  bool quorate(NodeId node) const { return port(node).powered && quorate(port(node).ring); }
  NodeSet powered() const;
  // Everybody is told everything.
  bool quiet() const;

  // All that changes, for src/sim/pack.h.
  template <class Io>
  void exchange(Io& io) {
    auto array = [&](PerMachine<Process>& processes) {
      for (std::uint32_t i = 0; i < machines_; ++i) io(processes[i]);
    };
    io.list(rings_, [&](Ring& ring) {
      io(ring.id.leader, ring.id.seq, ring.nodes, ring.gradual);
      array(ring.started_with);
      array(ring.daemons);
      io.list(ring.log, [&](Entry& entry) { io(entry.kind, entry.node, entry.process, entry.message); });
    });
    for (std::uint32_t i = 0; i < machines_; ++i) {
      Port& at = ports_[i];
      io(at.powered, at.process, at.ring, at.highest_seq);
      array(at.known);
      io.list(at.stream, [&](Segment& segment) {
        io(segment.ring, segment.joined, segment.announced, segment.decided, segment.next, segment.end);
        io.list(segment.late, [&](std::uint32_t& late) { io(late); });
      });
      auto verdict = [&](Verdict& told) { io(told.ring, told.quorate); };
      io.list(at.verdicts, verdict);
      io.maybe(at.last_verdict, verdict);
      io.list(at.queue, [&](MessageRef& message) { io(message); });
    }
    io.maybe(vote_, [&](std::uint8_t& ring) { io(ring); });
  }

 private:
  Port& own(NodeId node) { return ports_[node.value]; }
  void announce(Port& at, NodeId node) const;
  NodeSet companions(NodeId node) const;
  void tell_verdict(NodeId node);
  core::RingChange membership(const Port& at) const;
  void tidy();

  std::uint32_t machines_;
  std::uint32_t quorum_votes_;
  std::uint32_t arbiter_votes_;
  PerMachine<Port> ports_{};
  Few<Ring, 3> rings_;
  std::optional<std::uint8_t> vote_;  // the ring that has the arbiter's
};

}  // namespace komainu::sim
