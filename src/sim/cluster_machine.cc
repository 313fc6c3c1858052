// What a machine does for its daemon: agents, fences, probes, monitors, the watchdog. One thing at a time for
// a group; a new order kills and awaits the one under way.
#include <algorithm>
#include <string>
#include <utility>

#include "core/rules.h"
#include "sim/cluster.h"

namespace komainu::sim {
namespace {

constexpr Span kLateDevice{1s, 20s};  // after the agent has given up
constexpr Span kRefusal{50ms, 200ms};
constexpr Span kKilled{5ms, 50ms};
constexpr std::uint32_t kLooksAtTheDog = 5;  // times in the watchdog's timeout

std::uint64_t bit(std::uint32_t resource) {
  return std::uint64_t{1} << (resource & 63);
}

}  // namespace

std::uint64_t Cluster::all_of(const Machine& machine, GroupId group) {
  const core::Group* configured = machine.active->group(group);
  return configured ? bit(static_cast<std::uint32_t>(configured->resources.size())) - 1 : 0;
}
void Cluster::set_up(Machine& machine, GroupId group, std::uint64_t up) {
  Here& here = machine.groups[group];
  if (std::exchange(here.up, up) != up && observer_) observer_->runs(machine.id, group, up);
}
void Cluster::set_agents(NodeId node, GroupId group, Agents starts, Agents stops) {
  Here& here = own(node).groups[group];
  here.starts = starts;
  here.stops = stops;
}
void Cluster::set_agents(NodeId node, GroupId group, std::uint32_t resource, Work work, Agents agents) {
  own(node).groups[group].agents[{resource, work}] = agents;
}
void Cluster::set_device(NodeId target, std::uint32_t level, Device device, std::optional<Duration> takes) {
  Machine& machine = own(target);
  if (level < machine.devices.size()) machine.devices[level] = {device, takes};
}

// ---- the executor

void Cluster::execute(Machine& machine, GroupId group, const core::Order& order) {
  if (observer_) observer_->executes(machine.id, group, order);
  if (!machine.active->group(group)) return;
  if (order.kind == core::OrderKind::kStop)
    return begin(machine, group, {.kind = Job::Kind::kStop, .order = order.id});
  if (order.kind == core::OrderKind::kRestart)
    return begin(machine, group,
                 {.kind = Job::Kind::kStop, .order = order.id, .restart = order.first_resource});
  begin(machine, group, {.kind = Job::Kind::kStart, .resource = order.first_resource, .order = order.id});
}

void Cluster::stop_without_order(Machine& machine, GroupId group) {
  Here& here = machine.groups[group];
  if (here.job && here.job->kind == Job::Kind::kStop && !here.job->restart) {
    here.job->order.reset();  // its result is the yield's now
    return;
  }
  if (!here.job && here.up == 0 && !machine.replica->holds().contains(group)) return;
  begin(machine, group, {.kind = Job::Kind::kStop});
}

// An agent that is killed has done its work, or not.
void Cluster::kill_job(Machine& machine, GroupId group) {
  Here& here = machine.groups[group];
  if (!here.job) return;
  const Job job = *std::exchange(here.job, std::nullopt);
  here.orphan = false;
  if (job.kind == Job::Kind::kStop) ++counts_.stops_interrupted;
  if (job.kind != Job::Kind::kStart || random_.one_in(2)) return;
  ++counts_.killed_starts_that_acted;
  set_up(machine, group, here.up | bit(job.resource));
}

void Cluster::begin(Machine& machine, GroupId group, Job job) {
  kill_job(machine, group);
  const core::Group* configured = machine.active->group(group);
  if (!configured || configured->resources.empty()) return;
  if (job.kind == Job::Kind::kStop)
    job.resource = core::applies(core::Rule::kStopInReverse)
                       ? static_cast<std::uint32_t>(configured->resources.size()) - 1
                       : job.restart.value_or(0);
  job.number = ++next_job_;
  machine.groups[group].job = job;
  machine.groups[group].last_job = job.number;
  machine.groups[group].orphan = false;
  next_resource(machine, group);
}

void Cluster::next_resource(Machine& machine, GroupId group) {
  Here& here = machine.groups[group];
  Job& job = *here.job;
  const bool starts = job.kind == Job::Kind::kStart;
  const core::Group* configured = machine.active->group(group);
  if (!configured) return here.job.reset();  // it was removed while a stop without an order was under way
  const core::Resource& resource = configured->resources[job.resource];
  const Work work = starts ? Work::kStart : Work::kStop;
  const auto own_agents = here.agents.find({job.resource, work});
  job.doing = own_agents != here.agents.end() ? own_agents->second : starts ? here.starts : here.stops;
  Duration takes = options_.works
                       ? options_.works(group, job.resource, work)
                       : random_.within(starts ? options_.latencies.start : options_.latencies.stop);
  if (!starts && options_.works && (here.up & bit(job.resource)) == 0) takes = Duration{0};
  takes += machine.agent_delay;
  const Duration timeout = starts ? resource.start_timeout : resource.stop_timeout;
  if (job.doing == Agents::kHang || takes >= timeout) {
    job.doing = Agents::kHang;
    takes = timeout;
  }
  push(now_ + takes, machine, What::kAgent, group.value, job.number);
}

void Cluster::agent_acts(Machine& machine, GroupId group, std::uint32_t number) {
  Here& here = machine.groups[group];
  if (!here.job || here.job->number != number) return;
  if (!machine.active->group(group)) return here.job.reset();  // it was removed meanwhile
  here.job->kind == Job::Kind::kStart ? start_acts(machine, group) : stop_acts(machine, group);
}

void Cluster::start_acts(Machine& machine, GroupId group) {
  Here& here = machine.groups[group];
  Job& job = *here.job;
  if (job.doing == Agents::kWork || job.doing == Agents::kFailHalf || job.doing == Agents::kLie)
    set_up(machine, group, here.up | bit(job.resource));
  job.failed = job.doing != Agents::kWork && job.doing != Agents::kLie;
  if (job.failed || job.resource + 1 == machine.active->group(group)->resources.size())
    return conclude(machine, group);
  ++job.resource;
  next_resource(machine, group);
}
void Cluster::stop_acts(Machine& machine, GroupId group) {
  Here& here = machine.groups[group];
  Job& job = *here.job;
  if (job.doing == Agents::kWork || job.doing == Agents::kFailHalf)
    set_up(machine, group, here.up & ~bit(job.resource));
  if (job.doing == Agents::kLie && observer_) observer_->falls_out(machine.id, group, job.resource);
  job.failed = job.doing != Agents::kWork && job.doing != Agents::kLie;
  const bool in_reverse = core::applies(core::Rule::kStopInReverse);
  const std::uint32_t highest =
      static_cast<std::uint32_t>(machine.active->group(group)->resources.size()) - 1;
  const std::uint32_t last = in_reverse ? job.restart.value_or(0) : highest;
  if (!job.failed && job.resource == last && job.restart) {
    job.kind = Job::Kind::kStart;
    job.resource = *std::exchange(job.restart, std::nullopt);
    return next_resource(machine, group);
  }
  if (job.failed || job.resource == last) return conclude(machine, group);
  in_reverse ? --job.resource : ++job.resource;
  next_resource(machine, group);
}

// Stopped means probed.
void Cluster::conclude(Machine& machine, GroupId group) {
  Here& here = machine.groups[group];
  const Job job = *std::exchange(here.job, std::nullopt);
  core::GroupReport report{group, core::Spec::place_of(machine.id), job.order, {}, job.resource, {}};
  if (job.kind == Job::Kind::kStart) {
    const bool good = !job.failed && here.up == all_of(machine, group);
    report.activity = good ? core::Activity::kOnline : core::Activity::kFailed;
    if (!good) report.evidence = job.doing == Agents::kHang ? "its start hangs" : "its start failed";
  } else if (job.failed || (here.up != 0 && core::applies(core::Rule::kStoppedMeansProbed))) {
    if (!job.failed) ++counts_.lies_found_out;
    report.activity = core::Activity::kUnsafe;
    report.evidence = job.doing == Agents::kHang ? "its stop hangs" : "its stop failed";
  }
  if (std::exchange(here.orphan, false)) return;  // nobody waits for it
  here.unsafe_yield = job.kind == Job::Kind::kStop && !job.order && report.activity.has_value();
  for (auto& [id, watched] : machine.watched) {
    const core::Monitor* monitor = machine.active->monitor(id);
    const bool cured = job.kind == Job::Kind::kStart && watched.lasts == Lasts::kUntilRestart;
    if (cured && monitor && monitor->group == group) watched = {};
  }
  if (machine.replica) observe_later(machine, std::move(report));
}

void Cluster::probe(Machine& machine, GroupId group) {
  const Here& here = machine.groups[group];
  if ((here.job && !here.orphan) || !machine.active->group(group)) return;
  core::GroupReport report{group, core::Spec::place_of(machine.id), {}, {}, 0, {}};
  if (here.up == all_of(machine, group)) {
    report.activity = core::Activity::kOnline;
  } else if (here.up != 0) {
    report.activity = core::Activity::kFailed;
    while ((here.up & bit(report.resource)) != 0) ++report.resource;
  }
  const std::uint32_t run = machine.runs;
  input(machine, core::Observed{report, {}});
  if (machine.replica && machine.runs == run) say_monitors_of(machine, group);
}

void Cluster::notice(NodeId node, core::Fact fact) {
  if (own(node).replica) observe_later(own(node), std::move(fact));
}

void Cluster::kill_resource(NodeId node, GroupId group, std::uint32_t resource, Notice notice) {
  Machine& machine = own(node);
  Here& here = machine.groups[group];
  if ((here.up & bit(resource)) == 0) return;
  note(machine, "a process of group " + std::to_string(group.value) + " dies");
  if (observer_) observer_->falls_out(node, group, resource);
  set_up(machine, group, here.up & ~bit(resource));
  if (!here.job && machine.replica && notice == Notice::kAtOnce)
    observe_later(machine,
                  core::ResourceFailed{group, core::Spec::place_of(node), resource, "its process died"});
}

// ---- monitors

void Cluster::set_monitor(NodeId node, MonitorId monitor, core::Health health, std::string evidence,
                          Lasts lasts) {
  Machine& machine = own(node);
  machine.watched[monitor] = {health, std::move(evidence), lasts};
  if (machine.replica) after(options_.latencies.report, machine, What::kMonitor, monitor.value);
}
// A group's monitors run where it is up and at rest, as far as its executor knows.
bool Cluster::watches(const Machine& machine, GroupId group) const {
  const auto here = machine.groups.find(group);
  const auto held = machine.replica->holds().find(group);
  if (held == machine.replica->holds().end() || (here != machine.groups.end() && here->second.job))
    return false;
  return held->second == core::Activity::kOnline || held->second == core::Activity::kFailed;
}
void Cluster::say_monitor(Machine& machine, MonitorId id) {
  const core::Monitor* monitor = machine.active->monitor(id);
  if (!monitor) return;
  core::MonitorResult result{id, core::Spec::place_of(machine.id), core::Health::kUnknown, {}};
  if (!monitor->group || watches(machine, *monitor->group)) {
    const Watched& watched = machine.watched[id];
    result.health = watched.health;
    result.evidence = watched.evidence;
  }
  input(machine, core::Observed{result, {}});
}
void Cluster::say_monitors_of(Machine& machine, GroupId group) {
  for (const auto& [id, monitor] : machine.active->monitors) {
    if (monitor.group == group) after(options_.latencies.report, machine, What::kMonitor, id.value);
  }
}

// ---- fences

void Cluster::fence(Machine& machine, NodeId target, const core::FenceOrder& order) {
  if (observer_) observer_->fences(machine.id, target, order);
  const Shot shot{.number = ++next_job_, .target = target, .order = order};
  machine.shots.push_back(shot);
  const Machine& hit = own(target);
  Machine::Fencer fencer{.device = Device::kDead};
  if (order.level < hit.devices.size()) fencer = hit.devices[order.level];
  const auto acts_after = [&](Span usual) {
    const Span takes = fencer.takes ? Span{*fencer.takes, *fencer.takes} : usual;
    after(takes, machine, What::kShotActs, shot.number);
  };
  switch (fencer.device) {
    case Device::kWorks:
      return acts_after(options_.latencies.fence);
    case Device::kSlow:
      return acts_after(options_.latencies.slow_device);
    case Device::kRefuses:
      return after(kRefusal, machine, What::kShotEnds, shot.number, 0);
    case Device::kDead:
      return after(options_.latencies.gives_up, machine, What::kShotEnds, shot.number, 0);
    case Device::kLate: {
      const Duration gives_up = now_ + random_.within(options_.latencies.gives_up);
      push(gives_up, machine, What::kShotEnds, shot.number, 0);
      return push(gives_up + random_.within(kLateDevice), hit, What::kLateOff);
    }
  }
}

void Cluster::shot_acts(Machine& machine, std::uint32_t number) {
  auto shot = std::ranges::find(machine.shots, number, &Shot::number);
  if (shot == machine.shots.end() || shot->cancelled) return;
  shot->acted = true;
  ++counts_.fenced;
  power_off(shot->target, "fenced by node " + std::to_string(machine.id.value));
  after(options_.latencies.confirm, machine, What::kShotEnds, number, 1);
}
void Cluster::cancel_fence(Machine& machine, NodeId target, const core::OrderId& order) {
  for (Shot& shot : machine.shots) {
    if (shot.target != target || shot.order.id != order) continue;
    shot.cancelled = true;
    if (!shot.acted) after(kKilled, machine, What::kShotEnds, shot.number, 0);
  }
}
// The daemon hears of it, if it is still the one that ordered it.
void Cluster::shot_ends(Machine& machine, std::uint32_t number, std::uint64_t acted) {
  auto found = std::ranges::find(machine.shots, number, &Shot::number);
  if (found == machine.shots.end()) return;
  const Shot shot = *found;
  machine.shots.erase(found);
  const bool confirmed = acted != 0 && !shot.cancelled;
  counts_.fences_failed += confirmed ? 0 : 1;
  if (!machine.replica) return;
  observe_later(machine,
                core::FenceResult{shot.target, shot.order.id, confirmed,
                                  confirmed ? "it was read back as off" : "the device did not confirm"});
}

// ---- the watchdog: fed while the loop lives and what had to be stopped without an order is

void Cluster::watchdog(Machine& machine) {
  const Duration period = spec_->timing.watchdog / kLooksAtTheDog;
  if (period <= 0s) return;
  bool runs = false;
  bool yields = false;
  for (const auto& [group, here] : machine.groups) {
    runs |= here.up != 0 || here.job;
    yields |= here.unsafe_yield || (here.job && !here.job->order);
  }
  const bool loop_lives = machine.replica && !machine.daemon_hung;
  if (!core::applies(core::Rule::kStopFailsStarvesWatchdog)) yields = false;
  const bool fed = !yields && (loop_lives || !runs);
  machine.unfed = fed ? Duration{0} : machine.unfed + period;
  if (machine.unfed >= spec_->timing.watchdog) {
    ++counts_.resets_by_watchdog;
    return reset(machine, "its watchdog");
  }
  push(now_ + period, machine, What::kWatchdog);
}

}  // namespace komainu::sim
