// The frames by which an address is asked for and announced: ARP (RFC 826, RFC 5227) and Neighbour Discovery
// (RFC 4861, RFC 4862). Bytes in, bytes out; packet_socket.h sends them.
//
// Only a sender that *has* the address counts as a claim. RFC 5227 also counts another's probe; here the
// other nodes of the cluster may be probing for the same address while its old place is being fenced.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"

namespace komainu::drivers {

// Without its Ethernet header.
struct Frame {
  std::uint16_t ethertype = 0;
  MacAddress to;
  std::vector<std::uint8_t> bytes;
};

// ETH_P_ARP or ETH_P_IPV6.
std::uint16_t ethertype_of(const IpAddress& address);

// "Has anybody got this address?", asked by somebody without an address: an ARP probe, or the neighbour
// solicitation of duplicate address detection.
Frame probe_frame(const IpAddress& address, const MacAddress& own);

// "I have it": neighbours replace what their caches say. IPv4 as request and as reply, since some systems
// take only one of them; IPv6 as unsolicited neighbour advertisement with the override flag.
std::vector<Frame> announcement_frames(const IpAddress& address, const MacAddress& own);

// Who says in this frame that it has the address. `sender` is the frame's Ethernet source.
std::optional<MacAddress> claimed_by(const IpAddress& address, std::span<const std::uint8_t> frame,
                                     const MacAddress& sender);

// Lets the kernel pass only frames that may claim the address.
std::vector<sock_filter> claims_filter(const IpAddress& address);

}  // namespace komainu::drivers
