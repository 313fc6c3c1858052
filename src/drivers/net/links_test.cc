#include "drivers/net/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if.h>

#include "drivers/testing/world.h"

namespace komainu::drivers {
namespace {

using testing::FakeNetlink;
using ::testing::HasSubstr;

struct Server {
  FakeNetlink netlink;
  Server() {
    netlink.set_link({.index = 1, .name = "lo", .up = true, .carrier = true, .loopback = true});
    for (int index : {2, 3})
      netlink.set_link({.index = index, .name = "eth" + std::to_string(index), .up = true, .carrier = true});
  }
  void has(int link, const char* prefix) { netlink.set_address({link, *IpPrefix::parse(prefix)}); }
  Result<Link> link_for(const char* address) { return drivers::link_for(netlink, *IpPrefix::parse(address)); }
};

TEST(LinkFor, FindsTheInterfaceOfTheNetwork) {
  Server server;
  server.has(2, "10.0.1.11/24");
  server.has(3, "192.0.2.11/24");
  server.has(3, "2001:db8::11/64");
  EXPECT_EQ(server.link_for("192.0.2.100/24")->name, "eth3");
  EXPECT_EQ(server.link_for("10.0.1.100/24")->name, "eth2");
  EXPECT_EQ(server.link_for("2001:db8::100/64")->name, "eth3");
}

TEST(LinkFor, PrefersTheMoreSpecificNetwork) {
  Server server;
  server.has(3, "10.1.2.11/24");
  server.has(2, "10.0.0.11/8");
  EXPECT_EQ(server.link_for("10.1.2.100/24")->name, "eth3");
}

TEST(LinkFor, RefusesToGuess) {
  Server server;
  server.has(1, "192.0.2.11/24");
  EXPECT_THAT(server.link_for("192.0.2.100/24").error().what, HasSubstr("no interface"))
      << "lo does not count";
  server.has(2, "192.0.2.100/24");
  EXPECT_FALSE(server.link_for("192.0.2.100/24")) << "the address itself says nothing about its network";
  server.has(2, "192.0.2.12/24");
  server.has(3, "192.0.2.13/24");
  EXPECT_THAT(server.link_for("192.0.2.100/24").error().what, HasSubstr("several interfaces"));
}

}  // namespace
}  // namespace komainu::drivers
