// The only source of chance in a virtual cluster: small, fast and the same everywhere (splitmix64, Steele et
// al., OOPSLA 2014). Equal seeds give equal runs.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace komainu::sim {

// A stretch of time of which some moment is chosen; of one moment, if both are equal.
struct Span {
  Duration least{0};
  Duration most{0};
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t word() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Below `bound`.
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((word() >> 32) * bound >> 32);
  }
  bool one_in(std::uint32_t chances) { return below(chances) == 0; }
  Duration within(Span span) {
    if (span.most <= span.least) return span.least;
    return span.least + Duration{static_cast<Duration::rep>(
                            word() % static_cast<std::uint64_t>((span.most - span.least).count() + 1))};
  }

 private:
  std::uint64_t state_;
};

}  // namespace komainu::sim
