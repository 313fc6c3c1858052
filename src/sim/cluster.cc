// The queue, and what connects a machine's replica to it.
#include "sim/cluster.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/overloaded.h"
#include "core/rules.h"

namespace komainu::sim {
namespace {

constexpr Duration kClockAtBoot = 10s;  // at least
constexpr Duration kLongestLeave =
    60s;                          // the daemon's patience, where the others fence what it leaves behind
constexpr Span kWakes{0us, 2ms};  // what has waited for a machine to go on
constexpr Span kSlowDisk{1s, 6s};

// The later one sinks: a heap of the earliest.
constexpr auto kLater = [](const auto& one, const auto& other) {
  return std::pair(one.at, one.number) > std::pair(other.at, other.number);
};

}  // namespace

Cluster::Cluster(core::SpecPtr spec, Options options)
    : spec_(std::move(spec)),
      options_(std::move(options)),
      random_(options_.seed, options_.chance),
      channel_(*spec_) {
  for (NodeId id : spec_->node_ids()) ids_.push_back(id);
  machines_.resize(ids_.size());
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    Machine& machine = machines_[i];
    machine.id = ids_[i];
    machine.index = static_cast<std::uint8_t>(i);
    machine.devices.resize(spec_->fencing.size());
    auto differing = options_.files.find(ids_[i]);
    machine.file = machine.active = differing == options_.files.end() ? spec_ : differing->second;
    if (options_.most_drift_ppm == 0) continue;
    const auto width = static_cast<std::uint32_t>(2 * options_.most_drift_ppm + 1);
    machine.drift_ppm = static_cast<std::int32_t>(random_.below(width)) - options_.most_drift_ppm;
  }
}
Cluster::~Cluster() = default;

std::size_t Cluster::index(NodeId node) const {
  const auto found = std::ranges::lower_bound(ids_, node);
  assert(found != ids_.end() && *found == node);
  return static_cast<std::size_t>(found - ids_.begin());
}

// ---- time

void Cluster::push(Event event) {
  event.number = ++number_;
  queue_.push_back(event);
  std::ranges::push_heap(queue_, kLater);
}
void Cluster::push(Duration moment, const Machine& machine, What what, std::uint64_t one, std::uint64_t two) {
  push(Event{moment, 0, what, machine.index, machine.boots, machine.runs, one, two});
}

Duration Cluster::next_event() const {
  return queue_.empty() ? Duration::max() : queue_.front().at;
}
bool Cluster::step() {
  if (queue_.empty()) return false;
  std::ranges::pop_heap(queue_, kLater);
  const Event event = queue_.back();
  queue_.pop_back();
  now_ = std::max(now_, event.at);
  dispatch(event);
  return true;
}
void Cluster::run_until(Duration moment) {
  while (next_event() <= moment) step();
  now_ = std::max(now_, moment);
}

// Of a machine that has been off since, or of a daemon that is gone.
bool Cluster::is_void(const Event& event) const {
  const Machine& machine = machines_[event.machine];
  switch (event.what) {
    case What::kReform:
    case What::kVote:
    case What::kLateOff:
      return false;
    case What::kSwitch:
      return machine.powered || machine.boots != event.boots;
    case What::kAgent:
    case What::kShotActs:
    case What::kShotEnds:
    case What::kDaemon:
    case What::kBoot:
    case What::kWatchdog:
    case What::kOrder:
      return !machine.powered || machine.boots != event.boots;
    default:
      return !machine.replica || machine.boots != event.boots || machine.runs != event.runs;
  }
}

bool Cluster::must_wait(const Event& event) const {
  const Machine& machine = machines_[event.machine];
  switch (event.what) {
    case What::kReform:
    case What::kVote:
    case What::kLateOff:
    case What::kSwitch:
      return false;
    case What::kOrder:
      return machine.frozen || machine.corosync_hung;
    case What::kPump:
    case What::kJudge:
      return machine.frozen || machine.daemon_hung || machine.corosync_hung;
    case What::kAgent:
    case What::kShotActs:
    case What::kDaemon:
    case What::kBoot:
    case What::kWatchdog:
      return machine.frozen;
    default:
      return machine.frozen || machine.daemon_hung;
  }
}

void Cluster::release(Machine& machine) {
  for (Event& event : std::exchange(machine.deferred, {})) {
    event.at = now_ + random_.within(kWakes);
    push(event);
  }
}

