// Arming a timerfd of CLOCK_BOOTTIME (timerfd_create(2)).
#pragma once

#include <sys/timerfd.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace komainu::engine {

// A time that is over expires at once; none disarms it.
inline void arm_timer_fd(int fd, std::optional<LocalTime> at) {
  itimerspec when{};
  if (at) {
    const auto us = std::max<std::int64_t>(at->since_boot.count(), 1);  // zero would disarm it
    when.it_value.tv_sec = us / 1'000'000;
    when.it_value.tv_nsec = us % 1'000'000 * 1000;
  }
  ::timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace komainu::engine
