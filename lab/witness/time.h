// The witness's clock: CLOCK_MONOTONIC in microseconds, which every namespace of the machine and Python's
// time.monotonic() read alike.
#pragma once

#include <chrono>

namespace komainu::witness {

using Duration = std::chrono::microseconds;
using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline Time now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

}  // namespace komainu::witness
