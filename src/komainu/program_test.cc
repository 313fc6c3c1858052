// The command line as an operator uses it, against the real server in front of real replicas of two nodes.
#include "komainu/program.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>
#include <thread>

#include "api/server.h"
#include "api/testing.h"
#include "config/parse.h"
#include "drivers/driver.h"
#include "engine/cluster/stream_record.h"
#include "engine/files/corosync_key.h"
#include "engine/files/ring_file.h"
#include "komainu/commands.h"
#include "wire/wire.h"

namespace komainu::cli {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kConfig = R"([cluster]
name = "shop"

[[node]]
name  = "guest1"
links = ["10.0.1.11", "192.168.50.11"]

[[node]]
name  = "guest2"
links = ["10.0.1.12", "192.168.50.12"]

[[fencing]]
device = [ { type = "agent", agent = "fence_virt" } ]

[[group]]
name   = "web"
prefer = ["guest1", "guest2"]

  [[group.resource]]
  name = "nginx"
  type = "systemd"
  unit = "nginx.service"

[[monitor]]
name      = "public-lan"
type      = "nic-link"
interface = "eth1"
affects   = ["web"]
)";

config::Parsed parsed(std::string_view text, const core::Spec* current = nullptr) {
  params::Registry registry;
  drivers::declare_types(registry);
  return config::parse(text, registry, current);
}

core::Spec two_nodes() {
  config::Parsed made = parsed(kConfig);
  for (const config::Diagnostic& diagnostic : made.diagnostics) ADD_FAILURE() << diagnostic.what;
  return made.spec ? *made.spec : core::Spec{};
}

std::string temporary_folder() {
  std::string folder = "/tmp/komainu-cli-XXXXXX";
  return mkdtemp(folder.data());
}

struct Said {
  Exit exit;
  std::string out, err;
};

Said say(std::vector<std::string> words, const std::string& socket,
         std::function<std::optional<std::string>(const std::string&)> ask = {}) {
  std::ostringstream out, err;
  Session session{
      .out = out, .err = err, .style = {}, .err_style = {}, .ask = std::move(ask), .socket = socket};
  const Exit exit = run(words, session);
  return {exit, out.str(), err.str()};
}

class OnACluster : public ::testing::Test {
 protected:
  OnACluster() {
    for (NodeId id : {NodeId{0}, NodeId{1}})
      daemons_.at(id).reader =
          [](std::string_view text,
             const core::Spec& active) -> std::expected<core::SpecPtr, std::vector<api::ConfigProblem>> {
        config::Parsed made = parsed(text, &active);
        if (made.spec) return std::make_shared<const core::Spec>(*made.spec);
        return std::unexpected(std::vector<api::ConfigProblem>{{0, 0, "mistaken"}});
      };
    daemons_.pass(30s);  // groups have started
    listen();
    tick();
    loop_ = std::thread([this] { context_.run(); });
  }
  ~OnACluster() override {
    boost::asio::post(context_, [this] {
      server_.reset();
      ticker_.cancel();
      done_ = true;
    });
    loop_.join();
    std::filesystem::remove_all(folder_);
  }

  void listen() {
    auto listening = api::Server::listen(context_, daemons_.at(NodeId{0}),
                                         {.path = folder_ + "/api.sock", .group = "root"});
    if (!listening) throw std::runtime_error(listening.error().what);
    server_.emplace(std::move(*listening));
  }
  void tick() {
    ticker_.expires_after(std::chrono::milliseconds(10));
    ticker_.async_wait([this](boost::system::error_code) {
      if (done_) return;
      daemons_.pass(50ms);
      tick();
    });
  }
  // On the loop, where the replicas live.
  void with(std::function<void(api::testing::Daemons&)> what) {
    std::promise<void> done;
    boost::asio::post(context_, [&] {
      what(daemons_);
      done.set_value();
    });
    done.get_future().wait();
  }
  Said say(std::vector<std::string> words,
           std::function<std::optional<std::string>(const std::string&)> ask = {}) {
    return cli::say(std::move(words), folder_ + "/api.sock", std::move(ask));
  }
  std::string file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  std::string folder_ = temporary_folder();
  api::testing::Daemons daemons_{two_nodes()};
  boost::asio::io_context context_;
  std::optional<api::Server> server_;
  boost::asio::steady_timer ticker_{context_};
  bool done_ = false;
  std::thread loop_;
};

// Text that is looked at whenever it has been flushed; `Done`: nobody reads any more.
class Watched : public std::stringbuf {
 public:
  enum class Reader : std::uint8_t { kReads, kDone };
  explicit Watched(std::function<Reader()> look) : look_(std::move(look)) {}

 private:
  int sync() override { return look_() == Reader::kReads ? 0 : -1; }
  std::function<Reader()> look_;
};

