#include "engine/services/netlink.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <future>

#include "engine/testing/tasks.h"

namespace komainu::engine {
namespace {

using drivers::Link;
using drivers::LinkAddress;
using testing::Background;
using ::testing::HasSubstr;
using testing::kPatience;
using testing::wait;

// This thread, and those it starts, in a network namespace of their own. Needs root.
class NetworkNamespace {
 public:
  NetworkNamespace() : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0) << errno_text();
  }
  ~NetworkNamespace() { EXPECT_EQ(::setns(before_.get(), CLONE_NEWNET), 0); }

 private:
  Fd before_;
};

void ip(const std::string& arguments) {
  EXPECT_EQ(std::system(("ip " + arguments).c_str()), 0) << arguments;
}

class NetlinkTest : public ::testing::Test {
 protected:
  NetlinkTest() { ip("link add left type veth peer name right"); }
  void open(int receive_buffer = Netlink::kReceiveBuffer) {
    auto opened = Netlink::open(loop, receive_buffer);
    ASSERT_TRUE(opened) << opened.error().what;
    netlink = std::move(*opened);
  }

  const Link* link(const std::string& name) const {
    const auto it = std::ranges::find(netlink->links(), name, &Link::name);
    return it == netlink->links().end() ? nullptr : &*it;
  }
  bool has(const std::string& prefix) const {
    const auto wanted = IpPrefix::parse(prefix);
    return std::ranges::any_of(netlink->addresses(),
                               [&](const LinkAddress& a) { return a.prefix == *wanted; });
  }
  // Awaits changes until `holds`.
  bool until(const std::function<bool()>& holds) {
    const LocalTime end = boot_time() + kPatience;
    while (!holds() && boot_time() < end) {
      Background<void> change(loop, netlink->changed());
      loop.run_until([&] { return change.done(); }, 1s);
    }
    return holds();
  }

  NetworkNamespace namespace_;
  Loop loop;
  std::unique_ptr<Netlink> netlink;
};

TEST_F(NetlinkTest, KnowsLinksAndAddressesFromTheStart) {
  ip("link set lo up");
  ip("addr add 192.0.2.1/24 dev left");
  open();
  ASSERT_NE(link("lo"), nullptr);
  EXPECT_TRUE(link("lo")->loopback);
  ASSERT_NE(link("left"), nullptr);
  EXPECT_FALSE(link("left")->up);
  EXPECT_NE(link("left")->mac, MacAddress{});
  EXPECT_TRUE(has("127.0.0.1/8"));
  EXPECT_TRUE(has("192.0.2.1/24"));
}

TEST_F(NetlinkTest, FollowsTheCarrier) {
  ip("link set left up");
  open();
  EXPECT_TRUE(link("left")->up);
  EXPECT_FALSE(link("left")->carrier);
  ip("link set right up");
  EXPECT_TRUE(until([&] { return link("left")->carrier && link("left")->operstate == IF_OPER_UP; }));
  const LocalTime before = boot_time();
  ip("link set right down");
  EXPECT_TRUE(until([&] { return !link("left")->carrier; }));
  fmt::print("a lost carrier was seen after {} us, the ip command included\n",
             (boot_time() - before).count());
}

TEST_F(NetlinkTest, FollowsLinksThatComeAndGo) {
  open();
  ip("link add more type veth peer name other");
  EXPECT_TRUE(until([&] { return link("more") != nullptr; }));
  ip("addr add 192.0.2.9/24 dev more");
  EXPECT_TRUE(until([&] { return has("192.0.2.9/24"); }));
  ip("link del more");
  EXPECT_TRUE(until([&] { return link("more") == nullptr && link("other") == nullptr; }));
  EXPECT_FALSE(has("192.0.2.9/24"));
}

TEST_F(NetlinkTest, AddsAndRemovesAddressesThatTheTablesShowAtOnce) {
  open();
  const int index = link("left")->index;
  for (const char* text : {"192.0.2.5/24", "2001:db8::5/64"}) {
    const IpPrefix prefix = *IpPrefix::parse(text);
    auto added = wait(loop, netlink->add_address(index, prefix));
    ASSERT_TRUE(added) << added.error().what;
    EXPECT_TRUE(has(text));
    EXPECT_TRUE(wait(loop, netlink->add_address(index, prefix))) << "it is there already";
    auto removed = wait(loop, netlink->remove_address(index, prefix));
    ASSERT_TRUE(removed) << removed.error().what;
    EXPECT_FALSE(has(text));
    EXPECT_TRUE(wait(loop, netlink->remove_address(index, prefix))) << "it is gone already";
  }
}

