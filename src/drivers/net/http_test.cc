#include "drivers/net/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using Progress = HttpReplyParser::Progress;

TEST(Url, IsTakenApart) {
  const struct {
    const char* text;
    const char* host;
    int port;
    const char* target;
  } cases[] = {
      {"http://192.0.2.7", "192.0.2.7", 80, "/"},
      {"http://www.example.com:8080/health?deep=1", "www.example.com", 8080, "/health?deep=1"},
      {"https://www.example.com", "www.example.com", 443, "/"},
      {"http://[2001:db8::7]:81/x", "2001:db8::7", 81, "/x"},
      {"http://example.com?q", "example.com", 80, "/?q"},
  };
  for (const auto& c : cases) {
    const auto url = Url::parse(c.text);
    ASSERT_TRUE(url) << c.text;
    EXPECT_EQ(url->host, c.host);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->target, c.target);
  }
  EXPECT_EQ(Url::parse("http://[::1]:81/")->authority, "[::1]:81");
}

TEST(Url, RefusesWhatItCannotAskFor) {
  for (const char* text :
       {"", "example.com", "ftp://example.com", "http://", "http:///x", "http://a:b@example.com/",
        "http://example.com:0/", "http://example.com:65536/", "http://example.com:80x/", "http://[::1/",
        "http://[192.0.2.7]/", "http://[::1]x/", "http://example.com/a b", "http://example.com/\r\nX: y",
        "http://example.com/#top", "http://-o/"})
    EXPECT_FALSE(Url::parse(text)) << text;
}

HttpReply parse_in_pieces(std::string_view text, std::size_t piece) {
  HttpReplyParser parser(1024);
  Progress progress = Progress::kNeedsMore;
  while (!text.empty() && progress == Progress::kNeedsMore) {
    const auto fed = parser.feed(text.substr(0, piece));
    EXPECT_TRUE(fed) << fed.error().what;
    if (!fed) return {};
    progress = *fed;
    text.remove_prefix(std::min(piece, text.size()));
  }
  if (progress != Progress::kDone) {
    EXPECT_TRUE(parser.closed());
  }
  return parser.take();
}

TEST(HttpReplyParser, ReadsAReplyInPiecesOfAnySize) {
  const std::string_view replies[] = {
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
      "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbus\r\n1\r\ny\r\n0\r\n\r\n",
      "HTTP/1.0 503 Service Unavailable\r\n\r\nbusy",
  };
  for (const std::string_view text : replies)
    for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
      const HttpReply reply = parse_in_pieces(text, piece);
      EXPECT_EQ(reply.status, 503);
      EXPECT_EQ(reply.reason, "Service Unavailable");
      EXPECT_EQ(reply.body, "busy");
    }
}

TEST(HttpReplyParser, AReplyWithoutABodyNeedsNoEnd) {
  HttpReplyParser parser(1024);
  EXPECT_EQ(*parser.feed("HTTP/1.1 204 No Content\r\n\r\n"), Progress::kDone);
}

TEST(HttpReplyParser, RefusesWhatIsNoHttp) {
  for (const char* text : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "220 mail ESMTP\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"}) {
    HttpReplyParser parser(1024);
    const auto fed = parser.feed(text);
    ASSERT_FALSE(fed) << text;
    EXPECT_THAT(fed.error().what, HasSubstr("no valid HTTP reply"));
  }
}

TEST(HttpReplyParser, CutsABodyThatIsTooLong) {
  HttpReplyParser parser(8);
  EXPECT_EQ(*parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n0123456789"), Progress::kDone);
  EXPECT_EQ(parser.take().body, "01234567");
}

TEST(HttpReplyParser, RefusesAHeaderWithoutEnd) {
  HttpReplyParser parser(1024);
  ASSERT_TRUE(parser.feed("HTTP/1.1 200 OK\r\n"));
  Result<Progress> fed = Progress::kNeedsMore;
  for (int i = 0; i < 10'000 && fed; ++i) fed = parser.feed("X-Header: 0123456789\r\n");
  EXPECT_FALSE(fed);
}

TEST(HttpReplyParser, TellsACutReplyFromAnEndedOne) {
  HttpReplyParser nothing(1024);
  EXPECT_FALSE(nothing.closed());
  HttpReplyParser cut(1024);
  ASSERT_TRUE(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbu"));
  EXPECT_THAT(cut.closed().error().what, HasSubstr("cut off"));
}

}  // namespace
}  // namespace komainu::drivers
