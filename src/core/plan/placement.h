// Where a group should run: hard filters first (an Obstacle each), then one lexicographic comparison (Rank).
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan/board.h"
#include "core/state.h"

namespace komainu::core {

// Why a group cannot go to a place.
struct Obstacle {
  enum class Kind : std::uint8_t {
    kNotAllowed,  // strictness = preferred-only
    kNotAMember,
    kSuspended,  // its daemon acknowledges nothing
    kBeingFenced,
    kLeaving,
    kUnguarded,
    kDrained,
    kStandby,
    kFailedTooOften,
    kApart,         // `other` is there, or will be
    kNoRoom,        // of `capacity`
    kNotWithOther,  // must be where `other` is online
  } kind = Kind::kNotAMember;
  std::optional<GroupId> other;
  std::string_view capacity;  // points into the Spec
};

// Smaller is better, member by member.
struct Rank {
  std::uint32_t failing = 0;      // monitors that judge the group's places and fail there
  bool other_than_asked = false;  // the operator asked for another place
  bool unsteady = false;          // the node was lost again and again
  std::uint32_t failures = 0;     // of the group there, not forgotten yet
  std::uint32_t preference = 0;   // position in `prefer`; behind all of them if not named
  bool moves = false;             // it is somewhere else now
  std::uint32_t health = 0;       // of what is known about the place, the worst
  std::int32_t strangers = 0;     // minus the number of `near` groups there
  std::uint32_t load = 0;         // permille of the scarcest capacity, after placing
  std::uint32_t groups = 0;       // number of groups, after placing
  PlaceId place;
  auto operator<=>(const Rank&) const = default;
};

struct Candidate {
  PlaceId place;
  std::optional<Obstacle> obstacle;
  Rank rank;  // also where there is an obstacle
};

// Beyond so many failures on a place the group does not go there again until some are forgotten: what the
// whole ladder may cause there.
inline std::uint32_t most_failures(const Group& group) {
  return group.on_failure.restart + group.on_failure.failover;
}

// One group's view of all places; valid as long as nothing is booked.
class Placement {
 public:
  Placement(const Board& board, const Group& group, const GroupState& known);

  Candidate assess(PlaceId place) const;

  // The best of the places that have no obstacle and satisfy `acceptable`.
  template <class Predicate>
  std::optional<PlaceId> best(Predicate acceptable) const {
    std::optional<Rank> best;
    for (const auto& [node, unused] : board_.spec().nodes) {
      const PlaceId place = Spec::place_of(node);
      if (!board_.places().taking.contains(place) || !acceptable(place) || obstacle_at(place)) continue;
      const Rank rank = rank_of(place);
      if (!best || rank < *best) best = rank;
    }
    return best ? std::optional(best->place) : std::nullopt;
  }
  std::optional<PlaceId> best() const {
    return best([](PlaceId) { return true; });
  }

  // ---- health of `to` compared with that of `from`, as the monitors that judge this group's places say

  // Nothing fails at `to` that works at `from`.
  bool is_no_worse(PlaceId to, PlaceId from) const;
  // … and something that fails at `from` is known to work at `to`. What fails at both is no reason to move.
  // Null: there is none.
  const Monitor* cured(PlaceId to, PlaceId from) const;
  // Everything is known to work there, and has for a while.
  bool is_known_good(PlaceId place) const;
  // A monitor that fails here, for the reason given to the administrator.
  const Monitor* failing_at(PlaceId place) const;

  std::uint32_t preference(PlaceId place) const;
  std::uint32_t failures(PlaceId place) const;

 private:
  std::optional<Obstacle> obstacle_at(PlaceId place) const;
  std::optional<Obstacle> node_obstacle(NodeId node) const;
  std::optional<Obstacle> room_obstacle(PlaceId place) const;
  Rank rank_of(PlaceId place) const;
  std::uint32_t load_after(PlaceId place) const;

  const Board& board_;
  const Group& group_;
  const GroupState& known_;
  PlaceSet allowed_;
  PlaceSet heading_;
  std::vector<std::int64_t> needs_;
  std::vector<const Watched*> monitors_;  // that judge the group's places
};

// Every configured place with what speaks for and against it: those that can take the group first, best
// first.
std::vector<Candidate> explain_placement(const State& state, GroupId group);

// "node2: drained", "node1: 1st choice; a monitor fails there": one line for the administrator.
std::string to_text(const Spec& spec, const Candidate& candidate);

}  // namespace komainu::core
