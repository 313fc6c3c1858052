#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/testing/poll_loop.h"
#include "drivers/testing/tcp_server.h"
#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using testing::PollLoop;
using testing::ReportLog;
using testing::Started;
using testing::TcpServer;
using testing::World;

struct Bench {
  PollLoop loop;
  World world;
  ReportLog reports;

  // The first judgement of the monitor.
  Health judge(const Params& params, Duration timeout = 5s) {
    const Schedule schedule{
        .interval = 1h, .timeout = timeout, .retries = 0, .quiet = Schedule::Quiet::kNever};
    const auto monitor =
        *tcp().make(params, schedule,
                    {loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log}, {});
    Started<void> running(monitor->run(reports));
    if (!loop.run_until([&] { return reports.health().has_value(); }))
      throw std::runtime_error("no judgement");
    return *reports.health();
  }
};

std::uint16_t closed_port() {
  const TcpServer gone([](int) {});
  return gone.port();
}

TEST(Tcp, IsHealthyWhereSomethingListens) {
  const TcpServer server([](int) {});
  EXPECT_EQ(Bench().judge({{"port", std::int64_t{server.port()}}}), Health::kHealthy);
}

TEST(Tcp, SaysWhyItCannotConnect) {
  Bench bench;
  const std::uint16_t port = closed_port();
  EXPECT_EQ(bench.judge({{"port", std::int64_t{port}}}), Health::kFailed);
  EXPECT_EQ(bench.reports.evidence(), fmt::format("127.0.0.1:{}: Connection refused", port));
}

TEST(Tcp, TriesAllAddressesOfAName) {
  Bench bench;
  const TcpServer server([](int) {});
  bench.world.spawner.program = [](const Command& command) -> std::optional<Exit> {
    EXPECT_EQ(command.argv, (std::vector<std::string>{"/usr/bin/getent", "ahosts", "--", "db.example.com"}));
    return Exit{Exit::How::kExited, 0,
                "::1             STREAM db.example.com\n::1             DGRAM\n127.0.0.1 STREAM\n", "",
                false};
  };
  EXPECT_EQ(bench.judge({{"host", std::string("db.example.com")}, {"port", std::int64_t{server.port()}}}),
            Health::kHealthy);
}

TEST(Tcp, ANameThatIsNotKnownHasFailed) {
  Bench bench;
  bench.world.spawner.program = [](const Command&) { return Exit{Exit::How::kExited, 2, "", "", false}; };
  EXPECT_EQ(bench.judge({{"host", std::string("db.example.com")}, {"port", std::int64_t{80}}}),
            Health::kFailed);
  EXPECT_THAT(bench.reports.evidence(), HasSubstr("db.example.com is not known"));
}

TEST(Tcp, AResolverThatHangsIsATimeout) {
  Bench bench;
  bench.world.spawner.program = [](const Command&) { return std::nullopt; };
  EXPECT_EQ(bench.judge({{"host", std::string("db.example.com")}, {"port", std::int64_t{80}}}, 50ms),
            Health::kFailed);
  EXPECT_EQ(bench.reports.evidence(),
            "no answer within 50ms: db.example.com port 80 does not take a connection");
}

}  // namespace
}  // namespace komainu::drivers
