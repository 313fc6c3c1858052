// sd_notify(3) over a non-blocking socket of our own: readiness, status and the proof of life for systemd's
// watchdog.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"
#include "engine/posix.h"

namespace komainu::engine {

class Notify {
 public:
  // Does nothing where systemd did not ask for it.
  Notify();

  void ready() { send("READY=1"); }
  void stopping() { send("STOPPING=1"); }
  void alive() { send("WATCHDOG=1"); }
  void status(std::string_view text);
  // The start or stop under way takes at least so much longer from now on.
  void extend_timeout(Duration by);
  // How often systemd wants to hear alive(), halved; unset: never.
  std::optional<Duration> watchdog() const { return watchdog_; }

 private:
  void send(std::string_view text);

  Fd socket_;
  std::optional<Duration> watchdog_;
};

}  // namespace komainu::engine
