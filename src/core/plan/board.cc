#include "core/plan/board.h"

#include <ranges>
#include <utility>

namespace komainu::core {

Places::Places(const State& state) {
  for (const auto& [id, node] : state.nodes) {
    const PlaceId place = Spec::place_of(id);
    if (is_unsteady(state, node)) unsteady.insert(place);
    if (node.standing != Standing::kMember || node.suspended || !state.spec->node(id)) continue;
    answering.insert(place);
    if (node.leaving || node.is_to_be_fenced() || !state.spec->guarded_by(node.watchdog)) continue;
    able.insert(place);
    if (node.duty == Duty::kActive) taking.insert(place);
  }
  for (const auto& [id, monitor] : state.monitors) {
    const Monitor* configured = state.spec->monitor(id);
    if (!configured || configured->affects.empty() || monitor.suspended) continue;
    Watched watched{.monitor = configured, .affects = configured->affects};
    if (!std::ranges::is_sorted(watched.affects)) {
      watched.sorted = configured->affects;
      std::ranges::sort(watched.sorted);
      watched.affects = watched.sorted;
    }
    for (const auto& [place, health] : monitor.at) {
      if (health == Health::kFailed) watched.failed.insert(place);
      if (is_unsteady(state, monitor, place)) continue;
      if (health == Health::kHealthy || health == Health::kWarning) watched.fine.insert(place);
      if (health == Health::kHealthy) watched.healthy.insert(place);
    }
    for (const auto& [place, since] : monitor.since) {
      if (state.clock - since >= configured->common_mode_wait) watched.steady.insert(place);
    }
    monitors.push_back(std::move(watched));  // moving keeps `sorted` where it is
  }
}

Board::Board(const State& state) : state_(state), places_(state) {
  verdicts_.assign(kMaxNodes, Verdict::kUnknown);
  for (const auto& [id, node] : state.nodes) {
    verdicts_[id.value] = judge(state, Spec::place_of(id)).verdict;
  }
  find_capacities();
  for (const auto& [id, group] : spec().groups) relate(group);
  dependents_.seal();
  apart_.seal();
  near_.seal();
  auto configured = spec().groups.begin();
  for (const auto& [id, known] : state.groups) {
    while (configured != spec().groups.end() && configured->first < id) ++configured;
    if (configured == spec().groups.end()) break;
    if (configured->first != id) continue;
    for (const auto& [place, activity] : known.at) load(configured->second, place);
  }
}

void Board::find_capacities() {
  for (const auto& [node, capacity] : spec().capacity) {
    for (const auto& [name, amount] : capacity) capacities_.push_back(name);
  }
  std::ranges::sort(capacities_);
  capacities_.erase(std::ranges::unique(capacities_).begin(), capacities_.end());
  limits_.assign(kMaxNodes * capacities_.size(), kUnlimited);
  used_.assign(kMaxNodes * capacities_.size(), 0);
  groups_on_.assign(kMaxNodes, 0);
  scratch_.assign(capacities_.size(), 0);
  for (const auto& [node, capacity] : spec().capacity) {
    for (const auto& [name, amount] : capacity) {
      const auto at = std::ranges::lower_bound(capacities_, std::string_view(name)) - capacities_.begin();
      limits_[index(Spec::place_of(node), static_cast<std::size_t>(at))] = amount;
    }
  }
}

void Board::relate(const Group& group) {
  for (const Dependency& dependency : group.after) dependents_.add(dependency.other, group.id);
  for (GroupId other : group.apart) {
    apart_.add(group.id, other);
    apart_.add(other, group.id);
  }
  for (GroupId other : group.near) {
    near_.add(group.id, other);
    near_.add(other, group.id);
  }
}

void Board::needs_of(const Group& group, std::span<std::int64_t> needs) const {
  // Both are sorted by name.
  auto need = group.needs.begin();
  for (std::size_t capacity = 0; capacity < capacities_.size(); ++capacity) {
    while (need != group.needs.end() && need->first < capacities_[capacity]) ++need;
    needs[capacity] = need != group.needs.end() && need->first == capacities_[capacity] ? need->second : 0;
  }
}

void Board::load(const Group& group, PlaceId place) {
  ++groups_on_[place.value];
  if (group.needs.empty() || capacities_.empty()) return;
  needs_of(group, scratch_);
  for (std::size_t capacity = 0; capacity < capacities_.size(); ++capacity) {
    used_[index(place, capacity)] += scratch_[capacity];
  }
}

PlaceSet Board::heading(GroupId group) const {
  const GroupState* known = state_.group(group);
  PlaceSet places = known ? known->places() : PlaceSet{};
  if (auto booked = booked_.find(group); booked != booked_.end()) places |= booked->second;
  return places;
}

void Board::book(GroupId group, PlaceId place) {
  if (heading(group).contains(place)) return;
  booked_[group].insert(place);
  if (const Group* configured = spec().group(group)) load(*configured, place);
}

}  // namespace komainu::core
