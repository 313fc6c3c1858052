// With real frames on a real cable between two network namespaces; the tables of links and addresses are
// scripted here. tests/ has the same with the kernel's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/net/packet_socket.h"
#include "drivers/testing/net_namespace.h"
#include "drivers/testing/poll_loop.h"
#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using testing::NetNamespace;
using testing::PollLoop;
using testing::real_link;
using testing::ReportLog;
using testing::result_of;
using testing::Started;
using testing::World;

const char* const kAddresses[] = {"192.0.2.100/24", "2001:db8::100/64"};

// A server and a neighbour on one network.
struct Network {
  NetNamespace server, neighbour;
  std::optional<NetNamespace::Inside> inside;
  PollLoop loop;
  World world;
  ReportLog reports;
  Link eth1;

  Network() {
    server.join("eth1", neighbour, "eth1");
    for (const NetNamespace* one : {&server, &neighbour}) {
      const int last = one == &server ? 11 : 12;
      one->run(fmt::format("ip addr add 192.0.2.{}/24 dev eth1", last));
      one->run("sysctl -qw net.ipv6.conf.eth1.accept_dad=0");
      one->run(fmt::format("ip addr add 2001:db8::{}/64 dev eth1", last));
    }
    inside.emplace(server);
    eth1 = real_link("eth1");
    world.netlink.set_link(eth1);
    world.netlink.set_address({eth1.index, *IpPrefix::parse("192.0.2.11/24")});
    world.netlink.set_address({eth1.index, *IpPrefix::parse("2001:db8::11/64")});
  }

  std::unique_ptr<Resource> resource(const std::string& address, Params more = {}) {
    more["address"] = address;
    auto made = floating_ip().make(
        more, {loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log},
        {"node1", "orders/ip"});
    if (!made) throw std::runtime_error(made.error().what);
    return std::move(*made);
  }
  bool has(const std::string& address) const {
    return std::ranges::any_of(world.netlink.addresses(), [&](const LinkAddress& entry) {
      return entry.prefix == *IpPrefix::parse(address) && entry.link == eth1.index;
    });
  }
  void neighbour_claims(const std::string& address) const {
    const NetNamespace::Inside there(neighbour);
    const Link link = real_link("eth1");
    const IpAddress claimed = IpPrefix::parse(address)->address;
    const auto socket = PacketSocket::open(link.index, claimed);
    for (const Frame& frame : announcement_frames(claimed, link.mac))
      if (const auto sent = socket->send(frame); !sent) throw std::runtime_error(sent.error().what);
  }
  std::string neighbour_mac() const {
    const NetNamespace::Inside there(neighbour);
    return real_link("eth1").mac.text();
  }
};

TEST(FloatingIp, ComesUpWhenNobodyHasTheAddress) {
  Network network;
  for (const char* address : kAddresses) {
    const auto resource = network.resource(address);
    EXPECT_EQ(network.loop.run(resource->probe())->presence, Presence::kStopped);
    const LocalTime begun = network.loop.now();
    const Result<void> started = network.loop.run(resource->start());
    ASSERT_TRUE(started) << started.error().what;
    EXPECT_GE(network.loop.now() - begun, 60ms) << "three probes and their wait";
    EXPECT_TRUE(network.has(address));
    EXPECT_EQ(network.loop.run(resource->probe())->presence, Presence::kRunning);
    EXPECT_TRUE(network.loop.run(resource->start())) << "again";
    EXPECT_TRUE(network.loop.run(resource->stop()));
    EXPECT_FALSE(network.has(address));
    EXPECT_TRUE(network.loop.run(resource->stop())) << "again";
  }
}

TEST(FloatingIp, RefusesAnAddressThatAnotherHas) {
  Network network;
  for (const char* address : kAddresses) {
    network.neighbour.run(fmt::format("ip addr add {} dev eth1", address));
    const auto resource = network.resource(address);
    const Result<void> started = network.loop.run(resource->start());
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().what,
              fmt::format("{} is in use by {} (seen on eth1)", IpPrefix::parse(address)->address.text(),
                          network.neighbour_mac()));
    EXPECT_FALSE(network.has(address));
  }
}

// Here time is the test's: the frames are real, and a silence lasts as long as it is told to.
struct Preparation : Network {
  std::unique_ptr<Resource> made;
  void prepare(const std::string& address, Duration time) {
    Params params{{"address", address}};
    made = *floating_ip().make(
        params, {world.clock, loop, world.spawner, world.files, world.systemd, world.netlink, world.log}, {});
    Started<void> preparing(made->prepare());
    for (Duration passed{0}; passed < time; passed += 10ms) {
      answers_arrive();
      world.clock.advance(10ms);
    }
  }
  // The veth pair hands frames over at once: what was answered is readable now.
  void answers_arrive() { loop.run(loop.sleep(1ms)); }
};

