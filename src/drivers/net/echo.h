// ICMP echo ("ping"), for IPv4 (RFC 792) and IPv6 (RFC 4443).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "drivers/fd.h"
#include "drivers/services.h"

namespace komainu::drivers {

struct Echo {
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  bool operator==(const Echo&) const = default;
};

// The message without its IP header. The kernel computes the checksum of IPv6.
std::vector<std::uint8_t> echo_request(IpAddress::Family family, const Echo& echo);
// The reply in a packet as the socket gave it: a raw IPv4 socket gives the IP header, too.
std::optional<Echo> echo_reply(IpAddress::Family family, std::span<const std::uint8_t> packet);

// Asks several targets of one family and gathers who answers.
class Pinger {
 public:
  // An ICMP socket where the system allows it to us (ping_group_range), a raw one otherwise.
  static Result<Pinger> open(IpAddress::Family family);

  int fd() const { return fd_.get(); }
  IpAddress::Family family() const { return family_; }
  // An error that names the target: no route, or the interface is down.
  Result<void> ask(const IpAddress& target, std::uint16_t sequence) const;
  // The next target that has answered a request of this Pinger; none: nothing has come.
  std::optional<IpAddress> next_answer() const;

 private:
  enum class Socket : std::uint8_t { kIcmp, kRaw };
  Pinger(Fd fd, IpAddress::Family family, Socket socket, std::uint16_t identifier)
      : fd_(std::move(fd)), family_(family), socket_(socket), identifier_(identifier) {}

  Fd fd_;
  IpAddress::Family family_;
  Socket socket_;
  std::uint16_t identifier_;  // an ICMP socket has its own, which the kernel fills in and filters by
};

}  // namespace komainu::drivers
