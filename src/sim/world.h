// Machines, their daemons, and what really runs: the only judge of the safety rules.
//
// A World executes what replicas order, and each step of that is a choice of whoever drives it: an agent
// begins, takes effect and reports at three moments; a killed agent may have acted before it died; a crashed
// daemon leaves its applications running; a fence switches off late. What a replica believes is never looked
// at to judge: `violation()` counts where a group's processes are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "core/replica.h"
#include "sim/replicas.h"
#include "sim/test_channel.h"

namespace komainu::sim {

inline constexpr std::uint32_t kMaxGroups = 8;

// What the executor of a node does for an order, or for a Yield (no order).
struct Job {
  enum class Kind : std::uint8_t { kStart, kStop };
  enum class Stage : std::uint8_t { kBegun, kDone, kFailed };
  Kind kind = Kind::kStart;
  Stage stage = Stage::kBegun;
  OrderRef order = kNoOrder;
};

// A group on a machine.
struct Here {
  bool runs = false;       // its processes are up
  bool old_start = false;  // a killed start that may act until the stop that killed it has awaited its end
  bool probe = false;      // to be looked at
  Few<Job, 1> jobs;        // one after the other
};

// A fence that this machine's agent is carrying out.
struct Shot {
  std::uint8_t target = 0;
  bool acted = false;
  bool cancelled = false;
  FenceRef order = 0;
};

struct Writing {
  std::uint64_t token = 0;
  DurableRef durable = 0;  // zero: a configuration to be checked
};

struct Machine {
  ReplicaRef replica = kNoReplica;  // none: the daemon is not running
  std::uint8_t boots = 0;
  std::uint8_t runs = 0;      // daemons started so far
  DurableRef disk = 0;        // what a new daemon will read
  DurableRef older_disk = 0;  // … and would have read before the last write
  bool yields = false;        // its daemon has told it to stop everything, and has started nothing since
  Duration clock{0};          // its CLOCK_BOOTTIME
  std::optional<LocalTime> last_flow;  // of the daemon before, on this boot
  Few<Writing, 1> writing;
  Few<Shot, 1> shots;
  Few<Here, 1> groups;
};

class World {
 public:
  // What happens by itself right after its cause, to save the exploration steps that change little.
  struct Immediate {
    bool order = false;    // a sent message has its place in the stream at once
    bool store = false;    // disks are fast
    bool verdict = false;  // the quorum's verdict on a ring arrives with the ring
    bool report = false;   // who has acted says so at once
  };

  // All machines are off, the rings are empty.
  World(core::SpecPtr spec, Replicas& replicas, core::ReplicaOptions options, Immediate immediate);

  // ---- the steps of one machine; each needs its can_…()
  void deliver(NodeId node);
  bool can_deliver(NodeId node) const { return channel_.can_deliver(node); }
  // Its old ring ends for the node and its companions, and it hears of the next one.
  void end(NodeId node, TestChannel::Hole hole);
  bool can_end(NodeId node) const { return channel_.can_end(node); }
  void judge(NodeId node);
  bool can_judge(NodeId node) const { return channel_.can_judge(node); }
  void order(NodeId node) { channel_.order(node); }
  bool can_order(NodeId node) const { return channel_.can_order(node); }
  enum class Disk : std::uint8_t { kWorks, kFails };
  void write(NodeId node, Disk disk);
  bool can_write(NodeId node) const { return up(node) && !machine(node).writing.empty(); }

  // The executor's work on one group, step by step.
  enum class Luck : std::uint8_t {
    kGood,
    kNothing,  // the agent fails and changes nothing
    kHalf,     // the agent fails after the processes have changed
  };
  void act(NodeId node, GroupId group, Luck luck);
  bool can_act(NodeId node, GroupId group) const;
  void old_start_acts(NodeId node, GroupId group);
  bool can_old_start_act(NodeId node, GroupId group) const;
  void report(NodeId node, GroupId group);
  bool can_report(NodeId node, GroupId group) const;
  void probe(NodeId node, GroupId group);
  bool can_probe(NodeId node, GroupId group) const;
  // The application dies by itself.
  void die(NodeId node, GroupId group);

  void shoot(NodeId node, std::size_t shot);
  bool can_shoot(NodeId node, std::size_t shot) const;
  // The agent of a fence has ended: confirmed if it acted and was not cancelled.
  void report_shot(NodeId node, std::size_t shot);

