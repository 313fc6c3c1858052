#include "drivers/net/address_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>

namespace komainu::drivers {
namespace {

using testing::ElementsAre;

constexpr MacAddress kOwn{{0x02, 0, 0, 0, 0, 0x01}};
constexpr MacAddress kOther{{0x02, 0, 0, 0, 0, 0x02}};
const IpAddress kV4 = *IpAddress::parse("192.0.2.7");
const IpAddress kV6 = *IpAddress::parse("2001:db8::12:3456");

// What the kernel does with a socket's filter: the few instructions that claims_filter() uses.
bool passes(const std::vector<sock_filter>& program, const std::vector<std::uint8_t>& frame) {
  std::uint32_t accumulator = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& op = program[pc];
    if (BPF_CLASS(op.code) == BPF_RET) return op.k != 0;
    if (BPF_CLASS(op.code) == BPF_JMP) {
      pc += accumulator == op.k ? op.jt : op.jf;
      continue;
    }
    const std::size_t size = BPF_SIZE(op.code) == BPF_W ? 4 : BPF_SIZE(op.code) == BPF_H ? 2 : 1;
    if (op.k + size > frame.size()) return false;
    accumulator = 0;
    for (std::size_t i = 0; i < size; ++i) accumulator = accumulator << 8u | frame[op.k + i];
  }
  return false;
}

TEST(Arp, AProbeAsksForTheAddressWithoutClaimingIt) {
  const Frame frame = probe_frame(kV4, kOwn);
  EXPECT_EQ(frame.ethertype, ETH_P_ARP);
  EXPECT_EQ(frame.to, MacAddress::broadcast());
  EXPECT_THAT(frame.bytes, ElementsAre(0, 1, 8, 0, 6, 4, 0, 1,        // Ethernet, IPv4, request
                                       2, 0, 0, 0, 0, 1, 0, 0, 0, 0,  // sender: own MAC, no address
                                       0, 0, 0, 0, 0, 0, 192, 0, 2, 7));
  EXPECT_FALSE(claimed_by(kV4, frame.bytes, kOwn)) << "probes of other nodes are no claims";
}

TEST(Arp, AnAnnouncementClaimsTheAddressAsRequestAndAsReply) {
  const auto frames = announcement_frames(kV4, kOther);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].bytes[7], 1);
  EXPECT_EQ(frames[1].bytes[7], 2);
  for (const Frame& frame : frames) {
    EXPECT_EQ(claimed_by(kV4, frame.bytes, kOwn), kOther) << "the MAC inside counts, not the switch's";
    EXPECT_FALSE(claimed_by(*IpAddress::parse("192.0.2.8"), frame.bytes, kOther));
  }
}

TEST(NeighbourDiscovery, AProbeIsASolicitationFromNobody) {
  const Frame frame = probe_frame(kV6, kOwn);
  EXPECT_EQ(frame.ethertype, ETH_P_IPV6);
  EXPECT_EQ(frame.to, (MacAddress{{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}}));
  ASSERT_EQ(frame.bytes.size(), 64u);
  EXPECT_EQ(frame.bytes[7], 255) << "hop limit";
  EXPECT_EQ(IpAddress::from_bytes(std::span(frame.bytes).subspan(8, 16)), *IpAddress::parse("::"));
  EXPECT_EQ(IpAddress::from_bytes(std::span(frame.bytes).subspan(24, 16)),
            *IpAddress::parse("ff02::1:ff12:3456"));
  EXPECT_EQ(IpAddress::from_bytes(std::span(frame.bytes).subspan(48, 16)), kV6);
  EXPECT_FALSE(claimed_by(kV6, frame.bytes, kOwn));
}

// With its checksum, the pseudo-header and the message add up to ffff (RFC 1071).
TEST(NeighbourDiscovery, ChecksumsAddUp) {
  for (const Frame& frame : {probe_frame(kV6, kOwn), announcement_frames(kV6, kOwn).front()}) {
    std::uint32_t sum = 58 + static_cast<std::uint32_t>(frame.bytes.size() - 40);
    for (std::size_t i = 8; i < frame.bytes.size(); i += 2)
      sum += (frame.bytes[i] << 8u) + frame.bytes[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16u);
    EXPECT_EQ(sum, 0xffffu);
  }
}

TEST(NeighbourDiscovery, AnAdvertisementClaimsTheAddress) {
  auto frames = announcement_frames(kV6, kOther);
  ASSERT_EQ(frames.size(), 1u);
  Frame& frame = frames.front();
  EXPECT_EQ(frame.bytes[44], 0x20) << "override, neither solicited nor router";
  EXPECT_EQ(claimed_by(kV6, frame.bytes, kOwn), kOther);
  EXPECT_FALSE(claimed_by(*IpAddress::parse("2001:db8::1"), frame.bytes, kOther));

  frame.bytes.resize(64);
  EXPECT_EQ(claimed_by(kV6, frame.bytes, kOwn), kOwn) << "without the option the sender counts";

  frame.bytes[7] = 254;
  EXPECT_FALSE(claimed_by(kV6, frame.bytes, kOwn)) << "it was routed: forged";
}

TEST(Claims, AreNeverSeenInShortFrames) {
  for (const IpAddress& address : {kV4, kV6}) {
    std::vector<std::uint8_t> frame = announcement_frames(address, kOther).front().bytes;
    const std::size_t needed = address == kV4 ? 28 : 64;
    for (std::size_t size = 0; size < needed; ++size)
      EXPECT_FALSE(claimed_by(address, std::span(frame).first(size), kOther)) << size;
  }
}

TEST(Claims, TheKernelFilterPassesThemAndNothingElse) {
  for (const IpAddress& address : {kV4, kV6}) {
    const auto filter = claims_filter(address);
    for (const Frame& claim : announcement_frames(address, kOther)) EXPECT_TRUE(passes(filter, claim.bytes));
    EXPECT_FALSE(passes(filter, probe_frame(address, kOther).bytes));
    EXPECT_FALSE(passes(filter, {}));
    IpAddress neighbour = address;
    for (std::size_t i = 0; i < address.size(); ++i) {
      neighbour.bytes[i] ^= 1;
      EXPECT_FALSE(passes(filter, announcement_frames(neighbour, kOther).front().bytes)) << "byte " << i;
      neighbour.bytes[i] ^= 1;
    }
  }
}

}  // namespace
}  // namespace komainu::drivers
