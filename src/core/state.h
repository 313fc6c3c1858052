// What is known; equal on all replicas at the same position of the same view. Only src/core/record and
// src/core/admit change it; src/core/plan and everybody else read it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "core/ids.h"
#include "core/spec.h"

namespace komainu::core {

// What a group does on a place where it may run. A place without an entry runs nothing of the group, as
// probed, fenced, or never started (but see NodeState::Standing::kUnknown).
//
//                start             all up
//   (no entry) ─────────▶ Starting ─────────▶ Online
//        ▲                  │ failed            │ resource failed
//        │ stopped, probed  ▼                   ▼
//        ├───────────── Stopping ◀── stop ─── Failed
//        │                  │ stop failed
//        │                  ▼
//        └── settled ──── Unsafe        settled: fenced and confirmed, lease over, or the operator's word
enum class Activity : std::uint8_t {
  kUnknown,   // not probed yet, or the daemon that ran it came back and has not looked
  kStarting,  // also: a resource of it is being restarted
  kOnline,
  kFailed,  // partly up; must be stopped or restarted
  kStopping,
  kUnsafe,  // a stop failed: only fencing helps
};

enum class OrderKind : std::uint8_t { kStart, kStop, kRestart };

// An admitted order that has not ended. At most one a group: a stop supersedes a start or restart in flight.
struct Order {
  OrderId id;
  OrderKind kind = OrderKind::kStop;
  PlaceId place;
  NodeId executor;
  Incarnation executor_incarnation;
  std::uint32_t first_resource = 0;  // restart: this resource and those after it
  Cause cause;
  bool operator==(const Order&) const = default;
  auto fields() const {
    return std::tie(id, kind, place, executor, executor_incarnation, first_resource, cause);
  }
};

// A counter of failures that falls by one for every `forget_after` of stream time without a new one.
struct FailCount {
  std::uint32_t count = 0;
  Duration last{0};  // State::clock of the last failure or decay
  bool operator==(const FailCount&) const = default;
  auto fields() const { return std::tie(count, last); }
};

// What failed and has not been answered by an order yet.
struct Trouble {
  std::uint32_t resource = 0;
  std::optional<MonitorId> monitor;  // unset: the resource itself reported it
  PlaceId place;
  std::string evidence;
  bool operator==(const Trouble&) const = default;
  auto fields() const { return std::tie(resource, monitor, place, evidence); }
};

// What the operator wants of a group; durable.
struct Intent {
  enum class Wish : std::uint8_t { kAutomatic, kRun, kStop } wish = Wish::kAutomatic;
  std::optional<PlaceId> move_to;  // until it is online there, or cannot be
  bool operator==(const Intent&) const = default;
  auto fields() const { return std::tie(wish, move_to); }
};

struct GroupState {
  std::uint64_t version = 0;       // rises with each admitted order and each result
  std::map<PlaceId, Activity> at;  // where it may run
  std::optional<Order> order;      // in flight
  Intent intent;
  std::optional<Trouble> trouble;
  std::map<PlaceId, FailCount> failed_at;       // start failures and failovers away from a place
  std::map<std::uint32_t, FailCount> restarts;  // by resource, on the present place
  FailCount failovers;
  bool given_up = false;  // the final action stopped it; `komainu group clear` or `start` ends that
  Cause cause;            // of what was done last, or is to be done
  bool operator==(const GroupState&) const = default;
  auto fields() const {
    return std::tie(version, at, order, intent, trouble, failed_at, restarts, failovers, given_up, cause);
  }

