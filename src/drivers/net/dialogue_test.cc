#include "drivers/net/dialogue.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/testing/poll_loop.h"
#include "drivers/testing/tcp_server.h"
#include "drivers/testing/world.h"

namespace komainu::drivers {
namespace {

using testing::PollLoop;
using testing::Started;
using testing::TcpServer;
using testing::World;

// A server that says each of these when the client has said something, or at once where it is to speak first.
std::function<void(int)> saying(std::vector<std::string> texts, bool speaks_first) {
  return [texts = std::move(texts), speaks_first](int fd) {
    bool waits = !speaks_first;
    for (const std::string& text : texts) {
      char heard[1024];
      if (std::exchange(waits, true) && ::recv(fd, heard, sizeof heard, 0) <= 0) return;
      if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
    }
    char rest[1024];
    while (::recv(fd, rest, sizeof rest, 0) > 0) {
    }
  };
}

struct Bench {
  PollLoop loop;
  World world;
  Conversation conversation{
      {loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log}};

  Verdict hold(const TcpServer& server, std::vector<Exchange> exchanges, Dialogue::Answer answer) {
    Started<Verdict> held(conversation.hold({"127.0.0.1", server.port(), std::move(exchanges), answer}));
    if (!loop.run_until([&] { return held.done(); })) throw std::runtime_error("it does not end");
    return held.value();
  }
};

std::string at(const TcpServer& server, std::string_view rest) {
  return fmt::format("127.0.0.1 port {} {}", server.port(), rest);
}

const std::vector<Exchange> kMail{
    {"the greeting", "", "220"}, {"EHLO", "EHLO me\r\n", "250"}, {"QUIT", "QUIT\r\n", "221"}};

TEST(Dialogue, IsHealthyWhereAllIsAnsweredAsItShould) {
  const TcpServer server(saying(
      {"220-welcome\r\n220 to mail\r\n", "250-mail\r\n250-PIPELINING\r\n250 HELP\r\n", "221 bye\r\n"}, true));
  EXPECT_EQ(Bench().hold(server, kMail, Dialogue::Answer::kReply), Verdict{});
}

TEST(Dialogue, SaysWhatWasAnsweredInstead) {
  const TcpServer server(saying({"220 mail\r\n", "554 go away\r\n"}, true));
  EXPECT_EQ(Bench().hold(server, kMail, Dialogue::Answer::kReply).evidence,
            at(server, "answers EHLO with \"554 go away\", not with \"250\""));
}

TEST(Dialogue, ALineOfAReplyThatGoesOnIsNotItsEnd) {
  const TcpServer server(saying({"220-files\r\n 554 of old\r\n220 now\r\n", "221 bye\r\n"}, true));
  EXPECT_EQ(Bench().hold(server, {kMail[0], kMail[2]}, Dialogue::Answer::kReply), Verdict{});
}

TEST(Dialogue, PassesOverWhatIsUntagged) {
  const TcpServer server(saying({"* OK hello\r\n", "* CAPABILITY IMAP4rev2\r\na1 OK done\r\n"}, true));
  EXPECT_EQ(Bench().hold(server, {{"the greeting", "", "* OK"}, {"CAPABILITY", "a1 CAPABILITY\r\n", "a1 OK"}},
                         Dialogue::Answer::kTagged),
            Verdict{});
}

TEST(Dialogue, FindsATextAcrossTwoReads) {
  const TcpServer server(saying({"some thing re", "ady"}, false));
  EXPECT_EQ(
      Bench().hold(server, {{"hello", "hello", "some"}, {"more", "more", "ready"}}, Dialogue::Answer::kText),
      Verdict{});
}

TEST(Dialogue, SaysThatTheConnectionWasClosed) {
  const TcpServer server([](int) {});
  EXPECT_EQ(Bench().hold(server, {{"the greeting", "", "220"}}, Dialogue::Answer::kReply).evidence,
            at(server, "closes the connection instead of answering the greeting"));
}

TEST(Dialogue, EndsWithAServerThatNeverEndsItsLine) {
  const TcpServer server([](int fd) {
    const std::string much(4096, 'x');
    while (::send(fd, much.data(), much.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_EQ(Bench().hold(server, {{"the greeting", "", "220"}}, Dialogue::Answer::kReply).health,
            Health::kFailed);
}

TEST(Dialogue, KnowsWhereItStandsWhenItsTimeIsOver) {
  const TcpServer server([](int fd) {
    (void)!::send(fd, "220-wait", 8, MSG_NOSIGNAL);
    TcpServer::hang(fd);
  });
  Bench bench;
  Started<Verdict> held(
      bench.conversation.hold({"127.0.0.1", server.port(), kMail, Dialogue::Answer::kReply}));
  const std::string there =
      at(server, "takes connections, but does not answer the greeting beyond \"220-wait\"");
  EXPECT_TRUE(bench.loop.run_until([&] { return bench.conversation.where() == there; }))
      << bench.conversation.where();
  held.cancel();
  EXPECT_EQ(bench.conversation.where(), there);
}

}  // namespace
}  // namespace komainu::drivers
