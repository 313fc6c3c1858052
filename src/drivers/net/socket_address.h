// IpAddress for the socket calls.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include "base/ip.h"

namespace komainu::drivers {

struct SocketAddress {
  SocketAddress(const IpAddress& ip, std::uint16_t port) {
    if (ip.family == IpAddress::Family::kV4) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      std::copy_n(ip.bytes.begin(), 4, reinterpret_cast<std::uint8_t*>(&v4.sin_addr));
      size = sizeof v4;
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      std::copy_n(ip.bytes.begin(), 16, reinterpret_cast<std::uint8_t*>(&v6.sin6_addr));
      size = sizeof v6;
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t size = 0;
};

}  // namespace komainu::drivers
