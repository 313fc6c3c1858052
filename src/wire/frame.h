// The five or thirteen bytes before every encoded value.
//
//   'k' 'm' 'n'   kind   version   [checksum: 8 bytes, little endian; the store only]   Protobuf
//
// The version rises when an older komainu would misread the rest; a field that it may ignore changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace komainu::wire {

enum class Kind : char { kMessage = 'M', kState = 'S', kDurable = 'D' };

inline constexpr std::uint8_t kVersion = 1;

// Begins a value's bytes; the payload is appended, then `finish_frame` is called.
std::string begin_frame(Kind kind);
void finish_frame(Kind kind, std::string& bytes);

// The format version of something of this kind that another version of komainu wrote; none if it is of this
// version, or no such thing.
std::optional<unsigned> other_version(Kind kind, std::string_view bytes);

// Checks the frame and gives the payload. The error begins in lower case and names no sender.
Result<std::string_view> open_frame(Kind kind, std::string_view bytes);

}  // namespace komainu::wire
