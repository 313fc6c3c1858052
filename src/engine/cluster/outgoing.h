// Messages as bytes, and what becomes of one that is larger than the stream carries.
//
// A message has its number before anybody knows its size, and a number that nobody hears makes all others
// start over, again and again where it is a snapshot. So whatever may grow is refused while it is a request
// (too_large), a snapshot goes without the texts that only people read before it does not go at all, and what
// cannot be sent leaves an acknowledgement of nothing in its place.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "core/message.h"

namespace komainu::engine {

// Why no cluster can have this configuration; unset: it can.
std::optional<Error> too_large(const core::SpecPtr& spec);

struct Outgoing {
  std::string bytes;
  std::optional<Error> problem;  // with the message, of which `bytes` are not
};
Outgoing outgoing(const core::Message& message);

}  // namespace komainu::engine
