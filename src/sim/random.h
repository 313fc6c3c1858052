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

enum class Chance : std::uint8_t {
  kRules,
  kNone,  // the first of several, the middle of a stretch, and nothing out of the ordinary
};

class Random {
 public:
  explicit Random(std::uint64_t seed, Chance chance = Chance::kRules) : state_(seed), chance_(chance) {}

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
  bool one_in(std::uint32_t chances) { return chance_ == Chance::kRules && below(chances) == 0; }
  Duration within(Span span) {
    if (span.most <= span.least) return span.least;
    if (chance_ == Chance::kNone) return (span.least + span.most) / 2;
    return span.least + Duration{static_cast<Duration::rep>(
                            word() % static_cast<std::uint64_t>((span.most - span.least).count() + 1))};
  }

 private:
  std::uint64_t state_;
  Chance chance_;
};

}  // namespace komainu::sim
