// What the stream ring file holds: everything that a replica decided from, so that `komainu replay` can run
// the same code over it again. Integers are little endian, texts carry their length; the ring file checks
// their integrity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "core/replica.h"

namespace komainu::engine {

// A replica began: its identity and, encoded by src/wire, what its store held.
struct Began {
  NodeId self;
  core::Incarnation incarnation;
  std::uint64_t boot = 0;
  std::string durable;
};
// A message as it came from the channel, encoded by src/wire.
struct Came {
  NodeId from;
  std::string bytes;
};
// The state at the start of an established view, encoded by src/wire: where a replay can begin.
struct Established {
  std::string state;
};

struct StreamRecord {
  LocalTime at;
  std::int64_t wall_us = 0;  // since 1970, for people
  std::variant<Began, core::RingChange, core::QuorumVerdict, core::ChannelLost, Came, Established> what;
};

std::string encode(const StreamRecord& record);
Result<StreamRecord> decode_stream_record(std::string_view bytes);

}  // namespace komainu::engine