TEST(FloatingIp, ChecksAheadSoThatTheStartNeedNotWait) {
  for (const char* address : kAddresses) {
    Preparation network;
    network.prepare(address, 60ms);
    Started<Result<void>> start(network.made->start());
    ASSERT_TRUE(start.done()) << address;
    EXPECT_TRUE(start.value());
  }
}

TEST(FloatingIp, GoesOnWithACheckThatHasNotEnded) {
  Preparation network;
  network.prepare(kAddresses[0], 50ms);
  Started<Result<void>> start(network.made->start());
  EXPECT_FALSE(start.done());
  network.world.clock.advance(9ms);
  EXPECT_FALSE(start.done());
  network.world.clock.advance(1ms);
  EXPECT_TRUE(start.value());
}

TEST(FloatingIp, FailsWhenSomebodyAnswersTheCheckThatItWentOnWith) {
  for (const char* address : kAddresses) {
    Preparation network;
    network.prepare(address, 50ms);
    Started<Result<void>> start(network.made->start());
    network.neighbour.run(fmt::format("ip addr add {} dev eth1", address));
    network.neighbour_claims(address);
    ASSERT_TRUE(network.loop.run_until([&] { return start.done(); })) << address;
    ASSERT_FALSE(start.value()) << address;
  }
}

TEST(FloatingIp, RenewsItsCheckWhileTheFencingTakesLong) {
  Preparation network;
  network.prepare(kAddresses[0], 12s);
  Started<Result<void>> start(network.made->start());
  ASSERT_TRUE(start.done());
}

TEST(FloatingIp, DoesNotRelyOnACheckWhenSomebodyHasClaimedTheAddressSince) {
  for (const char* address : kAddresses) {
    Preparation network;
    network.prepare(address, 60ms);
    network.neighbour.run(fmt::format("ip addr add {} dev eth1", address));
    network.neighbour_claims(address);
    network.answers_arrive();
    Started<Result<void>> start(network.made->start());
    ASSERT_TRUE(network.loop.run_until([&] { return start.done(); })) << address;
    ASSERT_FALSE(start.value()) << address;
    EXPECT_THAT(start.value().error().what, HasSubstr("is in use by " + network.neighbour_mac()));
  }
}

TEST(FloatingIp, ChecksAgainWhileTheLostNodeStillAnswers) {
  Preparation network;
  const std::string address = kAddresses[0];
  network.neighbour.run("ip addr add " + address + " dev eth1");
  network.prepare(address, 500ms);
  network.neighbour.run("ip addr del " + address + " dev eth1");  // it has been fenced
  Started<Result<void>> start(network.made->start());
  EXPECT_FALSE(start.done());
  network.world.clock.advance(60ms);
  EXPECT_TRUE(start.value());
}

TEST(FloatingIp, ReplacesWhatTheNeighboursHaveCached) {
  Network network;
  for (const char* address : kAddresses) {
    const std::string bare = IpPrefix::parse(address)->address.text();
    network.neighbour.run(
        fmt::format("ip neigh replace {} lladdr 02:00:00:00:00:99 dev eth1 nud stale", bare));
    const auto resource = network.resource(address);
    ASSERT_TRUE(network.loop.run(resource->start()));
    const std::string ours = network.eth1.mac.text();
    EXPECT_TRUE(network.loop.run_until([&] {
      return network.neighbour.output("ip neigh show " + bare).find(ours) != std::string::npos;
    })) << address;
  }
}

TEST(FloatingIp, AnnouncesAgainWhileItIsWatched) {
  Network network;
  const std::string address = kAddresses[0];
  const auto resource = network.resource(address);
  ASSERT_TRUE(network.loop.run(resource->start()));
  Started<std::string> watch(resource->watch(network.reports));
  network.neighbour.run("ip neigh replace 192.0.2.100 lladdr 02:00:00:00:00:99 dev eth1 nud stale");
  EXPECT_TRUE(network.loop.run_until([&] {
    return network.neighbour.output("ip neigh show 192.0.2.100").find(network.eth1.mac.text()) !=
           std::string::npos;
  })) << "the first announcement was lost";
}

TEST(FloatingIp, WarnsWhenAnotherClaimsItsAddress) {
  Network network;
  const auto resource = network.resource(kAddresses[0]);
  ASSERT_TRUE(network.loop.run(resource->start()));
  Started<std::string> watch(resource->watch(network.reports));
  network.neighbour_claims(kAddresses[0]);
  EXPECT_TRUE(network.loop.run_until([&] { return network.reports.health() == Health::kWarning; }));
  EXPECT_EQ(network.reports.evidence(),
            "192.0.2.100 is claimed by " + network.neighbour_mac() + ", too (seen on eth1)");
  EXPECT_FALSE(watch.done()) << "the other may be wrong: that is for people to find out";
}

// ---- what it makes of the tables

struct Tables {
  World world;
  ReportLog reports;
  Link eth1{.index = 2, .name = "eth1", .up = true, .carrier = true};
  std::unique_ptr<Resource> resource = make({});