TEST_F(OnACluster, WatchingSurvivesARestartOfTheDaemon) {
  int drawn = 0;
  Watched screen([&] {
    if (++drawn == 2) return Watched::Reader::kDone;
    with([&](auto&) { server_.reset(); });
    return Watched::Reader::kReads;
  });
  Watched notes([&] {
    with([&](auto&) { listen(); });
    return Watched::Reader::kReads;
  });
  std::ostream out(&screen), err(&notes);
  Session session{.out = out, .err = err, .style = {}, .err_style = {}, .socket = folder_ + "/api.sock"};
  EXPECT_EQ(run({"status", "--watch"}, session), Exit::kDone);
  EXPECT_EQ(drawn, 2);
  EXPECT_EQ(notes.str(), "komainud does not answer any more: waiting for it\n");
}

TEST(Commands, WatchingWaitsForNoDaemonThatNeverAnswered) {
  EXPECT_EQ(say({"status", "--watch"}, "/tmp/komainu-no-such-socket").exit, Exit::kNotReachable);
}

TEST(Commands, TimingDrawsEachFailoverWithoutADaemon) {
  const std::string folder = temporary_folder();
  const std::string file = folder + "/cluster.toml";
  std::ofstream(file) << kConfig;
  const Said drawn = say({"config", "timing", file}, "/nonexistent");
  EXPECT_EQ(drawn.exit, Exit::kDone) << drawn.err;
  EXPECT_THAT(drawn.out, HasSubstr("a node loses power; group \"web\" starts on another\n"
                                   "  token             1.000 s  █\n"
                                   "  consensus         1.200 s  █\n"));
  EXPECT_THAT(drawn.out, HasSubstr("survivors keep their groups  holds  grace (4s) ≥ token"));

  const Said data = say({"--json", "config", "timing", file}, "/nonexistent");
  const boost::json::object document = boost::json::parse(data.out).as_object();
  std::int64_t sum = 0;
  const boost::json::object& lost = document.at("timelines").at(0).as_object();
  for (const boost::json::value& phase : lost.at("phases").as_array()) {
    EXPECT_EQ(phase.at("from_us").as_int64(), sum);
    sum += phase.at("length_us").as_int64();
  }
  EXPECT_EQ(lost.at("name").as_string(), "node-lost");
  EXPECT_EQ(lost.at("sum_us").as_int64(), sum);
  for (const boost::json::value& check : document.at("checks").as_array())
    EXPECT_TRUE(check.at("holds").as_bool()) << check;

  std::ofstream(file, std::ios::app) << "[timing]\ngrace = \"1s\"\n";
  const Said refused = say({"config", "timing", file}, "/nonexistent");
  EXPECT_EQ(refused.exit, Exit::kRefused);
  EXPECT_THAT(refused.err, HasSubstr("the smallest change that repairs it: grace = \"3200ms\""));
  std::filesystem::remove_all(folder);
}

TEST(Commands, AsksFenceAgentsForTheOptionsTheyKnow) {
  const std::string folder = temporary_folder();
  const std::string file = folder + "/cluster.toml";
  const std::string agent = folder + "/fence_box";
  std::ofstream(agent) << "#!/bin/sh\n"
                          "echo 'a warning' >&2\n"
                          "echo '<resource-agent name=\"fence_box\"><parameters><parameter name=\"ip\" "
                          "required=\"1\"/></parameters></resource-agent>'\n";
  std::filesystem::permissions(agent, std::filesystem::perms::owner_all);
  const auto with = [&](const std::string& device) {
    std::ofstream(file) << kConfig << "\n[[fencing]]\ndevice = [ { type = \"agent\", " << device << " } ]\n";
    return say({"config", "check", file}, "/nonexistent");
  };
  const Said typo = with("agent = \"" + agent + "\", options = [\"ipp=1\"]");
  EXPECT_EQ(typo.exit, Exit::kRefused);
  EXPECT_THAT(typo.err, AllOf(HasSubstr("has \"ipp\", which fence_box does not know"),
                              HasSubstr("did you mean \"ip\"?")));
  EXPECT_EQ(with("agent = \"" + agent + "\", options = [\"ip=192.0.2.7\"]").exit, Exit::kDone);
  std::filesystem::permissions(agent, std::filesystem::perms::all);
  EXPECT_THAT(with("agent = \"" + agent + "\", options = [\"ipp=1\"]").err,
              HasSubstr("fence_box can be changed by others than root and is not run"));
  const Said elsewhere = with("agent = \"fence_that_is_not_here\"");
  EXPECT_EQ(elsewhere.exit, Exit::kDone) << elsewhere.err;
  EXPECT_THAT(elsewhere.err, HasSubstr("fence_that_is_not_here is not installed here"));
  std::filesystem::remove_all(folder);
}

TEST(Commands, EvidenceShowsTheTableThatJudgesNodes) {
  const Said shown = say({"config", "evidence"}, "/nonexistent");
  EXPECT_EQ(shown.exit, Exit::kDone) << shown.err;
  EXPECT_THAT(shown.out,
              AllOf(ContainsRegex("stalled +node unknown or lost, corosync present"),
                    ContainsRegex("healthy +otherwise +answers; its links and monitors are fine\n$")));
  const Said data = say({"--json", "config", "evidence"}, "/nonexistent");
  const boost::json::array rows = boost::json::parse(data.out).at("rows").as_array();
  EXPECT_EQ(rows.front().at("when").at("node"), (boost::json::array{"settled"}));
  EXPECT_TRUE(rows.back().at("when").as_object().empty());
}

