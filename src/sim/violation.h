// What a judge found, and which of the promises of docs/protocol.md ("How it is checked") it breaks: a
// finding that has nothing to do with what a mutant left out proves nothing about it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace komainu::sim {

enum class Breach : std::uint8_t {
  kOnePlace,
  kAbsentMayRun,  // what an absent node really runs, the others think possible
  kRightToAct,
  kStoredFirst,  // what an order depends on is on disks before anybody acts on it
  kSameState,
  kLaterOutranks,  // of two views that share a member the later one has the higher epoch
  kBrakes,
  kBlastRadius,
  kOrderInGroup,
  kSoundOrder,   // stop before start, room, apart, open fences: of the state, not of the world
  kSteadyClock,  // of the stream
  kNotMistaken,  // nobody is taken for stopped, or made to start over, that has done nothing wrong
  kLiveness,
};
inline constexpr std::size_t kBreaches = static_cast<std::size_t>(Breach::kLiveness) + 1;

inline constexpr std::array<std::string_view, kBreaches> kBreachNames{
    "one place",
    "absent may run",
    "right to act",
    "stored before acted",
    "same position, same state",
    "later view outranks",
    "brakes",
    "blast radius",
    "order in a group",
    "sound order",
    "steady clock",
    "nobody is mistaken",
    "liveness",
};

struct Violation {
  Breach breach = Breach::kLiveness;
  std::string what;
};

}  // namespace komainu::sim
