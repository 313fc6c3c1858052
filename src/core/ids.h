// Names of things in the protocol: incarnations, rings, views, orders, causes. docs/protocol.md explains
// them.
#pragma once

#include <compare>
#include <cstdint>
#include <tuple>

#include "base/id.h"

namespace komainu::core {

// One run of one daemon: drawn at random when it starts. Zero: none, or not known.
struct Incarnation {
  std::uint64_t value = 0;
  auto operator<=>(const Incarnation&) const = default;
  auto fields() const { return std::tie(value); }
};

// No daemon's: matches no other.
inline constexpr Incarnation kNobody{~std::uint64_t{0}};

// Corosync's ring id; `seq` never falls on a node, not even over restarts (corosync stores it).
struct RingId {
  std::uint32_t leader = 0;
  std::uint64_t seq = 0;
  auto operator<=>(const RingId&) const = default;
  auto fields() const { return std::tie(leader, seq); }
};

// A view of a ring: a join or leave of a daemon inside the ring opens the next round. Members that disagree
// on the round adopt the highest (a Lamport clock). Daemons count rounds from their own join, so the number
// alone does not tell views apart: the members are part of the name.
struct ViewId {
  RingId ring;
  std::uint32_t round = 0;
  std::uint64_t members = 0;  // digest of the list of (node, process)
  auto operator<=>(const ViewId&) const = default;
  auto fields() const { return std::tie(ring, round, members); }
};

// An admitted proposal. Positions count the applied messages of one view.
struct OrderId {
  ViewId view;
  std::uint64_t position = 0;
  auto operator<=>(const OrderId&) const = default;
  auto fields() const { return std::tie(view, position); }
};

// The first symptom of a chain of events: what `komainu explain` goes back to. `number` counts per origin and
// incarnation; a zero cause is no cause.
struct Cause {
  NodeId origin;
  Incarnation incarnation;
  std::uint64_t number = 0;
  auto operator<=>(const Cause&) const = default;
  auto fields() const { return std::tie(origin, incarnation, number); }
  explicit operator bool() const { return number != 0; }
};

// (epoch, view that raised it). Of two views that share a member, the later one has the higher epoch, whether
// that member saw the earlier one established or not: the highest epoch is the newest.
struct Lineage {
  std::uint64_t epoch = 0;
  ViewId view;
  auto operator<=>(const Lineage&) const = default;
  auto fields() const { return std::tie(epoch, view); }
};

}  // namespace komainu::core
