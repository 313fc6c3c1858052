#include "drivers/net/address_frames.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace komainu::drivers {
namespace {

// An ARP packet for IPv4 over Ethernet.
constexpr std::array<std::uint8_t, 6> kArpEthernetIpv4{0, 1, 0x08, 0x00, 6, 4};
constexpr std::size_t kArpOperation = 7;
constexpr std::size_t kArpSenderMac = 8;
constexpr std::size_t kArpSenderIp = 14;
constexpr std::size_t kArpTargetIp = 24;
constexpr std::size_t kArpSize = 28;
constexpr std::uint8_t kArpRequest = 1;
constexpr std::uint8_t kArpReply = 2;

constexpr std::size_t kIpv6NextHeader = 6;
constexpr std::size_t kIpv6HopLimit = 7;
constexpr std::size_t kIpv6Source = 8;
constexpr std::size_t kIpv6Destination = 24;
constexpr std::size_t kIcmp = 40;  // without extension headers, which neighbour discovery does not use
constexpr std::size_t kIcmpTarget = kIcmp + 8;
constexpr std::size_t kIcmpOptions = kIcmp + 24;
constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::uint8_t kNeighbourAdvertisement = 136;
constexpr std::uint8_t kOverride = 0x20;
constexpr std::uint8_t kTargetLinkLayerAddress = 2;

void put(std::vector<std::uint8_t>& bytes, std::size_t at, std::span<const std::uint8_t> what) {
  assert(at + what.size() <= bytes.size());
  std::copy(what.begin(), what.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

MacAddress mac_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  MacAddress mac;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), mac.bytes.size(), mac.bytes.begin());
  return mac;
}

bool equals_at(std::span<const std::uint8_t> bytes, std::size_t at, std::span<const std::uint8_t> what) {
  return bytes.size() >= at + what.size() && std::ranges::equal(bytes.subspan(at, what.size()), what);
}

Frame arp(std::uint8_t operation, const MacAddress& own, std::span<const std::uint8_t> sender_ip,
          std::span<const std::uint8_t> target_ip) {
  Frame frame{ETH_P_ARP, MacAddress::broadcast(), std::vector<std::uint8_t>(kArpSize)};
  put(frame.bytes, 0, kArpEthernetIpv4);
  frame.bytes[kArpOperation] = operation;
  put(frame.bytes, kArpSenderMac, own.bytes);
  put(frame.bytes, kArpSenderIp, sender_ip);
  put(frame.bytes, kArpTargetIp, target_ip);
  return frame;
}

// The checksum of RFC 1071 over the pseudo-header of RFC 8200 section 8.1 and the ICMPv6 message.
std::uint16_t icmpv6_checksum(std::span<const std::uint8_t> packet) {
  std::uint32_t sum = kIcmpv6 + static_cast<std::uint32_t>(packet.size() - kIcmp);
  for (std::size_t i = kIpv6Source; i + 1 < packet.size(); i += 2) sum += (packet[i] << 8u) + packet[i + 1];
  if ((packet.size() - kIpv6Source) % 2 != 0) sum += packet.back() << 8u;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16u);
  return static_cast<std::uint16_t>(~sum);
}

Frame icmpv6(std::span<const std::uint8_t> source, std::span<const std::uint8_t> destination,
             std::span<const std::uint8_t> message) {
  Frame frame{ETH_P_IPV6, {}, std::vector<std::uint8_t>(kIcmp + message.size())};
  auto& bytes = frame.bytes;
  // A multicast address maps to 33:33 and its last four bytes (RFC 2464 section 7).
  frame.to = {{0x33, 0x33, destination[12], destination[13], destination[14], destination[15]}};
  bytes[0] = 0x60;
  bytes[5] = static_cast<std::uint8_t>(message.size());
  bytes[kIpv6NextHeader] = kIcmpv6;
  bytes[kIpv6HopLimit] = 255;
  put(bytes, kIpv6Source, source);
  put(bytes, kIpv6Destination, destination);
  put(bytes, kIcmp, message);
  const std::uint16_t checksum = icmpv6_checksum(bytes);
  bytes[kIcmp + 2] = static_cast<std::uint8_t>(checksum >> 8u);
  bytes[kIcmp + 3] = static_cast<std::uint8_t>(checksum);
  return frame;
}

