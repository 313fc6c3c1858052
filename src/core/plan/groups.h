// The life cycle of groups: what each should do next.
//
//     should run, nowhere ────────────────▶ start where it is best, once what it comes `after` is online
//     should not run, or must leave ──────▶ stop, dependents first
//     would be better off elsewhere ──────▶ stop, if another place takes it; it starts there once stopped
//     in trouble ─────────────────────────▶ restart ×n ─▶ fail over ×m ─▶ final action
//     on two places ──────────────────────▶ stop all, or all but one
//     where nobody answers ───────────────▶ nothing: fencing comes first (nodes.h)
//
// Groups are decided by descending priority, then id, and after the groups that they depend on. A group that
// is under way elsewhere keeps its future place booked, so that others do not take it meanwhile.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/plan/board.h"
#include "core/plan/placement.h"
#include "core/plan/plan.h"
#include "core/state.h"

namespace komainu::core {

// What should become of a group, by the operator's word and the configuration alone.
enum class Wish : std::uint8_t {
  kRun,
  kLeaveAlone,  // not started by itself; if it runs, it goes on
  kStop,
};
Wish wish_of(const Group& group, const GroupState& known);

// Of several places where a group may be active, the one that keeps it; none: it is stopped at all of them,
// which loses no data, and then started where it is best. A group that holds data is never kept: both copies
// may have been written. Otherwise it is kept where it is online, if that is exactly one place; two places
// that are both online give no hint which of them the clients reach.
std::optional<PlaceId> keeper(const Group& group, const GroupState& known);

// The planner would do nothing for the group, as a look at it and at those it names already shows: most
// groups are left out of planning by that. False says nothing. (A property test holds the two together.)
bool is_surely_at_rest(const State& state, const Places& places, const Group& group, const GroupState& known);

struct GroupPlans {
  std::vector<Planned> orders;
  std::map<NodeId, Planned> actions;  // NodeAction
  struct Reset {
    GroupId group;
    std::string reason;
    Cause cause;
  };
  std::map<NodeId, Reset> resets;  // a ladder's last step is the reset of this node
};

GroupPlans plan_groups(const State& state, const Places& places);

}  // namespace komainu::core
