#include "drivers/agent_text.h"

#include <gtest/gtest.h>

namespace komainu::drivers {
namespace {

TEST(FirstLine, IsTheFirstThatSaysSomething) {
  EXPECT_EQ(first_line("\n \t\r\n  no such device \r\nmore\n"), "no such device");
  EXPECT_EQ(first_line("\n\n"), "");
  EXPECT_EQ(first_line(""), "");
}

TEST(FirstLine, IsFitToPrint) {
  EXPECT_EQ(first_line("a\x1b[31mb\x7f"), "a?[31mb?");
  EXPECT_EQ(first_line("gr\xc3\xbc\xc3\x9f\xff"), "gr\xc3\xbc\xc3\x9f?");
}

TEST(FirstLine, IsBoundedAndCutsNoCharacter) {
  EXPECT_EQ(first_line(std::string(1000, 'x')).size(), 160u);
  std::string text(159, 'x');
  EXPECT_EQ(first_line(text + "\xc3\xbc"), text);
}

TEST(Describe, SaysHowAProgramEndedAndWhatItSaid) {
  Exit exit{Exit::How::kExited, 1, "standard output", "", false};
  EXPECT_EQ(describe(exit), "exit code 1: standard output");
  exit.errors = "standard error\n";
  EXPECT_EQ(describe(exit), "exit code 1: standard error");
  EXPECT_EQ(describe(Exit{Exit::How::kSignaled, 9, "", "", false}), "killed by signal 9");
  EXPECT_EQ(describe(Exit{Exit::How::kTimedOut, 15, "", "", false}), "no end within its timeout");
}

}  // namespace
}  // namespace komainu::drivers
