#include "drivers/net/echo.h"

#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "drivers/net/socket_address.h"

namespace komainu::drivers {
namespace {

constexpr std::size_t kHeader = 8;
constexpr std::array<std::uint8_t, 8> kPayload{'k', 'o', 'm', 'a', 'i', 'n', 'u', 0};

std::uint8_t request_type(IpAddress::Family family) {
  return family == IpAddress::Family::kV4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
}
std::uint8_t reply_type(IpAddress::Family family) {
  return family == IpAddress::Family::kV4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
}

// Lets a raw socket see echo replies only.
void filter_replies(int fd, IpAddress::Family family) {
  if (family == IpAddress::Family::kV4) {
    const std::uint32_t blocked = ~(1u << ICMP_ECHOREPLY);
    ::setsockopt(fd, SOL_RAW, 1 /* ICMP_FILTER of <linux/icmp.h> */, &blocked, sizeof blocked);
  } else {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    ::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  }
}

// Identifies the requests of one raw socket among those of all processes: raw sockets see each other's
// replies.
std::uint16_t fresh_identifier() {
  static std::uint16_t last = static_cast<std::uint16_t>(::getpid());
  return ++last;
}

}  // namespace

std::vector<std::uint8_t> echo_request(IpAddress::Family family, const Echo& echo) {
  std::vector<std::uint8_t> message(kHeader + kPayload.size());
  message[0] = request_type(family);
  message[4] = static_cast<std::uint8_t>(echo.identifier >> 8u);
  message[5] = static_cast<std::uint8_t>(echo.identifier);
  message[6] = static_cast<std::uint8_t>(echo.sequence >> 8u);
  message[7] = static_cast<std::uint8_t>(echo.sequence);
  std::copy(kPayload.begin(), kPayload.end(), message.begin() + kHeader);
  if (family == IpAddress::Family::kV4) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < message.size(); i += 2) sum += (message[i] << 8u) + message[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16u);
    message[2] = static_cast<std::uint8_t>(~sum >> 8u);
    message[3] = static_cast<std::uint8_t>(~sum);
  }
  return message;
}

std::optional<Echo> echo_reply(IpAddress::Family family, std::span<const std::uint8_t> packet) {
  const bool with_ip_header = family == IpAddress::Family::kV4 && !packet.empty() && packet[0] >> 4u == 4;
  const std::size_t header = with_ip_header ? (packet[0] & 0x0fu) * std::size_t{4} : 0;
  if (packet.size() < header + kHeader) return std::nullopt;
  const auto message = packet.subspan(header);
  if (message[0] != reply_type(family) || message[1] != 0) return std::nullopt;
  return Echo{static_cast<std::uint16_t>(message[4] << 8u | message[5]),
              static_cast<std::uint16_t>(message[6] << 8u | message[7])};
}

Result<Pinger> Pinger::open(IpAddress::Family family) {
  const bool v4 = family == IpAddress::Family::kV4;
  const int domain = v4 ? AF_INET : AF_INET6;
  const int protocol = v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  if (Fd icmp(::socket(domain, SOCK_DGRAM | kFlags, protocol)); icmp)
    return Pinger(std::move(icmp), family, Socket::kIcmp, 0);
  Fd raw(::socket(domain, SOCK_RAW | kFlags, protocol));
  if (!raw)
    return failure(fmt::format("cannot open a socket for ping: {}", std::strerror(errno)),
                   "komainud needs CAP_NET_RAW");
  filter_replies(raw.get(), family);
  return Pinger(std::move(raw), family, Socket::kRaw, fresh_identifier());
}

Result<void> Pinger::ask(const IpAddress& target, std::uint16_t sequence) const {
  const std::vector<std::uint8_t> message = echo_request(family_, {identifier_, sequence});
  const SocketAddress to(target, 0);
  if (::sendto(fd_.get(), message.data(), message.size(), MSG_DONTWAIT, to.get(), to.size) < 0)
    return failure(fmt::format("cannot ping {}: {}", target.text(), std::strerror(errno)));
  return {};
}

std::optional<IpAddress> Pinger::next_answer() const {
  std::array<std::uint8_t, 512> buffer;
  for (int i = 0; i < 256; ++i) {  // replies to others must not hold the loop
    sockaddr_storage from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0) {
      if (errno == EAGAIN) return std::nullopt;
      continue;  // an ICMP error for one of the targets: that target does not answer
    }
    const auto echo = echo_reply(family_, std::span(buffer).first(static_cast<std::size_t>(size)));
    if (!echo || (socket_ == Socket::kRaw && echo->identifier != identifier_)) continue;
    const auto* address =
        family_ == IpAddress::Family::kV4
            ? reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<sockaddr_in&>(from).sin_addr)
            : reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<sockaddr_in6&>(from).sin6_addr);
    return IpAddress::from_bytes(
        {address, family_ == IpAddress::Family::kV4 ? std::size_t{4} : std::size_t{16}});
  }
  return std::nullopt;
}

}  // namespace komainu::drivers