void Cluster::dispatch(const Event& event) {
  if (is_void(event)) {
    if (event.what == What::kObserve) facts_.erase(event.a);
    return;
  }
  Machine& machine = machines_[event.machine];
  if (must_wait(event)) {
    machine.deferred.push_back(event);
    return;
  }
  switch (event.what) {
    case What::kReform:
      if (event.a != 0) reform_is_due_ = false;
      return reform();
    case What::kVote:
      return give_vote();
    case What::kLateOff:
      if (!machine.powered) return;
      ++counts_.late_offs;
      return power_off(machine.id, "a fencing device that was thought to have failed");
    case What::kSwitch:
      return power_on(machine.id);
    case What::kOrder:
      machine.order_is_due = false;
      return order(machine);
    case What::kAgent:
      return agent_acts(machine, GroupId{static_cast<std::uint32_t>(event.a)},
                        static_cast<std::uint32_t>(event.b));
    case What::kShotActs:
      return shot_acts(machine, static_cast<std::uint32_t>(event.a));
    case What::kShotEnds:
      return shot_ends(machine, static_cast<std::uint32_t>(event.a), event.b);
    case What::kDaemon:
      return start_daemon(machine);
    case What::kBoot:
      return boot_corosync(machine);
    case What::kWatchdog:
      return watchdog(machine);
    default:
      return dispatch_to_daemon(machine, event);
  }
}

void Cluster::dispatch_to_daemon(Machine& machine, const Event& event) {
  switch (event.what) {
    case What::kPump:
      machine.pump_is_due = false;
      return pump(machine);
    case What::kJudge:
      if (channel_.can_judge(NodeId{machine.index})) {
        core::QuorumVerdict verdict = channel_.judge(NodeId{machine.index});
        verdict.quorate = verdict.quorate && (machine.met_all || !spec_->two_node());
        if (observer_) observer_->quorum(machine.id, verdict);
        input(machine, verdict);
      }
      return;
    case What::kTimer:
      return timer(machine);
    case What::kWritten:
      return written(machine, event.a, event.b);
    case What::kObserve:
      return observed(machine, event.a);
    case What::kMonitor:
      return say_monitor(machine, MonitorId{static_cast<std::uint32_t>(event.a)});
    case What::kProbe:
      return probe(machine, GroupId{static_cast<std::uint32_t>(event.a)});
    default:
      return;
  }
}

Duration Cluster::read_clock(const Machine& machine) const {
  if (machine.frozen) return machine.local;
  const Duration passed = now_ - machine.since;
  return machine.local + passed + passed * machine.drift_ppm / 1'000'000;
}
LocalTime Cluster::local_time(NodeId node) const {
  return LocalTime{read_clock(own(node))};
}

// ---- machines

