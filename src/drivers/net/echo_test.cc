#include "drivers/net/echo.h"

#include <gtest/gtest.h>

namespace komainu::drivers {
namespace {

constexpr auto kV4 = IpAddress::Family::kV4;
constexpr auto kV6 = IpAddress::Family::kV6;

std::vector<std::uint8_t> reply_to(IpAddress::Family family, const Echo& echo) {
  std::vector<std::uint8_t> message = echo_request(family, echo);
  message[0] = family == kV4 ? 0 : 129;
  return message;
}

TEST(Echo, ARequestIsNoReply) {
  for (const auto family : {kV4, kV6}) EXPECT_FALSE(echo_reply(family, echo_request(family, {7, 9})));
}

TEST(Echo, ReadsTheReplyOfAnIcmpSocket) {
  for (const auto family : {kV4, kV6})
    EXPECT_EQ(echo_reply(family, reply_to(family, {700, 900})), (Echo{700, 900}));
}

TEST(Echo, ReadsTheReplyBehindTheIpHeaderThatARawSocketGives) {
  std::vector<std::uint8_t> packet(24);
  packet[0] = 0x46;  // version 4, a header of six words
  const auto reply = reply_to(kV4, {1, 2});
  packet.insert(packet.end(), reply.begin(), reply.end());
  EXPECT_EQ(echo_reply(kV4, packet), (Echo{1, 2}));
  for (std::size_t size = 0; size < 32; ++size)
    EXPECT_FALSE(echo_reply(kV4, std::span(packet).first(size))) << size;
}

TEST(Echo, ChecksumsAddUp) {
  const auto message = echo_request(kV4, {0xabcd, 0x1234});
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < message.size(); i += 2) sum += (message[i] << 8u) + message[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16u);
  EXPECT_EQ(sum, 0xffffu);
}

}  // namespace
}  // namespace komainu::drivers
