#include "config/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <ranges>
#include <utility>

namespace komainu::config {
namespace {

constexpr std::size_t kMaxFound = 120;    // characters of the offending text that are kept
constexpr std::size_t kMaxExcerpt = 110;  // characters of a line that are shown
constexpr std::size_t kBeforeCaret = 40;  // … of these before the caret, if the line is longer

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// The characters of a line as they may be printed: tabs are one space wide, control characters and broken
// UTF-8 become a replacement character.
std::vector<std::string_view> printable(std::string_view line) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::vector<std::string_view> characters;
  for (std::size_t i = 0; i < line.size();) {
    const auto lead = static_cast<unsigned char>(line[i]);
    std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    bool good = length > 0 && lead < 0xf5 && i + length <= line.size();
    for (std::size_t k = 1; good && k < length; ++k)
      good = (static_cast<unsigned char>(line[i + k]) & 0xc0) == 0x80;
    // C1 controls are U+0080 … U+009F.
    const bool control = lead < 0x20 || lead == 0x7f ||
                         (good && lead == 0xc2 && static_cast<unsigned char>(line[i + 1]) < 0xa0);
    if (!good) length = 1;
    if (lead == '\t')
      characters.push_back(" ");
    else
      characters.push_back(good && !control ? line.substr(i, length) : kReplacement);
    i += length;
  }
  return characters;
}

std::string joined(const std::vector<std::string_view>& characters, std::size_t begin, std::size_t end) {
  std::string result;
  for (std::size_t i = begin; i < std::min(end, characters.size()); ++i) result += characters[i];
  return result;
}

// Of a region over several lines, only the first line.
std::size_t end_in_line(const Region& at, std::size_t line_length) {
  const std::size_t end = at.end_line > at.line ? line_length + 1 : at.end_column;
  return std::clamp<std::size_t>(end, at.column + 1, std::max<std::size_t>(line_length, at.column) + 1);
}

struct Style {
  std::string_view on;
  std::string_view off;
};
Style style(Colour colour, std::string_view code) {
  return colour == Colour::kAlways ? Style{code, "\x1b[0m"} : Style{};
}
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kGreen = "\x1b[1;32m";

std::string_view colour_of(Severity severity) {
  constexpr std::array<std::string_view, 3> kColours{"\x1b[1;31m", "\x1b[1;35m", "\x1b[1;36m"};
  return kColours[static_cast<std::size_t>(severity)];
}
std::string_view name_of(Severity severity) {
  constexpr std::array<std::string_view, 3> kNames{"error", "warning", "note"};
  return kNames[static_cast<std::size_t>(severity)];
}

// The line and the caret below it.
std::string excerpt(const Region& at, std::string_view text, Colour colour) {
  std::string_view line = text;
  for (std::uint32_t n = 1; n < at.line; ++n) {
    const std::size_t end = line.find('\n');
    if (end == std::string_view::npos) return {};
    line.remove_prefix(end + 1);
  }
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);

  const std::vector<std::string_view> characters = printable(line);
  const std::size_t end = end_in_line(at, characters.size());
  std::size_t first = 0;
  if (characters.size() > kMaxExcerpt && at.column > kBeforeCaret) first = at.column - kBeforeCaret;
  const std::size_t last = first + kMaxExcerpt;
  const bool cut = last < characters.size();

  const std::string_view ahead = first > 0 ? "…" : "";
  const std::size_t indent = at.column - 1 - first + (first > 0 ? 1 : 0);
  const std::size_t width = std::max<std::size_t>(std::min(end, last + 1) - at.column, 1);
  const auto [on, off] = style(colour, kGreen);
  return fmt::format("{:>5} | {}{}{}\n      | {}{}^{}{}\n", at.line, ahead, joined(characters, first, last),
                     cut ? "…" : "", std::string(indent, ' '), on, std::string(width - 1, '~'), off);
}

}  // namespace

Diagnostics::Diagnostics(std::string_view text) : lines_(split_lines(text)) {}

void Diagnostics::error(const Region& at, std::string what, std::string expected, std::string help) {
  ++errors_;
  add({Severity::kError, at, std::move(what), {}, std::move(expected), std::move(help)});
}
void Diagnostics::warning(const Region& at, std::string what, std::string help) {
  add({Severity::kWarning, at, std::move(what), {}, {}, std::move(help)});
}
void Diagnostics::note(const Region& at, std::string what, std::string help) {
  add({Severity::kNote, at, std::move(what), {}, {}, std::move(help)});
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (full()) {
    ++dropped_;
    return;
  }
  const Region& at = diagnostic.at;
  if (at.line > 0 && at.line <= lines_.size()) {
    const std::vector<std::string_view> characters = printable(lines_[at.line - 1]);
    const std::size_t end =
        std::min<std::size_t>(end_in_line(at, characters.size()) - 1, at.column + kMaxFound);
    diagnostic.found = joined(characters, at.column - 1, end);
  }
  kept_.push_back(std::move(diagnostic));
}

std::vector<Diagnostic> Diagnostics::take() {
  std::ranges::stable_sort(kept_, {}, &Diagnostic::at);
  if (dropped_ > 0)
    kept_.push_back({Severity::kNote, {}, fmt::format("{} more are not shown", dropped_), {}, {}, {}});
  return std::exchange(kept_, {});
}

std::string render(const Diagnostic& diagnostic, std::string_view filename, std::string_view text,
                   Colour colour) {
  const Region& at = diagnostic.at;
  const Style bold = style(colour, kBold);
  const Style kind = style(colour, colour_of(diagnostic.severity));
  const std::string place =
      at.line > 0 ? fmt::format("{}:{}:{}", filename, at.line, at.column) : std::string(filename);
  std::string result =
      fmt::format("{}{}:{} {}{}:{} {}{}{}\n", bold.on, place, bold.off, kind.on, name_of(diagnostic.severity),
                  kind.off, bold.on, fmt::join(printable(diagnostic.what), ""), bold.off);
  if (at.line > 0) result += excerpt(at, text, colour);
  if (!diagnostic.expected.empty())
    result += fmt::format("   expected: {}\n", fmt::join(printable(diagnostic.expected), ""));
  if (!diagnostic.help.empty())
    result += fmt::format("       help: {}\n", fmt::join(printable(diagnostic.help), ""));
  return result;
}

std::string render(const std::vector<Diagnostic>& diagnostics, std::string_view filename,
                   std::string_view text, Colour colour) {
  std::string result;
  std::array<std::size_t, 3> counts{};
  for (const Diagnostic& diagnostic : diagnostics) {
    result += render(diagnostic, filename, text, colour) + '\n';
    ++counts[static_cast<std::size_t>(diagnostic.severity)];
  }
  std::string sum;
  for (const Severity severity : {Severity::kError, Severity::kWarning, Severity::kNote})
    if (const std::size_t count = counts[static_cast<std::size_t>(severity)]; count > 0)
      sum +=
          fmt::format("{}{} {}{}", sum.empty() ? "" : ", ", count, name_of(severity), count > 1 ? "s" : "");
  if (!sum.empty()) result += fmt::format("{}: {}\n", filename, sum);
  return result;
}

boost::json::object to_json(const Diagnostic& diagnostic) {
  return {{"severity", name_of(diagnostic.severity)},
          {"line", diagnostic.at.line},
          {"column", diagnostic.at.column},
          {"end_line", diagnostic.at.end_line},
          {"end_column", diagnostic.at.end_column},
          {"what", diagnostic.what},
          {"found", diagnostic.found},
          {"expected", diagnostic.expected},
          {"help", diagnostic.help}};
}

}  // namespace komainu::config
