// The server with its client over real sockets, in front of real replicas.
#include "api/server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <future>
#include <thread>

#include "api/client/client.h"
#include "api/testing.h"
#include "core/testing.h"

namespace komainu::api {
namespace {

using core::testing::node;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

core::Spec two_nodes() {
  core::testing::Cluster cluster(2);
  cluster.group("orders-db", {node(1), node(2)});
  cluster.group("billing");
  cluster.monitor("business-lan", {});
  cluster.spec.source = "cluster = 'test'\n";
  return cluster.spec;
}

// The daemon's loop on a thread of its own, as in production; tests talk to it as programs do.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override { serve({}); }
  void serve(Limits limits) {
    stop();
    context_.restart();
    auto listening = Server::listen(
        context_, daemons_.at(node(1)),
        {.path = path_, .group = "root", .limits = limits, .warn = [this](const std::string& text) {
           warnings_.push_back(text);
         }});
    ASSERT_TRUE(listening) << listening.error().what;
    server_.emplace(std::move(*listening));
    loop_ = std::thread([this] { context_.run(); });
  }
  void stop() {
    if (!loop_.joinable()) return;
    boost::asio::post(context_, [this] { server_.reset(); });
    loop_.join();
  }
  void TearDown() override {
    stop();
    rmdir(folder_.c_str());
  }

  // Runs on the loop, where the backend lives.
  template <class Do>
  auto on_loop(Do what) {
    std::packaged_task<decltype(what())()> task(what);
    auto result = task.get_future();
    boost::asio::post(context_, [&task] { task(); });
    return result.get();
  }
  void happened(std::string text) {
    on_loop([&] {
      daemons_.at(node(1)).log.append({}, {}, core::Event{.text = text});
      return 0;
    });
  }

  static std::string temporary_folder() {
    std::string folder = "/tmp/komainu-api-XXXXXX";
    return mkdtemp(folder.data());
  }

  std::string folder_ = temporary_folder();
  std::string path_ = folder_ + "/api.sock";
  testing::Daemons daemons_{two_nodes()};
  std::vector<std::string> warnings_;
  boost::asio::io_context context_;
  std::optional<Server> server_;
  std::thread loop_;
  Client client_{path_};
};

// What a client says by hand.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    timeval limit{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  RawClient(const RawClient&) = delete;
  ~RawClient() { close(fd_); }

  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Until the text has come, the server hangs up, or the time limit passes.
  std::string until(std::string_view end = "no such text") {
    std::string got;
    char part[4096];
    while (got.find(end) == got.npos) {
      ssize_t size = recv(fd_, part, sizeof part, 0);
      if (size <= 0) return size == 0 ? got : got + "(time limit)";
      got.append(part, static_cast<std::size_t>(size));
    }
    return got;
  }

 private:
  int fd_;
};

TEST_F(ServerTest, AnswersWithTheStatusOfTheCluster) {
  auto status = client_.get<Status>("/v1/status");
  ASSERT_TRUE(status) << status.error().what;
  EXPECT_EQ(status->self, "node1");
  EXPECT_EQ(status->phase, core::Phase::kEstablished);
  EXPECT_EQ(status->nodes.size(), 2u);
  auto names = client_.get<Names>("/v1/names");
  ASSERT_TRUE(names);
  EXPECT_THAT(names->groups, ElementsAre("orders-db", "billing"));
  auto health = client_.get<Health>("/v1/health");
  ASSERT_TRUE(health);
  EXPECT_EQ(health->counters.at("loop_delay_max_us"), 17u);
  auto config = client_.get<ConfigDocument>("/v1/config");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->text, "cluster = 'test'\n");
}