TEST_F(OnACluster, ShowsTheStatus) {
  Said said = say({"status"});
  EXPECT_EQ(said.exit, Exit::kDone) << said.err;
  EXPECT_THAT(said.out, AllOf(StartsWith("shop: "), HasSubstr("web  online on guest1  nginx")));
  EXPECT_THAT(say({"status", "--json"}).out, StartsWith(R"({"version":)"));
  EXPECT_THAT(say({"cluster", "status"}).out, AllOf(HasSubstr("NODES"), Not(HasSubstr("GROUPS"))));
  EXPECT_THAT(say({"fence", "status"}).out, HasSubstr("level 1: agent fence_virt\n"));
}

TEST_F(OnACluster, MovesAGroupAndSaysWhatHappened) {
  Said said = say({"group", "move", "web", "to", "guest2"});
  EXPECT_EQ(said.exit, Exit::kDone) << said.err;
  EXPECT_THAT(said.out, MatchesRegex("web is online on guest2 after [0-9.]+ s\n"));
  EXPECT_THAT(said.err,
              StartsWith("moving web from guest1 to guest2: it stops there before it starts here\n"));
  EXPECT_THAT(said.err, AllOf(HasSubstr("web is stopped on guest1"), HasSubstr("web is online on guest2")));
  Said there = say({"group", "move", "web", "to", "guest2"});
  EXPECT_EQ(there.exit, Exit::kDone);
  EXPECT_THAT(there.err, IsEmpty());
  EXPECT_EQ(there.out, "web is on guest2 already\n");
  EXPECT_THAT(say({"group", "move", "web"}).out, StartsWith("web is online on guest1"));
}

TEST_F(OnACluster, StopsAndStartsAGroup) {
  Said stopped = say({"group", "stop", "web"});
  EXPECT_EQ(stopped.exit, Exit::kDone) << stopped.err;
  EXPECT_THAT(stopped.out, StartsWith("web is stopped by the operator after "));
  Said started = say({"group", "start", "web", "on", "guest2"});
  EXPECT_EQ(started.exit, Exit::kDone) << started.err;
  EXPECT_THAT(started.out, StartsWith("web is online on guest2 after "));
}

TEST_F(OnACluster, AnswersPrograms) {
  Said said = say({"group", "stop", "web", "--json"});
  EXPECT_THAT(said.out,
              MatchesRegex(R"(\{"reached":true,"text":"web is stopped by the operator","elapsed_us":[0-9]+\})"
                           "\n"));
  EXPECT_THAT(say({"group", "start", "web", "--no-wait", "--json"}).out,
              StartsWith(R"({"reached":true,"text":"start web")"));
}

TEST_F(OnACluster, DrainsANodeAndTakesItBack) {
  Said drained = say({"node", "drain", "guest1"});
  EXPECT_EQ(drained.exit, Exit::kDone) << drained.err;
  EXPECT_THAT(drained.err, StartsWith("drain of guest1: web to leave it\n"));
  EXPECT_THAT(drained.out, StartsWith("guest1 runs nothing after "));
  Said resumed = say({"node", "resume", "guest1"});
  EXPECT_EQ(resumed.exit, Exit::kDone) << resumed.err;
}

TEST_F(OnACluster, NamesWhatStaysOnADrainedNodeAndWhy) {
  ASSERT_EQ(say({"node", "standby", "guest2"}).exit, Exit::kDone);
  Said said = say({"node", "drain", "guest1"});
  EXPECT_EQ(said.exit, Exit::kRefused);
  EXPECT_THAT(said.out, AllOf(HasSubstr("web stays on guest1"), HasSubstr("guest2: no: ")));
}

TEST_F(OnACluster, SaysWhyAGroupCannotStart) {
  ASSERT_EQ(say({"group", "stop", "web"}).exit, Exit::kDone);
  for (std::string node : {"guest1", "guest2"}) ASSERT_EQ(say({"node", "standby", node}).exit, Exit::kDone);
  Said said = say({"group", "start", "web"});
  EXPECT_EQ(said.exit, Exit::kRefused);
  EXPECT_THAT(said.out, MatchesRegex("not done after [0-9.]+ s: web cannot start: guest1: no: .*\n"));
}

TEST_F(OnACluster, StopsWaitingWhenTold) {
  with([](auto& daemons) { daemons.executes = false; });
  Said said = say({"group", "move", "web", "--timeout", "50ms"});
  EXPECT_EQ(said.exit, Exit::kTimedOut);
  EXPECT_THAT(said.out, MatchesRegex("not done after [0-9.]+ s: web is stopping on guest1\n"));
  EXPECT_THAT(said.err, HasSubstr("it goes on in the background"));
}

