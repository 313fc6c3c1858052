#include "config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "config/nesting.h"

namespace komainu::config {
namespace {

constexpr int kMaxRounds = 50;  // of leaving out one statement and reading the rest again

// Where line `number` (from 1) begins and ends, without its newline; an empty range beyond the text.
std::pair<std::size_t, std::size_t> line_range(std::string_view text, std::uint32_t number) {
  std::size_t begin = 0;
  for (std::uint32_t n = 1; n < number; ++n) {
    const std::size_t newline = text.find('\n', begin);
    if (newline == std::string_view::npos) return {text.size(), text.size()};
    begin = newline + 1;
  }
  return {begin, std::min(text.find('\n', begin), text.size())};
}

std::string_view trimmed(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

// Does the line begin as a good one does, up to the place of the error? Then the mistake was made further up.
// Such lines are `key = …`, where the error is before the equals sign, and `[header]`, where it is in the
// name.
bool begins_well(std::string_view statement, std::size_t error_offset) {
  if (statement.starts_with("[[")) return error_offset > 0 && statement.find("]]") != std::string_view::npos;
  if (statement.starts_with('[')) return error_offset > 0 && statement.find(']') != std::string_view::npos;
  const std::size_t key_end = std::min(
      statement.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
      statement.size());
  const std::size_t equals = std::min(statement.find_first_not_of(" \t", key_end), statement.size());
  return key_end > 0 && equals < statement.size() && statement[equals] == '=' && error_offset < equals;
}

void blank(std::string& text, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i)
    if (text[i] != '\n') text[i] = ' ';
}

// "group.resource" of "[[group.resource]] # …"; empty if the line is no header.
std::string_view header_name(std::string_view line) {
  line = trimmed(line);
  if (!line.starts_with('[')) return {};
  line.remove_prefix(std::min(line.find_first_not_of("[ \t"), line.size()));
  return line.substr(0, line.find_first_of("] \t"));
}

// The end of the table whose header is line `number`, with the tables within it.
std::size_t table_end(std::string_view text, std::uint32_t number) {
  auto [begin, end] = line_range(text, number);
  const std::string within = std::string(header_name(text.substr(begin, end - begin))) + '.';
  for (std::uint32_t next = number + 1; end < text.size(); ++next) {
    const auto [next_begin, next_end] = line_range(text, next);
    const std::string_view line = text.substr(next_begin, next_end - next_begin);
    if (trimmed(line).starts_with('[') && !header_name(line).starts_with(within)) break;
    end = next_end;
  }
  return end;
}

enum class LeftOut : std::uint8_t {
  kStatement,
  kLineAbove,  // the line with the error begins well: a value further up was not closed
  kNothing,
};

// Blanks what has the syntax error so that the rest can be read: the line, and after a broken header its
// whole table.
LeftOut leave_out(std::string& text, const Region& error) {
  const auto [begin, end] = line_range(text, error.line);
  const std::string_view line = std::string_view(text).substr(begin, end - begin);
  const std::string_view statement = trimmed(line);
  const std::size_t before = error.column - 1;
  const auto indent = static_cast<std::size_t>(statement.empty() ? 0 : statement.data() - line.data());
  if (!statement.empty() && !begins_well(statement, before > indent ? before - indent : 0)) {
    blank(text, begin, statement[0] == '[' ? table_end(text, error.line) : end);
    return LeftOut::kStatement;
  }
  for (std::uint32_t above = error.line; above-- > 1;) {
    const auto [above_begin, above_end] = line_range(text, above);
    if (trimmed(std::string_view(text).substr(above_begin, above_end - above_begin)).empty()) continue;
    blank(text, above_begin, above_end);
    return LeftOut::kLineAbove;
  }
  return LeftOut::kNothing;
}

// The library's "Error while parsing X: Y" as "Y (in the X)".
std::string what_of(const toml::parse_error& error) {
  std::string_view description = error.description();
  constexpr std::string_view kLead = "Error while parsing ";
  if (!description.starts_with(kLead)) return "not valid TOML: " + std::string(description);
  description.remove_prefix(kLead.size());
  const std::size_t colon = description.find(": ");
  if (colon == std::string_view::npos) return "not valid TOML: " + std::string(description);
  return fmt::format("not valid TOML: {} (in the {})", description.substr(colon + 2),
                     description.substr(0, colon));
}

// From the quote that opens a text of one line to that line's end, if the text is not closed there and this
// is the error.
std::optional<Region> unclosed_text(std::string_view text, const Region& error) {
  const auto [begin, end] = line_range(text, error.line);
  const std::string_view line = text.substr(begin, end - begin);
  char quote = 0;  // of the text that is open; 0: none is
  std::uint32_t column = 0, opened = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++column;
    if (quote == '"' && c == '\\' && i + 1 < line.size()) {
      ++i;
      ++column;
    } else if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '#' || line.substr(i).starts_with("\"\"\"") || line.substr(i).starts_with("'''")) {
      return std::nullopt;
    } else if (c == '"' || c == '\'') {
      quote = c;
      opened = column;
    }
  }
  if (quote == 0 || error.column < column) return std::nullopt;
  return Region{error.line, opened, error.line, column + 1};
}

