#include "base/duration_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace komainu {
namespace {

struct Unit {
  std::string_view name;
  Duration length;
};
// Longest first.
constexpr std::array<Unit, 5> kUnits{{{"h", 1h}, {"min", 1min}, {"s", 1s}, {"ms", 1ms}, {"us", 1us}}};
constexpr std::ptrdiff_t kMaxDigits = 9;

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [digits_end, error] = std::from_chars(text.data(), end, number);
  const std::ptrdiff_t digits = digits_end - text.data();
  if (error != std::errc{} || text.front() == '-' || digits > kMaxDigits) return std::nullopt;
  for (const Unit& unit : kUnits)
    if (text.substr(static_cast<std::size_t>(digits)) == unit.name) return number * unit.length;
  return std::nullopt;
}

std::string duration_text(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  for (const Unit& unit : kUnits)
    if (duration % unit.length == Duration::zero())
      return fmt::format("{}{}", duration / unit.length, unit.name);
  return fmt::format("{}us", duration.count());
}

}  // namespace komainu
