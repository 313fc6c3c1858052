#include "config/show.h"

#include <gtest/gtest.h>

#include "config/parse.h"
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

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

const std::string kMore = R"([quorum]
arbiter = { type = "qnetd", address = "10.0.1.1" }
ping = ["10.0.1.254", "::1"]
[timing]
lost_after = "90s"
[[fencing]]
device = [ { type = "agent", agent = "f", nodes = ["guest1"], secret = "/etc/s" },
           { type = "agent", agent = "g", nodes = ["guest2", "guest1"] } ]
[[group]]
name = "db"
prefer = ["guest2"]
strict = true
after = ["web"]
apart = ["late"]
priority = 3
needs = { memory = 10, "odd name" = 2 }
on_failure = { restart = 0, then = "reset" }
  [[group.resource]]
  name = "disk"
  type = "mirror-disk"
  device = "/dev/vdb"
  [[group.resource]]
  name = "postgres"
  type = "systemd"
  unit = "postgresql@15-\"main\"\\x.service"
[[group]]
name = "late"
after_here = ["web"]
near = ["web"]
  [[group.resource]]
  name = "x"
  type = "systemd"
  unit = "x"
[[monitor]]
name = "m"
type = "http"
url = "http://x/"
watch = "db/postgres"
status = ["200", "204"]
on_failure = { failover = 0 }
[[monitor]]
name = "n"
type = "ping"
targets = ["::1"]
affects = ["web", "db"]
interval = "90s"
)";

TEST(Show, IsReadBackAsTheSameSpec) {
  const std::string text = replaced(two_nodes(kMore), "name = \"shop\"",
                                    "name = \"shop\"\nprofile = \"wan\"\nalert = \"/bin/mail root\"\n"
                                    "key = \"2b7e151628aed2a6\"");
  const core::Spec spec = good(text);
  core::Spec again = good(show(spec), &spec);
  EXPECT_EQ(again.version, 2U);
  again.version = spec.version;
  again.source = spec.source;
  EXPECT_EQ(diff(spec, again), std::vector<std::string>{});
  EXPECT_EQ(again, spec);
}

TEST(Show, NamesWhatTheFileLeftOut) {
  const std::string text = show(good(two_nodes()));
  EXPECT_NE(
      text.find("[[node]]\nname  = \"guest1\"\nid    = 1\nlinks = [\"10.0.1.11\", \"192.168.50.11\"]\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("\nprofile = \"lan\"\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nwatchdog       = \"0s\"\n"), std::string::npos) << text;
  EXPECT_NE(
      text.find(
          "on_failure = { restart = 2, failover = 1, then = \"stop-group\", forget_after = \"10min\" }\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("\n  [[group.resource]]\n  name          = \"address\"\n"), std::string::npos) << text;
}

std::vector<std::string> change(const std::string& before, const std::string& after) {
  const core::Spec spec = good(before);
  return diff(spec, good(after, &spec));
}
using Changes = std::vector<std::string>;

TEST(Diff, OfTheSameConfigurationIsEmpty) {
  EXPECT_EQ(change(two_nodes(), "# a comment\n" + two_nodes()), Changes{});
  EXPECT_EQ(change(two_nodes(), replaced(two_nodes(), "prefer", "failback = \"manual\"\nprefer")), Changes{});
}

TEST(Diff, SaysWhatChanged) {
  EXPECT_EQ(change(two_nodes(), replaced(two_nodes(), "prefer", "failback = \"automatic\"\nprefer")),
            Changes{R"(group "web": failback was "manual", is "automatic")"});
  EXPECT_EQ(change(two_nodes(), replaced(two_nodes(), ".100/24\"", ".100/24\"\nprobes = 5")),
            Changes{R"(resource "web/address": probes is 5, and was not set)"});
  EXPECT_EQ(change(replaced(two_nodes(), ".100/24\"", ".100/24\"\nprobes = 5"), two_nodes()),
            Changes{R"(resource "web/address": probes was 5, and is not set)"});
  EXPECT_EQ(
      change(two_nodes(), replaced(two_nodes(), "\"shop\"", "\"shop\"\nprofile = \"fast\"")),
      (Changes{R"([cluster]: profile was "lan", is "fast")", R"([timing]: token was "1s", is "300ms")",
               R"([timing]: suspend_after was "1s", is "500ms")", R"([timing]: grace was "4s", is "2s")",
               R"([timing]: lease was "5s", is "3s")", R"([timing]: tick was "250ms", is "100ms")"}));
}

TEST(Diff, NamesWhatIsNewAndWhatIsRemoved) {
  EXPECT_EQ(
      change(two_nodes(), two_nodes("[[monitor]]\nname = \"m\"\ntype = \"ping\"\ntargets = [\"::1\"]\n")),
      Changes{R"(monitor "m" is new)"});
  EXPECT_EQ(change(two_nodes(), replaced(two_nodes(), "\"nginx\"", "\"apache\"")),
            (Changes{R"(resource "web/apache" is new)", R"(resource "web/nginx" is removed)"}));
  EXPECT_EQ(change(two_nodes(),
                   replaced(replaced(two_nodes(), "\"guest2\"", "\"guest3\""), "\"guest2\"", "\"guest3\"")),
            (Changes{R"(node "guest3" is new)",
                     R"(group "web": prefer was ["guest1", "guest2"], is ["guest1", "guest3"])",
                     R"(node "guest2" is removed)"}));
}

TEST(Diff, SeesAnotherOrderOfResources) {
  const std::string nginx =
      "  [[group.resource]]\n  name = \"nginx\"\n  type = \"systemd\"\n  unit = \"nginx.service\"\n";
  std::string text = replaced(two_nodes(), nginx, "");
  text = replaced(text, "  [[group.resource]]", nginx + "  [[group.resource]]");
  EXPECT_EQ(change(two_nodes(), text), Changes{"group \"web\": its resources started in the order address, "
                                               "nginx, start in the order nginx, address"});
}

}  // namespace
}  // namespace komainu::config
