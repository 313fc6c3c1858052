// Random schedules: what a seed makes of a cluster. Every choice comes from one source, so a failing run is
// repeated by its seed, and shrunk by RapidCheck to the few choices that matter.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/explore.h"
#include "sim/world.h"

namespace komainu::sim {

// A number below `bound`. Zero always stands for the least that can happen: nothing fails, who is first goes
// on. So a list of choices that is shrunk, or has come to its end, is a quieter schedule.
using Choices = std::function<std::uint32_t(std::uint32_t bound)>;

// Small, fast and the same everywhere: xoshiro-like quality is not needed, repeatability is (splitmix64,
// Steele et al., OOPSLA 2014).
Choices choices_of(std::uint64_t seed);
// The numbers of a list, one after the other; then zeros.
Choices choices_of(std::vector<std::uint16_t> numbers);

struct Scenario {
  Quorum quorum = Quorum::kMajority;
  std::uint32_t nodes = 3;
  std::uint32_t groups = 1;
  enum class Planner : std::uint8_t { kReplicas, kRandom } planner = Planner::kRandom;
  enum class Fencing : std::uint8_t { kFencer, kLease } fencing = Fencing::kFencer;
  // In transitional configurations messages are skipped. Then one position may name two messages, in two
  // rings that will never meet, and only rule 1 is judged.
  enum class Holes : std::uint8_t { kNone, kSome } holes = Holes::kNone;
  std::uint32_t steps = 1'000;
  std::uint32_t faults_percent =
      8;  // of the steps; in storms twice that, in calms next to none; 0: none at all
};

class Chaos {
 public:
  Chaos(const Scenario& scenario, Choices choices);

  // Runs the whole schedule; what went wrong, or nothing.
  std::optional<std::string> run();
  // Faults end: machines boot, daemons start, one ring. Within `bound` of virtual time everything must be in
  // order: one view of all, and, where replicas plan, every group online.
  std::optional<std::string> heal(Duration bound);

  World& world() { return world_; }
  LiveReplicas& replicas() { return replicas_; }
  // What was done, for a failing run.
  void keep_trace() { traces_ = true; }
  const std::vector<std::string>& trace() const { return trace_; }

  // How much happened: a schedule that does nothing proves nothing.
  struct Seen {
    std::uint64_t delivered = 0;
    std::uint64_t started = 0;
    std::uint64_t stopped = 0;
    std::uint64_t fenced = 0;
    std::uint64_t reset = 0;    // by a watchdog
    std::uint64_t settled = 0;  // nodes known to run nothing: fenced, or their lease over
  };
  const Seen& seen() const { return seen_; }

 private:
  void step();
  void change_weather();
  bool progress(NodeId node);
  void fault();
  void repair();
  void start_daemon(NodeId node);
  NodeSet companions_of(NodeId node) const;
  void drop_unsent(NodeSet nodes);
  void say_something(NodeId node);
  void time_passes();
  void timer_rings(NodeId node);
  void guard_by_watchdogs(Duration time);
  void count_settled();
  std::optional<std::string> judge();
  std::optional<std::string> disorder() const;
  void note(std::string line) {
    if (traces_) trace_.push_back(std::move(line));
  }
  NodeId any_node() { return NodeId{choose_(world_.size())}; }
  GroupId any_group() { return GroupId{World::kFirstGroup + choose_(scenario_.groups)}; }
  bool one_in(std::uint32_t chances) { return choose_(chances) + 1 == chances; }
  void forget_messages();

  Scenario scenario_;
  Choices choose_;
  core::SpecPtr spec_;
  LiveReplicas replicas_;
  World world_;
  Comparison comparison_;
  PerMachine<Duration> late_{};   // for so long the daemon's timer has not rung
  PerMachine<Duration> unfed_{};  // lease: for so long nobody has fed the watchdog
  PerMachine<bool> refuses_sends_{};
  NodeSet settled_;
  bool storm_ = true;  // ends before the first step: time to come up
  std::uint32_t weather_lasts_ = 0;
  bool traces_ = false;
  std::vector<std::string> trace_;
  Seen seen_;
};

}  // namespace komainu::sim
