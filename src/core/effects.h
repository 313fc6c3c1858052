// What a Replica wants done. The shell (src/engine, or the simulator's machines) does it and reports back as
// Inputs.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/message.h"
#include "core/state.h"

namespace komainu::core {

enum class Severity : std::uint8_t { kInfo, kWarning, kAlarm };

// One line of `komainu events`, with its place in a chain of causes. The shell stamps it with the wall clock.
enum class EventKind : std::uint8_t {
  kView,  // members, quorum, suspension
  kNode,  // standing, duty, links
  kFence,
  kGroup,    // activity of a group
  kOrder,    // an order was admitted
  kRefused,  // a proposal or a request was refused
  kMonitor,
  kOperator,
  kConfig,
  kProtocol,  // divergence, snapshot, lineage
};
struct Event {
  Severity severity = Severity::kInfo;
  EventKind kind = EventKind::kGroup;
  Cause cause;
  std::optional<NodeId> node;
  std::optional<GroupId> group;
  std::optional<MonitorId> monitor;
  std::string text;
  auto fields() const { return std::tie(severity, kind, cause, node, group, monitor, text); }
};

// Send `body` into the stream; the shell may drop it when the ring is gone (its view is then gone, too).
struct Send {
  Message message;
};
// Run an order on this node. A stop kills and awaits a start or restart of the same group first. The result
// comes back as GroupReport with the order's id.
struct Execute {
  GroupId group;
  Order order;
};
// The group will probably come here once a fence has ended: what can be checked beforehand (is its address in
// use?) is checked now.
struct Prepare {
  GroupId group;
};
// Look what the group does here and report it (GroupReport without an order).
struct Probe {
  GroupId group;
};
struct ExecuteFence {
  NodeId target;
  FenceOrder order;
};
// Kill the agents of this fence and report it as not confirmed once they are gone.
struct CancelFence {
  NodeId target;
  OrderId order;
};
// This node has no right to act any more: stop every group here now, without the stream.
struct Yield {
  std::string reason;
};
// Write to disk, then report Stored{token}.
struct Store {
  Durable durable;
  std::uint64_t token = 0;
};
// Leave the process group, forget the state, and join again as a new incarnation.
struct Rejoin {
  std::string reason;
};
// The active configuration is another one now: monitors, fencers and Corosync's files follow it. It comes
// before the Probes of what is new in it.
struct SpecActivated {
  SpecPtr spec;
};
// Can this node hold the configuration (do its drivers accept it)? Reported as Stored{token, ok}.
struct SpecProposed {
  SpecPtr spec;
  std::uint64_t token = 0;
};
// Answers an operator at this node.
struct Answer {
  std::uint64_t request = 0;
  bool accepted = false;
  std::string text;
};
struct RestartOs {
  std::string reason;
};

using Effect = std::variant<Send, Execute, Prepare, Probe, ExecuteFence, CancelFence, Yield, Store, Rejoin,
                            SpecActivated, SpecProposed, Answer, RestartOs, Event>;
using Effects = std::vector<Effect>;

}  // namespace komainu::core
