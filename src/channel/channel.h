// The ordered stream, as the engine sees it: `corosync` for a cluster, `solo` for one server alone.
//
//   engine's thread                                         channel's thread
//   ───────────────            commands, bounded           ─────────────────
//   send, rejoin, …     ─────────────────────────────▶     libcpg, libquorum, libcfg:
//                              events, bounded             calls that may wait without end
//   take()              ◀─────────────────────────────
//   event_fd() is readable while events wait
//
// No call here blocks, whatever Corosync does. When it hangs nothing is delivered: `health()` tells since
// when.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "core/replica.h"

namespace komainu::channel {

// A process of the group, as Corosync names it: nobody can speak in another's name.
struct Sender {
  NodeId node;
  std::uint32_t process = 0;
  auto operator<=>(const Sender&) const = default;
};

// ---- events

// One message of the stream, whole. Own messages come back the same way, in their place.
struct Delivered {
  Sender sender;
  std::string bytes;
};

// The connection is gone, or was given up; the channel tries again by itself. For the core: ChannelLost. What
// follows belongs to a new membership of the group.
struct Lost {
  Error reason;
};

// What came from this process of the group is not ours: it was dropped. Told once a second at most, with the
// number of times since the last. Here `sender.node` may be beyond kMaxNodes.
struct Misbehaved {
  Sender sender;
  std::string what;
  std::uint64_t times = 0;
};

// What became of cancel_wait_for_all() or reload().
struct Done {
  Result<void> result;
};

// After stop(): the group has been left and the thread has ended.
struct Stopped {};

// What Corosync knows of its quorum device (an arbiter) on this node. Told once it is known, and when it
// changes. The vote itself is part of core::QuorumVerdict: this is for people.
enum class QuorumDevice : std::uint8_t {
  kVotes,
  kGivesNoVote,  // corosync-qdevice runs and casts none: its arbiter does not answer, or likes others better
  kHangs,        // … has not been heard of for its timeout
  kAbsent,       // … does not run
};

// By what the running Corosync goes: what corosync.conf said when it last read it. Told once it is known, and
// when it changes.
struct RunningSettings {
  Duration token{0};
  std::map<NodeId, std::vector<std::string>> links;  // addresses
  std::uint32_t expected_votes = 0;                  // of which the majority is its quorum
  std::string key_file;
  bool operator==(const RunningSettings&) const = default;
};

// core::RingChange comes again for every change of the ring or of the group. core::LinkChange: a link is
// believed to be up until one is told to be down; when all links to a peer are down the ring tells it
// instead.
using Event = std::variant<core::RingChange, core::QuorumVerdict, Lost, Delivered, core::LinkChange,
                           QuorumDevice, RunningSettings, Misbehaved, Done, Stopped>;

struct Health {
  LocalTime alive;      // when the channel's thread last waited for work: older than kHeartbeat, it hangs
  LocalTime delivery;   // when something of the stream was last delivered
  Duration latency{0};  // of the last own message, from send to delivery
  std::uint64_t unsent = 0;  // messages that Corosync has not taken yet
  std::uint64_t unsent_bytes = 0;
  std::uint64_t waiting = 0;  // events that the engine has not taken yet
  std::uint64_t sent = 0;     // messages since the start
  std::uint64_t delivered = 0;
  std::uint64_t misbehaved = 0;
  std::uint64_t connections = 0;
};

class Channel {
 public:
  static constexpr Duration kHeartbeat = 1s;
  // Messages that wait to be sent. Above this the channel leaves the group: it cannot keep up.
  static constexpr std::size_t kMaxUnsent = 4096;
  static constexpr std::size_t kMaxUnsentBytes = 32u << 20;
  // Events that wait for the engine. Above this the channel leaves the group, because Corosync would queue
  // for it without bound.
  static constexpr std::size_t kMaxWaiting = 16384;
  static constexpr std::size_t kMaxWaitingBytes = 64u << 20;

  virtual ~Channel() = default;

  virtual int event_fd() const = 0;
  // All events that wait, in order.
  virtual std::vector<Event> take() = 0;

  // Messages of one sender keep their order. One that was not sent when a RingChange comes is dropped: its
  // view is gone.
  virtual void send(std::string bytes) = 0;
  // Leaves the group and joins it again as a new process would; Lost comes between.
  virtual void rejoin(std::string reason) = 0;
  // Lets this part of the cluster be quorate although not all nodes have been seen (votequorum(5)).
  virtual void cancel_wait_for_all() = 0;
  // Makes Corosync read its files again, on all nodes of the ring at once.
  virtual void reload() = 0;
  // Leaves the group, for good. What was not sent is not sent.
  virtual void stop() = 0;

  virtual Health health() const = 0;
};

struct CorosyncOptions {
  NodeId self;
  std::string cluster;  // its name is part of the group's
};

// Corosync's number of a node: zero is not one.
constexpr std::uint32_t corosync_id(NodeId node) {
  return node.value + 1;
}
constexpr NodeId node_of(std::uint32_t corosync_id) {
  return NodeId{corosync_id - 1};
}

// Fails only if the cluster's name does not fit into a group's, or threads cannot be made. Corosync may come
// later.
Result<std::unique_ptr<Channel>> make_corosync(const CorosyncOptions& options);

// One server without Corosync: a ring of its own, always quorate, that delivers every message to itself.
std::unique_ptr<Channel> make_solo(NodeId self);

}  // namespace komainu::channel