TEST_F(OnACluster, RefusesWhatTheClusterRefuses) {
  ASSERT_EQ(say({"node", "standby", "guest2"}).exit, Exit::kDone);
  Said said = say({"group", "move", "web", "guest2"});
  EXPECT_EQ(said.exit, Exit::kRefused);
  EXPECT_THAT(said.err, HasSubstr("komainu: guest2 takes no groups: it is on standby"));
}

TEST_F(OnACluster, SuspendsAMonitor) {
  EXPECT_EQ(say({"monitor", "suspend", "public-lan"}).exit, Exit::kDone);
  EXPECT_THAT(say({"status"}).out, HasSubstr("public-lan    suspended"));
  EXPECT_EQ(say({"monitor", "resume", "public-lan"}).exit, Exit::kDone);
}

TEST_F(OnACluster, AsksBeforeItBelievesThatANodeIsOff) {
  with([](auto& daemons) { daemons.join({NodeId{0}}); });
  EXPECT_EQ(say({"fence", "confirm", "guest2"}).exit, Exit::kUsage);
  EXPECT_EQ(say({"fence", "confirm", "guest2"}, [](auto) { return "y"; }).exit, Exit::kUsage);
  Said said = say({"fence", "confirm", "guest2"}, [](const std::string& question) {
    EXPECT_THAT(question,
                AllOf(HasSubstr("You vouch that guest2 is off"), HasSubstr("Type guest2 to go on")));
    return "guest2";
  });
  EXPECT_EQ(said.exit, Exit::kDone) << said.err;
  EXPECT_EQ(said.err, "telling the cluster that guest2 is off\n");
  EXPECT_THAT(say({"status"}).out, HasSubstr("guest2    settled"));
}

TEST_F(OnACluster, SwitchesANodeOffOnceItKnowsThatThatIsMeant) {
  EXPECT_EQ(say({"fence", "off", "guest2"}).exit, Exit::kUsage);
  EXPECT_EQ(say({"fence", "off", "guest1"},
                [](const std::string& question) {
                  EXPECT_THAT(question,
                              AllOf(HasSubstr("guest1 will be switched off now"), HasSubstr("you are on it"),
                                    HasSubstr("web (to guest2)"), HasSubstr("`komainu node drain guest1`")));
                  return "y";
                })
                .exit,
            Exit::kUsage);
  Said said = say({"fence", "off", "guest2"}, [](const std::string& question) {
    EXPECT_THAT(question, HasSubstr("It runs nothing"));
    return "guest2";
  });
  EXPECT_EQ(said.exit, Exit::kDone) << said.err;
  EXPECT_THAT(said.out, StartsWith("guest2 is off, confirmed after"));
  EXPECT_THAT(said.err, HasSubstr("guest1 fences guest2: "));
  with([](auto& daemons) { daemons.join({NodeId{0}}); });
  said = say({"fence", "off", "guest2", "--yes"});
  EXPECT_EQ(said.exit, Exit::kRefused);
  EXPECT_THAT(said.err, HasSubstr("guest2 counts as off already, and its devices are not asked"));
}

TEST_F(OnACluster, ShowsWhatTheFencingDevicesSay) {
  with([](auto& daemons) {
    daemons.at(NodeId{0}).devices = {
        {.level = 0, .device = "fence_ipmilan", .problem = "Connection timed out", .took = 20s},
        {.level = 1, .device = "fence_pdu", .took = 31ms}};
  });
  Said said = say({"fence", "test"});
  EXPECT_EQ(said.exit, Exit::kDone) << said.err;
  EXPECT_THAT(said.out, ContainsRegex("guest2  level 1  fence_ipmilan  20.0.* Connection timed out\n"));
  EXPECT_THAT(said.out, ContainsRegex("guest2  level 2  fence_pdu  .* ok\n"));
  EXPECT_THAT(said.out, HasSubstr("each can be fenced from guest1; the other nodes ask for themselves"));
  with([](auto& daemons) { daemons.at(NodeId{0}).devices.pop_back(); });
  said = say({"fence", "test", "guest2"});
  EXPECT_EQ(said.exit, Exit::kRefused);
  EXPECT_THAT(said.out, HasSubstr("guest2 cannot be fenced from guest1"));
  said = say({"fence", "test", "--json"});
  EXPECT_EQ(said.exit, Exit::kRefused);
  EXPECT_EQ(boost::json::parse(said.out).at("nodes").at(0).at("can_be_fenced"), false);
  with([](auto& daemons) { daemons.at(NodeId{0}).fencing_is_tested = true; });
  EXPECT_THAT(say({"fence", "test"}).err, HasSubstr("are being asked already"));
  EXPECT_THAT(say({"fence", "test", "guest1"}).err, HasSubstr("guest1 does not fence itself"));
  EXPECT_THAT(say({"fence", "test", "gest2"}).err, HasSubstr("did you mean 'guest2'?"));
}

TEST_F(OnACluster, TellsThatTheNodeIsInNoView) {
  with([](auto& daemons) { daemons.join({NodeId{0}}, false); });
  Said said = say({"group", "stop", "web"});
  EXPECT_EQ(said.exit, Exit::kNoView);
  EXPECT_THAT(say({"status"}).out, HasSubstr("alarm: guest1 has no quorum"));
}

