#include "config/diagnostic.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace komainu::config {
namespace {

Diagnostic only(Diagnostics& diagnostics) {
  std::vector<Diagnostic> all = diagnostics.take();
  EXPECT_EQ(all.size(), 1U);
  return all.front();
}

TEST(Diagnostic, IsRenderedWithItsLineAndACaret) {
  const std::string text = "[cluster]\n\tnam = \"shop\"\n";
  Diagnostics diagnostics(text);
  diagnostics.error({2, 2, 2, 5}, "unknown key \"nam\" in [cluster]", "name, profile",
                    "did you mean \"name\"?");
  EXPECT_EQ(render(only(diagnostics), "cluster.toml", text),
            "cluster.toml:2:2: error: unknown key \"nam\" in [cluster]\n"
            "    2 |  nam = \"shop\"\n"
            "      |  ^~~\n"
            "   expected: name, profile\n"
            "       help: did you mean \"name\"?\n");
}

TEST(Diagnostic, KeepsTheOffendingText) {
  Diagnostics diagnostics("a = [ \"é\",\n 2 ]\n");
  diagnostics.error({1, 7, 1, 10}, "x");
  diagnostics.error({1, 5, 2, 4}, "y");
  const std::vector<Diagnostic> all = diagnostics.take();
  EXPECT_EQ(all[0].what, "y");  // by place
  EXPECT_EQ(all[0].found, "[ \"é\",");
  EXPECT_EQ(all[1].found, "\"é\"");
}

TEST(Diagnostic, CountsCharactersNotBytes) {
  const std::string text = "é = 犬\n";
  Diagnostics diagnostics(text);
  diagnostics.error({1, 5, 1, 6}, "x");
  EXPECT_EQ(render(only(diagnostics), "f", text), "f:1:5: error: x\n    1 | é = 犬\n      |     ^\n");
}

TEST(Diagnostic, ShowsTheSurroundingsOfACaretInALongLine) {
  const std::string text = std::string(300, 'x') + "!" + std::string(300, 'y');
  Diagnostics diagnostics(text);
  diagnostics.error({1, 301, 1, 302}, "x");
  const std::string rendered = render(only(diagnostics), "f", text);
  const std::size_t newline = rendered.find('\n');
  const std::string line = rendered.substr(newline + 1, rendered.find('\n', newline + 1) - newline - 1);
  EXPECT_TRUE(line.starts_with("    1 | …xxx")) << line;
  EXPECT_TRUE(line.ends_with("yyy…")) << line;
  // "…" has three bytes and one column.
  EXPECT_EQ(line.find('!') - 2, rendered.rfind('^') - rendered.rfind("\n      |") - 1);
}

TEST(Diagnostic, NeverPassesControlCharactersToTheTerminal) {
  const std::string text = "a = \"\x1b[31m\xc2\x9b\xff\"\r\n";
  Diagnostics diagnostics(text);
  diagnostics.error({1, 5, 1, 6}, "bad \x1b[2J", "\x07", "\x1b");
  const Diagnostic diagnostic = only(diagnostics);
  const std::string rendered = render(diagnostic, "f", text);
  EXPECT_EQ(rendered.find_first_of("\x1b\x07\xff\r"), std::string::npos);
  EXPECT_EQ(rendered.find("\xc2\x9b"), std::string::npos);
}

TEST(Diagnostic, IsColouredOnlyWhereAsked) {
  Diagnostics diagnostics("a = 1\n");
  diagnostics.error({1, 1, 1, 2}, "x");
  const Diagnostic diagnostic = only(diagnostics);
  EXPECT_EQ(render(diagnostic, "f", "a = 1\n").find('\x1b'), std::string::npos);
  EXPECT_NE(render(diagnostic, "f", "a = 1\n", Colour::kAlways).find("\x1b[1;31merror:\x1b[0m"),
            std::string::npos);
}

TEST(Diagnostic, MayPointBeyondTheText) {
  Diagnostics diagnostics("a");
  diagnostics.error({9, 4, 9, 5}, "x");
  diagnostics.error({1, 9, 1, 12}, "y");
  for (const Diagnostic& diagnostic : diagnostics.take()) EXPECT_NE(render(diagnostic, "f", "a"), "");
}

TEST(Diagnostics, KeepsABoundedNumberAndCountsTheRest) {
  Diagnostics diagnostics("a\n");
  for (std::size_t i = 0; i < Diagnostics::kMax + 5; ++i) diagnostics.error({1, 1, 1, 2}, "x");
  EXPECT_TRUE(diagnostics.full());
  EXPECT_TRUE(diagnostics.has_errors());
  const std::vector<Diagnostic> all = diagnostics.take();
  ASSERT_EQ(all.size(), Diagnostics::kMax + 1);
  EXPECT_EQ(all.back().what, "5 more are not shown");
}

TEST(Diagnostics, AreSummedUpBySeverity) {
  Diagnostics diagnostics("a\n");
  diagnostics.error({1, 1, 1, 2}, "x");
  diagnostics.error({1, 1, 1, 2}, "y");
  diagnostics.note({1, 1, 1, 2}, "z");
  const std::string rendered = render(diagnostics.take(), "f.toml", "a\n");
  EXPECT_TRUE(rendered.ends_with("f.toml: 2 errors, 1 note\n")) << rendered;
}

TEST(Diagnostic, IsAnObjectInJson) {
  Diagnostics diagnostics("abc\n");
  diagnostics.warning({1, 1, 1, 4}, "odd", "look");
  EXPECT_EQ(
      boost::json::serialize(to_json(only(diagnostics))),
      R"({"severity":"warning","line":1,"column":1,"end_line":1,"end_column":4,"what":"odd","found":"abc",)"
      R"("expected":"","help":"look"})");
}

}  // namespace
}  // namespace komainu::config
