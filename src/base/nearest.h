// "Did you mean …?": the known name that a mistyped one was probably meant to be.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace komainu {

// The closest of `known` by optimal string alignment distance (insertion, deletion, substitution, swap of
// neighbours; case does not count), or none if all are further than a third of the typed name's length. The
// first of equally close ones wins. Names beyond 128 bytes are never suggested.
std::optional<std::string> nearest(std::string_view typed, std::span<const std::string> known);

}  // namespace komainu