TEST_F(OnACluster, SuggestsNames) {
  Said said = say({"group", "stop", "wbe"});
  EXPECT_EQ(said.exit, Exit::kUsage);
  EXPECT_THAT(said.err, HasSubstr("there is no group 'wbe'\n  did you mean 'web'?"));
  EXPECT_EQ(say({"explain", "wbe"}).exit, Exit::kUsage);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"group", "clear", "wbe"},
                                             {"group", "move", "web", "to", "gest2"},
                                             {"node", "resume", "gest2"},
                                             {"monitor", "suspend", "public-lna"},
                                             {"monitor", "resume", "public-lna"}}) {
    Said mistyped = say(words);
    EXPECT_EQ(mistyped.exit, Exit::kUsage);
    EXPECT_THAT(mistyped.err, AllOf(StartsWith("komainu: there is no "), HasSubstr("did you mean '")))
        << "nothing is announced before";
  }
}

TEST_F(OnACluster, ShowsEventsAndExplains) {
  ASSERT_EQ(say({"group", "move", "web"}).exit, Exit::kDone);
  Said events = say({"events"});
  EXPECT_THAT(events.out, HasSubstr("web is online on guest2"));
  Said last = say({"events", "--last", "1", "--json"});
  EXPECT_EQ(std::ranges::count(last.out, '\n'), 1);
  Said explained = say({"explain", "web"});
  EXPECT_THAT(explained.out, StartsWith("web is online on guest2\n\nWHAT HAPPENED from "));
  EXPECT_THAT(explained.out, HasSubstr("    +0.000 s  root: move web to guest2\n"))
      << "the request is the first symptom";
  EXPECT_THAT(explained.out, HasSubstr("WHY THERE, best place first\n"));
}

TEST_F(OnACluster, ShowsDiffsAndAppliesTheConfiguration) {
  EXPECT_EQ(say({"config", "show"}).out, kConfig);
  EXPECT_THAT(say({"config", "show", "--full"}).out, HasSubstr("failback"));
  std::string changed = kConfig;
  changed.replace(changed.find("prefer = "), 0, "failback = \"automatic\"\n");
  const std::string path = file("changed.toml", changed);
  EXPECT_THAT(say({"config", "diff", path}).out, HasSubstr("failback"));
  Said applied = say({"config", "apply", path});
  EXPECT_EQ(applied.exit, Exit::kDone) << applied.err;
  EXPECT_EQ(say({"config", "show"}).out, changed);
  EXPECT_THAT(say({"config", "apply", path}).out, HasSubstr("is configuration 2 already"));
  EXPECT_THAT(applied.err, Not(HasSubstr("Corosync")));
  Said broken = say({"config", "apply", file("broken.toml", changed + "nonsense = 1\n")});
  EXPECT_EQ(broken.exit, Exit::kRefused);
  EXPECT_THAT(broken.err, HasSubstr("nonsense"));
}

TEST_F(OnACluster, SaysThatCorosyncIsToldOfItsNewSettings) {
  std::string changed = kConfig;
  changed.replace(changed.find("name = \"shop\""), 0, "profile = \"wan\"\n");
  Said applied = say({"config", "apply", file("wan.toml", changed)});
  EXPECT_EQ(applied.exit, Exit::kDone) << applied.err;
  EXPECT_THAT(applied.err, HasSubstr("Corosync's settings change with it"));
}

TEST_F(OnACluster, CompletesCommandsOptionsAndLiveNames) {
  EXPECT_EQ(say({"complete", "--", "gr"}).out, "group\tStart, stop, move groups\n");
  EXPECT_EQ(say({"complete", "--", "group", "move", ""}).out, "web\n");
  EXPECT_EQ(say({"complete", "--", "group", "move", "web", ""}).out, "guest1\nguest2\n");
  EXPECT_EQ(say({"complete", "--", "group", "move", "web", "to", "guest2"}).out, "guest2\n");
  EXPECT_EQ(say({"complete", "--", "group", "move", "--timeout", "3s", ""}).out, "web\n");
  EXPECT_EQ(say({"complete", "--", "monitor", "suspend", "pub"}).out, "public-lan\n");
  EXPECT_EQ(say({"complete", "--", "config", "apply", ""}).out, "@files\n");
  EXPECT_THAT(say({"complete", "--", "group", "move", "--no"}).out, StartsWith("--no-wait\t"));
  EXPECT_EQ(say({"complete", "--", "nonsense", ""}).out, "");
}

TEST(WithoutADaemon, SaysWhatToDo) {
  Said said = say({"status"}, "/tmp/komainu-no-such-socket");
  EXPECT_EQ(said.exit, Exit::kNotReachable);
  EXPECT_THAT(said.err, HasSubstr("is it running on this node? `systemctl status komainud`"));
  EXPECT_EQ(say({"group", "move", "web"}, "/tmp/komainu-no-such-socket").exit, Exit::kNotReachable);
  EXPECT_EQ(say({"complete", "--", "group", "move", ""}, "/tmp/komainu-no-such-socket").exit, Exit::kDone);
}

