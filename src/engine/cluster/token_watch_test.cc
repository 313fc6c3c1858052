#include "engine/cluster/token_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace komainu::engine {
namespace {

using ::testing::HasSubstr;

struct TokenWatchTest : ::testing::Test {
  core::Spec spec;
  TokenWatch watch;
  LocalTime now{100s};

  std::optional<core::Event> look() { return watch.look(spec, NodeId{1}, now); }
};

TEST_F(TokenWatchTest, SaysNothingWhileItIsNotKnownOrAsConfigured) {
  EXPECT_FALSE(look());
  watch.saw(spec.timing.token);
  EXPECT_FALSE(look());
}

TEST_F(TokenWatchTest, ALongerOneIsAnAlarmUntilItIsMended) {
  watch.saw(1s);
  spec.timing.token = 300ms;
  EXPECT_FALSE(look()) << "the nodes are just being told";
  now = now + TokenWatch::kPatience;
  const auto alarm = look();
  ASSERT_TRUE(alarm);
  EXPECT_EQ(alarm->severity, core::Severity::kAlarm);
  EXPECT_THAT(alarm->text, HasSubstr("runs with token 1s, and the configuration says 300ms: it is told "
                                     "to read its file once all nodes have theirs; until then"));
  EXPECT_FALSE(look()) << "once";
  now = now + TokenWatch::kRepeat;
  EXPECT_TRUE(look()) << "and again after a while";
  watch.saw(300ms);
  const auto mended = look();
  ASSERT_TRUE(mended);
  EXPECT_EQ(mended->severity, core::Severity::kInfo);
  EXPECT_FALSE(look());
}

TEST_F(TokenWatchTest, AShorterOneIsAWarning) {
  watch.saw(300ms);
  look();
  now = now + TokenWatch::kPatience;
  const auto warning = look();
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->severity, core::Severity::kWarning);
  spec.timing.token = 2s;
  EXPECT_TRUE(look()) << "another configuration is another warning";
}

}  // namespace
}  // namespace komainu::engine
