// One random schedule: a cluster and its faults drawn from a seed, ten virtual minutes of them, then quiet,
// and then everything must come to order. The same seed is the same schedule, to the last message.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/judge.h"
#include "sim/workload.h"

namespace komainu::sim {

struct ScheduleReport {
  std::optional<Violation> violation;
  std::string shape;
  Duration length{0};
  std::uint64_t delivered = 0;
  std::uint32_t faults = 0;  // that had something to happen to
  std::bitset<kFaultKinds> kinds;
  PremiseCounts premises{};
  std::vector<std::string> trace;

  // Less than this proves little: what a schedule must be at least.
  static constexpr Duration kShortest = 10min;
  static constexpr std::uint64_t kFewestMessages = 1'000;
  static constexpr std::uint32_t kFewestFaults = 10;
  static constexpr std::size_t kFewestKinds = 3;
  bool is_toy() const {
    return length < kShortest || delivered < kFewestMessages || faults < kFewestFaults ||
           kinds.count() < kFewestKinds;
  }
};

struct Schedule {
  std::uint64_t seed = 1;
  std::vector<Fault> faults;
  // What comes while all nodes are off, say, has nothing to happen to. Then faults come again later until
  // enough has happened to prove something; not so in a schedule that is shrunk.
  enum class TooLittle : std::uint8_t { kIsMadeUp, kIsLeft } too_little = TooLittle::kIsLeft;
  enum class Trace : std::uint8_t { kNone, kKeep } trace = Trace::kNone;
};

// The faults that the seed draws.
Schedule draw_schedule(std::uint64_t seed, const Workloads& workloads, std::uint32_t aggressiveness);
ScheduleReport run_schedule(const Schedule& schedule, const Workloads& workloads);

// A shorter schedule with a violation, by leaving out faults and shortening them; at most `most_runs` are
// tried.
Schedule shrink(Schedule failing, const Workloads& workloads, std::uint32_t most_runs);

}  // namespace komainu::sim
