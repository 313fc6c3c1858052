#include "base/duration_text.h"

#include <gtest/gtest.h>

namespace komainu {
namespace {

TEST(DurationText, ReadsANumberAndAUnit) {
  EXPECT_EQ(parse_duration("250us"), 250us);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("2min"), 2min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  EXPECT_EQ(parse_duration("999999999h"), 999999999 * Duration(1h));
}

TEST(DurationText, RefusesWhatItIsNot) {
  for (const char* text : {"", "5", "s", "5 s", " 5s", "5s ", "-5s", "+5s", "1.5s", "5S", "5sec", "5m",
                           "1h30min", "1000000000s", "99999999999999999999s", "0x5s"})
    EXPECT_FALSE(parse_duration(text)) << '"' << text << '"';
}

TEST(DurationText, WritesTheLargestUnitThatFits) {
  EXPECT_EQ(duration_text(0s), "0s");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(120s), "2min");
  EXPECT_EQ(duration_text(2h), "2h");
  EXPECT_EQ(duration_text(-3s), "-3s");
}

TEST(DurationText, ReadsBackWhatItWrites) {
  for (Duration duration : {Duration(1us), Duration(999ms), Duration(61s), Duration(61min), Duration(25h)})
    EXPECT_EQ(parse_duration(duration_text(duration)), duration);
}

}  // namespace
}  // namespace komainu
