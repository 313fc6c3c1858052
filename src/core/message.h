// What travels in the ordered stream.
//
//   Hello, Snapshot, Suspend, Resume, Ack, Alive    the protocol itself (src/core/view)
//   Fact                                            what a node saw or did (src/core/record)
//   Proposal                                        what should be done (src/core/admit)
//
// Every message names the view it was made for and the incarnation of its sender; receivers discard the rest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/state.h"

namespace komainu::core {

// ---- protocol

// Who I am and what I know, said once in each view, after both connections to Corosync named its ring,
// quorate.
struct Hello {
  std::uint64_t boot = 0;      // digest of the boot id: another one means that the node was down between
  bool live = false;           // carries the state of an established view of this incarnation
  Lineage lineage;             // live: of its state; cold: of its store
  std::uint64_t position = 0;  // live: applied messages since then
  std::uint64_t state_digest = 0;
  std::uint64_t spec_version = 0;
  std::uint64_t spec_digest = 0;
  NodeSet settled;  // live: absent nodes known to run nothing (kLeft, kSettled)
  std::uint32_t decision_version = 1;
  std::map<GroupId, Activity> holds;  // every group that is not known to be stopped here
  std::map<NodeId, OrderId> fencing;  // fences that this node has begun and not ended: target → order
  auto fields() const {
    return std::tie(boot, live, lineage, position, state_digest, spec_version, spec_digest, settled,
                    decision_version, holds, fencing);
  }
};

// The donor's state before the Hellos of this view are merged into it.
struct Snapshot {
  StatePtr state;
};

// "I have applied everything up to `position`; my state's digest at the last checkpoint was `digest`; what
// the positions below `durable` changed is on disk (zero: not even this view's epoch)." Also a daemon's proof
// of life.
struct Ack {
  std::uint64_t position = 0;
  std::uint64_t digest = 0;
  std::uint64_t durable = 0;
  auto fields() const { return std::tie(position, digest, durable); }
};

struct Suspend {
  NodeId target;
  auto fields() const { return std::tie(target); }
};
struct Resume {
  NodeId target;
  auto fields() const { return std::tie(target); }
};
// Renews the sender's lease once acknowledged; only where no fencer is configured.
struct Alive {
  std::uint64_t number = 0;
  auto fields() const { return std::tie(number); }
};

// ---- facts

// What a group does on the sender's place. With `order`: the result of that order. Without: a probe's.
struct GroupReport {
  GroupId group;
  PlaceId place;
  std::optional<OrderId> order;
  std::optional<Activity> activity;  // unset: stopped, as probed
  std::uint32_t resource = 0;        // kFailed, kUnsafe: which one
  std::string evidence;
  auto fields() const { return std::tie(group, place, order, activity, resource, evidence); }
};

// A resource that was up failed by itself (its watch saw it), or its monitor came to a new judgement.
struct ResourceFailed {
  GroupId group;
  PlaceId place;
  std::uint32_t resource = 0;
  std::string evidence;
  auto fields() const { return std::tie(group, place, resource, evidence); }
};
struct MonitorResult {
  MonitorId monitor;
  PlaceId place;
  Health health = Health::kUnknown;
  std::string evidence;
  auto fields() const { return std::tie(monitor, place, health, evidence); }
};

struct FenceResult {
  NodeId target;
  OrderId order;
  bool confirmed = false;
  std::string evidence;
  auto fields() const { return std::tie(target, order, confirmed, evidence); }
};

// A link of the sender to a peer went down or came back.
struct LinkChange {
  NodeId peer;
  std::uint32_t link = 0;
  bool up = false;
  auto fields() const { return std::tie(peer, link, up); }
};

// The sender shuts down: what it runs moves off. Once it reported all of that stopped, its absence is a clean
// leave.
struct Leaving {
  auto fields() const { return std::tuple<>(); }
};

// The sender's watchdog is armed, with this timeout as read back; unset: it is not.
struct Watchdog {
  std::optional<Duration> timeout;
  auto fields() const { return std::tie(timeout); }
};

// Stream time moves on; sent by the planner. `elapsed` is capped by record.
struct Tick {
  std::uint64_t number = 0;
  Duration elapsed{0};
  auto fields() const { return std::tie(number, elapsed); }
};

// What an operator asked for, at any node. `request` lets that node answer him.
struct GroupStart {
  GroupId group;
  std::optional<PlaceId> place;
  auto fields() const { return std::tie(group, place); }
};
struct GroupStop {
  GroupId group;
  auto fields() const { return std::tie(group); }
};
struct GroupMove {
  GroupId group;
  std::optional<PlaceId> place;  // unset: wherever it is best, but not here
  auto fields() const { return std::tie(group, place); }
};
struct GroupClear {
  GroupId group;
  auto fields() const { return std::tie(group); }
};
struct NodeDuty {
  NodeId node;
  Duty duty = Duty::kActive;
  auto fields() const { return std::tie(node, duty); }
};
struct MonitorSuspend {
  MonitorId monitor;
  bool suspended = false;
  auto fields() const { return std::tie(monitor, suspended); }
};
struct FenceConfirm {  // the operator vouches that the node is off and stays off until told otherwise
  NodeId node;
  auto fields() const { return std::tie(node); }
};
struct FenceOff {  // switch the node off now
  NodeId node;
  auto fields() const { return std::tie(node); }
};
struct ClusterDisarm {
  static constexpr Duration kLongest = 24h;
  Duration length{0};  // from now on; zero: armed again
  std::string why;
  auto fields() const { return std::tie(length, why); }
};
struct ConfigApply {
  SpecPtr spec;
};
struct ConfigRefuse {  // a member cannot hold the pending configuration
  std::uint64_t version = 0;
  std::string reason;
  auto fields() const { return std::tie(version, reason); }
};
struct Request {
  std::uint64_t number = 0;
  std::string operator_name;
  std::variant<GroupStart, GroupStop, GroupMove, GroupClear, NodeDuty, MonitorSuspend, FenceConfirm,
               ConfigApply, ClusterDisarm, FenceOff>
      what;
};

using Fact = std::variant<GroupReport, ResourceFailed, MonitorResult, FenceResult, LinkChange, Leaving, Tick,
                          Request, ConfigRefuse, Watchdog, CorosyncState>;

// ---- proposals: each names what it was made for, so that a late one is refused

struct StartGroup {
  GroupId group;
  PlaceId place;
  std::uint64_t group_version = 0;
  Incarnation incarnation;  // of the place's node
  std::uint64_t spec_version = 0;
  auto fields() const { return std::tie(group, place, group_version, incarnation, spec_version); }
};
struct StopGroup {
  GroupId group;
  PlaceId place;
  std::uint64_t group_version = 0;
  std::string reason;
  bool counts_as_failover = false;  // the place is marked as failed for the group
  bool gives_up = false;            // the ladder's end: it stays stopped
  auto fields() const { return std::tie(group, place, group_version, reason, counts_as_failover, gives_up); }
};
struct RestartGroup {
  GroupId group;
  PlaceId place;
  std::uint32_t first_resource = 0;
  std::uint64_t group_version = 0;
  Incarnation incarnation;
  auto fields() const { return std::tie(group, place, first_resource, group_version, incarnation); }
};
struct FenceNode {
  NodeId target;
  Incarnation incarnation;
  std::uint64_t node_version = 0;
  NodeId executor;
  std::uint32_t level = 0;
  std::string reason;
  auto fields() const { return std::tie(target, incarnation, node_version, executor, level, reason); }
};
// A lost node surely runs nothing any more, without a fence.
struct SettleNode {
  enum class Why : std::uint8_t { kLeaseOver, kSplitRiskAccepted };
  NodeId target;
  Incarnation incarnation;
  std::uint64_t node_version = 0;
  Why why = Why::kLeaseOver;
  auto fields() const { return std::tie(target, incarnation, node_version, why); }
};
// The ladder's last steps on a node: stop everything there, restart its OS. A reset is a FenceNode.
struct NodeAction {
  NodeId node;
  FinalAction action = FinalAction::kNone;
  GroupId group;
  std::uint64_t group_version = 0;
  auto fields() const { return std::tie(node, action, group, group_version); }
};

using Proposal = std::variant<StartGroup, StopGroup, RestartGroup, FenceNode, SettleNode, NodeAction>;

// ---- envelope

using Body = std::variant<Hello, Snapshot, Ack, Suspend, Resume, Alive, Fact, Proposal>;

struct Message {
  NodeId from;
  Incarnation incarnation;
  ViewId view;
  std::uint64_t sequence = 0;  // per sender and view, without gaps: a gap is a skipped message
  Cause cause;
  Body body;
};

}  // namespace komainu::core
