// A raw socket on one link that sees only the claims of one address. Needs CAP_NET_RAW.
//
// Closing it waits for an RCU grace period (10–30 ms were measured), which would stop the loop: an owner
// keeps it open as long as it may need it again.
#pragma once

#include "base/ip.h"
#include "base/result.h"
#include "drivers/fd.h"
#include "drivers/net/address_frames.h"

namespace komainu::drivers {

class PacketSocket {
 public:
  static Result<PacketSocket> open(int link, const IpAddress& address);

  int fd() const { return fd_.get(); }
  int link() const { return link_; }
  Result<void> send(const Frame& frame) const;

  // Forgets what has come so far, and a link failure that is over.
  void discard() const;

  // The next claim by somebody else than `own`; none: nothing has come. An error: the link is down or gone.
  Result<std::optional<MacAddress>> next_claim(const MacAddress& own) const;

 private:
  PacketSocket(Fd fd, int link, const IpAddress& address)
      : fd_(std::move(fd)), link_(link), address_(address) {}

  Fd fd_;
  int link_;
  IpAddress address_;
};

}  // namespace komainu::drivers