constexpr std::array<std::uint8_t, 16> kUnspecified{};
constexpr std::array<std::uint8_t, 16> kAllNodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

}  // namespace

std::uint16_t ethertype_of(const IpAddress& address) {
  return address.family == IpAddress::Family::kV4 ? ETH_P_ARP : ETH_P_IPV6;
}

Frame probe_frame(const IpAddress& address, const MacAddress& own) {
  if (address.family == IpAddress::Family::kV4) {
    constexpr std::array<std::uint8_t, 4> nobody{};
    return arp(kArpRequest, own, nobody, address.span());
  }
  std::array<std::uint8_t, 16> solicited_node{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::copy_n(address.bytes.begin() + 13, 3, solicited_node.begin() + 13);
  std::vector<std::uint8_t> message(24);
  message[0] = kNeighbourSolicitation;
  put(message, 8, address.span());
  return icmpv6(kUnspecified, solicited_node, message);
}

std::vector<Frame> announcement_frames(const IpAddress& address, const MacAddress& own) {
  if (address.family == IpAddress::Family::kV4)
    return {arp(kArpRequest, own, address.span(), address.span()),
            arp(kArpReply, own, address.span(), address.span())};
  std::vector<std::uint8_t> message(32);
  message[0] = kNeighbourAdvertisement;
  message[4] = kOverride;
  put(message, 8, address.span());
  message[24] = kTargetLinkLayerAddress;
  message[25] = 1;  // in units of eight bytes
  put(message, 26, own.bytes);
  return {icmpv6(address.span(), kAllNodes, message)};
}

std::optional<MacAddress> claimed_by(const IpAddress& address, std::span<const std::uint8_t> frame,
                                     const MacAddress& sender) {
  if (address.family == IpAddress::Family::kV4) {
    if (frame.size() < kArpSize || !equals_at(frame, 0, kArpEthernetIpv4)) return std::nullopt;
    if (!equals_at(frame, kArpSenderIp, address.span())) return std::nullopt;
    return mac_at(frame, kArpSenderMac);
  }
  const bool advertisement = frame.size() >= kIcmpOptions && frame[kIpv6NextHeader] == kIcmpv6 &&
                             frame[kIpv6HopLimit] == 255 && frame[kIcmp] == kNeighbourAdvertisement;
  if (!advertisement || !equals_at(frame, kIcmpTarget, address.span())) return std::nullopt;
  const bool names_its_mac = frame.size() >= kIcmpOptions + 8 &&
                             frame[kIcmpOptions] == kTargetLinkLayerAddress && frame[kIcmpOptions + 1] == 1;
  return names_its_mac ? mac_at(frame, kIcmpOptions + 2) : sender;
}

std::vector<sock_filter> claims_filter(const IpAddress& address) {
  struct Test {
    std::uint16_t load;  // BPF_W, BPF_H, BPF_B
    std::size_t offset;
    std::uint32_t value;
  };
  std::vector<Test> tests;
  const auto word = [&](std::size_t i) {
    return static_cast<std::uint32_t>(address.bytes[i]) << 24u | address.bytes[i + 1] << 16u |
           address.bytes[i + 2] << 8u | address.bytes[i + 3];
  };
  if (address.family == IpAddress::Family::kV4) {
    tests.push_back({BPF_W, kArpSenderIp, word(0)});
  } else {
    tests.push_back({BPF_B, kIpv6NextHeader, kIcmpv6});
    tests.push_back({BPF_B, kIcmp, kNeighbourAdvertisement});
    for (std::size_t i = 0; i < 16; i += 4) tests.push_back({BPF_W, kIcmpTarget + i, word(i)});
  }
  std::vector<sock_filter> program;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const auto to_reject = static_cast<std::uint8_t>(2 * (tests.size() - i) - 1);
    program.push_back(BPF_STMT(static_cast<std::uint16_t>(BPF_LD | BPF_ABS | tests[i].load),
                               static_cast<std::uint32_t>(tests[i].offset)));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, tests[i].value, 0, to_reject));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffff));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  return program;
}

}  // namespace komainu::drivers
