#include "komainu/terminal.h"

#include <fmt/format.h>

#include <algorithm>

namespace komainu::cli {
namespace {

std::string_view code(Colour colour) {
  switch (colour) {
    case Colour::kPlain:
      return "";
    case Colour::kBold:
      return "1";
    case Colour::kDim:
      return "2";
    case Colour::kGreen:
      return "32";
    case Colour::kYellow:
      return "33";
    case Colour::kRed:
      return "1;31";
  }
  return "";
}

struct Character {
  std::size_t bytes = 1;
  char32_t point = 0;
  bool valid = false;
};

// The first character of a text that is not empty.
Character decode(std::string_view text) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, first, true};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (bytes == 0 || bytes > text.size()) return {};
  char32_t point = first & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3fU);
  }
  return {bytes, point, true};
}

bool within(char32_t point, char32_t low, char32_t high) {
  return point >= low && point <= high;
}

// After Unicode's EastAsianWidth.txt, by blocks; independent of the locale, unlike wcwidth(3).
std::size_t columns_of(char32_t point) {
  if (within(point, 0x300, 0x36f) || within(point, 0x200b, 0x200f) || within(point, 0xfe00, 0xfe0f)) return 0;
  const bool wide = within(point, 0x1100, 0x115f) || within(point, 0x2e80, 0x303e) ||
                    within(point, 0x3041, 0xa4cf) || within(point, 0xac00, 0xd7a3) ||
                    within(point, 0xf900, 0xfaff) || within(point, 0xfe30, 0xfe6f) ||
                    within(point, 0xff00, 0xff60) || within(point, 0xffe0, 0xffe6) ||
                    within(point, 0x1f300, 0x1faff) || within(point, 0x20000, 0x3fffd);
  return wide ? 2 : 1;
}

}  // namespace

Colour colour_of(core::Severity severity) {
  return severity == core::Severity::kAlarm     ? Colour::kRed
         : severity == core::Severity::kWarning ? Colour::kYellow
                                                : Colour::kPlain;
}

std::string paint(const Style& style, Colour colour, std::string_view text) {
  if (!style.colour || colour == Colour::kPlain || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code(colour), text);
}

std::string printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const Character character = decode(text);
    const bool control = character.point < 0x20 || within(character.point, 0x7f, 0x9f) ||
                         within(character.point, 0x202a, 0x202e) || within(character.point, 0x2066, 0x2069);
    if (!character.valid)
      shown += '?';
    else if (control)
      shown += ' ';
    else
      shown += text.substr(0, character.bytes);
    text.remove_prefix(character.bytes);
  }
  return shown;
}

std::size_t columns(std::string_view text) {
  std::size_t sum = 0;
  while (!text.empty()) {
    const Character character = decode(text);
    sum += character.valid ? columns_of(character.point) : 1;
    text.remove_prefix(character.bytes);
  }
  return sum;
}

std::string cut(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  std::string kept;
  std::size_t used = 0;
  while (!text.empty()) {
    const Character character = decode(text);
    const std::size_t more = character.valid ? columns_of(character.point) : 1;
    if (used + more + 1 > width) break;
    used += more;
    kept += text.substr(0, character.bytes);
    text.remove_prefix(character.bytes);
  }
  return width == 0 ? "" : kept + "…";
}

std::string Table::text(const Style& style, std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i].text));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::size_t last = row.size();
    while (last > 0 && row[last - 1].text.empty()) --last;
    text += indent;
    std::size_t used = indent.size();
    for (std::size_t i = 0; i < last; ++i) {
      std::string shown = row[i].text;
      if (i + 1 == last) {
        if (style.width > 0) shown = cut(shown, std::max(style.width, used + 8) - used);
        text += paint(style, row[i].colour, shown);
      } else {
        text += paint(style, row[i].colour, shown);
        text.append(widths[i] - columns(shown) + 2, ' ');
        used += widths[i] + 2;
      }
    }
    text += '\n';
  }
  return text;
}

}  // namespace komainu::cli
