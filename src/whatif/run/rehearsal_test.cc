// A rehearsal decides as the cluster would, says the same again, and knows when nothing more will happen.
#include "whatif/run/rehearsal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/testing.h"

namespace komainu::whatif {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const NodeId a{0}, b{1};
const GroupId web{1};

// Two nodes with a fencer, and one group that is best on the first.
core::SpecPtr two_nodes() {
  core::testing::Cluster cluster(2, 0);
  cluster.spec.fencing = {{.devices = {{.type = "agent", .params = {}, .targets = {}}}}};
  cluster.group("web", {a, b});
  return std::make_shared<const core::Spec>(cluster.spec);
}

std::vector<std::string> told(const Rehearsal& rehearsal) {
  std::vector<std::string> texts;
  for (const Line& line : rehearsal.lines())
    texts.push_back(std::to_string(line.at.count()) + " " + line.text);
  return texts;
}

std::vector<std::string> rehearsed(const Action& action) {
  Rehearsal rehearsal(two_nodes(), {});
  EXPECT_TRUE(rehearsal.begin({}));
  rehearsal.perform(action);
  EXPECT_TRUE(rehearsal.run_to_rest(1h));
  return told(rehearsal);
}

TEST(Rehearsal, BeginsAtRestWithNothingToTell) {
  Rehearsal rehearsal(two_nodes(), {});
  ASSERT_TRUE(rehearsal.begin({}));
  EXPECT_THAT(rehearsal.lines(), IsEmpty());
  EXPECT_EQ(rehearsal.services().at(web).served_by, NodeSet{a});
  EXPECT_TRUE(rehearsal.run_to_rest(1h));
  EXPECT_THAT(rehearsal.lines(), IsEmpty()) << "and nothing happens by itself";
}

TEST(Rehearsal, CountsTheTimeThatClientsAreNotServed) {
  Rehearsal rehearsal(two_nodes(), {.fence = 3s});
  ASSERT_TRUE(rehearsal.begin({}));
  rehearsal.perform({.kind = Kind::kPowerOff, .node = a});
  EXPECT_TRUE(rehearsal.run_to_rest(1h));
  const Service& service = rehearsal.services().at(web);
  EXPECT_EQ(service.served_by, NodeSet{b});
  ASSERT_EQ(service.outages.size(), 1u);
  EXPECT_EQ(service.outages[0].from, 0s);
  // Token and consensus, the fence, and the start.
  EXPECT_GE(service.downtime(rehearsal.now()), 2'200ms + 3s + 1s);
  EXPECT_LE(service.downtime(rehearsal.now()), 2'200ms + 3s + 1s + 200ms);
  ASSERT_TRUE(rehearsal.detection());
  EXPECT_EQ(rehearsal.detection()->by, "membership");
}

TEST(Rehearsal, SaysTheSameAgain) {
  const Action partition{.kind = Kind::kLinkDown};
  EXPECT_EQ(rehearsed(partition), rehearsed(partition));
}

TEST(Rehearsal, BeginsWhereItIsTold) {
  Rehearsal rehearsal(two_nodes(), {});
  ASSERT_TRUE(rehearsal.begin({.placed = {{web, b}}, .drained = NodeSet{a}}));
  EXPECT_EQ(rehearsal.services().at(web).served_by, NodeSet{b});
  EXPECT_EQ(rehearsal.state()->nodes.at(a).duty, core::Duty::kDrained);
}

TEST(Rehearsal, SaysWhyABeginningDoesNotComeAbout) {
  Rehearsal rehearsal(two_nodes(), {});
  const auto begun = rehearsal.begin({.placed = {{web, b}}, .standby = NodeSet{b}});
  ASSERT_FALSE(begun);
  EXPECT_THAT(begun.error().what, HasSubstr("web is on node0, not on node1"));
}

TEST(Rehearsal, RefusesToSwitchOnWhatIsOn) {
  EXPECT_THAT(rehearsed({.kind = Kind::kPowerOn, .node = a}), Contains(HasSubstr("is on already")));
}

TEST(Rehearsal, SaysWhatItCannotHold) {
  core::testing::Cluster cluster(9, 0);
  ASSERT_TRUE(cannot_rehearse(cluster.spec));
  EXPECT_THAT(cannot_rehearse(cluster.spec)->what, HasSubstr("9 nodes"));
  EXPECT_FALSE(cannot_rehearse(*two_nodes()));
}

}  // namespace
}  // namespace komainu::whatif
