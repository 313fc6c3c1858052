#include "availability.h"

#include <gtest/gtest.h>

#include "testing.h"

namespace komainu::witness {
namespace {

Outcome good(int sent_ms, std::size_t server) {
  return {at(sent_ms), at(sent_ms + 1), server};
}
Outcome lost(int sent_ms, Failure failure = Failure::kTimeout) {
  return {at(sent_ms), at(sent_ms + 50), std::nullopt, failure};
}

History history_of(std::initializer_list<Outcome> outcomes) {
  History history;
  for (const Outcome& outcome : outcomes) history.record(outcome);
  return history;
}

TEST(Availability, SeesNoOutageWhileEveryRequestIsAnswered) {
  const auto seen = history_of({good(0, 0), good(10, 0)}).since(at(0));
  EXPECT_EQ(seen.requests, 2u);
  EXPECT_EQ(seen.failed, 0u);
  EXPECT_TRUE(seen.outages.empty());
  EXPECT_EQ(seen.answered.at(0), 2u);
}

TEST(Availability, AnOutageLastsFromTheFirstFailedSendToTheFirstGoodReply) {
  const auto seen = history_of({good(0, 0), lost(10), lost(20, Failure::kRefused), good(30, 1)}).since(at(0));
  ASSERT_EQ(seen.outages.size(), 1u);
  const Outage& outage = seen.outages[0];
  EXPECT_EQ(outage.begin, at(10));
  EXPECT_EQ(outage.end, at(31));
  EXPECT_EQ(outage.failed, 2u);
  EXPECT_EQ(outage.before, 0u);
  EXPECT_EQ(outage.after, 1u);
  EXPECT_EQ(outage.failures.at(Failure::kRefused), 1u);
}

TEST(Availability, AnOutageThatHasNotEndedHasNoEnd) {
  const auto seen = history_of({good(0, 0), lost(10)}).since(at(0));
  ASSERT_EQ(seen.outages.size(), 1u);
  EXPECT_FALSE(seen.outages[0].end);
  EXPECT_FALSE(seen.outages[0].after);
}

TEST(Availability, OneFailedRequestBetweenGoodOnesIsAnOutage) {
  const auto seen = history_of({good(0, 0), lost(10), good(20, 0), lost(30), good(40, 0)}).since(at(0));
  EXPECT_EQ(seen.outages.size(), 2u);
}

TEST(Availability, CountsOnlyWhatWasSentSinceTheMark) {
  const auto seen = history_of({lost(0), good(10, 0), good(20, 0)}).since(at(10));
  EXPECT_EQ(seen.requests, 2u);
  EXPECT_TRUE(seen.outages.empty());
}

TEST(Availability, KnowsWhoAnsweredRightBeforeTheMark) {
  const auto seen = history_of({good(0, 0), lost(10), good(20, 1)}).since(at(10));
  ASSERT_EQ(seen.outages.size(), 1u);
  EXPECT_EQ(seen.outages[0].before, 0u);
}

}  // namespace
}  // namespace komainu::witness
