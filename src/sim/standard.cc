#include "sim/standard.h"

#include <string>
#include <utility>

#include "sim/prefixes.h"

namespace komainu::sim {
namespace {

using From = Exploration::From;
using Goal = Exploration::Goal;

// An exploration that promises to end and does not has grown beyond what anybody wants to wait for.
constexpr std::uint64_t kMostToExhaust = 3'000'000;

class List {
 public:
  explicit List(std::uint64_t most_states) : most_states_(most_states) {}

  void exhaust(Exploration exploration) {
    exploration.goal = Goal::kExhaust;
    exploration.most_states = kMostToExhaust;
    all_.push_back(std::move(exploration));
  }
  void search(Exploration exploration) {
    exploration.goal = Goal::kSearch;
    exploration.most_states = most_states_;
    all_.push_back(std::move(exploration));
  }
  std::vector<Exploration> take() { return std::move(all_); }

 private:
  std::uint64_t most_states_;
  std::vector<Exploration> all_;
};

void two_nodes(List& list, const std::string& who, Quorum quorum) {
  auto with = [&](const char* what, From from, Budget budget, World::Immediate immediate = kAtOnce) {
    return Exploration{
        .name = who + ": " + what, .quorum = quorum, .from = from, .budget = budget, .immediate = immediate};
  };
  list.exhaust(with("two starts, split", From::kIdle, {.starts = 2, .rings = 1}));
  list.exhaust(with("start, fence, split", From::kIdle, {.starts = 1, .fences = 1, .rings = 1}));
  list.exhaust(with("start, stop, split", From::kIdle, {.starts = 1, .stops = 1, .rings = 1}));
  list.exhaust(
      with("running, fence, boot", From::kRunning, {.starts = 1, .fences = 1, .rings = 2, .boots = 1}));
  list.exhaust(with("daemon crash while running", From::kRunning,
                    {.starts = 1, .stops = 1, .crashes = 1, .boots = 1}));
  list.exhaust(with("power lost while running", From::kRunning,
                    {.starts = 1, .fences = 1, .rings = 1, .power_offs = 1}));
  list.exhaust(
      with("longer than grace without a word", From::kRunning, {.starts = 1, .rings = 1, .pauses = 1}));
  list.search(with("… with a fence and a merge", From::kRunning,
                   {.starts = 1, .fences = 1, .rings = 2, .pauses = 1}));
  list.exhaust(with("agents that fail", From::kIdle, {.starts = 1, .stops = 1, .failures = 1}));
  list.exhaust(
      with("slow disks and verdicts", From::kIdle, {.starts = 1, .fences = 1, .rings = 1}, {.order = true}));
  list.exhaust(with("disks that fail", From::kIdle, {.starts = 1, .rings = 1, .failures = 1},
                    {.order = true, .verdict = true, .report = true}));
  list.exhaust(with("a message skipped", From::kIdle, {.starts = 1, .rings = 1, .skips = 1}));
  list.exhaust(with("messages never sent", From::kIdle, {.starts = 1, .rings = 1, .drops = 2},
                    {.store = true, .verdict = true, .report = true}));
  list.exhaust(with("a store lost", From::kRunning, {.starts = 1, .rings = 1, .crashes = 1, .stores = 1}));
  Exploration gradual = with("daemons met one by one", From::kRunning, {.starts = 1, .rings = 2});
  gradual.merge = TestChannel::Merge::kGradual;
  list.search(std::move(gradual));
  Exploration apart = with("two groups apart", From::kIdle, {.starts = 2, .rings = 1});
  apart.groups = 2;
  list.exhaust(std::move(apart));
  list.search(with("two starts, split, merge", From::kIdle, {.starts = 2, .rings = 2}));
  list.search(
      with("suspension in a split", From::kIdle, {.starts = 1, .fences = 1, .suspensions = 1, .rings = 1}));
  list.search(
      with("cold start with one missing", From::kBoot, {.starts = 1, .fences = 1, .rings = 1, .boots = 1}));
}

void three_nodes(List& list) {
  auto with = [&](const char* what, From from, Budget budget) {
    return Exploration{.name = std::string("three nodes: ") + what,
                       .quorum = Quorum::kMajority,
                       .from = from,
                       .budget = budget,
                       .immediate = kAtOnce};
  };
  auto after = [&](const char* what, void (*and_then)(World&), Budget budget) {
    Exploration exploration = with(what, From::kIdle, budget);
    exploration.and_then = and_then;
    return exploration;
  };
  list.exhaust(with("running, split, fence", From::kRunning, {.starts = 1, .fences = 1, .rings = 1}));
  list.search(
      after("a start that one member heard", prefix::a_start_only_a_heard, {.starts = 1, .rings = 1}));
  list.search(after("… with both others suspended", prefix::a_start_with_both_others_suspended,
                    {.starts = 1, .rings = 1}));
  list.search(after("an acknowledgement forgotten", prefix::b_forgets_a_start, {.starts = 1, .rings = 1}));
  Exploration lease = with("a lease runs out", From::kRunning, {.starts = 1, .passes = 5});
  lease.and_then = prefix::a_is_cut_off_before_it_hears_of_its_lease;
  lease.fencing = Exploration::Fencing::kLease;
  lease.deliveries = Exploration::Deliveries::kAll;
  list.search(std::move(lease));
  list.search(with("start, split", From::kIdle, {.starts = 1, .rings = 1}));
  list.search(with("start, stop, split", From::kRunning, {.starts = 1, .stops = 1, .rings = 1}));
  list.search(with("split, merge", From::kRunning, {.starts = 1, .rings = 2}));
  list.search(with("suspension, split", From::kIdle, {.starts = 1, .suspensions = 1, .rings = 1}));
  list.search(with("a member starts over", From::kIdle, {.starts = 1, .rings = 1, .crashes = 1}));
  list.search(with("cold start", From::kBoot, {.starts = 1, .rings = 1}));
  list.search(with("a store lost", From::kRunning,
                   {.starts = 1, .rings = 1, .power_offs = 1, .boots = 1, .stores = 1}));
  Exploration apart = with("two groups apart", From::kIdle, {.starts = 2});
  apart.groups = 2;
  list.search(std::move(apart));
}

}  // namespace

std::vector<Exploration> standard_explorations(std::uint64_t most_states) {
  List list(most_states);
  two_nodes(list, "two nodes", Quorum::kTwoNode);
  two_nodes(list, "an arbiter", Quorum::kQnetd);
  list.exhaust({.name = "an arbiter: whose vote moves",
                .quorum = Quorum::kQnetd,
                .from = From::kRunning,
                .budget = {.starts = 1, .fences = 1, .rings = 1, .votes = 2},
                .immediate = kAtOnce});
  list.exhaust({.name = "an arbiter: whose vote moves, in a split",
                .quorum = Quorum::kQnetd,
                .and_then = prefix::a_split,
                .budget = {.starts = 2, .fences = 1, .votes = 3},
                .immediate = kAtOnce});
  three_nodes(list);
  return list.take();
}

}  // namespace komainu::sim
