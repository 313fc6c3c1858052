// Durations as people write them: a whole number and a unit, "250ms".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace komainu {

// Units us, ms, s, min, h; no sign, no space, no fraction, at most 9 digits. None if it is not that.
std::optional<Duration> parse_duration(std::string_view text);

// The shortest text that parse_duration reads back as the same value: 90 s is "90s", 120 s is "2min". A
// negative duration gets a sign, which parse_duration refuses.
std::string duration_text(Duration duration);

}  // namespace komainu