// The usual mistake behind most syntax errors in such files.
std::string help_for(std::string_view text, const Region& error) {
  const auto [begin, end] = line_range(text, error.line);
  if (error.column > 1 && begin + error.column - 1 >= text.find_last_not_of(" \t\r\n") + 1)
    return "a quote or a bracket was opened and not closed";
  const std::string_view line = trimmed(text.substr(begin, end - begin));
  if (line.starts_with('[')) return {};
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return R"(a line is a [section] or `key = value`)";
  std::string_view value = trimmed(line.substr(equals + 1));
  value = trimmed(value.substr(0, value.find('#')));
  const bool plain = !value.empty() && value.find_first_of("\"'[]{},") == std::string_view::npos;
  if (value == "True" || value == "False" || value == "yes" || value == "no" || value == "on" ||
      value == "off")
    return "yes and no are written true and false";
  if (plain && value.find_first_not_of("0123456789+-._") != std::string_view::npos)
    return fmt::format(R"(texts, addresses and durations are written in quotes: "{}")", value);
  return {};
}

Region region_at(const toml::source_region& source) {
  Region at = region_of(source);
  if (at.end_line == at.line && at.end_column <= at.column) at.end_column = at.column + 1;
  return at;
}

}  // namespace

Region region_of(const toml::source_region& source) {
  return {source.begin.line, source.begin.column, source.end.line, source.end.column};
}

std::optional<Document> read_document(std::string_view text, Diagnostics& diagnostics) {
  if (text.size() > kMaxFileBytes) {
    diagnostics.error({}, fmt::format("the file has {} bytes", text.size()),
                      fmt::format("at most {} bytes", kMaxFileBytes), "is this the right file?");
    return std::nullopt;
  }
  if (text.find('\0') != std::string_view::npos) {
    diagnostics.error({}, "this is not a text file", "TOML in UTF-8", "is this the right file?");
    return std::nullopt;
  }
  Document document;
  std::string rest(text);
  LeftOut last = LeftOut::kNothing;
  Region last_at;
  for (int round = 0; round < kMaxRounds; ++round) {
    if (const auto deep = find_too_deep(rest)) {
      diagnostics.error({deep->line, deep->column, deep->line, deep->column + 1}, "nested too deeply",
                        fmt::format("at most {} levels", kMaxNesting));
      return std::nullopt;
    }
    try {
      document.root = toml::parse(std::string_view(rest));
      return document;
    } catch (const toml::parse_error& error) {
      const Region at = region_at(error.source());
      const std::string help = help_for(rest, at);
      const std::optional<Region> open = unclosed_text(rest, at);
      const LeftOut now = leave_out(rest, at);
      // While lines above go one by one, it is still the same mistake.
      const bool same = at == last_at || (now == LeftOut::kLineAbove && last == LeftOut::kLineAbove);
      if (!same && open)
        diagnostics.error(*open, "the text that begins here is not closed on its line", "a quote at its end");
      else if (!same)
        diagnostics.error(at, what_of(error), {}, help);
      last = now;
      last_at = at;
      document.incomplete = true;
      if (now == LeftOut::kNothing) return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace komainu::config
