// Every interleaving, breadth first: what can a few replicas and the world around them come to within a
// budget of faults? Each World reached is judged by where the group really runs. States are told apart by
// 128-bit digests of the whole world, and worlds that differ only by the nodes' names are visited once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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
  std::uint8_t drops = 0;     // messages that Corosync had not taken when their ring ended
  std::uint8_t stores = 0;    // a store that is lost, or an older one, when a daemon starts
  std::uint8_t passes = 0;    // steps of time, where leases stand for fences

  template <class F>
  void each(F f) {
    for (std::uint8_t* one : {&starts, &stops, &fences, &suspensions, &rings, &votes, &crashes, &power_offs,
                              &boots, &pauses, &failures, &skips, &drops, &stores, &passes})
      f(*one);
  }
};

enum class Quorum : std::uint8_t { kTwoNode, kQnetd, kMajority };

struct Exploration {
  std::string name;
  Quorum quorum = Quorum::kTwoNode;
  std::uint32_t nodes = 0;   // 0: two, or three where the majority decides
  std::uint32_t groups = 1;  // more than one: they must be apart from the first
  enum class Fencing : std::uint8_t { kFencer, kLease } fencing = Fencing::kFencer;
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
  // A node delivers message by message, or always all that is there for it: fewer states, and coarser.
  enum class Deliveries : std::uint8_t { kOne, kAll } deliveries = Deliveries::kOne;
  // What is promised: everything within the budget, or as much of it as most_states allows.
  enum class Goal : std::uint8_t { kExhaust, kSearch } goal = Goal::kSearch;
  std::uint64_t most_states = 50'000'000;
  std::uint32_t most_depth = 1'000;
};

struct Finding {
  std::string what;
  std::vector<std::uint32_t> choices;  // of the steps possible each time: what replay() follows
  std::vector<std::string> trace;      // … in words
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
// Follows a finding's choices from the beginning once more: what is wrong at their end, if anything. Nothing:
// these choices do not exist.
std::optional<Finding> replay(const Exploration& exploration, std::span<const std::uint32_t> choices);

// A step of time, where leases stand for fences.
inline constexpr Duration kTimeStep = 4s;
core::Timing lease_timing();

core::SpecPtr spec_for(Quorum quorum, std::uint32_t nodes, std::uint32_t groups);
// Delivers, writes, executes and reports until nothing is left to do.
void settle(World& world);

}  // namespace komainu::sim
