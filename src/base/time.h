// Time comes in from outside: no code below src/engine reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace komainu {

// Microseconds; the only unit of durations inside komainu.
using Duration = std::chrono::microseconds;

// A reading of the local CLOCK_BOOTTIME. Readings of two nodes are never compared.
struct LocalTime {
  Duration since_boot{0};

  auto operator<=>(const LocalTime&) const = default;
  friend constexpr LocalTime operator+(LocalTime t, Duration d) { return {t.since_boot + d}; }
  friend constexpr LocalTime operator-(LocalTime t, Duration d) { return {t.since_boot - d}; }
  friend constexpr Duration operator-(LocalTime a, LocalTime b) { return a.since_boot - b.since_boot; }
};

using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

}  // namespace komainu
