// What one call of plan() looks up again and again: how places stand, who depends on whom, and the load of
// every place, which grows with each order that the call plans. Built anew for each call: plan remembers
// nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/judge/judge.h"
#include "core/state.h"

namespace komainu::core {

// How a monitor that judges places stands, place by place.
struct Watched {
  const Monitor* monitor = nullptr;
  std::span<const GroupId> affects;  // ascending: the configuration's own, or `sorted`
  std::vector<GroupId> sorted;
  PlaceSet fine;  // healthy or warning, and steady: known to work
  PlaceSet healthy;
  PlaceSet failed;
  PlaceSet steady;  // failed or working for longer than common_mode_wait: the other places would say so, too

  bool judges(GroupId group) const { return std::ranges::binary_search(affects, group); }
};

// Places, for all groups alike; costs time in proportion to nodes and monitors only.
struct Places {
  explicit Places(const State& state);

  // The daemon there acknowledges: it can stop groups.
  PlaceSet answering;
  // … and nothing forbids a start by the protocol: no fence is open, it is not leaving, its watchdog is
  // armed.
  PlaceSet able;
  // … nor by the operator.
  PlaceSet taking;
  PlaceSet unsteady;              // of all nodes
  std::vector<Watched> monitors;  // those with `affects` that are not suspended
};

// Pairs of groups, looked up by the first; sorted once.
class Relation {
 public:
  void add(GroupId one, GroupId other) { pairs_.emplace_back(one, other); }
  void seal() {
    std::ranges::sort(pairs_);
    pairs_.erase(std::ranges::unique(pairs_).begin(), pairs_.end());
  }
  auto of(GroupId one) const {
    return std::ranges::equal_range(pairs_, one, {}, &std::pair<GroupId, GroupId>::first) |
           std::views::values;
  }

 private:
  std::vector<std::pair<GroupId, GroupId>> pairs_;
};

class Board {
 public:
  explicit Board(const State& state);

  const State& state() const { return state_; }
  const Spec& spec() const { return *state_.spec; }
  const Places& places() const { return places_; }

  // Groups that start after this one.
  auto dependents(GroupId group) const { return dependents_.of(group); }
  // Named by either of the two.
  auto apart(GroupId group) const { return apart_.of(group); }
  auto near(GroupId group) const { return near_.of(group); }

  Verdict verdict(PlaceId place) const { return verdicts_[place.value]; }

  // Where the group is, or will be once this call's orders are carried out.
  PlaceSet heading(GroupId group) const;
  // From now on the group counts on this place, too.
  void book(GroupId group, PlaceId place);

  // ---- load: capacities that some node limits, by index

  std::span<const std::string_view> capacities() const { return capacities_; }
  // Capacity units that a group uses, by index of capacity; `needs` has room for all of them.
  void needs_of(const Group& group, std::span<std::int64_t> needs) const;
  static constexpr std::int64_t kUnlimited = -1;
  std::int64_t limit(PlaceId place, std::size_t capacity) const { return limits_[index(place, capacity)]; }
  std::int64_t used(PlaceId place, std::size_t capacity) const { return used_[index(place, capacity)]; }
  std::uint32_t groups_on(PlaceId place) const { return groups_on_[place.value]; }

 private:
  std::size_t index(PlaceId place, std::size_t capacity) const {
    return place.value * capacities_.size() + capacity;
  }
  void find_capacities();
  void relate(const Group& group);
  void load(const Group& group, PlaceId place);

  const State& state_;
  Places places_;
  Relation dependents_;
  Relation apart_;
  Relation near_;
  std::vector<Verdict> verdicts_;
  std::map<GroupId, PlaceSet> booked_;
  std::vector<std::string_view> capacities_;
  std::vector<std::int64_t> limits_;
  std::vector<std::int64_t> used_;
  std::vector<std::uint32_t> groups_on_;
  std::vector<std::int64_t> scratch_;
};

}  // namespace komainu::core
