#include "config/parse.h"

#include <gtest/gtest.h>

#include "config/testing.h"

namespace komainu::config {
namespace {

using testing::registry;
using testing::two_nodes;

core::Spec good(const std::string& text, const core::Spec* current = nullptr) {
  Parsed parsed = parse(text, registry(), current);
  EXPECT_TRUE(parsed.spec) << render(parsed.diagnostics, "test.toml", text);
  return parsed.spec.value_or(core::Spec{});
}

template <class Map>
const typename Map::mapped_type& named(const Map& map, const std::string& name) {
  for (const auto& [id, object] : map)
    if (object.name == name) return object;
  throw std::out_of_range(name);
}

TEST(Parse, WatchesOnEveryNodeWhetherItCouldFenceTheOthers) {
  const core::Spec spec = good(testing::two_nodes());
  ASSERT_EQ(spec.monitors.size(), 1U);
  const core::Monitor* fencing = spec.monitor(core::MonitorRole::kFencing);
  ASSERT_TRUE(fencing);
  EXPECT_TRUE(!fencing->group && fencing->affects.empty());
  EXPECT_FALSE(fencing->quiet_until_healthy) << "a device that has never answered is the first to be told";
}

TEST(Parse, WatchesTheArbiterAndWhatAWellConnectedNodeReachesOnEveryNode) {
  const core::Spec spec = good(testing::two_nodes(
      "[quorum]\nping = [\"10.0.1.254\"]\narbiter = { type = \"qnetd\", address = \"10.0.1.1\" }\n"));
  ASSERT_EQ(spec.monitors.size(), 3U);
  const core::Monitor* arbiter = spec.monitor(core::MonitorRole::kArbiter);
  const core::Monitor* ping = spec.monitor(core::MonitorRole::kMayFence);
  ASSERT_TRUE(arbiter && ping);
  for (const core::Monitor* monitor : {arbiter, ping})
    EXPECT_TRUE(!monitor->group && monitor->affects.empty());
  EXPECT_LE(ping->interval + ping->timeout, spec.timing.token)
      << "whoever is cut off has to know it before the membership has changed";
}

TEST(Parse, ReadsAWholeConfiguration) {
  const core::Spec spec = good(R"(
[cluster]
name = "orders"
profile = "wan"
alert = "/usr/local/bin/alert"
[[node]]
name = "a"
id = 7
links = ["10.0.1.11", "fd00::11"]
capacity = { memory = 4096 }
[[node]]
name = "b"
links = ["10.0.1.12", "fd00::0:12"]
[quorum]
arbiter = { type = "qnetd", address = "arbiter.example" }
on_no_quorum = "stop"
[[fencing]]
device = [ { type = "agent", agent = "fence_ipmilan", secret = "/etc/s", nodes = ["b"] },
           { type = "agent", agent = "fence_sbd" } ]
[[fencing]]
device = [ { type = "agent", agent = "fence_other", power_wait = "0s" } ]
[timing]
lost_after = "2min"
[brakes]
fences = 1
window = "1h"
[[group]]
name = "net"
  [[group.resource]]
  name = "address"
  type = "floating-ip"
  address = "10.0.1.100/24"
  probes = 5
[[group]]
name = "db"
prefer = ["b", "a"]
strict = true
failback = "automatic"
autostart = false
priority = -5
needs = { memory = 1024 }
near = ["net"]
after = ["net"]
on_failure = { restart = 0, then = "stop-node" }
  [[group.resource]]
  name = "disk"
  type = "mirror-disk"
  device = "/dev/vdb"
  start_timeout = "90s"
  stop_timeout = "2min"
  [[group.resource]]
  name = "postgres"
  type = "systemd"
  unit = "postgresql@15-main.service"
[[monitor]]
name = "answers"
type = "http"
watch = "db/postgres"
url = "http://127.0.0.1/"
status = ["200", "204"]
interval = "250ms"
timeout = "2s"
retries = 0
start_delay = "10s"
timeout_is_failure = false
quiet_until_healthy = false
on_failure = { restart = 1, failover = 3, then = "reset", forget_after = "1h" }
[[monitor]]
name = "gateway"
type = "ping"
targets = ["10.0.1.1"]
affects = ["db", "net"]
)");
  EXPECT_EQ(spec.cluster, "orders");
  EXPECT_EQ(spec.version, 1U);
  EXPECT_EQ(spec.profile, core::Profile::kWan);
  EXPECT_EQ(spec.alert_command, "/usr/local/bin/alert");
  EXPECT_EQ(spec.quorum.arbiter, core::ArbiterType::kQnetd);
  EXPECT_EQ(spec.quorum.arbiter_address, "arbiter.example");

  const core::Node& a = spec.nodes.at(NodeId{6});
  const core::Node& b = spec.nodes.at(NodeId{0});
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(b.links, (std::vector<std::string>{"10.0.1.12", "fd00::12"}));
  EXPECT_EQ(spec.capacity.at(a.id).at("memory"), 4096);

  ASSERT_EQ(spec.fencing.size(), 2U);
  EXPECT_EQ(spec.fencing[0].devices[0].targets, std::vector{b.id});
  EXPECT_EQ(spec.fencing[0].devices[0].params.at("secret"), ParamValue(std::string("/etc/s")));
  EXPECT_EQ(spec.fencing[1].devices[0].params.at("power_wait"), ParamValue(Duration(0s)));
  EXPECT_EQ(spec.timing.token, 5s);
  EXPECT_EQ(spec.timing.lost_after, 2min);
  EXPECT_EQ(spec.brakes, (core::Brakes{1, 1h}));

  const core::Group& net = named(spec.groups, "net");
  const core::Group& db = named(spec.groups, "db");
  EXPECT_FALSE(net.holds_data);
  EXPECT_EQ(net.resources[0].params.at("probes"), ParamValue(std::int64_t{5}));
  EXPECT_TRUE(db.holds_data);
  EXPECT_EQ(db.prefer, (std::vector{core::Spec::place_of(b.id), core::Spec::place_of(a.id)}));
  EXPECT_EQ(db.strictness, core::Strictness::kPreferredOnly);
  EXPECT_EQ(db.failback, core::Failback::kAutomatic);
  EXPECT_FALSE(db.autostart);
  EXPECT_EQ(db.priority, -5);
  EXPECT_EQ(db.needs.at("memory"), 1024);
  EXPECT_EQ(db.near, std::vector{net.id});
  EXPECT_EQ(db.after, std::vector{core::Dependency{net.id}});
  EXPECT_EQ(db.on_failure, (core::Ladder{0, 1, core::FinalAction::kStopNode, 600s}));
  EXPECT_EQ(db.resources[0].start_timeout, 90s);
  EXPECT_EQ(db.resources[0].stop_timeout, 2min);

  const core::Monitor& answers = named(spec.monitors, "answers");
  EXPECT_EQ(answers.group, db.id);
  EXPECT_EQ(answers.resource, 1U);
  EXPECT_EQ(answers.interval, 250ms);
  EXPECT_EQ(answers.timeout, 2s);
  EXPECT_EQ(answers.retries, 0U);
  EXPECT_EQ(answers.start_delay, 10s);
  EXPECT_FALSE(answers.timeout_is_failure);
  EXPECT_FALSE(answers.quiet_until_healthy);
  EXPECT_EQ(answers.on_failure, (core::Ladder{1, 3, core::FinalAction::kReset, 1h}));
  EXPECT_EQ(answers.params.at("status"), ParamValue(std::vector<std::string>{"200", "204"}));
  const core::Monitor& gateway = named(spec.monitors, "gateway");
  EXPECT_EQ(gateway.group, std::nullopt);
  EXPECT_EQ(gateway.affects, (std::vector{db.id, net.id}));
  EXPECT_EQ(gateway.on_failure, std::nullopt);
}

TEST(Parse, KeepsTheText) {
  const std::string text = two_nodes("# the end\n");
  EXPECT_EQ(good(text).source, text);
}

TEST(Parse, GivesTheSameSpecForTheSameText) {
  EXPECT_EQ(good(two_nodes()), good(two_nodes()));
}

TEST(Parse, TakesOneServerAlone) {
  const core::Spec spec = good(
      "[cluster]\nname = \"one\"\n[[node]]\nname = \"only\"\n"
      "[[group]]\nname = \"g\"\n[[group.resource]]\nname = \"d\"\ntype = \"mirror-disk\"\n"
      "device = \"/dev/vdb\"\n");
  EXPECT_EQ(spec.nodes.size(), 1U);
  EXPECT_TRUE(spec.fencing.empty());
}

TEST(Parse, MakesApartMutual) {
  const core::Spec spec = good(two_nodes(R"([[group]]
name = "other"
apart = ["web"]
  [[group.resource]]
  name = "x"
  type = "systemd"
  unit = "x.service"
)"));
  EXPECT_EQ(named(spec.groups, "web").apart, std::vector{named(spec.groups, "other").id});
  EXPECT_EQ(named(spec.groups, "other").apart, std::vector{named(spec.groups, "web").id});
}

TEST(Parse, LetsAGroupSayThatItHoldsData) {
  std::string text = two_nodes();
  text.replace(text.find("prefer"), 0, "holds_data = true\n");
  EXPECT_TRUE(named(good(text).groups, "web").holds_data);
}

// ---- ids

std::string with_nodes(std::initializer_list<const char*> nodes) {
  std::string text = "[cluster]\nname = \"c\"\n[quorum]\nallow_split_risk = true\n";
  int host = 0;
  for (const char* node : nodes)
    text += "[[node]]\nname = \"" + std::string(node) + "\"\nlinks = [\"10.0.0." + std::to_string(++host) +
            "\"]\n";
  return text;
}

std::string group(const std::string& name) {
  return "[[group]]\nname = \"" + name +
         "\"\n[[group.resource]]\nname = \"r\"\ntype = \"systemd\"\nunit = \"u\"\n";
}
std::string monitor(const std::string& name) {
  return "[[monitor]]\nname = \"" + name +
         "\"\ntype = \"ping\"\ntargets = [\"10.0.0.9\"]\naffects = [\"g\"]\n";
}

TEST(Ids, StayWithTheNameOverAChange) {
  const core::Spec before =
      good(with_nodes({"a", "b", "c"}) + group("f") + group("g") + monitor("m") + monitor("n"));
  const core::Spec after =
      good(with_nodes({"c", "b"}) + group("g") + group("h") + monitor("n") + monitor("o"), &before);
  EXPECT_EQ(after.version, 2U);
  EXPECT_EQ(named(after.nodes, "b").id, named(before.nodes, "b").id);
  EXPECT_EQ(named(after.nodes, "c").id, named(before.nodes, "c").id);
  EXPECT_EQ(named(after.groups, "g").id, named(before.groups, "g").id);
  EXPECT_EQ(named(after.monitors, "n").id, named(before.monitors, "n").id);
}

TEST(Ids, OfRemovedObjectsAreNotGivenToNewOnes) {
  const core::Spec before = good(with_nodes({"a", "b"}) + group("f") + group("g") + monitor("m"));
  const core::Spec after =
      good(with_nodes({"new", "b"}) + group("g") + group("new") + monitor("new"), &before);
  EXPECT_FALSE(before.nodes.contains(named(after.nodes, "new").id));
  EXPECT_FALSE(before.groups.contains(named(after.groups, "new").id));
  EXPECT_FALSE(before.monitors.contains(named(after.monitors, "new").id));
}

TEST(Ids, OfNodesAreReusedOnlyWhenThereIsNoOther) {
  std::string all = "[timing]\nwatchdog = \"3min\"\n[cluster]\nname = \"c\"\n";
  for (int i = 0; i < 64; ++i)
    all += "[[node]]\nname = \"n" + std::to_string(i) + "\"\nlinks = [\"10.0.0." + std::to_string(i + 1) +
           "\"]\n";
  const core::Spec before = good(all);
  std::string replaced = all;
  replaced.replace(replaced.find("\"n5\""), 4, "\"x\"");
  EXPECT_EQ(named(good(replaced, &before).nodes, "x").id, named(before.nodes, "n5").id);
}

TEST(Ids, CanBeNamed) {
  std::string text = with_nodes({"a", "b"});
  text.replace(text.find("name = \"b\""), 0, "id = 1\n");
  const core::Spec spec = good(text);
  EXPECT_EQ(named(spec.nodes, "b").id, NodeId{0});
  EXPECT_EQ(named(spec.nodes, "a").id, NodeId{1});
}

TEST(Ids, ANamedOneTakesItFromWhoHadIt) {
  const core::Spec before = good(with_nodes({"a", "b"}));
  std::string text = with_nodes({"a", "b"});
  text.replace(text.find("name = \"b\""), 0, "id = 1\n");
  const core::Spec after = good(text, &before);
  EXPECT_EQ(named(after.nodes, "b").id, NodeId{0});
  EXPECT_EQ(named(after.nodes, "a").id, NodeId{2});
}

// ---- the file

TEST(ReadFile, GivesItsText) {
  const std::string path = ::testing::TempDir() + "komainu_read_file.toml";
  {
    std::FILE* file = std::fopen(path.c_str(), "w");
    std::fputs("[cluster]\n", file);
    std::fclose(file);
  }
  EXPECT_EQ(read_file(path), "[cluster]\n");
  std::remove(path.c_str());
}

TEST(ReadFile, SaysWhyItCannot) {
  EXPECT_EQ(read_file("/nonexistent/cluster.toml").error().what,
            "cannot read /nonexistent/cluster.toml: No such file or directory");
  EXPECT_EQ(read_file("/").error().what, "cannot read /: it is no regular file");
}

}  // namespace
}  // namespace komainu::config