  // ---- faults and their ends
  void boot(NodeId node);  // Corosync is up, in a ring of its own; the daemon is not
  void power_off(NodeId node);
  void lose_store(NodeId node) { own(node).disk = 0; }  // while its daemon does not run
  void start_daemon(NodeId node);
  // While the daemon is down: its store is torn or gone, or somebody brought back an older one.
  enum class Store : std::uint8_t { kEmpty, kOld };
  void lose_store(NodeId node, Store left);
  void crash_daemon(NodeId node);
  void form(std::span<const NodeSet> components, std::optional<std::size_t> vote, TestChannel::Merge merge) {
    channel_.form(components, vote, merge);
  }
  void move_vote(std::optional<NodeId> node) { channel_.move_vote(node); }
  void drop_newest(NodeId node) { channel_.drop_newest(node); }

  // ---- what happens to a replica from outside
  void say(NodeId node, const core::Body& body);
  void observe(NodeId node, const core::Fact& fact);
  void advance(NodeId node, Duration time) { own(node).clock += time; }  // its clock goes on
  void pass(NodeId node, Duration time);                                 // … and its timer rings

  // ---- to look at
  const TestChannel& channel() const { return channel_; }
  const Machine& machine(NodeId node) const { return machines_[node.value]; }
  std::uint32_t size() const { return channel_.machines(); }
  const core::Spec& spec() const { return *spec_; }
  bool powered(NodeId node) const { return channel_.port(node).powered; }
  bool up(NodeId node) const { return machine(node).replica != kNoReplica; }
  const core::Replica& replica(NodeId node) const { return replicas_->at(machine(node).replica); }
  bool runs(NodeId node, GroupId group) const { return machine(node).groups[index(group)].runs; }
  NodeSet running(GroupId group) const;
  // Rule 1: no group is active in two places.
  std::optional<std::string> violation() const;
  // Groups that must be apart share a machine.
  std::optional<std::string> crowded() const;
  // Rule 4: two replicas at one position of one view whose states differ.
  std::optional<std::string> divergence() const;
  // "Orders in flight": a group is being started on a node that a fence ordered before may still hit. Judges
  // only where no daemon has forgotten a fence that it acknowledged.
  std::optional<std::string> endangered() const;

  // All that changes, for src/sim/pack.h.
  template <class Io>
  void exchange(Io& io) {
    channel_.exchange(io);
    for (std::uint32_t i = 0; i < size(); ++i) {
      Machine& at = machines_[i];
      io(at.replica, at.boots, at.runs, at.disk, at.older_disk, at.yields, at.clock);
      io.maybe(at.last_flow, [&](LocalTime& flowed) { io(flowed.since_boot); });
      io.list(at.writing, [&](Writing& writing) { io(writing.token, writing.durable); });
      io.list(at.shots, [&](Shot& shot) { io(shot.target, shot.acted, shot.cancelled, shot.order); });
      io.list(at.groups, [&](Here& here) {
        io(here.runs, here.old_start, here.probe);
        io.list(here.jobs, [&](Job& job) { io(job.kind, job.stage, job.order); });
      });
    }
  }

  // Group ids are consecutive, from this one.
  static constexpr std::uint32_t kFirstGroup = 1;

 private:
  static std::size_t index(GroupId group) { return group.value - kFirstGroup; }
  Machine& own(NodeId node) { return machines_[node.value]; }
  Here& here(NodeId node, GroupId group) { return own(node).groups[index(group)]; }
  const Here& here(NodeId node, GroupId group) const { return machine(node).groups[index(group)]; }
  LocalTime now(NodeId node) const { return LocalTime{machine(node).clock}; }
  void step(NodeId node, const core::Input& input);
  void take(NodeId node, const Outcome& outcome);
  void begin(NodeId node, GroupId group, OrderRef order);
  void stop_without_order(NodeId node, GroupId group);
  void daemon_is_gone(NodeId node);

  core::SpecPtr spec_;
  Replicas* replicas_;
  core::ReplicaOptions options_;
  Immediate immediate_;
  TestChannel channel_;
  PerMachine<Machine> machines_{};
};

// The same from one step to the next: whose state it knows already, as nothing was delivered to it since, it
// does not look at again.
class Comparison {
 public:
  // As World's.
  std::optional<std::string> divergence(const World& world);

 private:
  struct Reached {
    std::pair<core::ViewId, std::uint64_t> place;
    std::optional<std::uint64_t> digest;
  };
  std::map<std::uint32_t, Reached> reached_;  // by node
};

}  // namespace komainu::sim
