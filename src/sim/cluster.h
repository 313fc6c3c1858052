// A whole cluster under one virtual clock: what TestChannel leaves to whoever drives it, seeded latencies
// decide.
//
//   Cluster cluster(spec, {.seed = 1});
//   cluster.power_on_all();
//   cluster.run_until(30s);
//   cluster.power_off(node);                    // faults and repairs are calls between two moments
//   cluster.run_until(60s);
//
// An event queue moves machines, their Corosync, daemons, disks, agents, fencing devices and watchdogs; the
// replicas are the real ones. Nothing here chooses faults, and nothing looks at what a replica believes to
// decide what really runs. Whoever wants to know what happens sets an Observer.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/effects.h"
#include "core/replica.h"
#include "core/spec.h"
#include "sim/random.h"
#include "sim/test_channel.h"

namespace komainu::sim {

// How long things take. The defaults are a quiet LAN with ordinary services.
struct Latencies {
  Span order{100us, 800us};     // sent → has its place in the stream
  Span deliver{100us, 1500us};  // … → a daemon sees it
  Span verdict{1ms, 100ms};     // the quorum's word, after the ring has formed
  Span vote{50ms, 400ms};       // the arbiter's vote after a change; nothing can be sent meanwhile
  Span store{1ms, 15ms};
  Span start{100ms, 600ms};  // one resource
  Span stop{100ms, 600ms};
  Span probe{10ms, 60ms};
  Span report{1ms, 10ms};     // an agent has ended → its daemon knows
  Span fence{100ms, 600ms};   // ordered → the target is off
  Span confirm{50ms, 300ms};  // … → read back
  Span gives_up{5s, 10s};     // … → its agent has given up on a dead device
  Span slow_device{5s, 15s};
  Span boot{20s, 40s};         // power → Corosync
  Span daemon{200ms, 1500ms};  // a daemon's start; also of one that starts over
  Span timer{50ms, 50ms};      // between two Timers of a daemon
  Span restart{500ms, 2s};     // a reset → its power comes back
};

// What an executor's agent does with one resource. A hung one is killed at the resource's timeout.
enum class Agents : std::uint8_t {
  kWork,
  kFail,      // says so, and has changed nothing
  kFailHalf,  // says so, and has done it
  kHang,
  kLie,  // a stop says that it is done, and is not: the probe after it finds out
};
enum class Work : std::uint8_t { kStart, kStop };  // of a resource
enum class Device : std::uint8_t {
  kWorks,
  kSlow,
  kDead,     // no answer: the agent gives up
  kRefuses,  // at once
  kLate,     // the agent gives up, and the target is switched off later all the same
};
enum class Disk : std::uint8_t {
  kWorks,
  kSlow,  // a write takes seconds
  kFails,
};
enum class Stored : std::uint8_t {
  kLatest,
  kOld,   // what was written before the last time
  kLost,  // nothing: a new disk
};

// Called as things happen, in the order of their causes.
class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;

  // A daemon sends a fact, a proposal or a word of the protocol; which of them count, `executes` shows.
  virtual void sends(NodeId, const core::Message&) {}
  virtual void delivers(NodeId, const core::Message&) {}
  // What a replica tells its operators. Every member says the same of what it has in common with others.
  virtual void tells(NodeId, const core::Event&) {}
  virtual void answers(NodeId, const core::Answer&) {}
  virtual void executes(NodeId, GroupId, const core::Order&) {}
  virtual void fences(NodeId, NodeId /*target*/, const core::FenceOrder&) {}
  virtual void yields(NodeId, const std::string& /*reason*/) {}
  virtual void starts_over(NodeId, const std::string& /*reason*/) {}
  // The world: processes of a group came up or went, whoever knows of it.
  virtual void runs(NodeId, GroupId, std::uint64_t /*resources, as bits*/) {}
  // A resource dies by itself, or only says that it is stopped: the others are not where its order puts them.
  virtual void falls_out(NodeId, GroupId, std::uint32_t /*resource*/) {}
  virtual void powered(NodeId) {}
  virtual void off(NodeId, const std::string& /*by what*/) {}
  virtual void ring(NodeId, const core::RingChange&) {}
  virtual void quorum(NodeId, const core::QuorumVerdict&) {}
  virtual void note(NodeId, const std::string& /*what*/) {}
  // The replica has taken an input, and what it wants done is on its way.
  virtual void has_stepped(NodeId) {}
};

