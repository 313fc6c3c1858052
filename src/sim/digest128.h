// 128-bit digests of worlds and a set of them: at 10^8 states the chance that two different ones are taken
// for the same is below 10^-22.
#pragma once

#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

namespace komainu::sim {

struct Digest128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Digest128&) const = default;
};

// Two independent 64-bit lanes of multiply and rotate, each finished with the mixer of MurmurHash3.
class Hasher128 {
 public:
  void word(std::uint64_t w) {
    a_ = rotate(a_ ^ (w * 0x87c37b91114253d5ULL), 31) * 0x9e3779b97f4a7c15ULL;
    b_ = rotate(b_ + (w ^ 0x52dce729'38495ab5ULL) * 0x4cf5ad432745937fULL, 27) * 0xc2b2ae3d27d4eb4fULL +
         0x38495ab5;
  }
  Digest128 value() const { return {mix(a_ + b_), mix(b_ ^ rotate(a_, 17))}; }

 private:
  static constexpr std::uint64_t rotate(std::uint64_t x, int by) { return x << by | x >> (64 - by); }
  static constexpr std::uint64_t mix(std::uint64_t h) {
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
  }
  std::uint64_t a_ = 0x243f6a8885a308d3ULL;
  std::uint64_t b_ = 0x13198a2e03707344ULL;
};

// Open addressing, linear probing: 16 bytes a place.
class DigestSet {
 public:
  // False: it was there already.
  bool insert(Digest128 digest) {
    if (digest == Digest128{}) digest.low = 1;  // zero marks a free place
    if (2 * (count_ + 1) > places_.size()) grow();
    Digest128& place = find(places_, digest);
    if (place == digest) return false;
    place = digest;
    ++count_;
    return true;
  }
  std::size_t size() const { return count_; }

 private:
  static Digest128& find(std::vector<Digest128>& places, Digest128 digest) {
    std::size_t at = digest.low & (places.size() - 1);
    while (places[at] != Digest128{} && places[at] != digest) at = (at + 1) & (places.size() - 1);
    return places[at];
  }
  void grow() {
    std::vector<Digest128> larger(places_.empty() ? 1 << 12 : 2 * places_.size());
    for (const Digest128& digest : places_)
      if (digest != Digest128{}) find(larger, digest) = digest;
    places_ = std::move(larger);
  }
  std::vector<Digest128> places_;
  std::size_t count_ = 0;
};

}  // namespace komainu::sim
