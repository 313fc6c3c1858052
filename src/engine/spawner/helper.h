// The spawner's helper process: forks, watches and kills agents on the daemon's behalf. It is forked before
// the daemon has threads, is one poll loop without any disk in it, and ends, taking unfinished agents along,
// when the daemon does.
#pragma once

#include <string>

#include "engine/posix.h"

namespace komainu::engine::spawner {

struct HelperOptions {
  std::string name = "komainu";  // of the cgroup below the daemon's own
  Duration predecessor_patience{5s};
  // How long SIGKILL may take before an agent counts as stuck.
  Duration kill_patience{1s};
  enum class Memory { kPageable, kLocked } memory = Memory::kPageable;
};

// Runs in the forked process with its end of the socket pair; returns when it should exit.
void run_helper(Fd socket, const HelperOptions& options, pid_t daemon);

}  // namespace komainu::engine::spawner
