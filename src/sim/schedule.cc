#include "sim/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/admit/admit.h"
#include "core/plan/groups.h"
#include "sim/incidents.h"
#include "sim/shape.h"

namespace komainu::sim {
namespace {

constexpr Duration kUntilUp = 45s;            // boot in peace: there must be something to lose
constexpr Duration kFaultAgain = 10s;         // between faults that come again
constexpr Duration kUntilOrder = 8min;        // in quiet, brakes and back-off included
constexpr Duration kLook = 5s;                // between two looks whether order has come
constexpr Duration kStays = 20s;              // order must last so long
constexpr Duration kOperatorsComeBack = 30s;  // then they resume nodes, and clear and start groups

class Run {
 public:
  Run(const Schedule& schedule, const Workloads& workloads)
      : schedule_(schedule),
        workloads_(workloads),
        random_(schedule.seed),
        shape_(draw_shape(random_, schedule.seed)),
        cluster_(shape_.spec, shape_.options),
        judge_(cluster_, shape_),
        incidents_(cluster_, shape_) {
    if (schedule.trace == Schedule::Trace::kKeep) judge_.keep_trace();
    judge_.on_off([this](NodeId node) { incidents_.went_off(node); });
    judge_.on_moment([this](Moment moment, NodeId node) { incidents_.moment(moment, node); });
    cluster_.observe(&judge_);
  }

  ScheduleReport run() {
    cluster_.power_on_all();
    for (const Fault& fault : schedule_.faults) {
      if (!go_on_until(fault.at)) return report();
      happen(fault);
    }
    if (!go_on_until(workloads_.length) || !make_up_for_what_did_not_happen()) return report();
    incidents_.quiet(left_off());
    judge_.note(cluster_.nodes().front(), "QUIET");
    come_to_order();
    // Of a cluster in which one node is left there is little to hear.
    for (const Duration last = cluster_.now() + 1h; cluster_.delivered() < ScheduleReport::kFewestMessages;) {
      if (cluster_.now() >= last || !go_on_until(cluster_.now() + kLook)) break;
    }
    return report();
  }

 private:
  void happen(const Fault& fault) {
    judge_.note(cluster_.nodes().front(), "FAULT " + describe(fault));
    incidents_.happen(fault);
  }

  // The faults come again one by one, first as they were drawn, then as what can happen to any cluster.
  bool make_up_for_what_did_not_happen() {
    constexpr std::array kEverywhere{FaultKind::kPowerOff, FaultKind::kDaemonCrash, FaultKind::kGroupMove};
    constexpr std::size_t kMost = 200;
    const std::vector<Fault>& drawn = schedule_.faults;
    for (std::size_t i = 0; i < kMost && !drawn.empty() && too_little_happened(); ++i) {
      if (!go_on_until(cluster_.now() + kFaultAgain)) return false;
      Fault again = drawn[i % drawn.size()];
      again.at = cluster_.now();
      if (i >= drawn.size()) again.kind = kEverywhere[i % kEverywhere.size()];
      happen(again);
    }
    return true;
  }
  bool too_little_happened() const {
    return schedule_.too_little == Schedule::TooLittle::kIsMadeUp &&
           (incidents_.happened() < ScheduleReport::kFewestFaults ||
            incidents_.kinds().count() < ScheduleReport::kFewestKinds);
  }

  // Some clusters must come to order without a few of their nodes: as many as the others can do without.
  NodeSet left_off() {
    NodeSet off;
    const core::Spec& spec = *shape_.spec;
    if (!random_.one_in(3) || shape_.guard == Shape::Guard::kSplitRisk) return off;
    const auto most = spec.nodes.size() - (spec.quorum_votes() - spec.arbiter_votes());
    const auto count = std::min<std::size_t>(most, spec.nodes.size() == 2 ? 1 : random_.below(3));
    // Who is fencing right now leaves an order in flight behind.
    const core::Replica* spokesman = cluster_.spokesman();
    if (spokesman && count > 0) {
      for (const auto& [id, node] : spokesman->state().nodes)
        if (!node.fences.empty() && off.empty()) off.insert(node.fences.begin()->first);
    }
    while (off.size() < count)
      off.insert(NodeId{random_.below(static_cast<std::uint32_t>(spec.nodes.size()))});
    off_ = off;
    return off;
  }