  Tables() {
    world.netlink.set_link(eth1);
    world.netlink.set_address({2, *IpPrefix::parse("192.0.2.100/24")});
  }
  std::unique_ptr<Resource> make(Params more) {
    more["address"] = std::string("192.0.2.100/24");
    return *floating_ip().make(more, world.services(), {});
  }
};

TEST(FloatingIp, HasFailedWhenItsAddressIsTakenAway) {
  Tables tables;
  Started<std::string> watch(tables.resource->watch(tables.reports));
  EXPECT_FALSE(watch.done());
  (void)result_of(tables.world.netlink.remove_address(2, *IpPrefix::parse("192.0.2.100/24")));
  EXPECT_EQ(watch.value(), "192.0.2.100/24 was removed from its interface");
}

TEST(FloatingIp, HasFailedWhenItsLinkIsDown) {
  Tables tables;
  Started<std::string> watch(tables.resource->watch(tables.reports));
  tables.eth1.carrier = false;
  tables.world.netlink.set_link(tables.eth1);
  EXPECT_EQ(watch.value(), "eth1 has no carrier (192.0.2.100)");
  const Probe probe = *result_of(tables.resource->probe());
  EXPECT_EQ(probe.presence, Presence::kBroken);
  EXPECT_EQ(probe.evidence, "eth1 has no carrier (192.0.2.100)");
}

TEST(FloatingIp, DoesNotComeUpOnALinkThatIsDown) {
  Tables tables;
  tables.eth1.carrier = false;
  tables.world.netlink.set_link(tables.eth1);
  const auto resource = tables.make({{"interface", std::string("eth1")}});
  EXPECT_EQ(result_of(resource->start()).error().what, "192.0.2.100 cannot come up: eth1 has no carrier");
  const auto elsewhere = tables.make({{"interface", std::string("eth9")}});
  EXPECT_EQ(result_of(elsewhere->start()).error().what,
            "192.0.2.100 cannot come up: there is no interface eth9");
}

TEST(FloatingIp, StopsWhereverTheAddressIs) {
  Tables tables;
  tables.world.netlink.set_link({.index = 3, .name = "eth2", .up = true, .carrier = true});
  tables.world.netlink.set_address({3, *IpPrefix::parse("192.0.2.100/32")});
  EXPECT_TRUE(result_of(tables.resource->stop()));
  EXPECT_TRUE(tables.world.netlink.addresses().empty());
}

// A start was cancelled and its address has been asked for: the table does not show it yet.
struct Unsettled : Tables {
  IpPrefix address = *IpPrefix::parse("192.0.2.100/24");
  Unsettled() {
    (void)result_of(world.netlink.remove_address(2, address));
    world.netlink.unsettle(address.address);
  }
  void comes_up_after_all() {
    world.netlink.set_address({2, address});
    world.netlink.settle(address.address);
  }
};

TEST(FloatingIp, AStopWaitsForTheAddressThatACancelledStartAskedFor) {
  Unsettled tables;
  Started<Result<void>> stop(tables.resource->stop());
  EXPECT_FALSE(stop.done()) << "no address is shown, and yet one may come up";
  tables.comes_up_after_all();
  ASSERT_TRUE(stop.done());
  EXPECT_TRUE(stop.value());
  EXPECT_TRUE(tables.world.netlink.addresses().empty());
  EXPECT_EQ(result_of(tables.resource->probe())->presence, Presence::kStopped);
}

TEST(FloatingIp, AStopThatWasCancelledIsOverBeforeTheNextStartLooks) {
  Tables tables;
  const IpPrefix address = *IpPrefix::parse("192.0.2.100/24");
  tables.world.netlink.unsettle(address.address);
  const auto resource = tables.make({{"interface", std::string("eth1")}, {"probes", std::int64_t{0}}});
  Started<Result<void>> start(resource->start());
  EXPECT_FALSE(start.done()) << "the address that is shown may be gone in a moment";
}

TEST(FloatingIp, DoesNotCallItselfStoppedWhileAChangeIsNotAnswered) {
  Unsettled tables;
  Started<Result<Probe>> probe(tables.resource->probe());
  EXPECT_FALSE(probe.done());
  tables.world.clock.advance(5s);
  ASSERT_TRUE(probe.done());
  ASSERT_FALSE(probe.value());
  EXPECT_EQ(probe.value().error().what, "the kernel has not answered a change of 192.0.2.100");
  tables.comes_up_after_all();
  EXPECT_EQ(result_of(tables.resource->probe())->presence, Presence::kRunning);
}

TEST(FloatingIp, RefusesAddressesThatNoClientCanReach) {
  World world;
  for (const char* address : {"127.0.0.1/8", "224.0.0.1/24", "0.0.0.0/24", "255.255.255.255/24", "::1/128",
                              "ff02::1/64", "192.0.2.1/0"})
    EXPECT_FALSE(floating_ip().make({{"address", std::string(address)}}, world.services(), {})) << address;
}

}  // namespace
}  // namespace komainu::drivers
