#include "base/ip.h"

#include <gtest/gtest.h>

namespace komainu {
namespace {

TEST(IpPrefix, ReadsAndWritesBothFamilies) {
  for (const char* text : {"192.0.2.7/24", "0.0.0.0/0", "2001:db8::7/64", "fe80::1/128"}) {
    const auto prefix = IpPrefix::parse(text);
    ASSERT_TRUE(prefix) << text;
    EXPECT_EQ(prefix->text(), text);
  }
}

TEST(IpPrefix, RefusesWhatIsNoPrefix) {
  for (const char* text : {"", "192.0.2.7", "192.0.2.7/", "192.0.2.7/33", "192.0.2.7/-1", "192.0.2.7/24 ",
                           "192.0.2/24", "2001:db8::7/129", "/24", "web/24", "192.0.2.7/256"})
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
}

TEST(IpPrefix, ContainsTheAddressesOfItsNetworkOnly) {
  struct Case {
    const char* prefix;
    const char* address;
    bool inside;
  };
  for (const Case& c :
       {Case{"192.0.2.7/24", "192.0.2.200", true}, Case{"192.0.2.7/24", "192.0.3.7", false},
        Case{"192.0.2.0/25", "192.0.2.128", false}, Case{"10.0.0.0/9", "10.127.0.1", true},
        Case{"0.0.0.0/0", "203.0.113.1", true}, Case{"0.0.0.0/0", "::1", false},
        Case{"192.0.2.7/32", "192.0.2.7", true}, Case{"192.0.2.7/32", "192.0.2.6", false},
        Case{"2001:db8::/33", "2001:db8:7fff::1", true}, Case{"2001:db8::/33", "2001:db8:8000::1", false}})
    EXPECT_EQ(IpPrefix::parse(c.prefix)->contains(*IpAddress::parse(c.address)), c.inside)
        << c.prefix << ' ' << c.address;
}

TEST(MacAddress, IsWrittenAsPeopleDo) {
  EXPECT_EQ((MacAddress{{0x52, 0x54, 0, 0xab, 1, 2}}.text()), "52:54:00:ab:01:02");
}

}  // namespace
}  // namespace komainu
