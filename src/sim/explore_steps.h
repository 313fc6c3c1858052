// What may happen next in an exploration, and what comes of it: each step of each machine, each proposal that
// a member may make, each way to part the network, as far as the budget goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/explore.h"
#include "sim/interned.h"
#include "sim/world.h"

namespace komainu::sim {

// A world in the middle of an exploration.
struct Situation {
  World world;
  Budget left;
  // Where leases stand for fences, time passes in steps for all at once.
  struct Clock {
    bool owed = false;       // its timer has not rung since time passed last
    std::uint8_t unfed = 0;  // for so many steps nobody has fed its watchdog
  };
  PerMachine<Clock> clocks{};

  // All that changes, for src/sim/pack.h.
  template <class Io>
  void exchange(Io& io) {
    world.exchange(io);
    left.each([&](std::uint8_t& one) { io(one); });
    for (std::uint32_t i = 0; i < world.size(); ++i) io(clocks[i].owed, clocks[i].unfed);
  }
};

struct Action {
  enum class Kind : std::uint8_t {
    kDeliver,
    kEnd,
    kEndWithHole,
    kJudge,
    kOrder,
    kDropNewest,
    kWrite,
    kWriteFails,
    kAct,
    kActFailsClean,
    kActFailsHalf,
    kOldStart,
    kReport,
    kProbe,
    kShoot,
    kReportShot,
    kPause,
    kTimePasses,
    kIsScheduled,
    kCrash,
    kStartDaemon,
    kPowerOff,
    kBoot,
    kLoseStore,
    kForm,
    kVote,
    kSay,
  };
  Kind kind = Kind::kDeliver;
  std::uint8_t node = 0;
  std::uint8_t detail = 0;   // which shot, which group
  std::uint16_t choice = 0;  // kForm, kSay: which of them
};

class Steps {
 public:
  Steps(const Exploration& exploration, core::SpecPtr spec, InternedReplicas& replicas);

  // Everything that can happen to `at`. `actions()` are of the situation enumerated last.
  void enumerate(const Situation& at);
  const std::vector<Action>& actions() const { return actions_; }
  void apply(Situation& at, const Action& action) const;
  std::string describe(const Situation& at, const Action& action) const;

 private:
  // A ring change as a whole.
  struct Formation {
    std::vector<NodeSet> components;
    std::optional<std::size_t> vote;
  };
  struct Said {
    core::Body body;
    std::uint64_t content = 0;  // digest of the body
    std::uint32_t object = 0;
    std::uint8_t Budget::* price = &Budget::starts;
  };

  void enumerate_machine(const Situation& at, NodeId node);
  void enumerate_executor(const Situation& at, NodeId node);
  void enumerate_sayings(const Situation& at, NodeId node);
  void enumerate_formations(const Situation& at);
  void enumerate_votes(const Situation& at);
  bool time_can_pass(const Situation& at) const;
  static bool is_in_step_but_behind(const World& world, NodeId node);
  void let_time_pass(Situation& at) const;
  const std::vector<Said>& sayings(const World& world, NodeId node);
  std::vector<Said> think_of(const core::Replica& replica) const;
  bool pointless(const Situation& at, NodeId node, const Said& said);
  bool promising(const core::Replica& replica, const core::Proposal& proposal) const;
  std::string describe_delivery(const World& world, NodeId node) const;
  std::string describe_rings(const World& world, const Formation& formation) const;
  void push(Action::Kind kind, NodeId node, std::size_t detail = 0, std::size_t choice = 0) {
    actions_.push_back({kind, static_cast<std::uint8_t>(node.value), static_cast<std::uint8_t>(detail),
                        static_cast<std::uint16_t>(choice)});
  }

  const Exploration& exploration_;
  core::SpecPtr spec_;
  InternedReplicas& replicas_;

  // Of the situation that was enumerated last.
  std::vector<Action> actions_;
  std::vector<Formation> formations_;
  std::unordered_map<ReplicaRef, std::vector<Said>> sayings_;
};

}  // namespace komainu::sim
