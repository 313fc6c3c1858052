#include "core/plan/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "core/admit/admit.h"
#include "core/record/events.h"
#include "core/rules.h"

namespace komainu::core {
namespace {

constexpr const char* kInterrupted = "its stop was interrupted";

bool is_stop(const std::optional<Order>& order) {
  return order && order->kind == OrderKind::kStop;
}

bool must_share(const State& state, const Dependency& dependency, PlaceId here) {
  if (dependency.where != Dependency::Where::kSamePlace) return false;
  const GroupState* other = state.group(dependency.other);
  const std::optional<PlaceId> there = other ? other->online() : std::nullopt;
  return there && *there != here;
}

// Two groups that must be apart are both here, and it is this one that yields: the one that names the other,
// or of two that name each other the one placed later.
const Group* conflict(const State& state, const Group& group, PlaceId here) {
  for (GroupId id : group.apart) {
    const GroupState* known = state.group(id);
    const Group* other = state.spec->group(id);
    if (!known || !other || !known->at.contains(here)) continue;
    const bool mutual = std::ranges::find(other->apart, group.id) != other->apart.end();
    const bool placed_first =
        group.priority > other->priority || (group.priority == other->priority && group.id < id);
    if (!mutual || !placed_first) return other;
  }
  return nullptr;
}

const Trouble* trouble_at(const GroupState& known, PlaceId place) {
  return known.trouble && known.trouble->place == place ? &*known.trouble : nullptr;
}

bool is_most_preferred(const Group& group, PlaceId place) {
  return group.prefer.empty() || group.prefer.front() == place;
}

bool fails_at(const Places& places, const Group& group, PlaceId place) {
  return std::ranges::any_of(places.monitors, [&](const Watched& watched) {
    return watched.failed.contains(place) && watched.judges(group.id);
  });
}

// Why a group stops where it is, and what that goes back to; no cause: the stop is the first of its chain.
struct Grounds {
  std::string reason;
  Cause cause;
};

class GroupPlanner {
 public:
  GroupPlanner(const State& state, const Places& places) : state_(state), places_(places), board_(state) {}

  GroupPlans run(const std::vector<const Group*>& groups);

 private:
  // A group with all that is known about it.
  struct Subject {
    const Group& group;
    const GroupState& known;
    Wish wish;
    GroupId id() const { return group.id; }
  };
  struct StopKind {
    bool counts_as_failover = false;
    bool gives_up = false;
  };

  void decide(GroupId id);
  void decide(const Subject& subject);
  void decide_several(const Subject& subject);
  void start(const Subject& subject);
  bool may_start_now(const Subject& subject) const;
  void keep_place_booked(const Subject& subject);
  void decide_up(const Subject& subject, PlaceId here, Activity activity);
  std::optional<Grounds> must_leave(const Subject& subject, PlaceId here) const;
  bool leaves_for_better(const Subject& subject, PlaceId here);
  void recover(const Subject& subject, PlaceId here, Activity activity);
  void end_ladder(const Subject& subject, PlaceId here, const Ladder& ladder, const std::string& why);
  void fail_back(const Subject& subject, PlaceId here);

  void stop(const Subject& subject, PlaceId here, Grounds grounds, StopKind kind);
  void stop_at_once(const Subject& subject, PlaceId here, Grounds grounds, StopKind kind);
  bool dependents_are_stopped(const Subject& subject, Cause cause);

  // Nobody but `here` may be running it: restarting it there, or starting it elsewhere, can be admitted.
  bool only_here(GroupId id, PlaceId here) const { return PlaceSet{here}.includes(state_.may_run(id)); }
  Incarnation incarnation(PlaceId place) const { return state_.nodes.at(Spec::node_of(place)).incarnation; }
  const Ladder& ladder_of(const Subject& subject, const Trouble* trouble) const;

