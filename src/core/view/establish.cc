#include "core/view/establish.h"

#include <algorithm>
#include <tuple>

#include "core/record/events.h"
#include "core/record/record.h"
#include "core/rules.h"

namespace komainu::core {

namespace {

// Later than that of every view in which a member said Hello, seen established by that member or not: ring
// numbers never fall on a node, and rounds never within a ring. Rings of a lone node without Corosync are
// numbered by the clock; they need no more than to rise.
std::uint64_t epoch_of(const ViewId& view, std::uint64_t newest) {
  constexpr std::uint64_t kMostRings = std::uint64_t{1} << 40;
  constexpr int kRoundBits = 16;
  if (!applies(Rule::kEpochByRing)) return newest + 1;
  const std::uint64_t by_ring = view.ring.seq < kMostRings ? view.ring.seq << kRoundBits | view.round : 0;
  return std::max(newest + 1, by_ring);
}

}  // namespace

Succession succession(const Gathering& gathering) {
  Succession result;
  std::uint64_t newest = 0;
  for (const auto& [id, hello] : gathering.hellos) newest = std::max(newest, hello.lineage.epoch);
  for (const auto& [id, hello] : gathering.hellos) {
    if (hello.live && hello.lineage.epoch == newest) result.knowing.insert(id);
  }
  result.epoch = epoch_of(gathering.view, newest);
  // A cold member may have stored a newer epoch than any live one carries: then nobody here knows what was
  // decided in it, and the live states are as good as cold ones.
  auto eligible = [&](NodeId id) { return result.knowing.empty() || result.knowing.contains(id); };
  // Prefixes of one log are ordered by their length; beyond that any order will do, as long as it is the same
  // for all.
  auto rank = [](const Hello& hello) {
    return std::tuple(hello.lineage.epoch, hello.position, hello.spec_version, hello.live);
  };
  const Hello* best = nullptr;
  for (const auto& [id, hello] : gathering.hellos) {
    if (applies(Rule::kDonorKnows) ? !eligible(id) || (best && rank(*best) >= rank(hello)) : best != nullptr)
      continue;
    best = &hello;
    result.donor = id;
  }
  result.identical = true;
  for (const auto& [id, hello] : gathering.hellos) {
    const bool same = hello.state_digest == best->state_digest && hello.spec_digest == best->spec_digest &&
                      hello.live == best->live;
    if (!same) result.identical = false;
    if (!result.knowing.contains(id)) continue;
    if (hello.lineage.view != best->lineage.view) result.conflict = true;
    if (hello.position == best->position && hello.state_digest != best->state_digest) result.conflict = true;
  }
  return result;
}

namespace {

struct Merge {
  State state;
  const Gathering& gathering;
  const Succession& succession;
  Effects& effects;
  NodeSet lost = {};                         // with this view
  std::map<NodeId, Cause> interrupted = {};  // members: of what they stopped while they were on their own

  bool present(NodeId id) const { return gathering.hellos.contains(id); }

  // ---- what decisions may nobody here know of?

  // Members that have been in an established view of which the state that goes on does not know: theirs was
  // split from it, or their store is not the one that they had.
  NodeSet strangers() const {
    NodeSet found;
    for (const auto& [id, node] : state.nodes) {
      if (!applies(Rule::kStrangersMayHave) || !present(id) || succession.knowing.contains(id)) continue;
      if (gathering.hellos.at(id).lineage != node.last_seen) found.insert(id);
    }
    return found;
  }
  // Could another quorate view have decided something? Members without the newest live state count as
  // outside: what they acknowledged before is forgotten.
  bool others_may_have_decided() const {
    NodeSet sure = succession.knowing;
    for (const auto& [id, hello] : gathering.hellos) {
      if (!applies(Rule::kForgetfulMayHave)) sure.insert(id);
    }
    // … or enough of them to make something stable: with an even number of votes fewer than a quorum suffice.
    return state.spec->could_be_quorate(state.spec->node_ids() - sure) ||
           !state.spec->could_be_quorate(sure) || somebody_counts_other_votes();
  }
  // An absent node whose Corosync was not seen to follow the last change of nodes may be quorate by the votes
  // of before.
  bool somebody_counts_other_votes() const {
    return std::ranges::any_of(state.nodes, [&](const auto& entry) {
      const auto& [id, node] = entry;
      const NodeSet counts = node.corosync.counts;
      return !present(id) && !has_stopped(state, id) && !counts.empty() && counts != state.spec->node_ids();
    });
  }
  // Absent nodes that still run nothing. They may have been taken into a view that nobody here knows: if the
  // members come from views that know nothing of each other, or if there is somebody to have taken them. That
  // may be stopped nodes alone, once they are back, which a member that was silent meanwhile has at least
  // seen.
  NodeSet still_stopped() const {
    if (succession.knowing.empty()) return {};
    NodeSet still;
    bool somebody_is_about = false;
    for (const auto& [id, node] : state.nodes) {
      if (present(id)) continue;
      const bool is_stopped = has_stopped(state, id);
      if (is_stopped) still.insert(id);
      somebody_is_about |= !is_stopped || !all_say_stopped(succession.knowing, id);
    }
    if (somebody_is_about && others_may_have_decided() && applies(Rule::kStoppedMayBeBack)) return {};
    if (!unrelated()) return still;
    const NodeSet asked = succession.knowing | strangers();
    NodeSet agreed;
    for (NodeId id : still)
      if (all_say_stopped(asked, id)) agreed.insert(id);
    return agreed;
  }
  bool all_say_stopped(NodeSet asked, NodeId id) const {
    return std::ranges::all_of(
        asked, [&](NodeId member) { return gathering.hellos.at(member).settled.contains(id); });
  }
  bool unrelated() const { return succession.conflict || !strangers().empty(); }

