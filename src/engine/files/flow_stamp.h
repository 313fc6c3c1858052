// When the stream last flowed to this node, and how long its lease ran then, kept where it outlives the
// daemon but not the boot: a daemon that is started again goes on counting where its predecessor stopped. It
// does not begin its grace anew, and knows how long it may feed the watchdog.
//
//   PATH, on a tmpfs (/run):   boot: 16 hexadecimal digits   ' '   flow   ' '   end of the lease   '\n'
//
// Both times are µs of CLOCK_BOOTTIME in 20 digits; a lease of zero is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/posix.h"

namespace komainu::engine {

struct Flow {
  LocalTime at;
  std::optional<LocalTime> lease_until;
  bool operator==(const Flow&) const = default;
};

class FlowStamp {
 public:
  // At most so often, and so old at most is what a successor reads. A write to a tmpfs waits for no disk; it
  // is a system call all the same.
  static constexpr Duration kEvery{100ms};

  // `boot` is another number after each boot.
  FlowStamp(std::string path, std::uint64_t boot) : path_(std::move(path)), boot_(boot) {}

  // What a predecessor of the same boot left; unset: there is none, or it makes no sense.
  std::optional<Flow> read() const;

  // Makes the file: an error when `path` cannot be written, or is not on a tmpfs.
  Result<void> open();
  // Nothing without open(). An error cannot be helped here: the stamp is older then, and a successor stops
  // its groups sooner.
  void flowed(const Flow& flow);
  // Nothing runs here any more: a successor has nothing to stop.
  void remove();

 private:
  std::string text(const Flow& flow) const;

  const std::string path_;
  const std::uint64_t boot_;
  Fd file_;
  LocalTime written_;
};

}  // namespace komainu::engine
