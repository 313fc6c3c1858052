#include "komainu/goal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace komainu::cli {
namespace {

using core::Activity;
using core::Intent;
using ::testing::HasSubstr;

// A group at some places, of two that could take it.
api::Explanation web(std::vector<api::ActivityView> at) {
  return {.group = {.name = "web", .at = std::move(at)},
          .placement = {{.node = "guest1", .eligible = true, .reason = "preference 1"},
                        {.node = "guest2", .eligible = true, .reason = "preference 2"}}};
}
api::Explanation without_places(api::Explanation group) {
  for (api::PlacementView& place : group.placement) place = {.node = place.node, .reason = "no: drained"};
  return group;
}
api::Explanation wishing(Intent::Wish wish, api::Explanation group) {
  group.group.wish = wish;
  return group;
}
api::Explanation moving_to(const std::string& node, api::Explanation group) {
  group.group.move_to = node;
  return group;
}

const api::ActivityView kOnline1{"guest1", Activity::kOnline};
const api::ActivityView kOnline2{"guest2", Activity::kOnline};
const api::ActivityView kLost1{"guest1", Activity::kOnline, true};
const api::ActivityView kStopping1{"guest1", Activity::kStopping};
const api::ActivityView kUnsafe1{"guest1", Activity::kUnsafe};

TEST(Goal, StartedWhenOnlineWhereItWasAskedFor) {
  EXPECT_EQ(started(web({kOnline1}), std::nullopt).progress, Progress::kReached);
  EXPECT_EQ(started(web({kOnline1}), "guest1").progress, Progress::kReached);
  EXPECT_EQ(started(moving_to("guest2", web({kOnline1})), "guest2").progress, Progress::kGoing);
  EXPECT_EQ(started(web({kOnline1}), "guest2").progress, Progress::kMissed) << "the cluster gave that up";
  EXPECT_EQ(started(web({kLost1}), std::nullopt).progress, Progress::kGoing) << "known last, on a lost node";
  EXPECT_EQ(started(web({}), std::nullopt).progress, Progress::kGoing);
  EXPECT_EQ(started(wishing(Intent::Wish::kStop, web({})), std::nullopt).progress, Progress::kMissed);
}

TEST(Goal, SaysThatNoPlaceCanTakeIt) {
  const Judgement judged = started(without_places(web({})), std::nullopt);
  EXPECT_EQ(judged.progress, Progress::kStuck);
  EXPECT_EQ(judged.text, "web cannot start: guest1: no: drained; guest2: no: drained");
  api::Explanation held = without_places(web({}));
  held.group.may_run = {"guest2"};
  EXPECT_EQ(started(held, std::nullopt).progress, Progress::kGoing) << "a fence may still settle that";
}

TEST(Goal, StoppedWhenItIsNowhere) {
  EXPECT_EQ(stopped(wishing(Intent::Wish::kStop, web({}))).progress, Progress::kReached);
  EXPECT_EQ(stopped(wishing(Intent::Wish::kStop, web({kStopping1}))).progress, Progress::kGoing);
  EXPECT_EQ(stopped(wishing(Intent::Wish::kStop, web({kUnsafe1}))).progress, Progress::kStuck);
  EXPECT_EQ(stopped(wishing(Intent::Wish::kRun, web({}))).progress, Progress::kMissed)
      << "somebody started it";
}

TEST(Goal, MovedWhenItIsOnlineElsewhere) {
  EXPECT_EQ(moved(web({kOnline2}), "guest1", "guest2").progress, Progress::kReached);
  EXPECT_EQ(moved(web({kOnline2}), "guest1", std::nullopt).progress, Progress::kReached);
  EXPECT_EQ(moved(moving_to("guest2", web({kOnline1})), "guest1", std::nullopt).progress, Progress::kGoing);
  EXPECT_EQ(moved(web({kStopping1}), "guest1", "guest2").progress, Progress::kGoing);
  EXPECT_EQ(moved(web({kOnline1}), "guest1", "guest2").progress, Progress::kMissed) << "it came back";
  EXPECT_EQ(moved(web({kUnsafe1}), "guest1", "guest2").progress, Progress::kStuck);
}

TEST(Goal, SwitchedOffWhenThatIsConfirmedAndMissedWhenNobodyWantsItAnyMore) {
  api::NodeView node{.name = "guest2", .standing = core::Standing::kMember, .wanted_off_by = "root"};
  EXPECT_EQ(switched_off(node).progress, Progress::kGoing);
  node.fences = {{"guest1", 0}};
  EXPECT_EQ(switched_off(node).text, "guest1 fences guest2");
  node.standing = core::Standing::kLost;
  EXPECT_EQ(switched_off(node).progress, Progress::kGoing);
  node.wanted_off_by.reset();
  EXPECT_EQ(switched_off(node).progress, Progress::kMissed);
  node.standing = core::Standing::kSettled;
  EXPECT_EQ(switched_off(node).progress, Progress::kReached);
}

TEST(Goal, EmptiedWhenNothingIsLeftThatCouldLeave) {
  api::NodeView node{.name = "guest1", .duty = core::Duty::kDrained};
  EXPECT_EQ(emptied(node, {}).progress, Progress::kReached);
  EXPECT_EQ(emptied(node, {web({kOnline1})}).progress, Progress::kGoing);
  const Judgement stays = emptied(node, {without_places(web({kOnline1}))});
  EXPECT_EQ(stays.progress, Progress::kStuck);
  EXPECT_THAT(stays.text, HasSubstr("web stays on guest1: guest1: no: drained"));
  node.duty = core::Duty::kStandby;
  EXPECT_EQ(emptied(node, {without_places(web({kOnline1}))}).progress, Progress::kGoing)
      << "it will be stopped";
  node.duty = core::Duty::kActive;
  EXPECT_EQ(emptied(node, {}).progress, Progress::kMissed) << "somebody resumed it";
}

}  // namespace
}  // namespace komainu::cli
