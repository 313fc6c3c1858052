// Small things of the operating system: the clock, the text of an errno, the kernel's own files.
#pragma once

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "base/time.h"
#include "drivers/fd.h"

namespace komainu::engine {

using drivers::Fd;

// "No such file or directory"; std::strerror is not for threads.
inline std::string errno_text(int error = errno) {
  return std::generic_category().message(error);
}

inline LocalTime boot_time() {
  timespec ts{};
  ::clock_gettime(CLOCK_BOOTTIME, &ts);
  return {std::chrono::duration_cast<Duration>(std::chrono::seconds(ts.tv_sec) +
                                               std::chrono::nanoseconds(ts.tv_nsec))};
}

// A bounded read of a small file of the kernel's (procfs, cgroupfs, sysfs): never for a file on a disk.
inline std::string read_kernel_file(int directory, const char* name, std::size_t limit = 65536) {
  Fd file{::openat(directory, name, O_RDONLY | O_CLOEXEC)};
  std::string text;
  if (!file) return text;
  char buffer[4096];
  while (text.size() < limit) {
    ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace komainu::engine