  PlaceSet places() const {
    PlaceSet set;
    for (const auto& [place, activity] : at) set.insert(place);
    return set;
  }
  std::optional<Activity> activity(PlaceId place) const {
    auto it = at.find(place);
    return it == at.end() ? std::nullopt : std::optional(it->second);
  }
  // A move has reached its end, however the group came there.
  void end_move() {
    if (intent.move_to && online() == intent.move_to) intent.move_to.reset();
  }
  // The one place where the group is online and nowhere else; none otherwise.
  std::optional<PlaceId> online() const {
    if (at.size() == 1 && at.begin()->second == Activity::kOnline) return at.begin()->first;
    return std::nullopt;
  }
};

// How a node stands to the present view.
enum class Standing : std::uint8_t {
  kUnknown,  // absent, and may run any group (State::possible_places)
  kLost,     // absent, and runs at most what GroupState::at says
  kMember,   // in the established view
  kLeft,     // absent after saying that it runs nothing
  kSettled,  // absent or dying: fenced and confirmed, lease over, or the operator's word
};

enum class Duty : std::uint8_t {
  kActive,
  kDrained,  // groups that can run elsewhere leave; nothing new comes
  kStandby,  // runs nothing
};

// A fence of a node that has been admitted and has not ended. While it is open its target starts nothing.
struct FenceOrder {
  OrderId id;
  NodeId executor;
  Incarnation executor_incarnation;
  Incarnation target_incarnation;  // zero: none had been seen
  std::uint32_t level = 0;
  Cause cause;
  bool operator==(const FenceOrder&) const = default;
  auto fields() const {
    return std::tie(id, executor, executor_incarnation, target_incarnation, level, cause);
  }
};

// How far a node's Corosync has followed the configuration, as its daemon says.
struct CorosyncState {
  std::uint64_t written = 0;  // corosync.conf is that of this version of the configuration
  std::uint64_t runs = 0;     // … and Corosync runs by this one, as read back
  NodeSet counts;             // the nodes whose votes it counts; empty: not known
  std::string key;            // Spec::key of `written`: what it starts with, should it start again
  bool operator==(const CorosyncState&) const = default;
  auto fields() const { return std::tie(written, runs, counts, key); }
};

// An operator's word that a node is to be switched off as it is now: it ends with this incarnation of the
// node.
struct FenceWish {
  // For so long it is tried. Somebody waits for it; what comes later might hit a node that was repaired
  // since.
  static constexpr Duration kLasts = 2min;
  Duration until{0};  // State::clock
  std::string by;
  Cause cause;
  bool operator==(const FenceWish&) const = default;
  auto fields() const { return std::tie(until, by, cause); }
};

struct NodeState {
  std::uint64_t version =
      0;  // rises at every join, loss, suspension, resumption, end of a fence, change of duty or wish
  Standing standing = Standing::kUnknown;
  Incarnation incarnation;    // the last one known
  bool suspended = false;     // a member whose acknowledgements stopped
  bool leaving = false;       // said Leaving in this view: nothing starts there, what runs there moves off
  bool ring_member = false;   // its Corosync is in the ring although its daemon may not be
  Duration since{0};          // State::clock of the last change of standing or suspension
  Duty duty = Duty::kActive;  // durable
  std::map<NodeId, FenceOrder> fences;  // open ones by executor; two after a merge, or beside one of a circle
  std::uint32_t fence_failures = 0;     // in a row; levels are tried in turn
  std::optional<FenceWish> fence_wish;
  Lineage last_seen;  // of the last view that it was a member of, as far as is known here
  FailCount losses;   // lost or suspended; one is forgotten each `brakes.window`
  std::map<NodeId, std::uint64_t> links_down;  // as this node sees its links: peer → bits of dead links
  std::optional<Duration> watchdog;            // of this incarnation, armed: its timeout as read back
  CorosyncState corosync;                      // outlives the daemon: the files do
  Cause cause;  // of its loss, suspension, leave or change of duty, whichever came last
  bool operator==(const NodeState&) const = default;
  auto fields() const {
    return std::tie(version, standing, incarnation, suspended, leaving, ring_member, since, duty, fences,
                    fence_failures, fence_wish, last_seen, losses, links_down, watchdog, corosync, cause);
  }
  bool is_to_be_fenced() const { return fence_wish || !fences.empty(); }
};

enum class Health : std::uint8_t { kUnknown, kHealthy, kWarning, kFailed };

struct MonitorState {
  std::map<PlaceId, Health> at;
  std::map<PlaceId, Duration> since;        // State::clock of the last change from or to failed
  std::map<PlaceId, std::string> evidence;  // of the last warning or failure; bounded by kMaxEvidence
  bool suspended = false;                   // by the operator; durable
  std::set<PlaceId> was_healthy;            // quiet until healthy once; durable
  std::map<PlaceId, FailCount> flaps;       // times it came to fail; one is forgotten each `brakes.window`
  bool operator==(const MonitorState&) const = default;
  auto fields() const { return std::tie(at, since, evidence, suspended, was_healthy, flaps); }
};

inline constexpr std::size_t kMaxEvidence = 240;

// A configuration that was proposed and is not held by all members yet.
struct PendingSpec {
  SpecPtr spec;
  std::uint64_t position = 0;
  Cause cause;
  std::uint64_t request = 0;  // to answer at the origin (cause.origin)
  bool operator==(const PendingSpec& other) const;
};

// The operator's word that komainu must not act for a while: nothing is started, restarted, fenced or reset,
// and who is without a view stops nothing, while the platform below is worked on. Only with a fencer, or on a
// single node: a lease cannot be put aside, since those who wait for its end would not know.
struct Disarmed {
  Duration since{0};  // State::clock
  Duration until{0};
  std::string by;
  std::string why;
  Cause cause;
  bool operator==(const Disarmed&) const = default;
  auto fields() const { return std::tie(since, until, by, why, cause); }
};

struct State {
  Lineage lineage;
  SpecPtr spec;
  std::uint64_t spec_digest = 0;  // of *spec
  std::optional<PendingSpec> pending_spec;
  std::uint32_t decision_version = 1;
  Duration clock{0};  // stream time: the sum of all ticks
  std::uint64_t ticks = 0;
  bool cold = true;  // no order has been admitted since a cold start: absent nodes get startup_wait
  Duration cold_since{0};
  std::vector<Duration> fences;      // State::clock of each fence inside the brakes' window
  std::optional<Disarmed> disarmed;  // durable
  std::map<NodeId, NodeState> nodes;
  std::map<GroupId, GroupState> groups;
  std::map<MonitorId, MonitorState> monitors;

