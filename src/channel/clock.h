#pragma once

#include <time.h>

#include "base/time.h"

namespace komainu::channel {

inline LocalTime local_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {std::chrono::seconds(now.tv_sec) + Duration{now.tv_nsec / 1000}};
}

}  // namespace komainu::channel