  // False: something was wrong on the way.
  bool go_on_until(Duration moment) {
    while (!judge_.violation() && cluster_.now() < moment) {
      const auto next = [&] { return std::min(incidents_.next_due(), moment); };
      while (cluster_.next_event() <= next() && !judge_.violation()) cluster_.step();
      if (judge_.violation()) break;
      cluster_.run_until(next());
      incidents_.run_due();
    }
    return !judge_.violation();
  }

  void come_to_order() {
    if (!go_on_until(cluster_.now() + kOperatorsComeBack)) return;
    const Duration last = cluster_.now() + kUntilOrder;
    Duration in_order_since{0};
    bool in_order = false;
    std::optional<std::string> disorder;
    while (cluster_.now() < last) {
      if (!in_order) ask_for_everything();
      if (!go_on_until(cluster_.now() + kLook)) return;
      disorder = find_disorder();
      if (!std::exchange(in_order, !disorder)) {
        in_order_since = cluster_.now();
      } else if (in_order && cluster_.now() - in_order_since >= kStays) {
        return;
      }
    }
    report_.violation = {Breach::kLiveness,
                         fmt::format("{} s after all faults: {}", kUntilOrder.count() / 1'000'000,
                                     disorder.value_or("order does not last"))};
  }

  // Of two nodes one waits for the other after a boot, and only an operator knows that it will not come.
  void start_the_one_that_is_left() {
    const bool one_stays_off = cluster_.nodes().size() == 2 && off_.size() == 1;
    for (NodeId node : cluster_.nodes()) {
      if (one_stays_off && !off_.contains(node)) cluster_.start_alone(node);
    }
  }

  // What was stopped, given up or drained on purpose must not stay so, or there would be little to look at.
  void ask_for_everything() {
    // Who was shut down, and left when quiet had come already: without it the others may be no quorum.
    for (NodeId node : cluster_.nodes()) {
      if (cluster_.is_on(node) && !cluster_.corosync_runs(node)) cluster_.power_on(node);
    }
    const core::Replica* spokesman = cluster_.spokesman();
    if (!spokesman) return start_the_one_that_is_left();
    const core::State state = spokesman->state();
    const NodeId at = spokesman->self();
    for (const auto& [id, node] : state.nodes) {
      if (node.duty != core::Duty::kActive) cluster_.request(at, core::NodeDuty{id, core::Duty::kActive});
      // Without a fencer only an operator can tell that a node is off which others may still count on.
      const bool vouches = shape_.guard == Shape::Guard::kLease && off_.contains(id) &&
                           node.standing != core::Standing::kSettled;
      if (vouches) cluster_.request(at, core::FenceConfirm{id});
    }
    for (const auto& [id, group] : state.groups) {
      const core::Group& configured = *state.spec->group(id);
      if (group.given_up || core::wish_of(configured, group) != core::Wish::kRun)
        cluster_.request(at, core::GroupStart{id, {}});
      // A ladder may end with nothing, or with what is not done to the last healthy node: then it is
      // somebody's to stop it and start it again.
      const bool failed = group.at.size() == 1 && group.at.begin()->second == core::Activity::kFailed;
      const bool nothing_follows =
          configured.on_failure.then == core::FinalAction::kNone || is_last(state, group);
      if ((failed || group.trouble) && nothing_follows && !group.order)
        cluster_.request(at, core::GroupStop{id});
    }
  }

