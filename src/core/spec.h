// What is configured. A Spec is an immutable value, equal on all members: it is part of the replicated state
// and changes only through the stream (`komainu config apply`).
//
// Ids are given by src/config: an object that keeps its name over a change keeps its id.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/id.h"
#include "base/params.h"
#include "base/time.h"

namespace komainu::core {

struct Node {
  NodeId id;
  std::string name;
  std::vector<std::string> links;  // one address for each Corosync link, in the same order on all nodes
  std::string watchdog = "/dev/watchdog";  // its device, where Timing::watchdog asks for one
  bool operator==(const Node&) const = default;
  auto fields() const { return std::tie(id, name, links, watchdog); }
};

// The last step of the recovery ladder.
enum class FinalAction : std::uint8_t { kNone, kStopGroup, kStopNode, kRestartOs, kReset };

// What is done when a monitor or a resource fails, step by step: restart the resource here, then fail over,
// then act.
struct Ladder {
  std::uint32_t restart = 2;   // restarts of the resource on its place before it is given up there
  std::uint32_t failover = 1;  // failovers before the final action
  FinalAction then = FinalAction::kStopGroup;
  Duration forget_after{600s};  // a counter falls by one for every such time without a new failure
  bool operator==(const Ladder&) const = default;
  auto fields() const { return std::tie(restart, failover, then, forget_after); }
};

struct Resource {
  std::string name;
  std::string type;
  Params params;
  Duration start_timeout{60s};
  Duration stop_timeout{60s};
  bool operator==(const Resource&) const = default;
  auto fields() const { return std::tie(name, type, params, start_timeout, stop_timeout); }
};

enum class Failback : std::uint8_t { kManual, kAutomatic };
enum class Strictness : std::uint8_t { kPreferredFirst, kPreferredOnly };

// `other` must be online before this group starts, and stops only after this group has stopped.
struct Dependency {
  GroupId other;
  enum class Where : std::uint8_t { kAnywhere, kSamePlace } where = Where::kAnywhere;
  bool operator==(const Dependency&) const = default;
  auto fields() const { return std::tie(other, where); }
};

struct Group {
  GroupId id;
  std::string name;
  std::vector<Resource> resources;  // started in order, stopped in reverse
  std::vector<PlaceId> prefer;      // best first; empty: no preference
  Strictness strictness = Strictness::kPreferredFirst;
  Failback failback = Failback::kManual;
  bool autostart = true;
  std::int32_t priority = 0;                  // greater is placed first
  std::map<std::string, std::int64_t> needs;  // capacity used on its place, by name
  std::vector<GroupId> apart;                 // never on one place with these
  std::vector<GroupId> near;                  // better on one place with these
  std::vector<Dependency> after;
  Ladder on_failure;        // when a resource fails without a monitor naming another ladder
  bool holds_data = false;  // a resource of it writes data that two nodes must never write at once
  bool operator==(const Group&) const = default;
  auto fields() const {
    return std::tie(id, name, resources, prefer, strictness, failback, autostart, priority, needs, apart,
                    near, after, on_failure, holds_data);
  }
};

// What a monitor is for. The administrator declares monitors; the others come with [quorum] and [[fencing]],
// watch on every node and affect no group.
enum class MonitorRole : std::uint8_t {
  kDeclared,
  kArbiter,   // does the arbiter give this node's half its vote? Only shown: the vote itself comes with the
              // quorum
  kMayFence,  // is this node connected well enough to fence others?
  kFencing,   // do the fencing devices answer this node? Only shown
};

struct Monitor {
  MonitorId id;
  std::string name;
  std::string type;
  Params params;
  std::optional<GroupId> group;  // set: it runs where this group is online; unset: on every node
  std::uint32_t resource = 0;    // index into the group's resources: what a restart restarts
  std::vector<GroupId> affects;  // groups whose place is judged by it
  Duration interval{5s};
  Duration timeout{5s};
  std::uint32_t retries = 1;  // failures in a row beyond the first before it counts as failed
  Duration start_delay{0s};
  bool timeout_is_failure = true;
  bool quiet_until_healthy = true;  // silent until it has been healthy once
  // A failure moves groups only after it has lasted so long: time for the other places to say the same. What
  // all places share (a dead gateway, a dead switch) then shows as such, and moves nothing.
  Duration common_mode_wait{300ms};
  std::optional<Ladder> on_failure;  // unset: the group's
  MonitorRole role = MonitorRole::kDeclared;
  bool operator==(const Monitor&) const = default;
  auto fields() const {
    return std::tie(id, name, type, params, group, resource, affects, interval, timeout, retries, start_delay,
                    timeout_is_failure, quiet_until_healthy, common_mode_wait, on_failure, role);
  }
};

struct FenceDevice {
  std::string type;
  Params params;
  std::vector<NodeId> targets;  // empty: all nodes
  bool operator==(const FenceDevice&) const = default;
  auto fields() const { return std::tie(type, params, targets); }
  bool reaches(NodeId target) const;
};

// Devices of a level are all needed; levels are alternatives, tried in order.
struct FenceLevel {
  std::vector<FenceDevice> devices;
  bool operator==(const FenceLevel&) const = default;
  auto fields() const { return std::tie(devices); }
  bool reaches(NodeId target) const;
};

enum class Profile : std::uint8_t { kFast, kLan, kWan };
enum class ArbiterType : std::uint8_t { kNone, kQnetd };
enum class NoQuorum : std::uint8_t { kStop, kFreeze };

struct Quorum {
  ArbiterType arbiter = ArbiterType::kNone;
  std::string arbiter_address;
  NoQuorum on_no_quorum = NoQuorum::kStop;
  bool allow_split_risk = false;  // the operator accepts that both halves of a split may run a group
  bool operator==(const Quorum&) const = default;
  auto fields() const { return std::tie(arbiter, arbiter_address, on_no_quorum, allow_split_risk); }
};

// Durations that follow from the profile unless the configuration names them. docs/protocol.md says what each
// bounds.
struct Timing {
  Duration token{1s};          // Corosync's failure detection; detection takes token + 1.2 × token
  Duration suspend_after{1s};  // D1: a member without acknowledgements is suspended
  Duration lost_after{12s};    // D2: … and then treated as lost
  Duration daemon_restart{
      10s};                    // a daemon that left a living node may come back this long before it is fenced
  Duration startup_wait{15s};  // a cold start waits this long for absent nodes before it fences them
  Duration grace{4s};          // without an established view this long: the node stops its groups
  Duration lease{5s};          // L; used only without a fencer
  Duration watchdog{0s};       // the longest timeout of any node's watchdog, as read back; zero: none
  Duration drain{10s};         // for what is in flight when a lease ends
  Duration max_pause{1s};      // the longest pause of a machine that the lease tolerates
  Duration tick{250ms};        // the planner's clock message
  Duration rank_delay{50ms};   // rank r plans after r × this
  Duration fence_race{25ms};   // who holds fewer groups shoots this much later
  bool operator==(const Timing&) const = default;
  auto fields() const {
    return std::tie(token, suspend_after, lost_after, daemon_restart, startup_wait, grace, lease, watchdog,
                    drain, max_pause, tick, rank_delay, fence_race);
  }
};

struct Brakes {
  std::uint32_t fences = 3;  // at most so many fences …
  Duration window{600s};     // … in this time
  std::uint32_t flaps =
      3;  // a node that was lost, or a monitor that failed, so often in `window` is unsteady …
  Duration quarantine{300s};  // … until it has been steady this long; twice as long for each further time
  bool operator==(const Brakes&) const = default;
  auto fields() const { return std::tie(fences, window, flaps, quarantine); }
};

struct Spec {
  std::string cluster;
  std::uint64_t version = 0;  // rises with each activated change
  std::string source;         // the text of cluster.toml, so that a joiner can store and show it
  Profile profile = Profile::kLan;
  Quorum quorum;
  Timing timing;
  Brakes brakes;
  std::string alert_command;  // run on every alarm; empty: none
  std::string key;  // Corosync's, which is no part of this: its fingerprint; empty: that of `cluster init`
  std::map<NodeId, Node> nodes;
  std::map<NodeId, std::map<std::string, std::int64_t>> capacity;  // by name; a missing name is unbounded
  std::vector<FenceLevel> fencing;                                 // empty: no fencer
  std::map<GroupId, Group> groups;
  std::map<MonitorId, Monitor> monitors;