TEST_F(ServerTest, PutsARequestToTheClusterInTheNameOfWhoAsked) {
  auto accepted = client_.post<Accepted>("/v1/node/node2/drain");
  ASSERT_TRUE(accepted) << accepted.error().what;
  auto [who, duty] = on_loop([&] {
    return std::pair(daemons_.at(node(1)).submitted.at(0).operator_name,
                     daemons_.at(node(2)).state().nodes.at(node(2)).duty);
  });
  EXPECT_EQ(who, getuid() == 0 ? "root" : who);
  EXPECT_FALSE(who.empty());
  EXPECT_EQ(duty, core::Duty::kDrained) << "the other node heard it, too";
}

TEST_F(ServerTest, SuggestsTheNameThatWasMeant) {
  auto refused = client_.post<Accepted>("/v1/group/orders-bd/stop");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Trouble::Kind::kUnknownName);
  EXPECT_EQ(refused.error().what, "there is no group 'orders-bd'");
  EXPECT_EQ(refused.error().help, "did you mean 'orders-db'?");
}

TEST_F(ServerTest, PassesOnWhatTheClusterRefuses) {
  auto refused = client_.post<Accepted>("/v1/fence/node2/confirm");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Trouble::Kind::kRefused);
  EXPECT_THAT(refused.error().what, HasSubstr("node2"));
}

TEST_F(ServerTest, ListsTheMistakesOfAConfiguration) {
  auto refused = client_.post<Accepted>("/v1/config/check", "nonsense");
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().problems.size(), 1u);
  EXPECT_EQ(refused.error().problems[0].line, 1u);
  EXPECT_TRUE(client_.post<Accepted>("/v1/config/check", "cluster = 'test'"));
  auto applied = client_.post<Accepted>("/v1/config/apply", "cluster = 'test' # new");
  ASSERT_TRUE(applied) << applied.error().what;
  auto config = client_.get<ConfigDocument>("/v1/config");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->text, "cluster = 'test' # new");
  EXPECT_EQ(config->version, 2u);
}

TEST_F(ServerTest, StopsWaitingForAClusterThatDoesNotAnswer) {
  serve({.answer = 50ms});
  on_loop([&] { return daemons_.at(node(1)).mute = true; });
  auto late = client_.post<Accepted>("/v1/group/orders-db/stop");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, Trouble::Kind::kTimedOut);
}

TEST_F(ServerTest, StreamsWhatHappened) {
  happened("first");
  auto stream = EventStream::open(client_, 0, false);
  ASSERT_TRUE(stream) << stream.error().what;
  std::vector<std::string> texts;
  while (true) {
    auto event = stream->next(10s);
    ASSERT_TRUE(event) << event.error().what;
    if (!*event) break;
    texts.push_back((*event)->text);
  }
  EXPECT_TRUE(stream->ended());
  EXPECT_THAT(texts, Contains("first"));
}

TEST_F(ServerTest, StreamsWhatHappensFromNowOn) {
  happened("before");
  auto stream = EventStream::open(client_, std::nullopt, true);
  ASSERT_TRUE(stream) << stream.error().what;
  auto nothing = stream->next(1ms);
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  for (std::string text : {"after", "later"}) {
    happened(text);
    auto event = stream->next(10s);
    ASSERT_TRUE(event && *event);
    EXPECT_EQ((*event)->text, text);
  }
}

TEST_F(ServerTest, TellsASlowFollowerWhatItMissed) {
  auto first = on_loop([&] { return daemons_.at(node(1)).log.last(); });
  for (int i = 0; i < 5000; ++i) happened("one of many");
  auto stream = EventStream::open(client_, std::max<std::uint64_t>(first, 1), false);
  ASSERT_TRUE(stream);
  auto event = stream->next(10s);
  ASSERT_TRUE(event && *event);
  EXPECT_GT((*event)->missed, 0u);
}

TEST_F(ServerTest, LimitsTheNumberOfFollowersAndForgetsThoseThatHangUp) {
  serve({.streams = 1});
  {
    auto one = EventStream::open(client_, std::nullopt, true);
    ASSERT_TRUE(one);
    auto two = EventStream::open(client_, std::nullopt, true);
    ASSERT_FALSE(two);
    EXPECT_EQ(two.error().what, "too many followers of events");
  }
  Answer<EventStream> again = EventStream::open(client_, std::nullopt, true);
  for (int tries = 0; !again && tries < 1000; ++tries) again = EventStream::open(client_, std::nullopt, true);
  EXPECT_TRUE(again);
}