// How often something happened that only the world knows of.
struct WorldCounts {
  std::uint64_t killed_starts_that_acted = 0;
  std::uint64_t orphans = 0;      // agents that outlived their daemon
  std::uint64_t orders_lost = 0;  // executing, when their machine or its daemon went
  std::uint64_t fences_lost = 0;  // … of these, fences
  std::uint64_t resets_by_watchdog = 0;
  std::uint64_t fenced = 0;  // machines that a fence switched off
  std::uint64_t fences_failed = 0;
  std::uint64_t late_offs = 0;   // by devices that were thought to have failed
  std::uint64_t old_stores = 0;  // offered to a daemon: old ones and empty ones
  std::uint64_t failed_writes = 0;
  std::uint64_t lies_found_out = 0;  // stops that said they were done
  std::uint64_t owners_thawed = 0;
  std::uint64_t sends_refused = 0;
  std::uint64_t rings_formed = 0;
  std::uint64_t stops_interrupted = 0;
};

class Cluster {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Latencies latencies;
    std::int32_t most_drift_ppm = 0;  // of a machine's CLOCK_BOOTTIME; offsets are arbitrary anyhow
    // Of the daemons; a missing one is 1. The cluster uses the lowest in each view.
    std::map<NodeId, std::uint32_t> decision_versions;
    // Nodes whose cluster.toml differs from `spec`.
    std::map<NodeId, core::SpecPtr> files;
    Chance chance = Chance::kRules;
    // How long each resource's agents take; unset: as the latencies say.
    std::function<Duration(GroupId, std::uint32_t resource, Work)> works;
    bool boots_after_reset = true;  // a watchdog's or an operating system's reset; a fence leaves it off
  };

  // All machines are off. At most kMaxMachines nodes.
  Cluster(core::SpecPtr spec, Options options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void observe(Observer* observer) { observer_ = observer; }

  // ---- time
  Duration now() const { return now_; }
  void run_until(Duration moment);
  // The moment of the next thing that happens by itself; nothing does after `run_until` unless asked.
  Duration next_event() const;
  // One event; false: nothing is left.
  bool step();

  // ---- machines
  void power_on(NodeId node);  // boots; its daemon starts by itself
  void power_on_all();
  void power_off(NodeId node, const std::string& by = "power");
  // All of it stands still, its clock and watchdog, too: a paused VM.
  void freeze(NodeId node);
  void thaw(NodeId node);
  void hang_corosync(NodeId node);
  void resume_corosync(NodeId node);
  // The daemon is not scheduled; its membership stands.
  void hang_daemon(NodeId node);
  void resume_daemon(NodeId node);
  // Its agents may outlive it. It comes back after `away`.
  void crash_daemon(NodeId node, Duration away);
  // What it runs moves off, then daemon and Corosync end. The machine stays on, without them, until
  // power_on().
  void shut_down(NodeId node);
  void set_disk(NodeId node, Disk disk);
  void set_next_boot_store(NodeId node, Stored stored);  // what the next daemon finds
  // `takes`: from the order until it has acted; otherwise as the latencies say.
  void set_device(NodeId target, std::uint32_t level, Device device, std::optional<Duration> takes = {});
  void set_agents(NodeId node, GroupId group, Agents starts, Agents stops);
  // Those of one resource, whatever the group's others do.
  void set_agents(NodeId node, GroupId group, std::uint32_t resource, Work work, Agents agents);
  void set_agent_delay(NodeId node, Duration more) { own(node).agent_delay = more; }  // on top of each

  // ---- network
  // One direction between two nodes, all links of it.
  void cut(NodeId from, NodeId to);
  void join(NodeId from, NodeId to);
  bool is_cut(NodeId from, NodeId to) const { return cut_[index(from)][index(to)]; }
  void partition(std::span<const NodeSet> parts);  // who is in none is alone
  void heal_network();
  // One of the redundant links between two nodes; membership does not notice.
  void set_link(NodeId from, NodeId to, std::uint32_t link, bool up);
  void cut_arbiter(NodeId node);
  void join_arbiter(NodeId node);
  // The arbiter gives its vote to the ring of another node, or to nobody.
  void move_vote(std::optional<NodeId> node);
  void refuse_sends(NodeId node, Duration time);

  // ---- applications, monitors, operators
  enum class Notice : std::uint8_t { kAtOnce, kNobody };  // by the resource's own watch
  void kill_resource(NodeId node, GroupId group, std::uint32_t resource, Notice notice = Notice::kAtOnce);
  // A daemon notices something; nothing happens where none runs.
  void notice(NodeId node, core::Fact fact);
  // What a monitor sees from now on, where it runs: on every node, or where its group is online. A monitor
  // that has failed `until_restart` is healthy again once its resource has been started anew.
  enum class Lasts : std::uint8_t { kUntilSet, kUntilRestart };
  void set_monitor(NodeId node, MonitorId monitor, core::Health health, std::string evidence, Lasts lasts);
  // At any node. The answer comes to the Observer with this number; a daemon that does not listen gives none.
  std::uint64_t request(NodeId at, decltype(core::Request::what) what);
  // One of two nodes no longer waits to see the other before it is quorate (votequorum(5), wait_for_all).
  void start_alone(NodeId node);

  // ---- to look at
  const core::Spec& spec() const { return *spec_; }  // the last that became active anywhere
  const std::vector<NodeId>& nodes() const { return ids_; }
  bool is_on(NodeId node) const { return own(node).powered; }
  bool corosync_runs(NodeId node) const { return own(node).corosync; }
  bool is_frozen(NodeId node) const { return own(node).frozen; }
  bool daemon_hangs(NodeId node) const { return own(node).daemon_hung; }
  bool corosync_hangs(NodeId node) const { return own(node).corosync_hung; }
  const core::Replica* replica(NodeId node) const { return own(node).replica.get(); }  // null: no daemon
  // A daemon that is in an established view; the one of the newest epoch, whose word an operator would take.
  const core::Replica* spokesman() const;
  std::uint64_t resources_up(NodeId node, GroupId group) const;  // as bits
  NodeSet running(GroupId group) const;
  core::RingId ring_of(NodeId node) const;  // the one that its Corosync is in, whoever has been told
  // Nodes on whose disks there has been a view of this epoch, or a later one.
  NodeSet have_stored(std::uint64_t epoch) const;
  LocalTime local_time(NodeId node) const;
  const TestChannel& channel() const { return channel_; }
  const WorldCounts& counts() const { return counts_; }
  std::uint64_t delivered() const { return delivered_; }
  std::uint64_t events() const { return number_; }

 private:
  struct Job {
    enum class Kind : std::uint8_t { kStart, kStop };
    Kind kind = Kind::kStart;
    std::uint32_t number = 0;  // to know an event of a job that was replaced
    std::uint32_t resource = 0;
    std::optional<core::OrderId> order;  // none: of a yield
    Agents doing = Agents::kWork;
    bool failed = false;
    std::optional<std::uint32_t> restart;  // a stop down to this resource, and then a start from it
  };
  // A group on a machine.
  struct Here {
    std::uint64_t up = 0;  // resources whose processes run
    std::optional<Job> job;
    bool unsafe_yield = false;  // a stop that no order asked for has failed
    bool orphan = false;        // the job is of a daemon that is gone
    std::uint64_t last_job = 0;
    Agents starts = Agents::kWork;
    Agents stops = Agents::kWork;
    std::map<std::pair<std::uint32_t, Work>, Agents> agents;  // of single resources
  };
  // A fence that this machine's agent is carrying out.
  struct Shot {
    std::uint32_t number = 0;
    NodeId target;
    core::FenceOrder order;
    bool acted = false;
    bool cancelled = false;
  };
  struct Watched {
    core::Health health = core::Health::kHealthy;
    std::string evidence;
    Lasts lasts = Lasts::kUntilSet;
  };
  enum class What : std::uint8_t {
    kPump,      // a daemon sees what is there for it
    kOrder,     // Corosync gives what was sent its place
    kJudge,     // a daemon hears of quorum
    kTimer,     // … of time
    kWritten,   // … of its store; a: token, b: slot of the write, zero: a configuration is accepted
    kObserve,   // … of something else; a: slot of the fact
    kMonitor,   // a: monitor
    kProbe,     // a: group
    kAgent,     // a: group, b: job
    kShotActs,  // a: shot
    kShotEnds,  // a: shot, b: it has acted
    kDaemon,    // a daemon starts
    kBoot,      // Corosync starts
    kWatchdog,
    kSwitch,   // power comes back
    kLateOff,  // a device does what it was told long ago
    kReform,   // a: one at the most is due without a change of the network
    kVote,
  };
  struct Event {
    Duration at{0};
    std::uint64_t number = 0;
    What what = What::kReform;
    std::uint8_t machine = 0;
    std::uint32_t boots = 0;  // of the machine when it was queued
    std::uint32_t runs = 0;   // … of its daemon
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };
  struct Machine {
    NodeId id;
    std::uint8_t index = 0;
    bool powered = false;
    bool corosync = false;  // runs
    bool frozen = false;
    bool corosync_hung = false;
    bool daemon_hung = false;
    bool leaving = false;
    Duration leaves_by{0};  // leaving: then it goes and leaves behind what it could not stop
    bool met_all = false;   // since it booted: two nodes wait for that (votequorum(5), wait_for_all)
    Duration disk_busy_until{0};
    Duration reported_at{0};  // or will be: the last fact
    bool pump_is_due = false;
    bool order_is_due = false;
    bool ring_broken = false;  // somebody of it is not heard any more, and the next has not formed
    bool missed_rest = false;  // … and what was on its way just then did not come through
    std::uint32_t boots = 0;
    std::uint32_t runs = 0;  // daemons started so far
    // Its clock: `local` at the moment `since`, and how it goes.
    Duration since{0};
    Duration local{0};
    std::int32_t drift_ppm = 0;
    Duration sends_refused_until{0};
    Duration unfed{0};  // of its watchdog, so far
    Duration agent_delay{0};
    Disk disk = Disk::kWorks;
    Stored next_store = Stored::kLatest;
    core::Durable stored;
    core::Durable stored_before;
    std::uint64_t newest_epoch = 0;  // that was ever on its disk
    core::SpecPtr file;              // its cluster.toml
    core::SpecPtr active;            // what its daemon, or the last one, uses
    std::optional<LocalTime> last_flow;
    std::optional<LocalTime> lease_until;
    std::unique_ptr<core::Replica> replica;
    std::map<GroupId, Here> groups;
    std::vector<Shot> shots;
    std::map<MonitorId, Watched> watched;
    struct Fencer {
      Device device = Device::kWorks;
      std::optional<Duration> takes;
    };
    std::vector<Fencer> devices;  // that switch it off, by level
    std::vector<Event> deferred;  // events that wait until it goes on
  };

  // ---- the queue
  void push(Event event);
  void push(Duration moment, const Machine& machine, What what, std::uint64_t one = 0, std::uint64_t two = 0);
  void after(Span span, const Machine& machine, What what, std::uint64_t one = 0, std::uint64_t two = 0) {
    push(now_ + random_.within(span), machine, what, one, two);
  }
  void dispatch(const Event& event);
  void dispatch_to_daemon(Machine& machine, const Event& event);
  bool is_void(const Event& event) const;
  bool must_wait(const Event& event) const;
  void release(Machine& machine);

  // ---- network (cluster_network.cc)
  bool connected(const Machine& one, const Machine& other) const;
  bool corosync_alive(const Machine& machine) const;
  bool flows(const Machine& machine) const;
  enum class Change : std::uint8_t { kLoss, kGain };
  void network_changed(Change change);
  void reform();
  void reform_again(Duration delay);
  std::vector<NodeSet> components();
  bool is_transitive() const;
  void give_vote();
  void break_rings();
  void schedule_traffic();
  void schedule_pump(Machine& machine);
  void schedule_order(Machine& machine);
  void schedule_judges();
  void pump(Machine& machine);
  bool end_old_ring(Machine& machine);
  void deliver_next(Machine& machine);
  void order(Machine& machine);
  core::RingChange named(core::RingChange change) const;
  void forget_messages();

  // ---- daemons
  void boot_corosync(Machine& machine);
  void stop_corosync(Machine& machine);
  void start_daemon(Machine& machine);
  void stop_daemon(Machine& machine);
  void input(Machine& machine, const core::Input& input);
  void take(Machine& machine, core::Effects effects);
  void act(Machine& machine, core::Effect& effect);
  void timer(Machine& machine);
  void store(Machine& machine, core::Store& store);
  void written(Machine& machine, std::uint64_t token, std::uint64_t slot);
  void observe_later(Machine& machine, core::Fact fact);
  void observed(Machine& machine, std::uint64_t slot);
  void count_lost_orders(const Machine& machine);

  // ---- executors, fences, watchdogs, monitors (cluster_machine.cc)
  void execute(Machine& machine, GroupId group, const core::Order& order);
  void stop_without_order(Machine& machine, GroupId group);
  void begin(Machine& machine, GroupId group, Job job);
  void kill_job(Machine& machine, GroupId group);
  void next_resource(Machine& machine, GroupId group);
  void agent_acts(Machine& machine, GroupId group, std::uint32_t number);
  void start_acts(Machine& machine, GroupId group);
  void stop_acts(Machine& machine, GroupId group);
  void conclude(Machine& machine, GroupId group);
  void probe(Machine& machine, GroupId group);
  void set_up(Machine& machine, GroupId group, std::uint64_t up);
  static std::uint64_t all_of(const Machine& machine, GroupId group);
  void fence(Machine& machine, NodeId target, const core::FenceOrder& order);
  void cancel_fence(Machine& machine, NodeId target, const core::OrderId& order);
  void shot_acts(Machine& machine, std::uint32_t number);
  void shot_ends(Machine& machine, std::uint32_t number, std::uint64_t acted);
  void watchdog(Machine& machine);
  bool watches(const Machine& machine, GroupId group) const;
  void say_monitor(Machine& machine, MonitorId monitor);
  void say_monitors_of(Machine& machine, GroupId group);
  void reset(Machine& machine, const std::string& by);

  std::size_t index(NodeId node) const;
  Machine& own(NodeId node) { return machines_[index(node)]; }
  const Machine& own(NodeId node) const { return machines_[index(node)]; }
  Duration read_clock(const Machine& machine) const;
  void note(const Machine& machine, const std::string& what) {
    if (observer_) observer_->note(machine.id, what);
  }

  core::SpecPtr spec_;
  Options options_;
  Random random_;
  TestChannel channel_;
  std::vector<NodeId> ids_;
  std::vector<Machine> machines_;
  PerMachine<PerMachine<bool>> cut_{};
  PerMachine<bool> arbiter_cut_{};
  bool reform_is_due_ = false;
  Duration now_{0};
  std::uint64_t number_ = 0;  // of the last event
  std::vector<Event> queue_;  // a heap
  std::deque<core::Message> messages_;
  MessageRef first_message_ = 1;
  struct Saying {
    core::Fact fact;
    std::uint64_t last_job = 0;  // GroupReport: the group's, when this was seen
  };
  std::map<std::uint64_t, Saying> facts_;          // on their way to a daemon
  std::map<std::uint64_t, core::Durable> writes_;  // on their way to a disk
  std::uint64_t next_slot_ = 0;
  std::uint32_t next_job_ = 0;      // of jobs and shots
  std::uint64_t next_process_ = 0;  // incarnations
  std::uint64_t next_request_ = 0;
  std::uint64_t delivered_ = 0;
  WorldCounts counts_;
  Observer* observer_ = nullptr;
};

}  // namespace komainu::sim
