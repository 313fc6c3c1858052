#include "api/event_log.h"

#include <gtest/gtest.h>

namespace komainu::api {
namespace {

void append(EventLog& log, std::string text) {
  log.append({}, {}, core::Event{.text = std::move(text)});
}

TEST(EventLog, HandsOutWhatFollowsANumber) {
  EventLog log(3);
  EXPECT_EQ(log.after(0), nullptr);
  append(log, "a");
  append(log, "b");
  ASSERT_NE(log.after(0), nullptr);
  EXPECT_EQ(log.after(0)->event.text, "a");
  EXPECT_EQ(log.after(1)->event.text, "b");
  EXPECT_EQ(log.after(2), nullptr);
}

TEST(EventLog, ForgetsTheOldestAndLetsASlowReaderNoticeTheGap) {
  EventLog log(2);
  for (std::string text : {"a", "b", "c", "d"}) append(log, text);
  ASSERT_EQ(log.all().size(), 2u);
  ASSERT_NE(log.after(1), nullptr);
  EXPECT_EQ(log.after(1)->number, 3u) << "number 2 is gone";
  EXPECT_EQ(log.after(3)->event.text, "d");
  EXPECT_EQ(log.after(99), nullptr);
}

TEST(EventLog, CallsFollowersUntilTheyAreForgotten) {
  EventLog log;
  int first = 0, second = 0;
  auto a = log.follow([&] { ++first; });
  EventLog::Follower b = log.follow([&] {
    ++second;
    log.forget(b);
  });
  append(log, "1");
  append(log, "2");
  log.forget(a);
  append(log, "3");
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 1);
}

}  // namespace
}  // namespace komainu::api
