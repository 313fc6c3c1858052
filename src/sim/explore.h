// Every interleaving, breadth first: what can a few replicas and the world around them come to within a
// budget of faults? Each World reached is judged by where the group really runs. States are told apart by
// 128-bit digests of the whole world, and worlds that differ only by the nodes' names are visited once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/spec.h"
#include "sim/interned.h"
#include "sim/world.h"

namespace komainu::sim {

// How often each thing may still happen. Deliveries, disks, agents and reports are not bounded: they end by
// themselves.
struct Budget {
  std::uint8_t starts = 0;
  std::uint8_t stops = 0;
  std::uint8_t fences = 0;
  std::uint8_t suspensions = 0;  // and resumptions
  std::uint8_t rings = 0;        // ring changes
  std::uint8_t votes = 0;        // moves of the arbiter's vote beyond those at ring changes
  std::uint8_t crashes = 0;      // of a daemon, which may come back
  std::uint8_t power_offs = 0;   // fences not counted
  std::uint8_t boots = 0;
  std::uint8_t pauses = 0;    // longer than grace without a word from the stream: the node yields
  std::uint8_t failures = 0;  // of an agent or a disk
  std::uint8_t skips = 0;     // messages skipped, or delivered late, in a transitional configuration
  bool operator==(const Budget&) const = default;
};

enum class Quorum : std::uint8_t { kTwoNode, kQnetd, kMajority };

struct Exploration {
  std::string name;
  Quorum quorum = Quorum::kTwoNode;
  std::uint32_t nodes = 0;  // 0: two, or three where the majority decides
  enum class From : std::uint8_t {
    kBoot,     // all daemons have just been started
    kIdle,     // a view of all, the group is known stopped everywhere
    kRunning,  // the group is online on one node
  } from = From::kIdle;
  std::function<void(World&)>
      and_then;  // what has happened since, where the interesting part is far from there
  Budget budget;
  World::Immediate immediate;
  TestChannel::Merge merge = TestChannel::Merge::kAtOnce;
  enum class Symmetry : std::uint8_t { kIgnore, kUse } symmetry = Symmetry::kUse;
  // Members propose what their own state would refuse, too.
  enum class Proposals : std::uint8_t { kPromising, kAll } proposals = Proposals::kPromising;
  std::uint64_t most_states = 50'000'000;
  std::uint32_t most_depth = 1'000;
};

struct Finding {
  std::string what;
  std::vector<std::string> trace;
};

struct Report {
  enum class End : std::uint8_t { kExhausted, kCapped, kViolation } end = End::kExhausted;
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::uint32_t depth = 0;
  std::uint64_t most_waiting = 0;  // states of one depth
  InternedReplicas::Counts counts;
  std::optional<Finding> finding;
};

Report explore(const Exploration& exploration);

core::SpecPtr spec_for(Quorum quorum, std::uint32_t nodes, std::uint32_t groups);
// Delivers, writes, executes and reports until nothing is left to do.
void settle(World& world);

}  // namespace komainu::sim