TEST_F(ServerTest, LetsConnectionsBeyondTheLimitWaitForTheirTurn) {
  serve({.connections = 2});
  std::optional<RawClient> a(path_), b(path_);
  for (auto* client : {&*a, &*b}) {
    client->send("GET /v1/health HTTP/1.1\r\n\r\n");
    EXPECT_THAT(client->until("}"), StartsWith("HTTP/1.1 200"));
  }
  auto third = std::async(std::launch::async, [&] { return client_.get<Health>("/v1/health").has_value(); });
  EXPECT_EQ(on_loop([&] { return server_->connections(); }), 2u);
  a.reset();
  EXPECT_TRUE(third.get());
}

TEST_F(ServerTest, ServesSeveralRequestsOnOneConnection) {
  RawClient raw(path_);
  for (int i = 0; i < 3; ++i) {
    raw.send("GET /v1/health HTTP/1.1\r\n\r\n");
    EXPECT_THAT(raw.until("}\n"), StartsWith("HTTP/1.1 200"));
  }
  raw.send("GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(raw.until(), HasSubstr("Connection: close"));
}

TEST_F(ServerTest, RefusesWhatIsNoHttpOrTooMuch) {
  serve({.header_bytes = 512, .body_bytes = 1000});
  struct Case {
    std::string sent, status;
  };
  for (const Case& c :
       {Case{"hello\r\n\r\n", "HTTP/1.1 400"}, Case{"GET /" + std::string(600, 'x'), "HTTP/1.1 431"},
        Case{"POST /v1/config/check HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413"},
        Case{"DELETE /v1/status HTTP/1.1\r\n\r\n", "HTTP/1.1 405"}}) {
    RawClient raw(path_);
    raw.send(c.sent);
    EXPECT_THAT(raw.until("}\n"), StartsWith(c.status)) << c.sent;
  }
}

TEST_F(ServerTest, DropsAClientThatDoesNotFinishItsRequest) {
  serve({.transfer = 30ms, .idle = 30ms});
  for (std::string begun :
       {"", "GET /v1/sta", "POST /v1/config/check HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"}) {
    RawClient raw(path_);
    if (!begun.empty()) raw.send(begun);
    EXPECT_EQ(raw.until(), "") << begun;
  }
}

TEST_F(ServerTest, OpensTheSocketForItsGroupOnly) {
  struct stat about{};
  ASSERT_EQ(stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0660u);
}

TEST_F(ServerTest, ReplacesADeadSocketAndRespectsALiveOne) {
  auto second = Server::listen(context_, daemons_.at(node(2)), {.path = path_, .group = "root"});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("another process listens"));
  stop();
  // What a killed daemon leaves behind.
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  serve({});
  EXPECT_TRUE(client_.get<Health>("/v1/health"));
}

TEST_F(ServerTest, WarnsWithoutTheGroupAndServesRootAlone) {
  stop();
  std::vector<std::string> warnings;
  auto server =
      Server::listen(context_, daemons_.at(node(1)),
                     {.path = path_, .group = "no-such-group", .warn = [&](const std::string& text) {
                        warnings.push_back(text);
                      }});
  ASSERT_TRUE(server);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("there is no group 'no-such-group'")));
}

TEST(ClientWithoutDaemon, SaysWhatToDo) {
  auto status = Client("/tmp/komainu-no-such-folder/api.sock").get<Status>("/v1/status");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, Trouble::Kind::kNotReachable);
  EXPECT_THAT(status.error().help, HasSubstr("systemctl status komainud"));
}

TEST(Segment, EscapesWhatAnAddressCannotHold) {
  EXPECT_EQ(segment("a/b c-1"), "a%2Fb%20c-1");
}

}  // namespace
}  // namespace komainu::api
