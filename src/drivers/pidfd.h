// Processes of others, held by a pidfd: it becomes readable when the process dies, and never means another
// process that got the same number.
#pragma once

#include <sys/types.h>

#include <optional>

#include "drivers/fd.h"
#include "drivers/services.h"

namespace komainu::drivers {

// None: there is no such process. A zombie is one, and has died.
std::optional<Fd> open_process(pid_t pid);
bool has_died(const Fd& process);

// Returns when the process has died, at once when there is none.
Task<void> death_of(Readiness& readiness, pid_t pid);

}  // namespace komainu::drivers