  Standing standing_of(NodeId id, const NodeState& before, bool unknowable, NodeSet still) const {
    if (present(id)) return Standing::kMember;
    const bool was_stopped = has_stopped(state, id);
    if (succession.knowing.empty() && !applies(Rule::kColdAbsentUnknown)) return Standing::kLost;
    if (was_stopped && still.contains(id))
      return before.standing == Standing::kSettled ? Standing::kSettled : Standing::kLeft;
    return unknowable || was_stopped || before.standing == Standing::kUnknown ? Standing::kUnknown
                                                                              : Standing::kLost;
  }

  void nodes() {
    const bool unknowable = applies(Rule::kLostMayRunAnything) &&
                            (succession.knowing.empty() || unrelated() || others_may_have_decided());
    const NodeSet still = still_stopped();
    for (auto& [id, node] : state.nodes) {
      const Standing standing = standing_of(id, node, unknowable, still);
      const Incarnation incarnation = present(id) ? gathering.incarnations.at(id) : node.incarnation;
      const Cause interruption = cause_of_loss(id, node);
      if (present(id)) interrupted[id] = interruption;
      if (node.standing == Standing::kMember && !present(id) && !has_stopped(state, id)) {
        node.cause = interruption;
        lost.insert(id);
      }
      if (standing != node.standing) tell(id, node, standing);
      if (lost.contains(id)) note_loss(state, id, effects);
      if (standing != node.standing || incarnation != node.incarnation || node.suspended) {
        ++node.version;
        node.since = state.clock;
        if (present(id)) {
          node.fence_failures = 0;  // the next fence is another one
          node.cause = {};
        }
      }
      if (incarnation != node.incarnation) node.watchdog.reset();
      if (node.fence_wish && incarnation != node.incarnation)
        drop_fence_wish(state, id, "it has started anew", effects);
      if (node.fence_wish && present(id) && gathering.hellos.size() == 1)
        drop_fence_wish(state, id, "no other node is left to do it", effects);
      node.standing = standing;
      node.incarnation = incarnation;
      node.suspended = false;
      node.ring_member = gathering.ring_nodes.contains(id);
      if (present(id)) {
        node.leaving = false;
        node.last_seen = state.lineage;
      }
      if (standing != Standing::kMember) node.links_down.clear();
    }
  }

  void tell(NodeId id, const NodeState& node, Standing now) {
    const Standing before = node.standing;
    const std::string name = name_of(state, id);
    if (now == Standing::kMember) {
      node_event(effects, Severity::kInfo, EventKind::kView, before == Standing::kLost ? node.cause : Cause{},
                 id, name + " joined");
    } else if (now == Standing::kLeft) {
      node_event(effects, Severity::kInfo, EventKind::kView, node.cause, id, name + " left, running nothing");
    } else if (before == Standing::kMember) {
      node_event(effects, Severity::kAlarm, EventKind::kView, node.cause, id, name + " is lost");
    }
  }

