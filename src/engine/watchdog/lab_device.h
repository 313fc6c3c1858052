// The lab's dead-man switch: a Unix socket to the power switch of this namespace's "machine", which resets it
// when it is not fed. Refused wherever systemd does not say that this is a lab.
//
//   us                     switch
//   timeout MILLISECONDS   ok MILLISECONDS     what it is now; the first one arms it
//   feed                   –
//   disarm                 –                   and the connection ends
#pragma once

#include "engine/posix.h"
#include "engine/watchdog/device.h"

namespace komainu::engine {

class LabWatchdog final : public WatchdogDevice {
 public:
  // What systemd was told by the lab that it runs in: /run/systemd/container, systemd.exec(5) `$container`.
  static constexpr std::string_view kContainerFile = "/run/systemd/container";
  static constexpr std::string_view kContainer = "lab";

  static Result<std::unique_ptr<WatchdogDevice>> open(const std::string& path,
                                                      const std::string& container_file);

  Duration timeout() const override { return timeout_; }
  Result<void> set_timeout(Duration timeout) override;
  Result<void> feed() override { return say("feed\n"); }
  Result<void> disarm() override;
  std::string description() const override { return "the lab's dead-man switch"; }

 private:
  LabWatchdog(Fd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}
  Result<void> say(std::string_view line);

  Fd socket_;
  const std::string path_;
  Duration timeout_{0};
};

}  // namespace komainu::engine
