// The groups of a node whose daemon has ended: must they be stopped without it?
//
// Where there is a fencer the others use it. Without one they wait for the lease, and then count on this node
// to have stopped what it ran: if the daemon does not do that, `komainud --yield` has to, which systemd runs
// after each end of the daemon (packaging/komainud.service).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "core/spec.h"

namespace komainu::engine {

// As systemd tells ExecStopPost=: $SERVICE_RESULT, $EXIT_CODE and $EXIT_STATUS (systemd.exec(5)).
struct DaemonEnd {
  std::string_view result;
  std::string_view code;
  std::string_view status;

  // It is started again at once, and adopts what runs.
  bool comes_back() const;
};

// For what only a person can mend: RestartPreventExitStatus= of the unit.
inline constexpr int kExitMisconfigured = 78;  // EX_CONFIG of sysexits.h

// Why the groups must be stopped now; unset: others see to it, or nothing runs. `last_flow`: when the stream
// last flowed to this node, in this boot; unset: it took no part, or left with nothing running.
std::optional<std::string> abandoned(const core::Spec& spec, const DaemonEnd& end,
                                     std::optional<LocalTime> last_flow, LocalTime now);

}  // namespace komainu::engine
