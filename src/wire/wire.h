// Bytes of messages, states and the store: Protobuf (the *.proto files beside this one) behind a frame that
// names what they are.
//
// Decoders trust nothing: whatever the bytes, they give a value whose enumerations, ids, lengths and counts
// are in range, or an Error that names the field and the sender. Whether a value makes sense in the present
// state is src/core's question.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "core/message.h"
#include "core/state.h"

namespace komainu::wire {

// The largest message: a snapshot of 8,000 groups with their configuration takes 6 MiB.
inline constexpr std::size_t kMaxMessage = 8u << 20;
inline constexpr std::size_t kMaxText = 64u << 10;      // one text
inline constexpr std::size_t kMaxSource = 4u << 20;     // the text of cluster.toml
inline constexpr std::size_t kMaxElements = 64u << 10;  // of one list or map
// Far beyond any setting, and so small that sums of durations do not overflow.
inline constexpr Duration kMaxDuration = std::chrono::hours(24) * 366 * 30;

// Fails only for a message above kMaxMessage.
Result<std::string> encode(const core::Message& message);
// `sender`: whose bytes these are, as the channel says; a message that claims another origin is refused.
Result<core::Message> decode_message(std::string_view bytes, NodeId sender);

std::string encode(const core::State& state);
Result<core::State> decode_state(std::string_view bytes);

// The store carries a checksum, because nothing below it notices a sector that went bad.
std::string encode(const core::Durable& durable);
Result<core::Durable> decode_durable(std::string_view bytes);
// Of a store that another version of komainu wrote: its format's version.
std::optional<unsigned> other_version(std::string_view store);
unsigned format_version();

}  // namespace komainu::wire
