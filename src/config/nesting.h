// Guards the TOML parser and the recursive destructors of its tables: they go as deep as the text does.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace komainu::config {

inline constexpr std::uint32_t kMaxNesting = 12;  // brackets within brackets, and parts of a dotted key

struct TooDeep {
  std::uint32_t line = 0;
  std::uint32_t column = 0;  // bytes, from 1
};

// The first place where brackets or a dotted key go deeper than kMaxNesting. Strings and comments are skipped
// as TOML 1.0 delimits them; what comes after the first syntax error does not matter, since the parser stops
// there.
std::optional<TooDeep> find_too_deep(std::string_view text);

}  // namespace komainu::config
