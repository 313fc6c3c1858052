#include "core/plan/placement.h"

#include <fmt/format.h>

#include <ranges>
#include <utility>

namespace komainu::core {
namespace {

constexpr std::int64_t kPermille = 1000;

// Without overflow, for any capacity that the configuration can name.
std::uint32_t permille(std::int64_t used, std::int64_t limit) {
  while (used > (std::int64_t{1} << 50)) {
    used /= 2;
    limit /= 2;
  }
  if (limit <= 0) return used > 0 ? kPermille : 0;
  return static_cast<std::uint32_t>(std::min(used * kPermille / limit, 1000 * kPermille));
}

}  // namespace

Placement::Placement(const Board& board, const Group& group, const GroupState& known)
    : board_(board),
      group_(group),
      known_(known),
      allowed_(board.spec().allowed(group)),
      heading_(board.heading(group.id)),
      needs_(board.capacities().size()) {
  board.needs_of(group, needs_);
  for (const Watched& watched : board.places().monitors) {
    if (watched.judges(group.id)) monitors_.push_back(&watched);
  }
}

std::optional<Obstacle> Placement::node_obstacle(NodeId id) const {
  using Kind = Obstacle::Kind;
  const auto because = [](Kind kind) { return Obstacle{kind, std::nullopt, {}}; };
  const NodeState* node = board_.state().node(id);
  if (!node || node->standing != Standing::kMember) return because(Kind::kNotAMember);
  if (node->suspended) return because(Kind::kSuspended);
  if (node->is_to_be_fenced()) return because(Kind::kBeingFenced);
  if (node->leaving) return because(Kind::kLeaving);
  if (!board_.spec().guarded_by(node->watchdog)) return because(Kind::kUnguarded);
  if (node->duty == Duty::kDrained) return because(Kind::kDrained);
  if (node->duty == Duty::kStandby) return because(Kind::kStandby);
  return std::nullopt;
}

std::optional<Obstacle> Placement::room_obstacle(PlaceId place) const {
  const bool here = heading_.contains(place);
  for (std::size_t capacity = 0; capacity < needs_.size(); ++capacity) {
    const std::int64_t limit = board_.limit(place, capacity);
    if (needs_[capacity] == 0 || limit == Board::kUnlimited || here) continue;
    if (board_.used(place, capacity) + needs_[capacity] > limit) {
      return Obstacle{Obstacle::Kind::kNoRoom, std::nullopt, board_.capacities()[capacity]};
    }
  }
  return std::nullopt;
}

std::optional<Obstacle> Placement::obstacle_at(PlaceId place) const {
  using Kind = Obstacle::Kind;
  if (!allowed_.contains(place)) return Obstacle{Kind::kNotAllowed, std::nullopt, {}};
  if (auto obstacle = node_obstacle(Spec::node_of(place))) return obstacle;
  if (failures(place) > most_failures(group_)) return Obstacle{Kind::kFailedTooOften, std::nullopt, {}};
  for (GroupId other : board_.apart(group_.id)) {
    if (board_.heading(other).contains(place)) return Obstacle{Kind::kApart, other, {}};
  }
  for (const Dependency& dependency : group_.after) {
    if (dependency.where != Dependency::Where::kSamePlace) continue;
    const GroupState* other = board_.state().group(dependency.other);
    if (!other || other->online() != place) return Obstacle{Kind::kNotWithOther, dependency.other, {}};
  }
  return room_obstacle(place);
}

std::uint32_t Placement::failures(PlaceId place) const {
  auto it = known_.failed_at.find(place);
  return it == known_.failed_at.end() ? 0 : it->second.count;
}

std::uint32_t Placement::preference(PlaceId place) const {
  return static_cast<std::uint32_t>(std::ranges::find(group_.prefer, place) - group_.prefer.begin());
}

std::uint32_t Placement::load_after(PlaceId place) const {
  const bool here = heading_.contains(place);
  std::uint32_t worst = 0;
  for (std::size_t capacity = 0; capacity < needs_.size(); ++capacity) {
    const std::int64_t limit = board_.limit(place, capacity);
    if (limit == Board::kUnlimited) continue;
    const std::int64_t used = board_.used(place, capacity) + (here ? 0 : needs_[capacity]);
    worst = std::max(worst, permille(used, limit));
  }
  return worst;
}

Rank Placement::rank_of(PlaceId place) const {
  Rank rank{.place = place};
  enum { kFine, kImperfect, kNotKnown };
  rank.health = board_.verdict(place) == Verdict::kHealthy ? kFine : kImperfect;
  for (const Watched* watched : monitors_) {
    if (watched->failed.contains(place)) {
      ++rank.failing;
    } else if (!watched->fine.contains(place)) {
      rank.health = kNotKnown;
    } else if (!watched->healthy.contains(place)) {
      rank.health = std::max<std::uint32_t>(rank.health, kImperfect);
    }
  }
  const bool here = heading_.contains(place);
  rank.other_than_asked = known_.intent.move_to && *known_.intent.move_to != place;
  rank.unsteady = board_.places().unsteady.contains(place);
  rank.failures = failures(place);
  rank.preference = preference(place);
  rank.moves = !here && !heading_.empty();
  for (GroupId other : board_.near(group_.id)) {
    if (board_.heading(other).contains(place)) --rank.strangers;
  }
  rank.load = load_after(place);
  rank.groups = board_.groups_on(place) + (here ? 0 : 1);
  return rank;
}

Candidate Placement::assess(PlaceId place) const {
  return {place, obstacle_at(place), rank_of(place)};
}

bool Placement::is_no_worse(PlaceId to, PlaceId from) const {
  return std::ranges::none_of(monitors_, [&](const Watched* watched) {
    return watched->failed.contains(to) && !watched->failed.contains(from);
  });
}

const Monitor* Placement::cured(PlaceId to, PlaceId from) const {
  if (!is_no_worse(to, from)) return nullptr;
  const auto found = std::ranges::find_if(monitors_, [&](const Watched* watched) {
    const bool sure = watched->steady.contains(from) && watched->steady.contains(to);
    return watched->failed.contains(from) && watched->fine.contains(to) && sure;
  });
  return found == monitors_.end() ? nullptr : (*found)->monitor;
}

bool Placement::is_known_good(PlaceId place) const {
  return !board_.places().unsteady.contains(place) &&
         std::ranges::all_of(monitors_,
                             [&](const Watched* watched) { return watched->fine.contains(place); });
}

const Monitor* Placement::failing_at(PlaceId place) const {
  for (const Watched* watched : monitors_) {
    if (watched->failed.contains(place)) return watched->monitor;
  }
  return nullptr;
}

std::vector<Candidate> explain_placement(const State& state, GroupId id) {
  const Group* group = state.spec->group(id);
  const GroupState* known = state.group(id);
  if (!group || !known) return {};
  const Board board(state);
  const Placement placement(board, *group, *known);
  std::vector<Candidate> candidates;
  for (const auto& [node, unused] : state.spec->nodes) {
    candidates.push_back(placement.assess(Spec::place_of(node)));
  }
  std::ranges::sort(candidates, {}, [](const Candidate& candidate) {
    return std::pair(candidate.obstacle.has_value(), candidate.rank);
  });
  return candidates;
}

namespace {

std::string why_not(const Spec& spec, const Obstacle& obstacle) {
  using Kind = Obstacle::Kind;
  const Group* group = obstacle.other ? spec.group(*obstacle.other) : nullptr;
  const std::string_view other = group ? std::string_view(group->name) : "another group";
  switch (obstacle.kind) {
    case Kind::kNotAllowed:
      return "not among its preferred places, and strictness is preferred-only";
    case Kind::kNotAMember:
      return "not a member at present";
    case Kind::kSuspended:
      return "its daemon does not answer";
    case Kind::kBeingFenced:
      return "being fenced";
    case Kind::kLeaving:
      return "leaving the cluster";
    case Kind::kUnguarded:
      return "its watchdog is not armed, or too slow";
    case Kind::kDrained:
      return "drained";
    case Kind::kStandby:
      return "on standby";
    case Kind::kFailedTooOften:
      return "it failed there too often";
    case Kind::kApart:
      return fmt::format("must not share a place with {}", other);
    case Kind::kNoRoom:
      return fmt::format("not enough {}", obstacle.capacity);
    case Kind::kNotWithOther:
      return fmt::format("must be where {} is online", other);
  }
  return {};
}

std::string merits(const Rank& rank) {
  std::string text = fmt::format("preference {}", rank.preference + 1);
  if (rank.failing > 0)
    text += fmt::format(", {} monitor{} failing", rank.failing, rank.failing == 1 ? "" : "s");
  if (rank.unsteady) text += ", unsteady";
  if (rank.failures > 0)
    text += fmt::format(", failed there {} time{}", rank.failures, rank.failures == 1 ? "" : "s");
  if (rank.strangers < 0) text += fmt::format(", near {} of its groups", -rank.strangers);
  if (rank.load > 0) text += fmt::format(", load {}.{} %", rank.load / 10, rank.load % 10);
  return text + fmt::format(", runs {} group{} with it", rank.groups, rank.groups == 1 ? "" : "s");
}

}  // namespace

std::string to_text(const Spec& spec, const Candidate& candidate) {
  const Node* node = spec.node(Spec::node_of(candidate.place));
  const std::string_view name = node ? std::string_view(node->name) : "?";
  if (candidate.obstacle) return fmt::format("{}: no: {}", name, why_not(spec, *candidate.obstacle));
  return fmt::format("{}: {}", name, merits(candidate.rank));
}

}  // namespace komainu::core