TEST_F(NetlinkTest, AnIpv6AddressIsUsableAtOnce) {
  ip("link set left up");
  ip("link set right up");
  open();
  ASSERT_TRUE(wait(loop, netlink->add_address(link("left")->index, *IpPrefix::parse("2001:db8::5/64"))));
  const auto it = std::ranges::find_if(netlink->addresses(), [](const LinkAddress& address) {
    return address.prefix == *IpPrefix::parse("2001:db8::5/64");
  });
  ASSERT_NE(it, netlink->addresses().end());
  EXPECT_FALSE(it->tentative);
}

TEST_F(NetlinkTest, SaysWhyAnAddressCannotBeAdded) {
  open();
  auto added = wait(loop, netlink->add_address(4711, *IpPrefix::parse("192.0.2.5/24")));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().what, "cannot add 192.0.2.5/24: No such device");
}

TEST_F(NetlinkTest, ACancelledChangeEndsWhenTheKernelHasAnswered) {
  open();
  const IpPrefix prefix = *IpPrefix::parse("192.0.2.5/24");
  Background<Result<void>> adding(loop, netlink->add_address(link("left")->index, prefix));
  adding.cancel();
  EXPECT_FALSE(adding.done()) << "it may still be made";
  EXPECT_FALSE(netlink->settled(prefix.address));
  EXPECT_TRUE(loop.run_until([&] { return adding.done(); }, kPatience));
  EXPECT_TRUE(adding.cancelled());
  EXPECT_TRUE(netlink->settled(prefix.address));
  EXPECT_TRUE(has("192.0.2.5/24")) << "what became of it is in the tables";
}

TEST_F(NetlinkTest, AChangeThatIsNotAnsweredIsNotForgottenWhenItsAskerHasGivenUp) {
  open();
  const IpPrefix prefix = *IpPrefix::parse("192.0.2.5/24");
  std::promise<void> answer;
  netlink->thread().submit(
      [until = answer.get_future().share()]() -> Result<void> {
        until.wait();
        return {};
      },
      [](const Result<void>&) {});
  {
    Background<Result<void>> adding(loop, netlink->add_address(link("left")->index, prefix));
    adding.cancel_and_wait();
    EXPECT_TRUE(adding.cancelled()) << "nobody waits for ever";
  }
  EXPECT_FALSE(has("192.0.2.5/24"));
  EXPECT_FALSE(netlink->settled(prefix.address));
  EXPECT_TRUE(netlink->settled(IpPrefix::parse("192.0.2.6/24")->address)) << "another is not concerned";
  answer.set_value();
  EXPECT_TRUE(until([&] { return netlink->settled(prefix.address); }));
  EXPECT_TRUE(has("192.0.2.5/24"));
}

TEST_F(NetlinkTest, LaterChangesFollowOneThatWasCancelled) {
  open();
  const int index = link("left")->index;
  for (const char* text : {"192.0.2.5/24", "2001:db8::5/64"}) {
    const IpPrefix prefix = *IpPrefix::parse(text);
    Background<Result<void>> adding(loop, netlink->add_address(index, prefix));
    adding.cancel();
    ASSERT_TRUE(wait(loop, netlink->remove_address(index, prefix)));
    EXPECT_TRUE(until([&] { return netlink->settled(prefix.address); }));
    EXPECT_FALSE(has(text));
  }
}

TEST_F(NetlinkTest, WakesEveryoneWhoWaitsAndNobodyWithoutAChange) {
  open();
  Background<void> first(loop, netlink->changed()), second(loop, netlink->changed()),
      third(loop, netlink->changed());
  third.cancel();
  loop.run_until([] { return false; }, 20ms);
  EXPECT_FALSE(first.done() || second.done());
  ip("link set left up");
  EXPECT_TRUE(loop.run_until([&] { return first.done() && second.done(); }, kPatience));
}

TEST_F(NetlinkTest, ReadsTheTablesAnewWhenEventsWereLost) {
  open(2048);
  ip("link set left up");
  // More events than the buffer holds, and nobody runs the loop meanwhile.
  const std::string commands = "/tmp/komainu-netlink-" + std::to_string(::getpid());
  {
    std::ofstream file(commands);
    for (int i = 1; i < 200; ++i) file << "addr add 192.0.2." << i << "/32 dev left\n";
    for (int i = 1; i < 199; ++i) file << "addr del 192.0.2." << i << "/32 dev left\n";
    file << "addr add 198.51.100.1/24 dev left\n";
  }
  ip("-batch " + commands);
  ::unlink(commands.c_str());
  EXPECT_TRUE(until([&] { return has("198.51.100.1/24") && !has("192.0.2.1/32") && has("192.0.2.199/32"); }));
  EXPECT_TRUE(netlink->settled(IpPrefix::parse("192.0.2.1/32")->address));
  EXPECT_GE(netlink->resyncs(), 1u);
  EXPECT_TRUE(link("left")->up);
  ip("addr add 198.51.100.2/24 dev left");
  EXPECT_TRUE(until([&] { return has("198.51.100.2/24"); }));
}

}  // namespace
}  // namespace komainu::engine
