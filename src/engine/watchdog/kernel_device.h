// A device of the Linux watchdog API (Documentation/watchdog/watchdog-api.rst).
//
// Its ioctls and writes are a register's, or a message to a BMC: the loop makes them itself, since a feed
// that another thread makes proves nothing about the loop.
#pragma once

#include <linux/watchdog.h>

#include "engine/posix.h"
#include "engine/watchdog/device.h"

namespace komainu::engine {

class KernelWatchdog final : public WatchdogDevice {
 public:
  static Result<std::unique_ptr<WatchdogDevice>> open(const std::string& path);

  Duration timeout() const override { return timeout_; }
  Result<void> set_timeout(Duration timeout) override;
  Result<void> feed() override;
  Result<void> disarm() override;
  std::string description() const override;

 private:
  KernelWatchdog(Fd device, std::string path) : device_(std::move(device)), path_(std::move(path)) {}
  Result<void> examine();
  Result<void> read_timeout();

  Fd device_;
  const std::string path_;
  watchdog_info info_{};
  Duration timeout_{0};
  enum class Stops : std::uint8_t { kOnRequest, kNever } stops_ = Stops::kOnRequest;
};

}  // namespace komainu::engine