  // Rule 10.
  std::optional<std::string> find_disorder() const {
    const core::Replica* spokesman = cluster_.spokesman();
    if (!spokesman) return "there is no established view";
    const core::State& state = spokesman->state();
    for (NodeId node : cluster_.nodes()) {
      const core::Replica* replica = cluster_.replica(node);
      if (off_.contains(node)) continue;
      if (!cluster_.is_on(node)) {
        if (core::is_braked(state)) continue;
        return fmt::format("node {} is off", node.value);
      }
      if (!replica || replica->phase() != core::Phase::kEstablished)
        return fmt::format("node {} is out", node.value);
      if (replica->view() != spokesman->view()) return fmt::format("node {} is in another view", node.value);
      if (state.nodes.at(node).suspended) return fmt::format("node {} is suspended", node.value);
      // Nothing starts there. Who was doing it has ended, or is fenced.
      if (!state.nodes.at(node).fences.empty() && !core::is_braked(state))
        return fmt::format("node {} is still being fenced", node.value);
    }
    for (const auto& [id, group] : state.groups) {
      if (auto wrong = disorder_of(state, id, group)) return wrong;
    }
    return std::nullopt;
  }
  std::optional<std::string> disorder_of(const core::State& state, GroupId id,
                                         const core::GroupState& group) const {
    const core::Group& configured = *state.spec->group(id);
    if (has_stale_counter(state, configured, group))
      return fmt::format("a counter of group {} does not fall", id.value);
    const NodeSet running = cluster_.running(id);
    const std::optional<PlaceId> believed = group.online();
    const bool is_shared = shape_.guard == Shape::Guard::kSplitRisk && running.size() > 1;
    if (believed && running != NodeSet{core::Spec::node_of(*believed)} && !is_shared)
      return fmt::format("group {} does not run where it is online ({})", id.value,
                         circumstances(configured, group));
    if (!believed && running.size() == 1 && group.at.empty())
      return fmt::format("group {} runs, and nobody knows", id.value);
    if (believed)
      return group.order ? std::optional(fmt::format("group {} is busy", id.value)) : std::nullopt;
    if (group.given_up || core::wish_of(configured, group) != core::Wish::kRun) return std::nullopt;
    if (core::is_braked(state)) return std::nullopt;
    // What could not be stopped waits for a fencer, or an operator where there is none.
    const bool unsafe = std::ranges::any_of(
        group.at, [](const auto& entry) { return entry.second == core::Activity::kUnsafe; });
    if (unsafe && (state.spec->fencing.empty() || is_last(state, group))) return std::nullopt;
    for (PlaceId place : state.spec->allowed(configured)) {
      if (off_.contains(core::Spec::node_of(place))) continue;
      if (is_eligible(state, configured, group, place))
        return fmt::format("group {} is online nowhere, and node {} could take it ({})", id.value,
                           place.value, circumstances(configured, group));
    }
    return std::nullopt;
  }
  // Only a fence would help there, and the last healthy node is never fenced, nor one without which the
  // others are no quorum.
  static bool is_last(const core::State& state, const core::GroupState& group) {
    return std::ranges::any_of(group.at, [&](const auto& entry) {
      const NodeId node = core::Spec::node_of(entry.first);
      return core::is_last_healthy(state, node) || !core::are_quorate_without(state, node);
    });
  }
  static std::string circumstances(const core::Group& configured, const core::GroupState& group) {
    std::string text = group.order ? "an order is open" : "no order";
    for (const auto& [place, activity] : group.at)
      text += fmt::format(", {} on {}", static_cast<int>(activity), place.value);
    for (GroupId other : configured.apart) text += fmt::format(", apart from {}", other.value);
    for (const core::Dependency& on : configured.after)
      text += fmt::format(", after {}{}", on.other.value,
                          on.where == core::Dependency::Where::kSamePlace ? " on its place" : "");
    for (const auto& [what, need] : configured.needs) text += fmt::format(", needs {} {}", need, what);
    if (group.intent.move_to) text += fmt::format(", is to move to {}", group.intent.move_to->value);
    if (group.trouble)
      text +=
          fmt::format(", in trouble, its ladder ends with {}", static_cast<int>(configured.on_failure.then));
    return text;
  }
  // Counters that have not fallen although their time has passed.
  static bool has_stale_counter(const core::State& state, const core::Group& configured,
                                const core::GroupState& group) {
    const Duration late = configured.on_failure.forget_after + 15s;
    return std::ranges::any_of(group.failed_at, [&](const auto& entry) {
      return entry.second.count > 0 && state.clock - entry.second.last > late;
    });
  }
  static bool is_eligible(const core::State& state, const core::Group& group, const core::GroupState& known,
                          PlaceId place) {
    const core::NodeState& node = state.nodes.at(core::Spec::node_of(place));
    if (node.duty != core::Duty::kActive || node.leaving) return false;
    if (auto failed = known.failed_at.find(place);
        failed != known.failed_at.end() && failed->second.count > 0)
      return false;
    for (const core::Dependency& dependency : group.after) {
      const core::GroupState* other = state.group(dependency.other);
      if (!other || !other->online()) return false;
      if (dependency.where == core::Dependency::Where::kSamePlace && other->online() != place) return false;
    }
    std::map<std::string, std::int64_t> used = group.needs;
    for (const auto& [id, other] : state.groups) {
      if (id == group.id || !other.at.contains(place)) continue;
      const core::Group& configured = *state.spec->group(id);
      const auto names = [](const core::Group& from, GroupId whom) {
        return std::ranges::count(from.apart, whom) != 0;
      };
      if (names(group, id) || names(configured, group.id)) return false;
      for (const auto& [what, need] : configured.needs) used[what] += need;
    }
    auto capacity = state.spec->capacity.find(core::Spec::node_of(place));
    if (capacity == state.spec->capacity.end()) return true;
    return std::ranges::all_of(capacity->second,
                               [&](const auto& limit) { return used[limit.first] <= limit.second; });
  }

