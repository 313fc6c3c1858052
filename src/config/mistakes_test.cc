// What is said about wrong configurations, and where.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "config/parse.h"
#include "config/testing.h"

namespace komainu::config {
namespace {

using testing::registry;
using testing::two_nodes;

// "line:column what", and the rest where a case says it.
struct Expected {
  std::string what;
  std::string found{};
  std::string help{};
};

std::string placed(const Diagnostic& diagnostic) {
  return std::to_string(diagnostic.at.line) + ":" + std::to_string(diagnostic.at.column) + " " +
         diagnostic.what;
}

void expect(const std::string& text, const std::vector<Expected>& expected,
            Severity severity = Severity::kError) {
  const Parsed parsed = parse(text, registry());
  std::vector<Diagnostic> found;
  for (const Diagnostic& diagnostic : parsed.diagnostics)
    if (diagnostic.severity == severity) found.push_back(diagnostic);
  const std::string rendered = render(parsed.diagnostics, "test.toml", text);
  EXPECT_EQ(parsed.spec.has_value(), severity != Severity::kError || expected.empty()) << rendered;
  ASSERT_EQ(found.size(), expected.size()) << rendered;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(placed(found[i]), expected[i].what);
    if (!expected[i].found.empty()) {
      EXPECT_EQ(found[i].found, expected[i].found);
    }
    if (!expected[i].help.empty()) {
      EXPECT_EQ(found[i].help, expected[i].help);
    }
  }
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

std::string file(const std::string& name) {
  std::ifstream stream(std::string(KOMAINU_TESTDATA) + "/" + name);
  EXPECT_TRUE(stream) << name;
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Mistakes, TenOfThemAreTenReportsEachWithItsPlace) {
  expect(file("ten_mistakes.toml"),
         {
             {"4:1 unknown key \"profil\" in [cluster]", "profil", "did you mean \"profile\"?"},
             {"12:9 node \"guest2\" has 1 link, node \"guest1\" has 2", "[\"10.0.1.12\"]"},
             {"19:23 there is no node \"geust2\"", "\"geust2\"", "did you mean \"guest2\"?"},
             {"20:12 `failback` of group \"web\" must be one of \"manual\", \"automatic\"", "\"auto\"",
              "did you mean \"automatic\"?"},
             {"24:13 there is no resource type \"floatingip\"", "\"floatingip\"",
              "did you mean \"floating-ip\"?"},
             {"31:18 `stop_timeout` of resource \"web/nginx\" is an integer", "30",
              "a duration has a unit: \"30s\" or \"30ms\""},
             {"33:1 monitor \"web-answers\" needs `url`", "[[monitor]]"},
             {"36:12 group \"web\" has no resource \"ngnix\"", "\"web/ngnix\"", "did you mean \"nginx\"?"},
             {"37:12 `interval` of monitor \"web-answers\" is no duration", "\"1 sec\""},
             {"43:11 `retries` of monitor \"gateway\" must be at most 1000", "5000"},
         });
}

TEST(Mistakes, AGoodFileHasNone) {
  expect(two_nodes(), {});
}

TEST(Mistakes, AKeyIsNamedByItsFingerprint) {
  for (const char* key : {"2b7e151628aed2a", "2b7e151628aed2a61", "2B7E151628AED2A6", "../corosync.conf"})
    expect(replaced(two_nodes(), "name = \"shop\"", "name = \"shop\"\nkey = \"" + std::string(key) + "\""),
           {{"3:7 `key` of [cluster] must be the fingerprint of a key", "\"" + std::string(key) + "\"",
             "16 of the digits 0 to 9 and a to f, as `komainu cluster new-key` prints them"}});
}

// ---- TOML

TEST(Syntax, EveryBrokenLineIsReportedAndTheRestIsStillRead) {
  expect(
      "[cluster]\n"
      "name = \"shop\n"
      "profile = lan\n"
      "alert = \"x\" y\n"
      "colour = 1\n"
      "name = \"again\"\n"
      "name = \"and again\"\n",
      {
          {"2:8 the text that begins here is not closed on its line"},
          {"3:11 not valid TOML: could not determine value type (in the value)", "l",
           "texts, addresses and durations are written in quotes: \"lan\""},
          {"4:13 not valid TOML: expected a comment or whitespace, saw 'y' (in the key-value pair)"},
          {"5:1 unknown key \"colour\" in [cluster]"},
          {"7:8 not valid TOML: cannot redefine existing string 'name' (in the key-value pair)"},
      });
}

TEST(Syntax, ABrokenHeaderTakesItsTableWithItAndNothingIsSaidToBeMissing) {
  expect(replaced(two_nodes("[[monitor]]\nname = \"m\"\ntype = \"http\"\nwatch = \"web\"\nretires = 1\n"),
                  "[[group]]", "[[group]"),
         {{"15:9 not valid TOML: expected ']', saw '\\n' (in the table header)"},
          {"32:1 unknown key \"retires\" in monitor \"m\""}});
}

TEST(Syntax, AListThatIsNotClosedIsReportedOnce) {
  expect(
      "[cluster]\nname = \"c\"\n[[node]]\nlinks = [\n  \"10.0.0.1\",\n  \"10.0.0.2\"\nname = \"a\"\nnmae = "
      "1\n",
      {{"7:1 not valid TOML: expected comma or closing ']', saw 'n' (in the array)"},
       {"8:1 unknown key \"nmae\" in node \"a\""}});
}

TEST(Syntax, ATextThatIsNotClosedIsReportedOnce) {
  expect("[cluster]\nname = \"c\"\nalert = \"\"\"\nx\n",
         {{"4:3 not valid TOML: encountered end-of-file (in the string)"}});
}

TEST(Syntax, WhatIsNoTextIsRefused) {
  expect(std::string("\x7f"
                     "ELF\0\0\0",
                     7),
         {{"0:0 this is not a text file"}});
  expect("a = \"\xff\xfe\"", {{"1:5 not valid TOML: Encountered invalid utf-8 sequence"}});
  expect(std::string(1024 * 1024 + 1, '\n'), {{"0:0 the file has 1048577 bytes"}});
  expect("a" + std::string(1000, '.') + "b = 1", {{"1:14 nested too deeply"}});
  expect("a = " + std::string(100000, '['), {{"1:17 nested too deeply"}});
}

TEST(Syntax, AnEmptyFileIsToldWhatIsNeeded) {
  expect("", {{"0:0 there is no [cluster] section"}, {"0:0 there is no [[node]]"}});
}

// ---- keys and values

TEST(Keys, UnknownOnesAreFoundEverywhere) {
  expect(
      two_nodes(
          "  colour = 1\n"
          "[grup]\n"
          "[timing]\ntokn = \"1s\"\n"
          "[brakes]\nfence = 1\n"
          "[quorum]\nallow_split = true\n"
          "arbiter = { type = \"qnetd\", address = \"10.0.1.1\", x = 1 }\n"
          "[[fencing]]\nlevel = 1\ndevice = [ { type = \"agent\", agent = \"f\", pawer_wait = \"1s\" } ]\n"
          "[[monitor]]\nname = \"m\"\ntype = \"ping\"\ntargets = [\"::1\"]\nwatch = \"web\"\n"
          "on_failure = { restarts = 1 }\nneed = \"al\"\n"),
      {{"28:3 unknown key \"colour\" in resource \"web/nginx\""},
       {"29:2 unknown key \"grup\" in this file", "grup", "did you mean \"group\"?"},
       {"31:1 unknown key \"tokn\" in [timing]", "tokn", "did you mean \"token\"?"},
       {"33:1 unknown key \"fence\" in [brakes]", "fence", "did you mean \"fences\"?"},
       {"35:1 unknown key \"allow_split\" in [quorum]", "", "did you mean \"allow_split_risk\"?"},
       {"36:51 unknown key \"x\" in `arbiter`"},
       {"38:1 unknown key \"level\" in [[fencing]]"},
       {"39:43 unknown key \"pawer_wait\" in this fencing device", "pawer_wait",
        "did you mean \"power_wait\"?"},
       {"45:16 unknown key \"restarts\" in `on_failure` of monitor \"m\"", "", "did you mean \"restart\"?"},
       {"46:8 `need` of monitor \"m\" must be one of \"all\", \"any\"", "\"al\"", "did you mean \"all\"?"}});
}

TEST(Keys, ATableForAListOfTablesAndTheOtherWayRound) {
  expect("[[cluster]]\nname = \"c\"\n[node]\nname = \"a\"\n[monitor]\n",
         {{"1:1 `cluster` of this file is a list"},
          {"3:1 `node` of this file is a table", "[node]", "begin each with the line [[node]]"},
          {"5:1 `monitor` of this file is a table"}});
}

TEST(Values, OfTheWrongKindAreToldTheRightOne) {
  const struct {
    const char* line;  // of a monitor "m" of type "http"
    Expected expected;
  } cases[] = {
      {"interval = 5",
       {"33:12 `interval` of monitor \"m\" is an integer", "5", "a duration has a unit: \"5s\" or \"5ms\""}},
      {"interval = 0.5", {"33:12 `interval` of monitor \"m\" is a number with a fraction"}},
      {"interval = \"5\"", {"33:12 `interval` of monitor \"m\" is no duration"}},
      {"interval = \"1ms\"", {"33:12 `interval` of monitor \"m\" must be at least \"50ms\""}},
      {"retries = \"2\"", {"33:11 `retries` of monitor \"m\" is a text", "\"2\"", "write 2 without quotes"}},
      {"retries = -1", {"33:11 `retries` of monitor \"m\" must be between 0 and 1000"}},
      {"retries = 1.0", {"33:11 `retries` of monitor \"m\" is a number with a fraction"}},
      {"timeout_is_failure = \"true\"",
       {"33:22 `timeout_is_failure` of monitor \"m\" is a text", "\"true\"", "write true without quotes"}},
      {"timeout_is_failure = 1", {"33:22 `timeout_is_failure` of monitor \"m\" is an integer"}},
      {"affects = \"web\"",
       {"33:11 `affects` of monitor \"m\" is a text", "\"web\"", "lists are written in brackets: [\"web\"]"}},
      {"affects = [1]", {"33:12 an item of `affects` of monitor \"m\" is an integer", "1"}},
      {"status = [\"\"]", {"33:11 `status` of monitor \"m\" has the item \"\": it must not be empty"}},
      {"status = []", {"28:1 monitor \"m\": no status is healthy", "[[monitor]]", "name one in `status`"}},
      {"on_failure = 2", {"33:14 `on_failure` of monitor \"m\" is an integer"}},
      {"on_failure = { then = \"reboot\" }",
       {"33:23 `then` of `on_failure` of monitor \"m\" must be one of \"none\", \"stop-group\", "
        "\"stop-node\", "
        "\"restart-os\", \"reset\""}},
      {"start_delay = 1979-05-27", {"33:15 `start_delay` of monitor \"m\" is a date or time"}},
  };
  for (const auto& [line, expected] : cases)
    expect(two_nodes("[[monitor]]\nname = \"m\"\ntype = \"http\"\nurl = \"http://x/\"\nwatch = \"web\"\n" +
                     std::string(line) + "\n"),
           {expected});
}

TEST(Values, NamesAreBounded) {
  for (const char* name : {"", "a b", "a/b", "-a", ".a", "a\\nb", "狛犬"})
    EXPECT_FALSE(parse(replaced(two_nodes(), "\"shop\"", "\"" + std::string(name) + "\""), registry()).spec)
        << name;
  EXPECT_FALSE(parse(replaced(two_nodes(), "shop", std::string(65, 'x')), registry()).spec);
  EXPECT_TRUE(parse(replaced(two_nodes(), "shop", "Shop_1.eu-west"), registry()).spec);
}

TEST(Values, CapacityAndNeedsAreWholeNumbers) {
  expect(replaced(replaced(two_nodes(), "[[fencing]]", "capacity = { cpu = 1.5, memory = -1 }\n[[fencing]]"),
                  "prefer", "needs = 4\nprefer"),
         {{"12:20 \"cpu\" in `capacity` of node \"guest2\" is a number with a fraction"},
          {"12:34 \"memory\" in `capacity` of node \"guest2\" is negative"},
          {"18:9 `needs` of group \"web\" is an integer"}});
}

// ---- names

TEST(Names, AreGivenOnce) {
  expect(two_nodes("  [[group.resource]]\n  name = \"nginx\"\n  type = \"systemd\"\n  unit = \"x\"\n"
                   "[[group]]\nname = \"web\"\n  [[group.resource]]\n  name = \"x\"\n  type = \"systemd\"\n  "
                   "unit = \"x\"\n"
                   "[[node]]\nname = \"guest1\"\nlinks = [\"10.0.1.13\", \"192.168.50.13\"]\n"),
         {{"29:10 there are two resources \"nginx\" in group \"web\"", "\"nginx\"",
           "the other one is in line 25"},
          {"33:8 there are two groups \"web\"", "\"web\"", "the other one is in line 16"},
          {"39:8 there are two nodes \"guest1\"", "\"guest1\"", "the other one is in line 5"}});
}

TEST(Names, ReferToWhatExists) {
  expect(
      replaced(
          two_nodes("[[monitor]]\nname = \"m\"\ntype = \"http\"\nurl = \"http://x/\"\nwatch = \"wep/nginx\"\n"
                    "affects = [\"web\", \"db\", \"web\"]\n"
                    "[[fencing]]\ndevice = [ { type = \"agent\", agent = \"f\", nodes = [\"guest3\"] } ]\n"),
          "prefer", "after = [\"webs\"]\nprefer"),
      {{"17:10 there is no group \"webs\"", "\"webs\"", "did you mean \"web\"?"},
       {"33:9 there is no group \"wep\"", "\"wep/nginx\"", "did you mean \"web\"?"},
       {"34:19 there is no group \"db\""},
       {"34:25 \"web\" is named twice in `affects`"},
       {"36:52 there is no node \"guest3\"", "\"guest3\"", "did you mean \"guest1\"?"}});
}

TEST(Names, AnUnreadableOneHidesNoneOfTheReferencesToIt) {
  expect(replaced(
             two_nodes("[[monitor]]\nname = \"m\"\ntype = \"http\"\nurl = \"http://x/\"\nwatch = \"web\"\n"),
             "name   = \"web\"", "name   = 7"),
         {{"16:10 `name` of this group is an integer"}});
}

// ---- nodes

TEST(Nodes, HaveAsManyLinksAndEachAddressOnce) {
  expect(replaced(two_nodes(), "\"10.0.1.12\", \"192.168.50.12\"", "\"10.0.1.11\", \"fd00::12\""),
         {{"10:10 10.0.1.11 is already an address of node \"guest1\"", "\"10.0.1.11\"", "it is in line 6"},
          {"10:23 link 2 of node \"guest2\" is IPv6, that of node \"guest1\" is IPv4"}});
  expect(replaced(two_nodes(), "links = [\"10.0.1.12\", \"192.168.50.12\"]", ""),
         {{"8:1 node \"guest2\" has no links"}});
  expect(replaced(two_nodes(), "[\"10.0.1.12\", \"192.168.50.12\"]", "[]"),
         {{"10:9 node \"guest2\" has no links"}});
  expect(
      replaced(two_nodes(), "192.168.50.12", "guest2.example"),
      {{"10:23 `links` of node \"guest2\" has the item \"guest2.example\": it must be an IP address such as "
        "\"192.0.2.7\" or \"2001:db8::7\""}});
}

TEST(Nodes, HaveAnIdEach) {
  std::string text = replaced(two_nodes(), "name  = \"guest1\"", "id = 3\nname  = \"guest1\"");
  expect(replaced(text, "name  = \"guest2\"", "id = 3\nname  = \"guest2\""),
         {{"10:6 node \"guest1\" already has the id 3"}});
  expect(replaced(text, "id = 3", "id = 65"), {{"5:6 `id` of node \"guest1\" must be at most 64"}});
}

TEST(Nodes, AreSixtyFourAtMost) {
  std::string text = "[timing]\nwatchdog = \"3min\"\n[cluster]\nname = \"c\"\n";
  for (int i = 1; i <= 65; ++i)
    text +=
        "[[node]]\nname = \"n" + std::to_string(i) + "\"\nlinks = [\"10.0.0." + std::to_string(i) + "\"]\n";
  expect(text, {{"197:1 more than 64 nodes"}});
}

TEST(Nodes, OneNetworkIsWorthANote) {
  std::string text = replaced(two_nodes(), ", \"192.168.50.11\"", "");
  text = replaced(text, ", \"192.168.50.12\"", "");
  expect(text,
         {{"6:9 the nodes are joined by one network only"},
          {"22:13 no node has a link in the network of 192.168.50.100/24"}},
         Severity::kNote);
}

// ---- the right to act

std::string without_fencing(const std::string& text, const std::string& watchdog = "3min") {
  return replaced(text, "[[fencing]]\ndevice = [ { type = \"agent\", agent = \"fence_virt\" } ]\n", "") +
         "[timing]\nwatchdog = \"" + watchdog + "\"\n";
}
const std::string kThirdNode = "[[node]]\nname = \"guest3\"\nlinks = [\"10.0.1.13\", \"192.168.50.13\"]\n";

TEST(Quorum, TwoNodesNeedFencingOrADecision) {
  const std::string what =
      "two nodes without fencing: when they cannot see each other, each takes the other for dead, and both "
      "run "
      "every group";
  expect(without_fencing(two_nodes()), {{"8:1 " + what}});
  expect(without_fencing(two_nodes("[quorum]\n")), {{"26:1 " + what}});
  expect(without_fencing(two_nodes("[quorum]\nallow_split_risk = true\n")), {});
}

TEST(Quorum, ALeaseNeedsAWatchdog) {
  const Expected unguarded{
      "30:12 no fencing, and no watchdog: a node that is cut off while its daemon hangs or is gone stops "
      "nothing, and the others start its groups all the same when its lease is over",
      "\"0s\""};
  expect(without_fencing(two_nodes(kThirdNode)), {});
  expect(without_fencing(two_nodes(kThirdNode), "0s"), {unguarded});
  expect(two_nodes(kThirdNode + "[timing]\nwatchdog = \"0s\"\n"), {});
  expect(without_fencing(two_nodes(kThirdNode + "[quorum]\nallow_split_risk = true\n"), "0s"), {});
  expect(without_fencing(two_nodes("[quorum]\nallow_split_risk = true\n"), "0s"), {});
  expect(without_fencing(two_nodes(kThirdNode), "a while"),
         {{"30:12 `watchdog` of [timing] is no duration"}});
}

TEST(Quorum, AMissingWatchdogIsReportedWhereItWouldStand) {
  const std::string bare = replaced(without_fencing(two_nodes(kThirdNode)), "watchdog = \"3min\"\n", "");
  const Parsed times = parse(bare, registry());
  ASSERT_EQ(times.diagnostics.size(), 1U);
  EXPECT_EQ(times.diagnostics[0].expected, "watchdog = \"10s\" in [timing], or [[fencing]]");
  EXPECT_EQ(times.diagnostics[0].at.line, 29U) << "[timing]";
  const Parsed nodes = parse(replaced(bare, "[timing]\n", ""), registry());
  ASSERT_EQ(nodes.diagnostics.size(), 1U);
  EXPECT_EQ(nodes.diagnostics[0].at.line, 26U) << "the last node: there is no [timing] and no [quorum]";
}

TEST(Quorum, AnArbiterReplacesNoFencer) {
  const std::string arbiter = "[quorum]\narbiter = { type = \"qnetd\", address = \"10.0.1.1\" }\n";
  expect(two_nodes(arbiter), {});
  expect(without_fencing(two_nodes(arbiter + "allow_split_risk = true\n")), {});
  expect(
      without_fencing(two_nodes(arbiter)),
      {{"27:11 an arbiter without fencing: the half that it chooses cannot know when the other has stopped, "
        "and takes over nothing"}});
}

TEST(Quorum, NobodyIsFrozenWhileOthersTakeHisLeaseForOver) {
  expect(without_fencing(two_nodes(kThirdNode + "[quorum]\non_no_quorum = \"freeze\"\n")),
         {{"30:16 on_no_quorum = \"freeze\" without fencing"}});
}

TEST(Ladder, EndsInWhatCanBeDone) {
  const std::string reset =
      "[[monitor]]\nname = \"m\"\ntype = \"http\"\nurl = \"http://x/\"\nwatch = \"web\"\n"
      "on_failure = { then = \"reset\" }\n";
  expect(two_nodes(reset), {});
  expect(without_fencing(two_nodes(reset + "[quorum]\nallow_split_risk = true\n")),
         {{"31:14 then = \"reset\" without fencing"}});
}

TEST(Quorum, AnArbiterThatCannotBeReadIsNotSaidToBeMissing) {
  expect(
      without_fencing(two_nodes("[quorum]\narbiter = { type = \"qnetd\" }\n")),
      {{"27:11 `arbiter`: type \"qnetd\" needs `address`"},
       {"27:11 an arbiter without fencing: the half that it chooses cannot know when the other has stopped, "
        "and takes over nothing"}});
}

TEST(Quorum, PingHoldsBackFencesAndNothingElse) {
  const std::string ping = "[quorum]\nping = [\"10.0.1.254\"]\n";
  expect(two_nodes(ping), {});
  expect(without_fencing(two_nodes(ping + "allow_split_risk = true\n")), {});
  expect(without_fencing(two_nodes(kThirdNode + ping)), {{"30:8 ping without fencing"}});
}

TEST(Quorum, ItsMonitorsKeepTheirNames) {
  const std::string monitors =
      "[[monitor]]\nname = \"arbiter\"\ntype = \"ping\"\ntargets = [\"::1\"]\naffects = [\"web\"]\n"
      "[[monitor]]\nname = \"quorum-ping\"\ntype = \"ping\"\ntargets = [\"::1\"]\naffects = [\"web\"]\n";
  expect(two_nodes(monitors), {});
  expect(
      two_nodes(monitors + "[quorum]\nping = [\"::1\"]\narbiter = { type = \"qnetd\", address = \"::1\" }\n"),
      {{"29:8 there are two monitors \"arbiter\""}, {"34:8 there are two monitors \"quorum-ping\""}});
}

TEST(Quorum, QnetdIsForAnEvenNumber) {
  expect(two_nodes(kThirdNode + "[quorum]\narbiter = { type = \"qnetd\", address = \"10.0.1.1\" }\n"),
         {{"32:11 qnetd decides between equal halves, and there are 3 nodes"}});
}

TEST(Quorum, TheArbitersAddressGoesIntoNoOtherLineOfCorosyncConf) {
  for (const char* address : {"a\\nb: c", "a b", "a{", "-x", "a#"})
    EXPECT_FALSE(parse(two_nodes("[quorum]\narbiter = { type = \"qnetd\", address = \"" +
                                 std::string(address) + "\" }\n"),
                       registry())
                     .spec)
        << address;
}

const std::string kDisk =
    "  [[group.resource]]\n  name = \"disk\"\n  type = \"mirror-disk\"\n  device = \"/dev/vdb\"\n";

TEST(Data, NeedsFencing) {
  expect(without_fencing(two_nodes(kDisk + "[quorum]\nallow_split_risk = true\n")),
         {{"13:1 group \"web\" holds data, and there is no fencing"}});
  expect(without_fencing(two_nodes(kDisk + kThirdNode)),
         {{"13:1 group \"web\" holds data, and there is no fencing"}});
  expect(two_nodes(kDisk), {});
}

TEST(Data, IsNeverFrozenNorDenied) {
  expect(two_nodes(kDisk + "[quorum]\non_no_quorum = \"freeze\"\n"),
         {{"33:16 on_no_quorum = \"freeze\", and group \"web\" holds data"}});
  expect(two_nodes("[quorum]\non_no_quorum = \"freeze\"\n"), {});
  expect(replaced(two_nodes(kDisk), "prefer", "holds_data = false\nprefer"),
         {{"17:14 resource \"disk\" of group \"web\" holds data: type mirror-disk"}});
}

TEST(Fencing, IsForEveryNode) {
  expect(replaced(two_nodes(), "agent = \"fence_virt\"", "agent = \"fence_virt\", nodes = [\"guest1\"]"),
         {{"8:1 no fencing device is for node \"guest2\""}});
}

TEST(Fencing, OfNothingIsAMistakeAndNotTakenForNone) {
  expect(replaced(two_nodes(kDisk), "[ { type = \"agent\", agent = \"fence_virt\" } ]", "[]"),
         {{"12:1 this fencing level has no device"}});
}

// ---- groups

std::string group(const std::string& name, const std::string& keys) {
  return "[[group]]\nname = \"" + name + "\"\n" + keys +
         "\n[[group.resource]]\nname = \"r\"\ntype = \"systemd\"\nunit = \"u\"\n";
}

TEST(Groups, DoNotWaitForEachOther) {
  expect(two_nodes(group("a", "after = [\"b\"]") + group("b", "after_here = [\"c\", \"web\"]") +
                   group("c", "after = [\"a\"]")),
         {{"44:9 groups wait for each other: a → b → c → a"}});
  expect(two_nodes(group("a", "after = [\"web\"]") + group("b", "after = [\"web\", \"a\"]")), {});
}

TEST(Groups, DoNotNameThemselves) {
  expect(two_nodes(group("a", "after = [\"a\"]\nafter_here = [\"a\"]\nnear = [\"a\"]\napart = [\"a\"]")),
         {{"30:10 group \"a\" names itself in `after`"},
          {"31:15 group \"a\" names itself in `after_here`"},
          {"31:15 \"a\" is in `after`, too"},
          {"32:9 group \"a\" names itself in `near`"},
          {"33:10 group \"a\" names itself in `apart`"}});
}

TEST(Groups, AreNotTogetherAndApart) {
  expect(two_nodes(group("a", "near = [\"web\"]\napart = [\"web\"]") + group("b", "after_here = [\"c\"]") +
                   group("c", "apart = [\"b\"]")),
         {{"30:9 groups \"a\" and \"web\" are both apart and in `near`"},
          {"38:15 groups \"b\" and \"c\" are both apart and in `after_here`"}});
}

TEST(Groups, StrictOnesHaveANode) {
  expect(two_nodes(group("a", "strict = true")), {{"30:10 group \"a\" is strict and prefers no node"}});
}

TEST(Groups, HaveAResource) {
  expect(two_nodes("[[group]]\nname = \"empty\"\n"), {{"28:1 group \"empty\" has no resource"}});
}

TEST(Groups, FitSomewhere) {
  const std::string capacity = "capacity = { memory = 1000 }\n";
  std::string text = replaced(two_nodes(group("a", "needs = { memory = 2000 }")),
                              "[[node]]\nname  = \"guest1\"", "[[node]]\n" + capacity + "name  = \"guest1\"");
  expect(text, {});  // guest2's is unbounded
  text = replaced(text, "[[node]]\nname  = \"guest2\"", "[[node]]\n" + capacity + "name  = \"guest2\"");
  expect(text, {{"32:9 group \"a\" needs 2000 memory, which no node it may run on has"}});
  text = replaced(text, "memory = 2000", "memroy = 2000");
  expect(text,
         {{"32:9 no node that group \"a\" may run on has the capacity \"memroy\"", "",
           "did you mean \"memory\"?"}},
         Severity::kWarning);
}

TEST(Groups, DoNotShareAnAddress) {
  expect(
      two_nodes("[[group]]\nname = \"a\"\n[[group.resource]]\nname = \"x\"\ntype = \"floating-ip\"\n"
                "address = \"192.168.50.100/32\"\n"
                "[[group.resource]]\nname = \"y\"\ntype = \"floating-ip\"\naddress = \"192.168.50.11/24\"\n"),
      {{"33:11 192.168.50.100 is already an address of resource \"address\"", "", "it is in line 22"},
       {"37:11 192.168.50.11 is already an address of node \"guest1\"", "", "it is in line 6"}});
}

TEST(Groups, AnAddressOutsideTheNodesNetworksIsWorthANote) {
  expect(replaced(two_nodes(), "192.168.50.100/24", "203.0.113.9/24"),
         {{"22:13 no node has a link in the network of 203.0.113.9/24"}}, Severity::kNote);
}

TEST(Monitors, ThatActOnNothingAreWorthANote) {
  expect(two_nodes("[[monitor]]\nname = \"m\"\ntype = \"ping\"\ntargets = [\"10.0.1.1\"]\n"),
         {{"28:1 monitor \"m\" acts on no group"}}, Severity::kNote);
}

// ---- times

TEST(Times, AreShownWhereTheyAreGiven) {
  expect(two_nodes("[timing]\ntoken = \"3s\"\n"),
         {{"29:9 grace (4s) is shorter than token + consensus + Hellos + 2 × tick (3s + 3600ms + 500ms + 2 × "
           "250ms = 7600ms)"}});
  expect(two_nodes("[timing]\ntoken = \"3s\"\ngrace = \"1 sec\"\n"),
         {{"30:9 `grace` of [timing] is no duration"}});
  expect(two_nodes("[timing]\ngrace = \"1s\"\nlost_after = \"1s\"\n"),
         {{"29:9 grace (1s) is shorter than token + consensus + Hellos + 2 × tick (1s + 1200ms + 500ms + 2 × "
           "250ms = 3200ms)"},
          {"30:14 lost_after (1s) is not longer than suspend_after (1s)"}});
  expect(two_nodes("[[monitor]]\nname = \"m\"\ntype = \"ping\"\ntargets = [\"10.0.1.1\"]\n"
                   "affects = [\"web\"]\ncommon_mode_wait = \"1s\"\n"),
         {{"33:20 common_mode_wait of monitor \"m\" (1s) is shorter than its interval and timeout (10s)"}},
         Severity::kWarning);
  expect(replaced(two_nodes(), "\"192.168.50.100/24\"",
                  "\"192.168.50.100/24\"\nprobe_wait = \"2s\"\nstart_timeout = \"1s\""),
         {{"24:17 start_timeout of resource \"web/address\" (1s) is not longer than its check of the address "
           "(2s)"}});
}

// ---- masses of mistakes

TEST(Mistakes, MassesOfThemAreBounded) {
  std::string text = two_nodes();
  for (int i = 0; i < 20000; ++i) text += "[[monitor]]\nx = 1\n";
  const Parsed parsed = parse(text, registry());
  EXPECT_LE(parsed.diagnostics.size(), Diagnostics::kMax + 1);
}

}  // namespace
}  // namespace komainu::config
