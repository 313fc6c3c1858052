#include "drivers/net/packet_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace komainu::drivers {
namespace {

sockaddr_ll link_address(int link, std::uint16_t ethertype, const MacAddress& to) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ethertype);
  address.sll_ifindex = link;
  address.sll_halen = static_cast<std::uint8_t>(to.bytes.size());
  std::copy(to.bytes.begin(), to.bytes.end(), address.sll_addr);
  return address;
}

}  // namespace

Result<PacketSocket> PacketSocket::open(int link, const IpAddress& address) {
  // Protocol 0 receives nothing until it is bound: no frame slips in before the filter.
  Fd fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd)
    return failure(fmt::format("cannot open a packet socket: {}", std::strerror(errno)),
                   "komainud needs CAP_NET_RAW");
  std::vector<sock_filter> filter = claims_filter(address);
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return failure(fmt::format("cannot filter a packet socket: {}", std::strerror(errno)));
  const sockaddr_ll local = link_address(link, ethertype_of(address), {});
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0)
    return failure(fmt::format("cannot bind a packet socket to link {}: {}", link, std::strerror(errno)));
  return PacketSocket(std::move(fd), link, address);
}

Result<void> PacketSocket::send(const Frame& frame) const {
  const sockaddr_ll to = link_address(link_, frame.ethertype, frame.to);
  const ssize_t sent = ::sendto(fd_.get(), frame.bytes.data(), frame.bytes.size(), MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (sent < 0) return failure(fmt::format("cannot send on link {}: {}", link_, std::strerror(errno)));
  return {};
}

void PacketSocket::discard() const {
  char byte;
  for (int i = 0; i < 1024; ++i)  // more than the default receive buffer holds
    if (::recv(fd_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) return;
}

Result<std::optional<MacAddress>> PacketSocket::next_claim(const MacAddress& own) const {
  std::array<std::uint8_t, 256> buffer;
  for (int i = 0; i < 64; ++i) {  // a flood of our own frames coming back must not hold the loop
    sockaddr_ll from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return std::nullopt;
      return failure(fmt::format("cannot receive on link {}: {}", link_, std::strerror(errno)));
    }
    MacAddress sender;
    std::copy_n(from.sll_addr, sender.bytes.size(), sender.bytes.begin());
    const auto mac = claimed_by(address_, std::span(buffer).first(static_cast<std::size_t>(size)), sender);
    if (mac && *mac != own) return mac;
  }
  return std::nullopt;
}

}  // namespace komainu::drivers
