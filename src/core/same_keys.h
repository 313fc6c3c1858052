// Whether two maps have the same keys, whatever they keep under them.
#pragma once

#include <algorithm>

namespace komainu::core {

template <class One, class Other>
bool same_keys(const One& one, const Other& other) {
  return std::ranges::equal(one, other, [](const auto& a, const auto& b) { return a.first == b.first; });
}

}  // namespace komainu::core
