#include "base/nearest.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace komainu {
namespace {

constexpr std::size_t kLongest = 128;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Three rows of the usual table: a swap looks two rows back.
std::size_t distance(std::string_view a, std::string_view b) {
  using Row = std::array<std::size_t, kLongest + 1>;
  Row rows[3];
  Row *before = &rows[0], *above = &rows[1], *row = &rows[2];
  for (std::size_t j = 0; j <= b.size(); ++j) (*above)[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    (*row)[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      bool same = lower(a[i - 1]) == lower(b[j - 1]);
      std::size_t best = std::min({(*above)[j] + 1, (*row)[j - 1] + 1, (*above)[j - 1] + (same ? 0 : 1)});
      bool swapped =
          i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      (*row)[j] = swapped ? std::min(best, (*before)[j - 2] + 1) : best;
    }
    Row* free = before;
    before = above;
    above = row;
    row = free;
  }
  return (*above)[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view typed, std::span<const std::string> known) {
  if (typed.empty() || typed.size() > kLongest) return std::nullopt;
  std::size_t best = std::max<std::size_t>(1, typed.size() / 3) + 1;
  std::optional<std::string> found;
  for (const std::string& name : known) {
    if (name.size() > kLongest) continue;
    if (std::size_t d = distance(typed, name); d < best) {
      best = d;
      found = name;
    }
  }
  return found;
}

}  // namespace komainu