TEST(WithoutADaemon, ChecksAConfiguration) {
  const std::string folder = temporary_folder();
  std::ofstream(folder + "/good.toml") << kConfig;
  std::ofstream(folder + "/bad.toml") << "[cluster]\nnam = \"x\"\n[[node]]\nname = 3\n";
  EXPECT_THAT(say({"config", "check", folder + "/good.toml"}, "").out, HasSubstr("is valid (nodes: 2"));
  Said bad = say({"config", "check", folder + "/bad.toml"}, "");
  EXPECT_EQ(bad.exit, Exit::kRefused);
  EXPECT_THAT(bad.err, AllOf(HasSubstr(":2:1"), HasSubstr(":4:8")));
  EXPECT_THAT(say({"config", "check", "--json", folder + "/bad.toml"}, "").out,
              StartsWith(R"({"valid":false)"));
  EXPECT_THAT(say({"config", "reference", "floating-ip"}, "").out, HasSubstr("address"));
  EXPECT_EQ(say({"config", "reference", "flaoting-ip"}, "").exit, Exit::kUsage);
  std::filesystem::remove_all(folder);
}

TEST(TheLanguage, SuggestsWhatWasMeant) {
  struct Case {
    std::vector<std::string> words;
    std::string what;
  };
  for (const Case& c : {Case{{"statsu"}, "'statsu' is no command\n  did you mean 'status'?"},
                        Case{{"group", "mvoe", "web"}, "'group mvoe' is no command\n  did you mean 'move'?"},
                        Case{{"group", "move", "web", "--no-wiat"},
                             "group move has no option --no-wiat\n  did you mean '--no-wait'?"},
                        Case{{"group", "move"}, "group move: GROUP is required"},
                        Case{{"group", "move", "web", "--timeout", "soon"}, "expected a duration"},
                        Case{{"group", "move", "web", "to"}, "group move: NODE: to which node?"},
                        Case{{"group", "start", "web", "on"}, "group start: NODE: on which node?"},
                        Case{{"group", "move", "web", "guest1", "guest2"}, "expected one node"},
                        Case{{"help", "exit-cods"}, "did you mean 'exit-codes'?"},
                        Case{{"group"}, "Commands:"}, Case{{}, "Commands:"}}) {
    Said said = say(c.words, "");
    EXPECT_EQ(said.exit, Exit::kUsage);
    EXPECT_THAT(said.err, HasSubstr(c.what));
  }
}

TEST(TheLanguage, ExplainsItself) {
  EXPECT_THAT(say({"help"}, "").out, HasSubstr("Usage: komainu [OPTIONS] COMMAND"));
  EXPECT_THAT(say({"help", "group", "move"}, "").out,
              HasSubstr("Usage: komainu group move [OPTIONS] GROUP [[to] NODE]"));
  EXPECT_EQ(say({"group", "move", "--help"}, "").out, say({"help", "group", "move"}, "").out);
  EXPECT_THAT(say({"help", "exit-codes"}, "").out, HasSubstr("  4  not finished in time"));
  EXPECT_THAT(say({"--version"}, "").out, StartsWith("komainu "));
}

// ---- making a cluster

class MakingACluster : public ::testing::Test {
 protected:
  MakingACluster() { std::ofstream(first_.config) << kConfig; }
  ~MakingACluster() override { std::filesystem::remove_all(folder_); }

  static Places places(const std::string& folder) {
    std::filesystem::create_directories(folder);
    return {.config = folder + "/cluster.toml",
            .bundle = folder + "/join.bundle",
            .corosync_conf = folder + "/corosync.conf",
            .corosync_key = folder + "/authkey",
            .key_bundle = folder + "/key.bundle"};
  }
  // By what `cluster new-key` says: key = "…"
  static std::string key_named_in(const std::string& said) {
    return said.substr(said.find("key = \"") + 7, 16);
  }
  static std::string hex_of(const std::string& bytes) {
    std::string text;
    for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
  }
  static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static unsigned mode(const std::string& path) {
    struct stat about{};
    return stat(path.c_str(), &about) == 0 ? about.st_mode & 0777 : 0;
  }

  std::string folder_ = temporary_folder();
  Places first_ = places(folder_ + "/first");
  Places second_ = places(folder_ + "/second");
  std::ostringstream out_, err_;
  Session session_{.out = out_, .err = err_, .style = {}, .err_style = {}};
};

TEST_F(MakingACluster, GivesTheSecondNodeWhatTheFirstHas) {
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone) << err_.str();
  EXPECT_EQ(mode(first_.bundle), 0600u);
  EXPECT_EQ(mode(first_.corosync_key), 0400u);
  EXPECT_THAT(content(first_.corosync_conf), HasSubstr("cluster_name: shop"));
  EXPECT_EQ(content(first_.corosync_key).size(), 256u);
  EXPECT_THAT(out_.str(), HasSubstr("komainu cluster join FILE"));
  ASSERT_EQ(join_cluster(session_, second_, first_.bundle), Exit::kDone) << err_.str();
  EXPECT_EQ(content(second_.config), kConfig);
  EXPECT_EQ(content(second_.corosync_conf), content(first_.corosync_conf));
  EXPECT_EQ(content(second_.corosync_key), content(first_.corosync_key));
  EXPECT_EQ(mode(second_.corosync_key), 0400u);
}

