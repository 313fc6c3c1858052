// How long things take in a rehearsal. What komainu decides is computed; what the world takes is assumed,
// said in the output, and can be named by whoever knows better.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.h"
#include "core/spec.h"

namespace komainu::whatif {

struct Assumptions {
  Duration boot{60s};            // power on → Corosync and komainud are started
  Duration daemon{300ms};        // start of komainud, also after a crash
  Duration daemon_hang{3s};      // systemd's watchdog kills a komainud that hangs so long
  Duration fence{5s};            // ordered → the target is off, read back
  Duration fence_gives_up{20s};  // … by a device that does not answer
  Duration network{1ms};         // a message → everybody has it
  Duration store{5ms};           // a write that a decision waits for
  Duration arbiter{500ms};       // the membership has changed → the arbiter has given its vote
  // By resource, as "web/nginx", or by type; the resource's own goes first.
  std::map<std::string, Duration> start;
  std::map<std::string, Duration> stop;

  Duration start_of(const core::Group& group, std::uint32_t resource) const;
  Duration stop_of(const core::Group& group, std::uint32_t resource) const;
};

}  // namespace komainu::whatif
