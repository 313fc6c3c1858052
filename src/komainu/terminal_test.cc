#include "komainu/terminal.h"

#include <gtest/gtest.h>

namespace komainu::cli {
namespace {

TEST(Terminal, NeverPassesControlCharactersOn) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\nc"), "a [2Jb  c");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            " 31m")
      << "the 8-bit form of ESC [";
  EXPECT_EQ(printable("\u202egnp.exe"), " gnp.exe");
  EXPECT_EQ(printable("cut \xe7\x8b"), "cut ??");
  EXPECT_EQ(printable("bücher 狛犬"), "bücher 狛犬");
}

TEST(Terminal, CountsColumnsAsTheTerminalDoes) {
  EXPECT_EQ(columns("orders"), 6u);
  EXPECT_EQ(columns("bücher"), 6u);
  EXPECT_EQ(columns("狛犬"), 4u);
  EXPECT_EQ(columns("e\u0301"), 1u);
  EXPECT_EQ(cut("orders", 6), "orders");
  EXPECT_EQ(cut("orders", 5), "orde…");
  EXPECT_EQ(cut("狛犬狛犬", 6), "狛犬…");
  EXPECT_EQ(cut("orders", 0), "");
}

TEST(Terminal, AlignsColumns) {
  Table table;
  table.row({{"狛犬"}, {"x"}, {"one"}});
  table.row({{"guest1"}, {"yy"}, {"two"}});
  table.row({{"a"}, {""}, {""}});
  EXPECT_EQ(table.text({}), "  狛犬    x   one\n  guest1  yy  two\n  a\n");
}

TEST(Terminal, CutsTheLastColumnAtTheEdge) {
  Table table;
  table.row({{"guest1"}, {"a sentence that does not fit"}});
  EXPECT_EQ(table.text({.width = 24}), "  guest1  a sentence th…\n");
  EXPECT_EQ(table.text({.width = 3}), "  guest1  a sente…\n") << "a terminal of three columns gets something";
}

TEST(Terminal, PaintsOnlyWhenAsked) {
  EXPECT_EQ(paint({.colour = false}, Colour::kRed, "x"), "x");
  EXPECT_EQ(paint({.colour = true}, Colour::kRed, "x"), "\x1b[1;31mx\x1b[0m");
  EXPECT_EQ(paint({.colour = true}, Colour::kPlain, "x"), "x");
}

}  // namespace
}  // namespace komainu::cli