TEST_F(MakingACluster, KeepsTheKey) {
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone);
  const std::string key = content(first_.corosync_key);
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone);
  EXPECT_EQ(content(first_.corosync_key), key);
}

TEST_F(MakingACluster, BringsAnotherKeyToTheOthersBeforeItIsNamed) {
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone) << err_.str();
  ASSERT_EQ(join_cluster(session_, second_, first_.bundle), Exit::kDone) << err_.str();
  const std::string old_key = content(first_.corosync_key), conf = content(first_.corosync_conf);
  out_.str("");
  ASSERT_EQ(make_key(session_, first_), Exit::kDone) << err_.str();
  const std::string name = key_named_in(out_.str());
  const std::string key = content(first_.corosync_key + "." + name);
  EXPECT_EQ(key.size(), 256u);
  EXPECT_EQ(engine::key_fingerprint(key), name);
  EXPECT_NE(key, old_key);
  EXPECT_EQ(mode(first_.corosync_key + "." + name), 0400u);
  EXPECT_EQ(mode(first_.key_bundle), 0600u);

  ASSERT_EQ(take_key(session_, second_, first_.key_bundle), Exit::kDone) << err_.str();
  EXPECT_EQ(content(second_.corosync_key + "." + name), key);
  EXPECT_EQ(mode(second_.corosync_key + "." + name), 0400u);
  for (const Places& places : {first_, second_}) {
    EXPECT_EQ(content(places.corosync_key), old_key) << "nothing uses the new one yet";
    EXPECT_EQ(content(places.corosync_conf), conf);
  }
  EXPECT_THAT(out_.str() + err_.str(), Not(HasSubstr(hex_of(key).substr(0, 16)))) << "it is never shown";
}

TEST_F(MakingACluster, LetsTheNextNodeJoinWithTheKeyThatIsNamed) {
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone) << err_.str();
  ASSERT_EQ(make_key(session_, first_), Exit::kDone) << err_.str();
  const std::string name = key_named_in(out_.str());
  std::string config = kConfig;
  config.insert(config.find("name = \"shop\""), "key = \"" + name + "\"\n");
  std::ofstream(first_.config) << config;
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone) << err_.str();
  ASSERT_EQ(join_cluster(session_, second_, first_.bundle), Exit::kDone) << err_.str();
  EXPECT_EQ(content(second_.corosync_key + "." + name), content(first_.corosync_key + "." + name));
  EXPECT_THAT(content(second_.corosync_conf), HasSubstr("keyfile: /etc/corosync/authkey." + name + "\n"));
  EXPECT_FALSE(std::filesystem::exists(second_.corosync_key)) << "the old one is of no use to it";
  EXPECT_EQ(join_cluster(session_, second_, std::nullopt), Exit::kDone) << err_.str();

  std::filesystem::remove(second_.corosync_key + "." + name);
  EXPECT_EQ(join_cluster(session_, second_, std::nullopt), Exit::kRefused) << "the key is missing";
  EXPECT_EQ(init_cluster(session_, second_), Exit::kRefused) << "it does not make another one of that name";
  std::ofstream(second_.corosync_key + "." + name) << std::string(256, 'k');
  err_.str("");
  EXPECT_EQ(join_cluster(session_, second_, std::nullopt), Exit::kRefused);
  EXPECT_THAT(err_.str(), HasSubstr("the configuration names " + name));
}

TEST_F(MakingACluster, TakesNoKeyThatIsDamagedOrOfAnotherCluster) {
  std::ofstream(second_.config) << kConfig;
  ASSERT_EQ(make_key(session_, first_), Exit::kDone) << err_.str();
  const std::string bundle = content(first_.key_bundle);
  std::string damaged = bundle, foreign = bundle;
  char& digit = damaged[damaged.find("corosync-key") + 20];
  digit = digit == '0' ? '1' : '0';
  foreign.replace(foreign.find("shop"), 4, "shed");
  for (const std::string& broken :
       {std::string(), std::string("{}"), bundle.substr(0, 100), damaged, foreign}) {
    std::ofstream(folder_ + "/broken") << broken;
    EXPECT_EQ(take_key(session_, second_, folder_ + "/broken"), Exit::kRefused) << broken;
  }
  EXPECT_THAT(err_.str(), HasSubstr("holds a key of cluster 'shed', and this is a node of 'shop'"));
  EXPECT_EQ(take_key(session_, second_, folder_ + "/nothing"), Exit::kRefused);
  for (const auto& file : std::filesystem::directory_iterator(folder_ + "/second"))
    EXPECT_EQ(file.path(), second_.config) << "nothing was written";
}

