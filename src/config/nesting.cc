#include "config/nesting.h"

#include <cstddef>

namespace komainu::config {
namespace {

// The text after a string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool escapes = quote == '"';
  const bool multiline = text.substr(at, 3) == std::string_view(quote == '"' ? "\"\"\"" : "'''");
  at += multiline ? 3 : 1;
  for (; at < text.size(); ++at) {
    if (escapes && text[at] == '\\') {
      ++at;
    } else if (!multiline && text[at] == '\n') {
      return at;
    } else if (text[at] == quote) {
      if (!multiline) return at + 1;
      if (text.substr(at, 3) != std::string_view(quote == '"' ? "\"\"\"" : "'''")) continue;
      at += 3;
      // Up to two quotes may stand directly before the closing ones.
      for (int extra = 0; extra < 2 && at < text.size() && text[at] == quote; ++extra) ++at;
      return at;
    }
  }
  return text.size();
}

}  // namespace

std::optional<TooDeep> find_too_deep(std::string_view text) {
  std::uint32_t brackets = 0;
  std::uint32_t dots = 0;
  TooDeep here{1, 1};
  std::size_t line_begin = 0;
  const auto new_line = [&](std::size_t newline) {
    ++here.line;
    line_begin = newline + 1;
  };
  for (std::size_t i = 0; i < text.size();) {
    switch (text[i]) {
      case '"':
      case '\'': {
        const std::size_t end = skip_string(text, i);
        for (std::size_t k = i; k < end; ++k)
          if (text[k] == '\n') new_line(k);
        i = end;
        continue;
      }
      case '#':
        i = text.find('\n', i);
        if (i == std::string_view::npos) return std::nullopt;
        continue;
      case '[':
      case '{':
        ++brackets;
        dots = 0;
        break;
      case ']':
      case '}':
        if (brackets > 0) --brackets;
        dots = 0;
        break;
      case '=':
      case ',':
        dots = 0;
        break;
      case '.':
        ++dots;
        break;
      case '\n':
        dots = 0;
        new_line(i);
        break;
      default:
        break;
    }
    if (brackets > kMaxNesting || dots > kMaxNesting) {
      here.column = static_cast<std::uint32_t>(i - line_begin + 1);
      return here;
    }
    ++i;
  }
  return std::nullopt;
}

}  // namespace komainu::config
