#include "drivers/agent_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace komainu::drivers {
namespace {

constexpr std::size_t kMaxLine = 160;

// The length of the UTF-8 sequence at the beginning of `text` (RFC 3629); 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0u) != 0x80) return 0;
  return length;
}

}  // namespace

std::string first_line(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) continue;
    line = line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
    std::string result;
    while (!line.empty()) {
      const std::size_t length = utf8_length(line);
      const bool printable = length > 1 || (length == 1 && line[0] >= ' ' && line[0] != 0x7f);
      const std::string_view piece = printable ? line.substr(0, length) : "?";
      if (result.size() + piece.size() > kMaxLine) break;
      result += piece;
      line.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
  }
  return {};
}

std::string describe(const Exit& exit) {
  std::string said = first_line(exit.errors);
  if (said.empty()) said = first_line(exit.output);
  if (!said.empty()) said = ": " + said;
  switch (exit.how) {
    case Exit::How::kExited:
      return fmt::format("exit code {}{}", exit.code, said);
    case Exit::How::kSignaled:
      return fmt::format("killed by signal {}{}", exit.code, said);
    case Exit::How::kTimedOut:
      return fmt::format("no end within its timeout{}", said);
    case Exit::How::kStuck:
      return fmt::format("no end within its timeout, and not even SIGKILL ends it{}", said);
  }
  return "an unknown end";
}

std::string command_line(const std::vector<std::string>& argv) {
  return fmt::format("{}", fmt::join(argv, " "));
}

}  // namespace komainu::drivers