TEST_F(MakingACluster, KeepsWhatStoodThereBefore) {
  std::ofstream(first_.corosync_conf) << "somebody's";
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone);
  EXPECT_EQ(content(first_.corosync_conf + ".before-komainu"), "somebody's");
}

TEST_F(MakingACluster, JoinsWithFilesInPlace) {
  ASSERT_EQ(init_cluster(session_, first_), Exit::kDone);
  std::filesystem::copy(first_.config, second_.config);
  EXPECT_EQ(join_cluster(session_, second_, std::nullopt), Exit::kRefused) << "the key is missing";
  std::filesystem::copy(first_.corosync_key, second_.corosync_key);
  EXPECT_EQ(join_cluster(session_, second_, std::nullopt), Exit::kDone) << err_.str();
  EXPECT_EQ(content(second_.corosync_conf), content(first_.corosync_conf));
}

TEST_F(MakingACluster, ChangesNothingForABrokenBundleOrConfiguration) {
  for (std::string broken : {"", "{", "[]", "{}", R"({"cluster.toml": "x", "corosync-key": "abc"})",
                             R"({"cluster.toml": "x", "corosync-key": "00"})"}) {
    std::ofstream(folder_ + "/broken") << broken;
    EXPECT_EQ(join_cluster(session_, second_, folder_ + "/broken"), Exit::kRefused) << broken;
  }
  EXPECT_FALSE(std::filesystem::exists(second_.config));
  std::ofstream(first_.config) << "[cluster]\n";
  EXPECT_EQ(init_cluster(session_, first_), Exit::kRefused);
  EXPECT_FALSE(std::filesystem::exists(first_.corosync_key));
  EXPECT_EQ(join_cluster(session_, second_, folder_ + "/nothing"), Exit::kRefused);
}

// ---- replay

// One node that lives through a ring of its own, as the channel and the disk would tell it; `change_message`
// is what befalls a message on its way into the record.
void record_a_life(const std::string& path, const std::function<void(core::Message&)>& change_message) {
  core::Durable durable;
  auto spec = std::make_shared<core::Spec>(two_nodes());
  durable.spec = spec;
  engine::RingFile ring(path);
  const auto record = [&](LocalTime at, auto what) {
    ASSERT_TRUE(
        ring.append(engine::encode({at, 1'795'000'000'000'000 + at.since_boot.count(), std::move(what)})));
  };
  core::Replica replica({.self = NodeId{0}, .incarnation = {7}, .plans = false}, spec, durable);
  record(LocalTime{1s}, engine::Began{NodeId{0}, {7}, 0, wire::encode(durable)});
  std::vector<core::Message> stream;
  const std::function<void(LocalTime, const core::Input&)> step = [&](LocalTime at,
                                                                      const core::Input& input) {
    for (core::Effect& effect : replica.step(at, input)) {
      if (auto* send = std::get_if<core::Send>(&effect)) stream.push_back(std::move(send->message));
      if (auto* store = std::get_if<core::Store>(&effect)) step(at, core::Stored{store->token, true});
    }
  };
  const core::RingChange change{{1, 4}, {{NodeId{0}, 100}}, {NodeId{0}}};
  record(LocalTime{2s}, change);
  step(LocalTime{2s}, change);
  const core::QuorumVerdict verdict{{1, 4}, true};
  record(LocalTime{2s}, verdict);
  step(LocalTime{2s}, verdict);
  for (std::size_t next = 0; next < stream.size() && next < 20; ++next) {
    core::Message message = stream[next];
    step(LocalTime{3s}, core::Delivered{message});
    change_message(message);
    record(LocalTime{3s}, engine::Came{NodeId{0}, *wire::encode(message)});
  }
  ASSERT_EQ(replica.phase(), core::Phase::kEstablished);
}

TEST(Replaying, ShowsWhatHappenedAgain) {
  const std::string folder = temporary_folder();
  const std::string path = folder + "/stream";
  record_a_life(path, [](core::Message&) {});
  Said said = say({"replay", path}, "");
  EXPECT_EQ(said.exit, Exit::kDone) << said.err;
  EXPECT_THAT(said.out, HasSubstr("guest1 joined"));
  EXPECT_THAT(said.err, HasSubstr("the decisions are those that were recorded: 1 states compared"));
  Said nothing = say({"replay", folder + "/nothing"}, "");
  EXPECT_EQ(nothing.exit, Exit::kRefused);
  std::filesystem::remove_all(folder);
}

TEST(Replaying, SaysWhenItDecidesOtherwiseThanWasRecorded) {
  const std::string folder = temporary_folder();
  record_a_life(folder + "/stream", [](core::Message& message) {
    if (auto* ack = std::get_if<core::Ack>(&message.body)) ++ack->digest;
  });
  Said said = say({"replay", folder + "/stream"}, "");
  EXPECT_EQ(said.exit, Exit::kRefused) << said.err;
  EXPECT_THAT(said.err, HasSubstr("of 1 states differ from those that were recorded"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace komainu::cli