void Cluster::power_on(NodeId node) {
  Machine& machine = own(node);
  if (machine.powered && machine.corosync) return;
  if (!machine.powered) {
    machine.powered = true;
    ++machine.boots;
    machine.since = now_;
    machine.local = kClockAtBoot + Duration{static_cast<Duration::rep>(random_.below(1'000'000'000))};
    machine.last_flow.reset();
    machine.lease_until.reset();
    machine.unfed = Duration{0};
    machine.met_all = false;
    if (observer_) observer_->powered(node);
    if (spec_->timing.watchdog > 0s) push(now_, machine, What::kWatchdog);
  }
  after(options_.latencies.boot, machine, What::kBoot);
}
void Cluster::power_on_all() {
  for (NodeId node : ids_) power_on(node);
}

void Cluster::power_off(NodeId node, const std::string& by) {
  Machine& machine = own(node);
  if (!machine.powered) return;
  count_lost_orders(machine);
  machine.replica.reset();
  machine.last_flow.reset();
  machine.lease_until.reset();
  if (machine.corosync) channel_.power_off(NodeId{machine.index});
  machine.powered = machine.corosync = machine.frozen = machine.corosync_hung = machine.daemon_hung = false;
  machine.leaving = machine.pump_is_due = machine.order_is_due = false;
  machine.ring_broken = machine.missed_rest = false;
  machine.deferred.clear();
  machine.shots.clear();
  machine.disk_busy_until = now_;
  machine.sends_refused_until = now_;
  for (auto& [group, here] : machine.groups) {
    here.job.reset();
    here.unsafe_yield = here.orphan = false;
    set_up(machine, group, 0);
  }
  if (observer_) observer_->off(node, by);
  network_changed(Change::kLoss);
}

void Cluster::reset(Machine& machine, const std::string& by) {
  power_off(machine.id, by);
  if (options_.boots_after_reset) after(options_.latencies.restart, machine, What::kSwitch);
}

void Cluster::freeze(NodeId node) {
  Machine& machine = own(node);
  if (!machine.powered || machine.frozen) return;
  machine.local = read_clock(machine);
  machine.frozen = true;
  note(machine, "is frozen");
  network_changed(Change::kLoss);
}
void Cluster::thaw(NodeId node) {
  Machine& machine = own(node);
  if (!machine.frozen) return;
  machine.since = now_;
  machine.frozen = false;
  for (const auto& [group, here] : machine.groups) counts_.owners_thawed += here.up != 0 ? 1 : 0;
  note(machine, "is thawed");
  release(machine);
  network_changed(Change::kGain);
}
void Cluster::hang_corosync(NodeId node) {
  Machine& machine = own(node);
  if (!machine.corosync || machine.corosync_hung) return;
  machine.corosync_hung = true;
  note(machine, "its Corosync hangs");
  network_changed(Change::kLoss);
}
void Cluster::resume_corosync(NodeId node) {
  Machine& machine = own(node);
  if (!machine.corosync_hung) return;
  machine.corosync_hung = false;
  note(machine, "its Corosync goes on");
  release(machine);
  network_changed(Change::kGain);
}
void Cluster::hang_daemon(NodeId node) {
  Machine& machine = own(node);
  if (!machine.replica || machine.daemon_hung) return;
  machine.daemon_hung = true;
  note(machine, "its daemon hangs");
}
void Cluster::resume_daemon(NodeId node) {
  Machine& machine = own(node);
  if (!machine.daemon_hung) return;
  machine.daemon_hung = false;
  note(machine, "its daemon goes on");
  release(machine);
}

void Cluster::crash_daemon(NodeId node, Duration away) {
  Machine& machine = own(node);
  if (!machine.replica) return;
  note(machine, "its daemon crashes");
  stop_daemon(machine);
  push(now_ + away, machine, What::kDaemon);
}

void Cluster::shut_down(NodeId node) {
  Machine& machine = own(node);
  if (!machine.powered || machine.leaving) return;
  note(machine, "is shut down in order");
  if (!machine.replica) return stop_corosync(machine);
  machine.leaving = true;
  machine.leaves_by = now_ + kLongestLeave;
  observe_later(machine, core::Leaving{});
}

void Cluster::set_disk(NodeId node, Disk disk) {
  own(node).disk = disk;
  static constexpr const char* kWords[] = {"its disk works", "its disk is slow", "its disk fails"};
  note(own(node), kWords[static_cast<int>(disk)]);
}
void Cluster::set_next_boot_store(NodeId node, Stored stored) {
  own(node).next_store = stored;
}

// ---- daemons

void Cluster::boot_corosync(Machine& machine) {
  if (machine.corosync) return;
  machine.corosync = true;
  channel_.power_on(NodeId{machine.index});
  network_changed(Change::kGain);
  after(options_.latencies.daemon, machine, What::kDaemon);
}
void Cluster::stop_corosync(Machine& machine) {
  if (machine.replica) stop_daemon(machine);
  if (machine.corosync) channel_.power_off(NodeId{machine.index});
  machine.corosync = machine.corosync_hung = machine.leaving = false;
  machine.order_is_due = machine.pump_is_due = false;
  release(machine);
  network_changed(Change::kGain);  // it says goodbye: the others need not wait for its token
}

// A new daemon kills and awaits its predecessor's agents before it says or looks at anything.
void Cluster::start_daemon(Machine& machine) {
  if (!machine.corosync || machine.replica) return;
  ++machine.runs;
  machine.shots.clear();
  for (auto& [group, here] : machine.groups) {
    if (core::applies(core::Rule::kOrphansKilled)) kill_job(machine, group);
  }
  if (machine.next_store != Stored::kLatest) ++counts_.old_stores;
  const Stored found = std::exchange(machine.next_store, Stored::kLatest);
  if (found == Stored::kOld) machine.stored = machine.stored_before;
  if (found == Stored::kLost) machine.stored = {};
  core::ReplicaOptions options;
  options.self = machine.id;
  options.incarnation = core::Incarnation{++next_process_ << 8 | machine.index};
  options.boot = std::uint64_t{machine.boots} << 8 | machine.index;
  options.last_flow = machine.last_flow;
  options.lease_until = machine.lease_until;
  auto version = options_.decision_versions.find(machine.id);
  if (version != options_.decision_versions.end()) options.decision_version = version->second;
  const core::SpecPtr known = machine.stored.spec ? machine.stored.spec : machine.file;
  machine.active = known;
  machine.replica = std::make_unique<core::Replica>(options, known, machine.stored);
  channel_.join(NodeId{machine.index}, static_cast<Process>(machine.runs));
  note(machine, "its daemon starts");
  if (known->timing.watchdog > 0s) input(machine, core::Observed{core::Watchdog{known->timing.watchdog}, {}});
  schedule_traffic();
  schedule_judges();
  push(now_, machine, What::kTimer);
  for (const auto& [id, group] : known->groups)
    after(options_.latencies.probe, machine, What::kProbe, id.value);
  for (const auto& [id, monitor] : known->monitors) {
    if (!monitor.group) after(options_.latencies.probe, machine, What::kMonitor, id.value);
  }
}

// Its applications live on, and an agent may.
void Cluster::stop_daemon(Machine& machine) {
  count_lost_orders(machine);
  machine.last_flow = machine.replica->last_flow();
  machine.lease_until = machine.replica->lease_until();
  machine.replica.reset();
  machine.daemon_hung = false;
  machine.pump_is_due = false;
  channel_.leave(NodeId{machine.index});
  for (auto& [group, here] : machine.groups) {
    if (here.job && random_.one_in(2)) kill_job(machine, group);
    here.orphan = here.job.has_value();
    counts_.orphans += here.orphan ? 1 : 0;
  }
  release(machine);  // what was for the daemon is void now
  schedule_traffic();
}

void Cluster::count_lost_orders(const Machine& machine) {
  for (const auto& [group, here] : machine.groups) counts_.orders_lost += here.job && here.job->order ? 1 : 0;
  counts_.fences_lost += machine.shots.size();
}

void Cluster::input(Machine& machine, const core::Input& input) {
  take(machine, machine.replica->step(LocalTime{read_clock(machine)}, input));
  if (observer_ && machine.replica) observer_->has_stepped(machine.id);
}

void Cluster::take(Machine& machine, core::Effects effects) {
  const std::uint32_t run = machine.runs;
  for (core::Effect& effect : effects) {
    act(machine, effect);
    if (!machine.replica || machine.runs != run) return;
  }
}

void Cluster::act(Machine& machine, core::Effect& effect) {
  std::visit(Overloaded{
                 [&](core::Send& send) {
                   if (observer_) observer_->sends(machine.id, send.message);
                   channel_.send(NodeId{machine.index},
                                 first_message_ + static_cast<MessageRef>(messages_.size()));
                   messages_.push_back(std::move(send.message));
                   schedule_order(machine);
                 },
                 [&](core::Execute& execution) { execute(machine, execution.group, execution.order); },
                 [&](core::Probe& look) {
                   after(options_.latencies.probe, machine, What::kProbe, look.group.value);
                 },
                 [&](core::ExecuteFence& shot) { fence(machine, shot.target, shot.order); },
                 [&](core::CancelFence& cancel) { cancel_fence(machine, cancel.target, cancel.order); },
                 [&](core::Yield& yield) {
                   if (observer_) observer_->yields(machine.id, yield.reason);
                   for (auto& [group, here] : machine.groups) stop_without_order(machine, group);
                 },
                 [&](core::Store& write) { store(machine, write); },
                 [&](core::Rejoin& rejoin) {
                   if (observer_) observer_->starts_over(machine.id, rejoin.reason);
                   stop_daemon(machine);
                   after(options_.latencies.daemon, machine, What::kDaemon);
                 },
                 [&](core::SpecActivated& active) {
                   machine.file = machine.active = active.spec;
                   if (active.spec->version >= spec_->version) spec_ = active.spec;
                 },
                 [&](core::SpecProposed& proposed) {
                   after(options_.latencies.probe, machine, What::kWritten, proposed.token, 0);
                 },
                 [&](core::Answer& answer) {
                   if (observer_) observer_->answers(machine.id, answer);
                 },
                 [&](core::RestartOs& restart) { reset(machine, restart.reason); },
                 [&](core::Event& event) {
                   if (observer_) observer_->tells(machine.id, event);
                 },
                 [](core::Prepare&) {},
             },
             effect);
}

void Cluster::timer(Machine& machine) {
  const std::uint32_t run = machine.runs;
  input(machine, core::Timer{});
  if (!machine.replica || machine.runs != run) return;
  const bool late = now_ >= machine.leaves_by && !spec_->fencing.empty();
  if (machine.leaving && (machine.replica->holds().empty() || late)) return stop_corosync(machine);
  after(options_.latencies.timer, machine, What::kTimer);
}

void Cluster::store(Machine& machine, core::Store& store) {
  const std::uint64_t slot = ++next_slot_;
  writes_.emplace(slot, std::move(store.durable));
  const Span span = machine.disk == Disk::kSlow ? kSlowDisk : options_.latencies.store;
  machine.disk_busy_until = std::max(machine.disk_busy_until, now_) + random_.within(span);
  push(machine.disk_busy_until, machine, What::kWritten, store.token, slot);
}
void Cluster::written(Machine& machine, std::uint64_t token, std::uint64_t slot) {
  auto write = writes_.find(slot);
  if (write == writes_.end()) return input(machine, core::Stored{token, true});
  const bool works = machine.disk != Disk::kFails;
  counts_.failed_writes += works ? 0 : 1;
  if (works) {
    machine.stored_before = std::exchange(machine.stored, std::move(write->second));
    machine.newest_epoch = std::max(machine.newest_epoch, machine.stored.lineage.epoch);
  }
  writes_.erase(write);
  input(machine, core::Stored{token, works});
}

void Cluster::observe_later(Machine& machine, core::Fact fact) {
  const std::uint64_t slot = ++next_slot_;
  const auto* report = std::get_if<core::GroupReport>(&fact);
  const std::uint64_t last_job = report ? machine.groups[report->group].last_job : 0;
  facts_.emplace(slot, Saying{std::move(fact), last_job});
  // In order: what a daemon sees later, such as the end of what it has just started, it says later.
  machine.reported_at = std::max(machine.reported_at, now_ + random_.within(options_.latencies.report));
  push(machine.reported_at, machine, What::kObserve, slot);
}
void Cluster::observed(Machine& machine, std::uint64_t slot) {
  auto found = facts_.find(slot);
  if (found == facts_.end()) return;
  const auto [fact, last_job] = std::move(found->second);
  facts_.erase(found);
  // What was seen before something else was begun is not said: the engine's Node forgets it, too.
  if (auto* report = std::get_if<core::GroupReport>(&fact);
      report && !report->order && machine.groups[report->group].last_job != last_job)
    return;
  const std::uint32_t run = machine.runs;
  input(machine, core::Observed{fact, {}});
  auto* report = std::get_if<core::GroupReport>(&fact);
  if (report && machine.replica && machine.runs == run) say_monitors_of(machine, report->group);
}

// ---- operators

std::uint64_t Cluster::request(NodeId at, decltype(core::Request::what) what) {
  const std::uint64_t number = ++next_request_;
  Machine& machine = own(at);
  const bool listens = machine.replica && !machine.daemon_hung && !machine.frozen;
  if (listens) input(machine, core::Observed{core::Request{number, "operator", std::move(what)}, {}});
  return number;
}

void Cluster::start_alone(NodeId node) {
  Machine& machine = own(node);
  machine.met_all = true;
  if (!machine.replica || machine.daemon_hung || machine.frozen) return;
  const std::uint8_t ring = channel_.port(NodeId{machine.index}).ring;
  const core::QuorumVerdict verdict{channel_.rings()[ring].id, channel_.quorate(NodeId{machine.index})};
  if (observer_) observer_->quorum(machine.id, verdict);
  input(machine, verdict);
}

// ---- to look at

const core::Replica* Cluster::spokesman() const {
  const core::Replica* best = nullptr;
  for (const Machine& machine : machines_) {
    const core::Replica* replica = machine.replica.get();
    if (!replica || replica->phase() != core::Phase::kEstablished) continue;
    if (!best || replica->state().lineage > best->state().lineage) best = replica;
  }
  return best;
}
std::uint64_t Cluster::resources_up(NodeId node, GroupId group) const {
  const Machine& machine = own(node);
  auto here = machine.groups.find(group);
  return here == machine.groups.end() ? 0 : here->second.up;
}
NodeSet Cluster::running(GroupId group) const {
  NodeSet nodes;
  for (NodeId node : ids_) {
    if (resources_up(node, group) != 0) nodes.insert(node);
  }
  return nodes;
}
core::RingId Cluster::ring_of(NodeId node) const {
  return channel_.rings()[channel_.port(NodeId{own(node).index}).ring].id;
}
NodeSet Cluster::have_stored(std::uint64_t epoch) const {
  NodeSet nodes;
  for (const Machine& machine : machines_) {
    if (machine.newest_epoch >= epoch) nodes.insert(machine.id);
  }
  return nodes;
}

}  // namespace komainu::sim