  // Places that may run the group although `at` does not name them: those of nodes about which nothing is
  // known.
  PlaceSet unknown_places() const {
    PlaceSet places;
    for (const auto& [id, node] : nodes)
      if (node.standing == Standing::kUnknown) places.insert(Spec::place_of(id));
    return places;
  }
  // … and of them those that may run this group: where it is allowed, or anywhere when those who are not here
  // could have agreed on another configuration.
  PlaceSet possible_places(const Group& group) const;
  // Everywhere the group may be running: the safety kernel's question (DESIGN of the protocol:
  // docs/protocol.md).
  PlaceSet may_run(GroupId id) const;
  NodeSet members() const {
    NodeSet set;
    for (const auto& [id, node] : nodes)
      if (node.standing == Standing::kMember) set.insert(id);
    return set;
  }
  const NodeState* node(NodeId id) const {
    auto it = nodes.find(id);
    return it == nodes.end() ? nullptr : &it->second;
  }
  const GroupState* group(GroupId id) const {
    auto it = groups.find(id);
    return it == groups.end() ? nullptr : &it->second;
  }

  // The digest that acknowledgements carry. Costs time in proportion to the state.
  std::uint64_t digest() const;
};

using StatePtr = std::shared_ptr<const State>;

// The part of the state that must survive the node: written before an order that depends on it is
// acknowledged.
struct Durable {
  Lineage lineage;  // of the last view that was established
  SpecPtr spec;     // the active configuration with its ids; null only before anything was stored
  std::map<NodeId, Duty> duties;
  std::map<GroupId, Intent> intents;
  std::vector<GroupId> given_up;
  std::vector<MonitorId> suspended_monitors;
  std::map<MonitorId, std::set<PlaceId>> was_healthy;
  std::vector<Duration> fences;  // the brake's: State::clock goes on from the last of them
  std::map<NodeId, Lineage> last_seen;
  std::optional<Disarmed> disarmed;  // … and not from before its beginning
  bool operator==(const Durable& other) const;
  auto fields() const {
    return std::tie(lineage, spec, duties, intents, given_up, suspended_monitors, was_healthy, fences,
                    last_seen, disarmed);
  }
};

Durable durable_part(const State& state);

// Lost or silent so often of late that groups avoid it; ends once it has been steady for long enough.
bool is_unsteady(const State& state, const NodeState& node);
// The monitor came to fail so often there of late that a good result is not believed yet.
bool is_unsteady(const State& state, const MonitorState& monitor, PlaceId place);

// A monitor of nodes fails on all members: a fault that they share, for which nothing moves.
bool fails_everywhere(const State& state, const Monitor& monitor);

// What a node knows when it starts: its configuration and its store. Nothing about who runs what.
State cold_state(const SpecPtr& spec, const Durable& durable);

// Makes `spec` the active configuration: objects that it does not name are forgotten, new ones begin empty.
void install_spec(State& state, const SpecPtr& spec);

}  // namespace komainu::core