  bool operator==(const Spec&) const = default;
  auto fields() const {
    return std::tie(cluster, version, source, profile, quorum, timing, brakes, alert_command, key, nodes,
                    capacity, fencing, groups, monitors);
  }

  const Node* node(NodeId id) const { return find(nodes, id); }
  const Group* group(GroupId id) const { return find(groups, id); }
  const Monitor* monitor(MonitorId id) const { return find(monitors, id); }
  // Of a role that only [quorum] gives: there is at most one.
  const Monitor* monitor(MonitorRole role) const {
    for (const auto& [id, monitor] : monitors) {
      if (monitor.role == role) return &monitor;
    }
    return nullptr;
  }

  NodeSet node_ids() const {
    NodeSet ids;
    for (const auto& [id, node] : nodes) ids.insert(id);
    return ids;
  }
  // The node through which a place is acted on. Every place is a node's own so far.
  static constexpr NodeId node_of(PlaceId place) { return NodeId{place.value}; }
  static constexpr PlaceId place_of(NodeId node) { return PlaceId{node.value}; }

  // Where the group may be put at all, by its configuration alone.
  PlaceSet allowed(const Group& group) const;

  // Votes: one a node; qnetd adds one for two nodes (ffsplit, votequorum(5)).
  std::uint32_t arbiter_votes() const { return quorum.arbiter == ArbiterType::kQnetd ? 1 : 0; }
  bool two_node() const { return nodes.size() == 2 && arbiter_votes() == 0; }
  std::uint32_t quorum_votes() const {
    return two_node() ? 1 : (static_cast<std::uint32_t>(nodes.size()) + arbiter_votes()) / 2 + 1;
  }
  // The end of a node's lease stands for its fence.
  bool uses_lease() const { return fencing.empty() && !quorum.allow_split_risk && nodes.size() > 1; }
  // Who waits for the end of a node's lease counts on its watchdog: a node whose own is not armed, or too
  // slow, must not run groups. `watchdog`: the timeout as read back.
  bool guarded_by(std::optional<Duration> watchdog) const {
    return !uses_lease() || timing.watchdog == Duration::zero() || (watchdog && *watchdog <= timing.watchdog);
  }
  // Could these nodes be quorate among themselves, with the arbiter if it likes them?
  bool could_be_quorate(NodeSet nodes_outside) const {
    return nodes_outside.size() + arbiter_votes() >= quorum_votes();
  }

 private:
  template <class Map, class Key>
  static const typename Map::mapped_type* find(const Map& map, Key key) {
    auto it = map.find(key);
    return it == map.end() ? nullptr : &it->second;
  }
};

using SpecPtr = std::shared_ptr<const Spec>;

}  // namespace komainu::core
