// What resets this machine when it is not fed: the kernel's watchdog device, or in the lab a dead-man switch.
// Whoever opens one has armed it. It stays armed when it is closed, or its owner dies, but after disarm().
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace komainu::engine {

class WatchdogDevice {
 public:
  virtual ~WatchdogDevice() = default;  // stays armed

  // As read back from the device: so long after it was fed last, and no longer, the machine runs on.
  virtual Duration timeout() const = 0;
  // Asks for this timeout, in whole seconds, and reads back what it is now. It counts from the last feed or
  // from now.
  virtual Result<void> set_timeout(Duration timeout) = 0;
  virtual Result<void> feed() = 0;
  // Nothing resets the machine any more. Its last use.
  virtual Result<void> disarm() = 0;
  // For the log: which device, and what is unusual about it.
  virtual std::string description() const = 0;
};

// `path` is "/dev/watchdog…", or "lab:PATH" of the lab's switch. An error says who else owns it, or why it
// cannot be relied on; a device that was refused after it had been armed is disarmed again.
Result<std::unique_ptr<WatchdogDevice>> open_watchdog(const std::string& path);

}  // namespace komainu::engine
