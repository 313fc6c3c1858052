// The monitors that hold a conversation: each against a server that speaks its protocol, hangs, or refuses
// it.
#include "drivers/monitors/dialogue_check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/testing/poll_loop.h"
#include "drivers/testing/tcp_server.h"
#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::EndsWith;
using testing::PollLoop;
using testing::ReportLog;
using testing::Started;
using testing::TcpServer;
using testing::World;

struct Bench {
  PollLoop loop;
  World world;
  ReportLog reports;

  Health judge(const MonitorType& type, const Params& params, Schedule schedule = {}) {
    schedule.interval = 1h;
    schedule.retries = 0;
    schedule.quiet = Schedule::Quiet::kNever;
    const auto monitor =
        type.make(params, schedule,
                  {loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log}, {});
    if (!monitor) throw std::runtime_error(monitor.error().what);
    Started<void> running((*monitor)->run(reports));
    if (!loop.run_until([&] { return reports.health().has_value(); }))
      throw std::runtime_error("no judgement");
    return *reports.health();
  }
};

Params port_of(const TcpServer& server) {
  return {{"port", std::int64_t{server.port()}}};
}

// Greets, if there is something to greet with; then answers each line by its first word in `answers`.
std::function<void(int)> speaking(std::string greeting, std::map<std::string, std::string> answers) {
  return [greeting = std::move(greeting), answers = std::move(answers)](int fd) {
    (void)!::send(fd, greeting.data(), greeting.size(), MSG_NOSIGNAL);
    std::string heard;
    char buffer[1024];
    for (ssize_t size; (size = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      heard.append(buffer, static_cast<std::size_t>(size));
      for (std::size_t end; (end = heard.find("\r\n")) != std::string::npos; heard.erase(0, end + 2)) {
        const auto answer = answers.find(heard.substr(0, end));
        const std::string text = answer == answers.end() ? "500 what?\r\n" : answer->second;
        (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      }
    }
  };
}

struct Protocol {
  const MonitorType& type;
  std::string greeting;
  std::map<std::string, std::string> answers;
  std::string asked_first;
};

std::vector<Protocol> protocols() {
  return {{smtp(),
           "220 mail ESMTP\r\n",
           {{"EHLO localhost", "250-mail\r\n250 SIZE\r\n"}, {"QUIT", "221 bye\r\n"}},
           "the greeting"},
          {imap(),
           "* OK IMAP\r\n",
           {{"a1 CAPABILITY", "* CAPABILITY IMAP4rev2\r\na1 OK\r\n"}, {"a2 LOGOUT", "* BYE\r\na2 OK\r\n"}},
           "the greeting"},
          {ftp(), "220 files\r\n", {{"QUIT", "221 bye\r\n"}}, "the greeting"},
          {redis(), "", {{"PING", "+PONG\r\n"}}, "PING"}};
}

TEST(Dialogues, AreHealthyWhereTheServerSpeaksTheProtocol) {
  for (const Protocol& protocol : protocols()) {
    Bench bench;
    const TcpServer server(speaking(protocol.greeting, protocol.answers));
    EXPECT_EQ(bench.judge(protocol.type, port_of(server)), Health::kHealthy)
        << protocol.type.schema.name << ": " << bench.reports.evidence();
  }
}

TEST(Dialogues, TellAServerThatHangsFromOneThatSpeaksOtherwise) {
  for (const Protocol& protocol : protocols()) {
    Bench hung, wrong;
    const TcpServer silent(TcpServer::hang);
    EXPECT_EQ(hung.judge(protocol.type, port_of(silent), {.timeout = 50ms}), Health::kFailed);
    EXPECT_EQ(
        hung.reports.evidence(),
        fmt::format("no answer within 50ms: 127.0.0.1 port {} takes connections, but does not answer {}",
                    silent.port(), protocol.asked_first));
    const TcpServer other(speaking("HTTP/1.1 400 Bad Request\r\n", {}));
    EXPECT_EQ(wrong.judge(protocol.type, port_of(other)), Health::kFailed);
    EXPECT_THAT(wrong.reports.evidence(),
                ::testing::HasSubstr("with \"HTTP/1.1 400 Bad Request\", not with"));
  }
}

TEST(Dialogues, ATimeoutThatIsToWarnWarns) {
  Bench bench;
  const TcpServer silent(TcpServer::hang);
  EXPECT_EQ(
      bench.judge(smtp(), port_of(silent), {.timeout = 50ms, .on_timeout = Schedule::OnTimeout::kWarning}),
      Health::kWarning);
}

TEST(Dialogues, RedisIsToldThePasswordAndNobodyElse) {
  Bench bench;
  bench.world.files.content["/etc/komainu/redis.secret"] = "watcher open sesame\n";
  const TcpServer server(speaking("", {{"AUTH watcher open sesame", "+OK\r\n"}, {"PING", "+PONG\r\n"}}));
  Params params = port_of(server);
  params["secret"] = std::string("/etc/komainu/redis.secret");
  EXPECT_EQ(bench.judge(redis(), params), Health::kHealthy) << bench.reports.evidence();

  Bench refused;
  refused.world.files.content["/etc/komainu/redis.secret"] = "watcher wrong\n";
  EXPECT_EQ(refused.judge(redis(), params), Health::kFailed);
  EXPECT_THAT(refused.reports.evidence(), EndsWith("answers AUTH with \"500 what?\", not with \"+OK\""));
}

TEST(Dialogues, TcpSendsAndExpects) {
  const TcpServer server(speaking("", {{"stats", "uptime 7\r\nready\r\n"}}));
  Params params = port_of(server);
  params["send"] = std::string("stats");
  params["expect"] = std::string("ready");
  Bench bench, other;
  EXPECT_EQ(bench.judge(tcp(), params), Health::kHealthy) << bench.reports.evidence();
  params["expect"] = std::string("down");
  EXPECT_EQ(other.judge(tcp(), params, {.timeout = 100ms}), Health::kFailed);
  EXPECT_THAT(other.reports.evidence(), EndsWith("does not answer what was sent beyond \"uptime 7\""));
}

TEST(Dialogues, TcpWithoutAnythingToExpectSaysNothing) {
  EXPECT_FALSE(tcp().make({{"port", std::int64_t{7}}, {"send", std::string("hello")}}, {},
                          Bench().world.services(), {}));
}

}  // namespace
}  // namespace komainu::drivers
