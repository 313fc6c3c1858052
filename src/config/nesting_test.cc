#include "config/nesting.h"

#include <gtest/gtest.h>

#include <string>

namespace komainu::config {
namespace {

std::string repeated(const std::string& part, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += part;
  return result;
}

TEST(Nesting, AcceptsWhatAConfigurationNeeds) {
  EXPECT_FALSE(find_too_deep("[[group.resource]]\na = [ { b = [ \"x\" ] } ]\nc.d = 1.5\n"));
  EXPECT_FALSE(find_too_deep(repeated("a = [ { x = 1 } ]\n", 10000)));
  EXPECT_FALSE(find_too_deep("a = [ " + repeated("1.5, ", 10000) + "]"));
}

TEST(Nesting, RefusesDeepBracketsAndDeepKeys) {
  EXPECT_TRUE(find_too_deep("a = " + repeated("[", 13)));
  EXPECT_TRUE(find_too_deep("a = " + repeated("{ b = ", 13)));
  EXPECT_TRUE(find_too_deep("a = [\n" + repeated("[\n", 13)));
  EXPECT_TRUE(find_too_deep(repeated("a.", 13) + "b = 1"));
  EXPECT_TRUE(find_too_deep(repeated("\"a\".", 13) + "b = 1"));
  EXPECT_TRUE(find_too_deep(repeated("a . ", 13) + "b = 1"));
  EXPECT_TRUE(find_too_deep("[" + repeated("a.", 13) + "b]"));
  EXPECT_TRUE(find_too_deep("x = { " + repeated("a.", 13) + "b = 1 }"));
}

TEST(Nesting, SaysWhere) {
  const auto deep = find_too_deep("a = 1\nb = [\n  " + repeated("[", 12));
  ASSERT_TRUE(deep);
  EXPECT_EQ(deep->line, 3U);
  EXPECT_EQ(deep->column, 14U);
}

TEST(Nesting, LooksNotIntoStringsAndComments) {
  const std::string brackets = repeated("[", 20);
  EXPECT_FALSE(find_too_deep("# " + brackets + "\n"));
  EXPECT_FALSE(find_too_deep("# " + brackets));
  EXPECT_FALSE(find_too_deep("a = \"\\\"" + brackets + "\""));
  EXPECT_FALSE(find_too_deep("a = '" + brackets + "\\'"));
  EXPECT_FALSE(find_too_deep("a = \"\"\"\n\"" + brackets + "\n\"\"\""));
  EXPECT_FALSE(find_too_deep("a = '''\n''" + brackets + "\n'''"));
}

TEST(Nesting, LooksBehindStrings) {
  const std::string brackets = repeated("[", 13);
  EXPECT_TRUE(find_too_deep("a = \"x\"\nb = " + brackets));
  EXPECT_TRUE(find_too_deep("a = \"\"\nb = " + brackets));
  EXPECT_TRUE(find_too_deep("a = ''\nb = " + brackets));
  EXPECT_TRUE(find_too_deep("a = \"\"\"x\"\"\"\"\"\nb = " + brackets));
  EXPECT_TRUE(find_too_deep("a = '''x'''''\nb = " + brackets));
  EXPECT_TRUE(find_too_deep("a = \"\\\\\"\nb = " + brackets));
  EXPECT_TRUE(find_too_deep("a = \"not closed\nb = " + brackets));
}

TEST(Nesting, CountsLinesThroughMultilineStrings) {
  const auto deep = find_too_deep("a = \"\"\"\n\n\"\"\"\n" + repeated("[", 13));
  ASSERT_TRUE(deep);
  EXPECT_EQ(deep->line, 4U);
  EXPECT_EQ(deep->column, 13U);
}

}  // namespace
}  // namespace komainu::config