  const State& state_;
  const Places& places_;
  Board board_;
  GroupPlans plans_;
  std::set<GroupId> entered_;              // decided, or being decided
  std::set<GroupId> leaving_;              // stops here, now or once its dependents have
  std::map<GroupId, Grounds> forced_out_;  // by a group that it depends on
};

GroupPlans GroupPlanner::run(const std::vector<const Group*>& groups) {
  for (const Group* group : groups) decide(group->id);
  return std::move(plans_);
}

void GroupPlanner::decide(GroupId id) {
  if (!entered_.insert(id).second) return;
  const Group* group = state_.spec->group(id);
  const GroupState* known = state_.group(id);
  if (!group || !known) return;
  for (const Dependency& dependency : group->after) decide(dependency.other);
  decide(Subject{*group, *known, wish_of(*group, *known)});
}

void GroupPlanner::decide(const Subject& subject) {
  const GroupState& known = subject.known;
  if (known.at.empty()) {
    if (!known.order) start(subject);
    return;
  }
  if (known.at.size() > 1) return decide_several(subject);
  const auto [here, activity] = *known.at.begin();
  if (!places_.answering.contains(here)) return;
  if (is_stop(known.order)) return keep_place_booked(subject);
  if (known.order) {
    if (auto grounds = must_leave(subject, here)) stop(subject, here, *grounds, {});
    return;
  }
  switch (activity) {
    case Activity::kUnknown:   // its probe is under way
    case Activity::kStarting:  // its report is
    case Activity::kUnsafe:    // its node must be fenced
      return;
    case Activity::kStopping:
      return stop_at_once(subject, here, {kInterrupted, known.cause}, {});
    case Activity::kOnline:
    case Activity::kFailed:
      return decide_up(subject, here, activity);
  }
}

void GroupPlanner::decide_several(const Subject& subject) {
  const GroupState& known = subject.known;
  PlaceSet up;        // starting, online, failed: a stop is due unless it is kept
  PlaceSet in_doubt;  // stopping, or could not be stopped
  for (const auto& [place, activity] : known.at) {
    if (!places_.answering.contains(place)) continue;
    switch (activity) {
      case Activity::kStarting:
      case Activity::kOnline:
      case Activity::kFailed:
        up.insert(place);
        break;
      case Activity::kStopping:
      case Activity::kUnsafe:
        in_doubt.insert(place);
        break;
      case Activity::kUnknown:  // a node that joins has not probed yet: the usual case, and no reason to stop
        break;
    }
  }
  PlaceSet excess = up;
  if (subject.wish != Wish::kStop && !forced_out_.contains(subject.id())) {
    const bool is_double = up.size() > 1 || (subject.group.holds_data && !in_doubt.empty());
    if (!is_double) excess.clear();
    if (auto kept = keeper(subject.group, known)) {
      excess.erase(*kept);
      if (known.order) return;  // one after the other: nothing is at stake
    }
  }
  if (!excess.empty()) {
    return stop_at_once(subject, excess.first(), {"it may be active on several places", known.cause}, {});
  }
  if (known.order) return;
  for (PlaceId place : in_doubt) {
    if (known.at.at(place) == Activity::kStopping)
      return stop_at_once(subject, place, {kInterrupted, known.cause}, {});
  }
}

// ---- nowhere

bool GroupPlanner::may_start_now(const Subject& subject) const {
  if (!state_.may_run(subject.id()).empty()) return false;
  return std::ranges::all_of(subject.group.after, [&](const Dependency& dependency) {
    const GroupState* other = state_.group(dependency.other);
    return other && other->online() && !leaving_.contains(dependency.other);
  });
}

void GroupPlanner::start(const Subject& subject) {
  if (subject.wish != Wish::kRun || !may_start_now(subject)) return;
  const std::optional<PlaceId> place = Placement(board_, subject.group, subject.known).best();
  if (!place) return;
  board_.book(subject.id(), *place);
  plans_.orders.push_back({StartGroup{.group = subject.id(),
                                      .place = *place,
                                      .group_version = subject.known.version,
                                      .incarnation = incarnation(*place),
                                      .spec_version = state_.spec->version},
                           subject.known.cause});
}

void GroupPlanner::keep_place_booked(const Subject& subject) {
  if (subject.wish != Wish::kRun) return;
  if (auto place = Placement(board_, subject.group, subject.known).best()) board_.book(subject.id(), *place);
}

// ---- up, on one place

void GroupPlanner::decide_up(const Subject& subject, PlaceId here, Activity activity) {
  if (auto grounds = must_leave(subject, here)) return stop(subject, here, *grounds, {});
  if (leaves_for_better(subject, here)) return;
  if (activity == Activity::kFailed || trouble_at(subject.known, here))
    return recover(subject, here, activity);
  fail_back(subject, here);
}

std::optional<Grounds> GroupPlanner::must_leave(const Subject& subject, PlaceId here) const {
  if (auto forced = forced_out_.find(subject.id()); forced != forced_out_.end()) return forced->second;
  if (subject.wish == Wish::kStop) {
    return Grounds{subject.known.given_up ? "its recovery was given up" : "it is to be stopped",
                   subject.known.cause};
  }
  const NodeState& node = state_.nodes.at(Spec::node_of(here));
  if (node.leaving) return Grounds{name_of(state_, here) + " is leaving", node.cause};
  if (node.duty == Duty::kStandby) return Grounds{name_of(state_, here) + " is on standby", node.cause};
  return std::nullopt;
}

// Leaves only for a place that can take it and where nothing fails that works here.
bool GroupPlanner::leaves_for_better(const Subject& subject, PlaceId here) {
  if (subject.wish != Wish::kRun || !only_here(subject.id(), here)) return false;
  const Group& group = subject.group;
  const Placement placement(board_, group, subject.known);
  const auto go = [&](std::optional<PlaceId> target, Cause cause, auto reason) {
    if (!target) return false;
    board_.book(subject.id(), *target);
    if (!applies(Rule::kStopBeforeStart)) {
      plans_.orders.push_back({StartGroup{subject.id(), *target, subject.known.version, incarnation(*target),
                                          state_.spec->version},
                               subject.known.cause});
      return true;
    }
    stop(subject, here, {reason(*target), cause}, {});
    return true;
  };
  const auto elsewhere = [&](PlaceId place) { return place != here && placement.is_no_worse(place, here); };

  for (const Dependency& dependency : group.after) {
    if (!must_share(state_, dependency, here)) continue;
    const GroupState* other = state_.group(dependency.other);
    return go(placement.best(elsewhere), other ? other->cause : Cause{},
              [&](PlaceId) { return "it follows " + name_of(state_, dependency.other); });
  }
  const std::optional<PlaceId> asked = subject.known.intent.move_to;
  if (asked && *asked != here &&
      go(placement.best([&](PlaceId place) { return place == *asked && elsewhere(place); }),
         subject.known.cause, [&](PlaceId target) { return "it moves to " + name_of(state_, target); })) {
    return true;
  }
  const NodeState& node = state_.nodes.at(Spec::node_of(here));
  if (node.duty == Duty::kDrained && go(placement.best(elsewhere), node.cause,
                                        [&](PlaceId) { return name_of(state_, here) + " is drained"; })) {
    return true;
  }
  if (!state_.spec->allowed(group).contains(here) && go(placement.best(elsewhere), {}, [&](PlaceId) {
        return name_of(state_, here) + " is not among its places";
      })) {
    return true;
  }
  if (const Group* other = conflict(state_, group, here);
      other && go(placement.best(elsewhere), {}, [&](PlaceId) {
        return "it must not share " + name_of(state_, here) + " with " + other->name;
      })) {
    return true;
  }
  const Monitor* failing = placement.failing_at(here);
  if (failing && !applies(Rule::kCureElsewhereOnly)) {
    stop(subject, here, {failing->name + " failed on " + name_of(state_, here), subject.known.cause}, {});
    return true;
  }
  return failing &&
         go(placement.best([&](PlaceId place) { return place != here && placement.cured(place, here); }),
            subject.known.cause, [&](PlaceId target) {
              return placement.cured(target, here)->name + " failed on " + name_of(state_, here);
            });
}

const Ladder& GroupPlanner::ladder_of(const Subject& subject, const Trouble* trouble) const {
  const Monitor* monitor = trouble && trouble->monitor ? state_.spec->monitor(*trouble->monitor) : nullptr;
  return monitor && monitor->on_failure ? *monitor->on_failure : subject.group.on_failure;
}

// One step of the ladder. A start (or restart) that failed is not tried again on its place as long as another
// can take the group: what broke it there is more often the place than chance.
void GroupPlanner::recover(const Subject& subject, PlaceId here, Activity activity) {
  if (!only_here(subject.id(), here)) return;
  const Placement placement(board_, subject.group, subject.known);
  const Trouble* trouble = trouble_at(subject.known, here);
  const Ladder& ladder = ladder_of(subject, trouble);
  const std::uint32_t resource = trouble ? trouble->resource : 0;
  const bool start_failed = !trouble && activity == Activity::kFailed && placement.failures(here) > 0;
  const std::string why = trouble        ? trouble->evidence
                          : start_failed ? "its start failed"
                                         : "it is up only in part";

  const auto fail_over = [&] {
    if (subject.wish != Wish::kRun || subject.known.failovers.count >= ladder.failover) return false;
    const auto target =
        placement.best([&](PlaceId place) { return place != here && placement.is_no_worse(place, here); });
    if (!target) return false;
    board_.book(subject.id(), *target);
    stop(subject, here, {why, subject.known.cause}, {.counts_as_failover = true});
    return true;
  };
  if (start_failed && fail_over()) return;
  const auto restarts = subject.known.restarts.find(resource);
  const std::uint32_t restarted = restarts == subject.known.restarts.end() ? 0 : restarts->second.count;
  if (restarted < ladder.restart) {
    if (!places_.able.contains(here)) return;
    plans_.orders.push_back({RestartGroup{.group = subject.id(),
                                          .place = here,
                                          .first_resource = resource,
                                          .group_version = subject.known.version,
                                          .incarnation = incarnation(here)},
                             subject.known.cause});
    return;
  }
  if (fail_over()) return;
  end_ladder(subject, here, ladder, why);
}

void GroupPlanner::end_ladder(const Subject& subject, PlaceId here, const Ladder& ladder,
                              const std::string& why) {
  const NodeId node = Spec::node_of(here);
  switch (ladder.then) {
    case FinalAction::kNone:
      return;
    case FinalAction::kStopGroup:
      return stop(subject, here, {why, subject.known.cause}, {.gives_up = true});
    case FinalAction::kStopNode:
    case FinalAction::kRestartOs:
      if (!places_.able.contains(here) || is_last_healthy(state_, node)) return;
      if (ladder.then == FinalAction::kRestartOs && is_braked(state_)) return;
      plans_.actions.try_emplace(node, Planned{NodeAction{.node = node,
                                                          .action = ladder.then,
                                                          .group = subject.id(),
                                                          .group_version = subject.known.version},
                                               subject.known.cause});
      return;
    case FinalAction::kReset:
      plans_.resets.try_emplace(
          node, GroupPlans::Reset{subject.id(), subject.group.name + ": " + why, subject.known.cause});
      return;
  }
}

void GroupPlanner::fail_back(const Subject& subject, PlaceId here) {
  if (subject.group.failback != Failback::kAutomatic || subject.wish != Wish::kRun) return;
  if (is_most_preferred(subject.group, here) || !only_here(subject.id(), here)) return;
  const Placement placement(board_, subject.group, subject.known);
  const auto target = placement.best([&](PlaceId place) {
    return placement.preference(place) < placement.preference(here) && placement.failures(place) == 0 &&
           placement.is_known_good(place);
  });
  if (!target) return;
  board_.book(subject.id(), *target);
  stop(subject, here, {"it fails back to " + name_of(state_, *target), {}}, {});
}

// ---- stopping

void GroupPlanner::stop(const Subject& subject, PlaceId here, Grounds grounds, StopKind kind) {
  leaving_.insert(subject.id());
  if (dependents_are_stopped(subject, grounds.cause)) stop_at_once(subject, here, std::move(grounds), kind);
}

void GroupPlanner::stop_at_once(const Subject& subject, PlaceId here, Grounds grounds, StopKind kind) {
  leaving_.insert(subject.id());
  plans_.orders.push_back({StopGroup{.group = subject.id(),
                                     .place = here,
                                     .group_version = subject.known.version,
                                     .reason = std::move(grounds.reason),
                                     .counts_as_failover = kind.counts_as_failover,
                                     .gives_up = kind.gives_up},
                           grounds.cause});
}

// Makes the groups that come after this one stop. Not waited for is who cannot stop: where nobody answers,
// and where a stop has failed.
bool GroupPlanner::dependents_are_stopped(const Subject& subject, Cause cause) {
  bool stopped = true;
  for (GroupId id : board_.dependents(subject.id())) {
    const GroupState* known = state_.group(id);
    if (!known || known->at.empty()) continue;
    const bool can_stop = std::ranges::any_of(known->at, [&](const auto& entry) {
      return places_.answering.contains(entry.first) && entry.second != Activity::kUnsafe;
    });
    if (!can_stop) continue;
    stopped = false;
    forced_out_.try_emplace(id, Grounds{subject.group.name + ", which it needs, stops", cause});
    decide(id);
  }
  return stopped;
}

}  // namespace

Wish wish_of(const Group& group, const GroupState& known) {
  if (known.given_up || known.intent.wish == Intent::Wish::kStop) return Wish::kStop;
  if (known.intent.wish == Intent::Wish::kRun || group.autostart) return Wish::kRun;
  return Wish::kLeaveAlone;
}

std::optional<PlaceId> keeper(const Group& group, const GroupState& known) {
  if (group.holds_data) return std::nullopt;
  std::optional<PlaceId> online;
  for (const auto& [place, activity] : known.at) {
    if (activity != Activity::kOnline) continue;
    if (online) return std::nullopt;
    online = place;
  }
  return online;
}

bool is_surely_at_rest(const State& state, const Places& places, const Group& group,
                       const GroupState& known) {
  const Wish wish = wish_of(group, known);
  if (known.at.empty()) return known.order || wish != Wish::kRun;
  if (known.at.size() > 1) return false;
  const auto [here, activity] = *known.at.begin();
  if (!places.answering.contains(here)) return true;
  if (known.order) return !is_stop(known.order) && wish != Wish::kStop && places.taking.contains(here);
  if (activity == Activity::kUnknown || activity == Activity::kStarting) return true;
  if (activity != Activity::kOnline || wish == Wish::kStop || trouble_at(known, here)) return false;
  if (!places.taking.contains(here) || fails_at(places, group, here)) return false;
  if (wish == Wish::kLeaveAlone) return true;
  if (known.intent.move_to && *known.intent.move_to != here) return false;
  if (group.failback == Failback::kAutomatic && !is_most_preferred(group, here)) return false;
  if (group.strictness == Strictness::kPreferredOnly && !state.spec->allowed(group).contains(here))
    return false;
  if (!group.apart.empty() && conflict(state, group, here)) return false;
  return std::ranges::none_of(
      group.after, [&](const Dependency& dependency) { return must_share(state, dependency, here); });
}

GroupPlans plan_groups(const State& state, const Places& places) {
  std::vector<const Group*> restless;
  auto known = state.groups.begin();
  for (const auto& [id, group] : state.spec->groups) {
    while (known != state.groups.end() && known->first < id) ++known;
    if (known == state.groups.end() || known->first != id) continue;
    if (!is_surely_at_rest(state, places, group, known->second)) restless.push_back(&group);
  }
  if (restless.empty()) return {};
  std::ranges::stable_sort(restless, std::greater{}, &Group::priority);
  return GroupPlanner(state, places).run(restless);
}

}  // namespace komainu::core
