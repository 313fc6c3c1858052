#include "sim/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/overloaded.h"
#include "core/admit/admit.h"
#include "core/invariants/invariants.h"
#include "sim/replicas.h"

namespace komainu::sim {
namespace {

constexpr std::size_t kViewsKept = 12;

// Trims what belongs to views that nobody is in any more.
template <class Views>
void bound(Views& views) {
  while (views.size() > kViewsKept) views.erase(views.begin());
}

}  // namespace

Judge::Judge(const Cluster& cluster, const Shape& shape) : cluster_(cluster), shape_(shape) {
  for (NodeId node : cluster.nodes()) seen_[node];
}

void Judge::wrong(Breach broken, std::string what) {
  if (violation_) return;
  violation_ = {broken,
                fmt::format("at {:.3f} s: {}", static_cast<double>(cluster_.now().count()) / 1e6, what)};
  if (traces_) trace_.push_back("VIOLATION " + violation_->what);
}
void Judge::trace(NodeId node, const std::string& what) {
  if (traces_)
    trace_.push_back(
        fmt::format("{:10.4f}  {}  {}", static_cast<double>(cluster_.now().count()) / 1e6, node.value, what));
}

PremiseCounts Judge::premises() const {
  PremiseCounts all = counts_;
  const WorldCounts& world = cluster_.counts();
  const auto set = [&](Premise premise, std::uint64_t count) {
    all[static_cast<std::size_t>(premise)] += count;
  };
  set(Premise::kFenceFailed, world.fences_failed);
  set(Premise::kLateFence, world.late_offs);
  set(Premise::kFenceLost, world.fences_lost);
  set(Premise::kOwnerThawed, world.owners_thawed);
  set(Premise::kOrderLost, world.orders_lost);
  set(Premise::kOrphan, world.orphans);
  set(Premise::kKilledStartActed, world.killed_starts_that_acted);
  set(Premise::kStopLied, world.lies_found_out);
  set(Premise::kStoreStale, world.old_stores);
  set(Premise::kStoreFailed, world.failed_writes);
  set(Premise::kWatchdogFired, world.resets_by_watchdog);
  set(Premise::kSendsRefused, world.sends_refused);
  return all;
}

// ---- what the world does

// Rule 1: no group is active in two places. A process on a machine that stands still counts: it goes on where
// it was.
void Judge::runs(NodeId node, GroupId group, std::uint64_t resources) {
  if (traces_) trace(node, fmt::format("WORLD group {} has resources {:b}", group.value, resources));
  judge_order(node, group, resources);
  if (resources == 0 || shape_.guard == Shape::Guard::kSplitRisk) return;
  const NodeSet running = cluster_.running(group);
  if (running.size() < 2) return;
  std::string names;
  for (NodeId one : running) names += fmt::format(" {}", one.value);
  wrong(Breach::kOnePlace, fmt::format("group {} runs on nodes{}", group.value, names));
}

// Rule 8: started in order, stopped in reverse.
void Judge::judge_order(NodeId node, GroupId group, std::uint64_t resources) {
  Resources& known = resources_[{node, group}];
  const std::uint64_t before = std::exchange(known.up, resources);
  const std::uint64_t rose = resources & ~before;
  const std::uint64_t fell = before & ~resources;
  const bool fell_out = (known.fallen_out & fell) != 0;
  known.fallen_out &= ~rose;
  const auto below = [](std::uint64_t bits) { return (bits & -bits) - 1; };
  if (rose != 0 && (below(rose) & ~resources & ~known.fallen_out) != 0)
    wrong(Breach::kOrderInGroup, fmt::format("on node {} a resource of group {} starts before one below it",
                                             node.value, group.value));
  if (fell != 0 && !fell_out && (resources & ~below(fell) & ~known.fallen_out) != 0)
    wrong(Breach::kOrderInGroup, fmt::format("on node {} a resource of group {} stops before one above it",
                                             node.value, group.value));
}
void Judge::falls_out(NodeId node, GroupId group, std::uint32_t resource) {
  resources_[{node, group}].fallen_out |= std::uint64_t{1} << (resource & 63);
}

void Judge::off(NodeId node, const std::string& by) {
  if (traces_) trace(node, "WORLD off: " + by);
  seen_[node] = {};
  std::erase_if(resources_, [&](const auto& entry) { return entry.first.first == node; });
  const bool fenced = by.starts_with("fenced");
  if (fenced && !wanted_off_.contains(node)) judge_brake(by);
  if (on_off_ && by != "a loss of power") on_off_(node);
}

// Rule 6: never more fences in the brakes' window than configured, as counted by what was switched off.
// What an operator asked for does not count. Losses of one moment count once; moments are told apart by
// stream time, which stands still while there is no view.
void Judge::judge_brake(const std::string& by) {
  constexpr Duration kMoment = 12s;
  const core::Brakes& brakes = cluster_.spec().brakes;
  const core::Replica* spokesman = cluster_.spokesman();
  fenced_.emplace_back(cluster_.now(), spokesman ? spokesman->state().clock : Duration{0});
  const Duration window = brakes.window - brakes.window / 20;
  std::uint32_t moments = 0;
  std::optional<Duration> moment;
  for (const auto& [at, clock] : fenced_) {
    if (cluster_.now() - at > window || (moment && clock - *moment < kMoment)) continue;
    moment = clock;
    ++moments;
  }
  if (moments > brakes.fences + 1)
    wrong(Breach::kBrakes, fmt::format("{}: fences at {} moments in {} s, and the brake allows {}", by,
                                       moments, brakes.window.count() / 1'000'000, brakes.fences));
}

void Judge::powered(NodeId node) {
  trace(node, "WORLD powered on");
}
void Judge::note(NodeId node, const std::string& what) {
  if (traces_) trace(node, "WORLD " + what);
}
void Judge::ring(NodeId node, const core::RingChange& change) {
  if (traces_) {
    std::string names;
    for (const auto& [id, process] : change.members) names += fmt::format(" {}#{}", id.value, process);
    trace(node, fmt::format("ring {}.{} with{}", change.ring.leader, change.ring.seq, names));
  }
  seen_[node].ring = change.ring;
  if (cluster_.replica(node)->phase() == core::Phase::kSyncing) count(Premise::kSnapshotInterrupted);
}
void Judge::quorum(NodeId node, const core::QuorumVerdict& verdict) {
  if (traces_)
    trace(node, fmt::format("quorum {}.{} {}", verdict.ring.leader, verdict.ring.seq,
                            verdict.quorate ? "yes" : "no"));
  seen_[node].verdict = verdict;
  if (verdict.quorate) return;
  count(cluster_.channel().has_arbiter() ? Premise::kArbiterDenied : Premise::kSplit);
}

// ---- what is said

void Judge::sends(NodeId node, const core::Message& message) {
  if (traces_) trace(node, "says " + describe(message));
  if (auto* ack = std::get_if<core::Ack>(&message.body)) return look_at_ack(node, message, *ack);
  if (std::holds_alternative<core::Snapshot>(message.body)) return count(Premise::kSnapshot);
  auto* proposal = std::get_if<core::Proposal>(&message.body);
  // By what its planner knew: what it says may be overtaken by better news.
  auto* stop = proposal ? std::get_if<core::StopGroup>(proposal) : nullptr;
  if (stop) judge_reason(cluster_.replica(node)->state(), *stop);
  auto* settle = proposal ? std::get_if<core::SettleNode>(proposal) : nullptr;
  if (settle && settle->why == core::SettleNode::Why::kLeaseOver) count(Premise::kLeaseWaited);
}

// Rule 4: who acknowledges one position of one view has one state.
void Judge::look_at_ack(NodeId node, const core::Message& message, const core::Ack& ack) {
  auto& of_view = digests_[message.view];
  const auto [known, fresh] = of_view.try_emplace(ack.position, ack.digest);
  if (!fresh && known->second != ack.digest)
    wrong(Breach::kSameState, fmt::format("node {} has another state than others at position {} of one view",
                                          node.value, ack.position));
  if (fresh) bound(digests_);
}

void Judge::look_at_hello(const core::Message& message, const core::Hello& hello) {
  if (!hello.live) return;
  const auto [known, fresh] = lineage_of_view_.try_emplace(message.view, hello.lineage.view);
  if (!fresh && known->second != hello.lineage.view) {
    count(Premise::kLineagesMerged);
    known->second = hello.lineage.view;
  }
  bound(lineage_of_view_);
}

void Judge::delivers(NodeId node, const core::Message& message) {
  const core::Replica& replica = *cluster_.replica(node);
  if (traces_ && !std::holds_alternative<core::Ack>(message.body)) trace(node, "hears " + describe(message));
  if (auto* hello = std::get_if<core::Hello>(&message.body)) {
    if (replica.phase() == core::Phase::kEstablished && message.view == replica.view())
      count(Premise::kLateHello);
    return look_at_hello(message, *hello);
  }
  if (message.view != replica.view()) return count(Premise::kOtherView);
  if (replica.phase() != core::Phase::kEstablished) return;
  if (auto* fact = std::get_if<core::Fact>(&message.body)) return look_at_fact(node, replica, *fact);
  if (auto* proposal = std::get_if<core::Proposal>(&message.body)) look_at_proposal(node, replica, *proposal);
}

void Judge::look_at_fact(NodeId node, const core::Replica& replica, const core::Fact& fact) {
  const core::State& state = replica.state();
  std::visit(Overloaded{
                 [&](const core::GroupReport& report) {
                   const core::GroupState* group = state.group(report.group);
                   const bool superseded =
                       report.order && (!group || !group->order || group->order->id != report.order);
                   if (superseded) count(Premise::kSupersededResult);
                   if (report.activity == core::Activity::kUnsafe) count(Premise::kStopFailed);
                 },
                 [&](const core::FenceResult& result) {
                   const core::NodeState* target = state.node(result.target);
                   if (!result.confirmed || !target) return;
                   for (const auto& [executor, order] : target->fences)
                     if (order.id == result.order && order.target_incarnation != target->incarnation)
                       count(Premise::kFenceOutlived);
                 },
                 [&](const core::Tick&) {
                   Seen& seen = seen_[node];
                   if (!std::exchange(seen.braked, core::is_braked(state)) && seen.braked)
                     count(Premise::kBrakeHeld);
                 },
                 [&](const core::Request& request) {
                   if (std::holds_alternative<core::FenceConfirm>(request.what))
                     count(Premise::kFenceConfirmedByHand);
                 },
                 [](const auto&) {},
             },
             fact);
}

void Judge::look_at_proposal(NodeId node, const core::Replica& replica, const core::Proposal& proposal) {
  const core::State& state = replica.state();
  const auto starts = [&](GroupId group) {
    seen_[node].start = group;
    for (const auto& [id, known] : state.nodes)
      if (known.suspended) return count(Premise::kStartWithSuspendedMember);
  };
  std::visit(Overloaded{
                 [&](const core::StartGroup& start) { starts(start.group); },
                 [&](const core::RestartGroup& restart) { starts(restart.group); },
                 [&](const core::StopGroup& stop) {
                   const core::GroupState* group = state.group(stop.group);
                   if (group && group->order && group->order->kind != core::OrderKind::kStop)
                     count(Premise::kStartOvertaken);
                   if (stop.gives_up) count(Premise::kGivenUp);
                 },
                 [](const auto&) {},
             },
             proposal);
}

// Rule 7: a health fault moves a group only where something is better.
void Judge::judge_reason(const core::State& state, const core::StopGroup& stop) {
  for (const auto& [id, monitor] : state.spec->monitors) {
    if (monitor.group || !stop.reason.starts_with(monitor.name + " failed on")) continue;
    const auto& at = state.monitors.at(id).at;
    const bool better = std::ranges::any_of(state.nodes, [&](const auto& entry) {
      auto seen = at.find(core::Spec::place_of(entry.first));
      return entry.second.standing == core::Standing::kMember && seen != at.end() &&
             seen->second != core::Health::kFailed;
    });
    if (!better)
      wrong(Breach::kBlastRadius,
            fmt::format("group {} leaves for {}, which fails everywhere", stop.group.value, monitor.name));
  }
}

void Judge::tells(NodeId node, const core::Event& event) {
  if (traces_) trace(node, "tells: " + event.text);
  if (event.kind == core::EventKind::kView && event.text.ends_with("does not answer"))
    count(Premise::kSuspended);
  if (event.kind != core::EventKind::kConfig) return;
  count(event.text.starts_with("this node's") ? Premise::kOtherFile : Premise::kConfigActivated);
}
void Judge::answers(NodeId node, const core::Answer& answer) {
  if (traces_) trace(node, fmt::format("answers {}: {}", answer.accepted ? "yes" : "no", answer.text));
}
// Rule 3: only who was last told that its present ring is quorate starts or fences.
void Judge::judge_right_to_act(NodeId node, const char* what) {
  const Seen& seen = seen_[node];
  if (!seen.verdict || !seen.verdict->quorate || seen.verdict->ring != seen.ring)
    wrong(Breach::kRightToAct, fmt::format("node {} {} without quorum", node.value, what));
}

// What is started is started in a view that enough disks know of: those of all members, or of so many that
// the other nodes can never be quorate without one of them.
void Judge::judge_stored(NodeId node) {
  const core::State& state = cluster_.replica(node)->state();
  const NodeSet stored = cluster_.have_stored(state.lineage.epoch);
  NodeSet asked = state.members();
  for (const auto& [id, known] : state.nodes)
    if (known.standing == core::Standing::kSettled) asked.erase(id);
  if (stored.includes(asked) || !state.spec->could_be_quorate(state.spec->node_ids() - stored)) return;
  wrong(Breach::kStoredFirst,
        fmt::format("node {} starts a group in a view that only {} of {} members have stored", node.value,
                    (stored & asked).size(), asked.size()));
}

void Judge::executes(NodeId node, GroupId group, const core::Order& order) {
  if (order.kind != core::OrderKind::kStop) {
    judge_right_to_act(node, "starts");
    judge_stored(node);
    comes(Moment::kStart, node);
  }
  if (traces_)
    trace(node, fmt::format("EXECUTES {} of group {}",
                            order.kind == core::OrderKind::kStop ? "stop" : "start", group.value));
}
void Judge::fences(NodeId node, NodeId target, const core::FenceOrder&) {
  if (traces_) trace(node, fmt::format("FENCES {}", target.value));
  judge_right_to_act(node, "fences");
  wanted_off_.erase(target);
  const core::NodeState* known = cluster_.replica(node)->state().node(target);
  if (known && known->fence_wish) {
    wanted_off_.insert(target);
    count(Premise::kFenceAskedFor);
  }
  count(Premise::kFenceNeeded);
  comes(Moment::kFence, node);
}
void Judge::yields(NodeId node, const std::string& reason) {
  if (traces_) trace(node, "YIELDS: " + reason);
  count(reason == "the lease has run out" ? Premise::kLeaseRanOut : Premise::kYielded);
}
void Judge::starts_over(NodeId node, const std::string& reason) {
  if (traces_) trace(node, "STARTS OVER: " + reason);
  // No message is skipped here and devices do not lie: only a lease can have run out while its node lived.
  const bool settled = reason.ends_with("taken it for stopped");
  if (!settled || shape_.guard == Shape::Guard::kFencer)
    wrong(Breach::kNotMistaken, fmt::format("node {} starts over for nothing: {}", node.value, reason));
  count(Premise::kStartedOver);
}

// ---- the state after each step

void Judge::has_stepped(NodeId node) {
  const core::Replica& replica = *cluster_.replica(node);
  Seen& seen = seen_[node];
  const core::Phase before = std::exchange(seen.phase, replica.phase());
  const std::optional<GroupId> start = std::exchange(seen.start, std::nullopt);
  if (seen.phase != core::Phase::kEstablished) {
    if (std::exchange(seen.pending_spec, false)) count(Premise::kConfigPendingInterrupted);
    return;
  }
  const bool same =
      before == seen.phase && seen.view == replica.view() && seen.position == replica.position();
  if (same) return;
  const core::State& state = replica.state();
  const bool enters = seen.view != replica.view() || before != seen.phase;
  if (enters) {
    comes(Moment::kView, node);
    judge_epoch(replica.view(), state);
    judge_absent(node, replica.view(), state);
    entered(node, state);
  }
  // No tick ages the counters of hours at once (docs/protocol.md, "Time and configuration").
  if (!enters && state.clock - seen.clock > 5s)
    wrong(Breach::kSteadyClock, fmt::format("stream time of node {} jumps", node.value));
  seen.clock = state.clock;
  seen.view = replica.view();
  seen.position = replica.position();
  seen.pending_spec = state.pending_spec.has_value();
  if (auto broken = core::broken_invariant(state))
    wrong(Breach::kSoundOrder, fmt::format("node {}: {}", node.value, *broken));
  if (!start || !state.groups.contains(*start)) return;
  const auto& order = state.groups.at(*start).order;
  if (!order || order->id != core::OrderId{replica.view(), replica.position()}) return;
  comes(Moment::kOrder, order->executor);
  if (auto unsound = core::unsound_start(state, *start))
    wrong(Breach::kSoundOrder, fmt::format("node {}: {}", node.value, *unsound));
}

// Whether or not that member saw the earlier one established.
void Judge::judge_epoch(const core::ViewId& view, const core::State& state) {
  const std::pair<std::uint64_t, std::uint64_t> when{view.ring.seq, view.round};
  const std::uint64_t epoch = state.lineage.epoch;
  for (NodeId member : state.members()) {
    auto& known = epochs_[state.nodes.at(member).incarnation];
    const auto [at, fresh] = known.try_emplace(when, epoch);
    if (!fresh) continue;
    const bool outranked = at != known.begin() && std::prev(at)->second >= epoch;
    const bool outranks = std::next(at) != known.end() && std::next(at)->second <= epoch;
    if (outranked || outranks)
      wrong(Breach::kLaterOutranks,
            fmt::format(
                "the daemon of node {} was in two views of which the later does not outrank the earlier",
                member.value));
    bound(known);
  }
}

// Of a view that is not over already: who comes late to one, as when its Corosync hung, knows what was true
// then. It is over when so many have left it, or its ring, that nothing becomes stable in it any more.
void Judge::judge_absent(NodeId node, const core::ViewId& view, const core::State& state) {
  if (shape_.guard == Shape::Guard::kSplitRisk || cluster_.ring_of(node) != view.ring) return;
  const NodeSet members = state.members();
  NodeSet still_there;
  for (NodeId member : members) {
    const core::Replica* replica = cluster_.replica(member);
    const bool in_later = replica && replica->view().ring == view.ring && replica->view().round > view.round;
    if (cluster_.ring_of(member) == view.ring && !in_later) still_there.insert(member);
  }
  if (still_there != members && state.spec->could_be_quorate(state.spec->node_ids() - still_there)) return;
  for (const auto& [id, group] : state.groups) {
    for (NodeId absent : cluster_.running(id) - members) {
      if (!state.nodes.contains(absent) || state.may_run(id).contains(core::Spec::place_of(absent))) continue;
      wrong(Breach::kAbsentMayRun, fmt::format("node {} does not know that group {} may run on node {}",
                                               node.value, id.value, absent.value));
    }
  }
}

void Judge::entered(NodeId node, const core::State& state) {
  if (state.members().first() != node) return;  // one of them speaks for all
  bool unknown = false;
  for (const auto& [id, known] : state.nodes) {
    if (known.standing == core::Standing::kMember && !known.fences.empty())
      count(Premise::kMemberWithOpenFence);
    unknown |= known.standing == core::Standing::kUnknown;
  }
  if (unknown) count(Premise::kUnknownNode);
  if (!state.cold || state.cold_since != state.clock) return;
  fenced_.clear();
  count(Premise::kColdStart);
  if (state.members().size() < state.nodes.size()) count(Premise::kColdStartWithNodeMissing);
}

}  // namespace komainu::sim