  ScheduleReport report() {
    if (judge_.violation()) report_.violation = judge_.violation();
    report_.shape = describe(shape_);
    report_.length = cluster_.now();
    report_.delivered = cluster_.delivered();
    report_.faults = incidents_.happened();
    report_.kinds = incidents_.kinds();
    report_.premises = judge_.premises();
    report_.trace = judge_.trace();
    return std::move(report_);
  }

  const Schedule& schedule_;
  const Workloads& workloads_;
  Random random_;
  Shape shape_;
  Cluster cluster_;
  Judge judge_;
  Incidents incidents_;
  ScheduleReport report_;
  NodeSet off_;  // for good
};

}  // namespace

Schedule draw_schedule(std::uint64_t seed, const Workloads& workloads, std::uint32_t aggressiveness) {
  Random random(seed ^ 0xfa1175);
  return {.seed = seed,
          .faults = draw_faults(workloads, random, aggressiveness, kUntilUp),
          .too_little = Schedule::TooLittle::kIsMadeUp};
}
ScheduleReport run_schedule(const Schedule& schedule, const Workloads& workloads) {
  return Run(schedule, workloads).run();
}

// Halves, then quarters, … of the faults are left out as long as the rest still fails (delta debugging,
// Zeller and Hildebrandt, TSE 2002); then what is left is made shorter.
Schedule shrink(Schedule failing, const Workloads& workloads, std::uint32_t most_runs) {
  std::uint32_t runs = 0;
  const auto fails = [&](const Schedule& candidate) {
    ++runs;
    return run_schedule(candidate, workloads).violation.has_value();
  };
  Schedule as_drawn = failing;
  as_drawn.too_little = Schedule::TooLittle::kIsLeft;
  if (fails(as_drawn)) failing = std::move(as_drawn);
  for (std::size_t chunk = std::max<std::size_t>(failing.faults.size() / 2, 1);
       chunk > 0 && runs < most_runs;) {
    bool less = false;
    for (std::size_t from = 0; from < failing.faults.size() && runs < most_runs;) {
      Schedule candidate = failing;
      const auto begin = candidate.faults.begin() + static_cast<std::ptrdiff_t>(from);
      candidate.faults.erase(
          begin, begin + static_cast<std::ptrdiff_t>(std::min(chunk, candidate.faults.size() - from)));
      if (fails(candidate)) {
        failing = std::move(candidate);
        less = true;
      } else {
        from += chunk;
      }
    }
    if (!less || chunk > failing.faults.size()) chunk /= 2;
  }
  for (std::size_t i = 0; i < failing.faults.size(); ++i) {
    while (runs < most_runs && failing.faults[i].lasts > 100ms) {
      Schedule candidate = failing;
      candidate.faults[i].lasts /= 2;
      if (!fails(candidate)) break;
      failing = std::move(candidate);
    }
  }
  return failing;
}

}  // namespace komainu::sim