  // Members know best what they run. Orders of older views are void unless begun, and what was begun they
  // report.
  void groups() {
    for (auto& [id, group] : state.groups) {
      const GroupState before = group;
      if (group.order && present(group.order->executor)) group.order.reset();
      for (const auto& [node, hello] : gathering.hellos) {
        const PlaceId place = Spec::place_of(node);
        auto held = hello.holds.find(id);
        // Who had another configuration means other groups by these ids: it will look.
        if (hello.spec_digest != state.spec_digest) {
          group.at[place] = Activity::kUnknown;
        } else if (held == hello.holds.end()) {
          group.at.erase(place);
        } else {
          group.at[place] = held->second;
        }
        if (before.activity(place) == Activity::kOnline && group.activity(place) != Activity::kOnline)
          group.cause = interrupted.at(node);
      }
      for (NodeId node : lost) {
        if (group.at.contains(Spec::place_of(node))) group.cause = state.nodes.at(node).cause;
      }
      if (group.order && !present(group.order->executor) && !applies(Rule::kLostOrderStays)) {
        group.at.erase(group.order->place);
        group.order.reset();
      }
      if (group.trouble && group.activity(group.trouble->place) != Activity::kOnline) group.trouble.reset();
      group.end_move();
      end_double(id, group);
      if (!(group == before)) ++group.version;
    }
  }

  // Online twice: it stays where the members come from whose state goes on, if that is one; the others must
  // stop it. Where that says nothing, all must, and so with data, which both may have written (plan's
  // keeper).
  void end_double(GroupId id, GroupState& group) {
    NodeSet online;
    std::string names;
    for (const auto& [node, hello] : gathering.hellos) {
      auto held = hello.holds.find(id);
      if (held == hello.holds.end() || held->second != Activity::kOnline) continue;
      names += (online.empty() ? "" : " and ") + name_of(state, node);
      online.insert(node);
    }
    if (online.size() < 2) return;
    group_event(effects, Severity::kAlarm, EventKind::kGroup, group.cause, id, std::nullopt,
                name_of(state, id) + " is online on " + names + " at once");
    const NodeSet keep = online & succession.knowing;
    if (succession.conflict || keep.size() != 1) return;
    for (NodeId node : online - keep) group.at[Spec::place_of(node)] = Activity::kFailed;
  }

  // An open fence ends when its executor, present again, does not report it, or is itself known to be off.
  void fences() {
    for (auto& [target, node] : state.nodes) {
      const auto open = node.fences;
      for (const auto& [executor, order] : open) {
        const NodeState* by = state.node(executor);
        bool ended = !by || by->standing == Standing::kSettled || by->standing == Standing::kLeft;
        if (present(executor)) {
          const auto& begun = gathering.hellos.at(executor).fencing;
          auto it = begun.find(target);
          ended = it == begun.end() || it->second != order.id;
        }
        if (ended) node.fences.erase(executor);
      }
      if (open != node.fences) ++node.version;
    }
    for (const auto& [executor, hello] : gathering.hellos) {
      for (const auto& [target, order] : hello.fencing) {
        auto it = state.nodes.find(target);
        if (it == state.nodes.end() || it->second.fences.contains(executor)) continue;
        // Nobody here knows whom it was ordered for: it blocks its target, and vouches for nothing.
        it->second.fences[executor] = FenceOrder{.id = order,
                                                 .executor = executor,
                                                 .executor_incarnation = gathering.incarnations.at(executor),
                                                 .target_incarnation = kNobody};
        ++it->second.version;
      }
    }
  }

  void monitors() {
    auto absent = [&](const auto& entry) { return !present(Spec::node_of(entry.first)); };
    for (auto& [id, monitor] : state.monitors) {
      std::erase_if(monitor.at, absent);
      std::erase_if(monitor.since, absent);
      std::erase_if(monitor.evidence, absent);
    }
  }
};

}  // namespace

bool has_stopped(const State& state, NodeId id) {
  const NodeState* node = state.node(id);
  if (!node) return false;
  if (node->standing == Standing::kLeft || node->standing == Standing::kSettled) return true;
  const PlaceId place = Spec::place_of(id);
  const bool runs_nothing =
      std::ranges::none_of(state.groups, [&](const auto& entry) { return entry.second.at.contains(place); });
  // What it fences must not come back and start something while its agent may still act.
  const bool fences_nobody =
      std::ranges::none_of(state.nodes, [&](const auto& entry) { return entry.second.fences.contains(id); });
  return node->standing == Standing::kMember && node->leaving && runs_nothing && fences_nobody;
}

State establish(const State& donor, const Gathering& gathering, const Succession& succession,
                Effects& effects) {
  Merge merge{donor, gathering, succession, effects};
  State& state = merge.state;
  state.lineage = {succession.epoch, gathering.view};
  state.pending_spec.reset();
  state.decision_version = ~0U;
  for (const auto& [id, hello] : gathering.hellos) {
    state.decision_version = std::min(state.decision_version, hello.decision_version);
  }
  if (succession.knowing.empty()) {
    state.cold = true;
    state.cold_since = state.clock;
  }
  merge.nodes();
  merge.groups();
  merge.fences();
  merge.monitors();
  return std::move(merge.state);
}

}  // namespace komainu::core
