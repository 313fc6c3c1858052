// What a monitor or a resource's own watch sees of a fault, and how long that takes. Which faults a type can
// see is a table; how long follows from the monitor's interval, timeout and retries.
//
// A fault is taken to come right after a look that found nothing: the longest that detection takes.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "core/state.h"

namespace komainu::whatif {

enum class Sickness : std::uint8_t {
  kDies,   // processes are gone, or the link is
  kHangs,  // no answer
  kWrong,  // an answer that is not what it should be
};

struct Sight {
  Duration after{0};
  core::Health health = core::Health::kFailed;
};

// What a monitor of this type makes of a fault of what it watches; none: it does not notice.
std::optional<Sight> sight_of(const core::Monitor& monitor, Sickness sickness);
// A fault has gone: when the monitor says so.
Duration recovery_of(const core::Monitor& monitor);

// After how long a resource of this type notices by itself that its processes are gone; none: it does not.
std::optional<Duration> own_watch_of(const core::Resource& resource);

}  // namespace komainu::whatif
