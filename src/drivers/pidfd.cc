#include "drivers/pidfd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace komainu::drivers {

std::optional<Fd> open_process(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0u)));  // Linux 5.3; close-on-exec by itself
  if (!fd) return std::nullopt;
  return fd;
}

bool has_died(const Fd& process) {
  pollfd entry{process.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

Task<void> death_of(Readiness& readiness, pid_t pid) {
  const std::optional<Fd> process = open_process(pid);
  if (!process) co_return;
  auto died = readiness.readable(process->get());
  co_await died;
}

}  // namespace komainu::drivers
