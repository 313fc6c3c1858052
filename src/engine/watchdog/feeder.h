// The one owner of this machine's watchdog. It is fed from the loop, and only while nothing speaks against
// it; so what this node may not run any longer ends within the device's timeout, by a stop or by a reset.
//
// Arming is the first feed, and under the same conditions: a daemon that crashes again and again opens the
// device, and thereby feeds it, only while its predecessor could have.
//
//             nothing against it                      something against it
//   not armed ──────────────────▶ armed, fed ◀─────────────────────────▶ armed, not fed ──▶ reset
//       ▲                             │
//       └── an orderly end, or not wanted any more; and nothing runs here
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "drivers/services.h"
#include "engine/watchdog/device.h"

namespace komainu::engine {

struct FeederParts {
  std::function<Result<std::unique_ptr<WatchdogDevice>>()> open;
  // Nothing runs on this node, as probed, and nothing is being started or stopped.
  std::function<bool()> idle;
  // The device is armed with this timeout now; unset: it is not, or cannot be fed.
  std::function<void(std::optional<Duration>)> tell;
  std::function<void(const Error&)> alarm;
  drivers::Log& log;
};

class WatchdogFeeder {
 public:
  // Why the device must not be fed at this moment; unset: nothing speaks against it.
  using Condition = std::function<std::optional<std::string>(LocalTime now)>;

  explicit WatchdogFeeder(FeederParts parts) : parts_(std::move(parts)) {}

  void require(Condition condition) { conditions_.push_back(std::move(condition)); }

  // The active configuration: no node's timeout is longer. Zero: no device is used.
  void want(Duration longest);
  // A configuration with this one may become active: until the others count on it, it is already so. An error
  // when the device cannot be that fast.
  Result<void> prepare(Duration longest);

  // Arms, or feeds, or does neither; returns after how long it must be called again.
  Duration beat(LocalTime now);

  // The orderly end: disarmed if nothing runs here, and otherwise left to reset the machine, unless a
  // successor arms it in time. Nothing may be called after it.
  void end();

 private:
  std::optional<std::string> objection(LocalTime now) const;
  void arm(LocalTime now);
  void feed();
  void disarm();
  void complain(LocalTime now, const Error& error);
  void told(std::optional<Duration> timeout);

  const FeederParts parts_;
  std::vector<Condition> conditions_;
  std::unique_ptr<WatchdogDevice> device_;
  Duration longest_{0};
  std::optional<Duration> told_;
  std::string against_;  // what was last said to speak against feeding; empty: it was fed
  std::string problem_;  // the last failure; empty: there was none since
  LocalTime try_again_;
  enum class Open : std::uint8_t { kAlways, kWhenIdle } open_ = Open::kAlways;
};

}  // namespace komainu::engine
