#include "core/plan/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/plan/sentences.h"
#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::node;
using testing::place;
using testing::plans;

std::vector<std::string> explained(Cluster& cluster, GroupId group) {
  std::vector<std::string> lines;
  for (const Candidate& candidate : explain_placement(cluster.state(), group)) {
    lines.push_back(to_text(cluster.spec, candidate));
  }
  return lines;
}

TEST(Placement, TakesThePreferredPlace) {
  Cluster cluster(3);
  cluster.group("db", {node(2), node(1)});
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
}

struct Unusable {
  const char* why;
  void (*happens)(Cluster&);
};

TEST(Placement, PassesOverPlacesThatCannotTakeAGroup) {
  const Unusable cases[] = {
      {"on standby", [](Cluster& c) { c.has_duty(node(2), Duty::kStandby); }},
      {"drained", [](Cluster& c) { c.has_duty(node(2), Duty::kDrained); }},
      {"its daemon does not answer", [](Cluster& c) { c.suspends(node(2)); }},
      {"its watchdog is not armed, or too slow",
       [](Cluster& c) {
         c.spec.timing.watchdog = 5s;
         for (const NodeId id : {node(1), node(2), node(3)}) c.node_state(id).watchdog = 5s;
         c.node_state(node(2)).watchdog = 6s;
       }},
      {"leaving the cluster", [](Cluster& c) { c.node_state(node(2)).leaving = true; }},
      {"being fenced", [](Cluster& c) { c.node_state(node(2)).fences[node(1)] = FenceOrder{}; }},
      {"not a member at present", [](Cluster& c) { c.stands(node(2), Standing::kSettled); }},
      {"not a member at present", [](Cluster& c) { c.stands(node(2), Standing::kLeft); }},
  };
  for (const Unusable& each : cases) {
    Cluster cluster(3);
    const GroupId db = cluster.group("db", {node(2), node(3)}).id;
    each.happens(cluster);
    EXPECT_THAT(plans(cluster), ElementsAre("start db on node3")) << each.why;
    EXPECT_EQ(explained(cluster, db).back(), std::string("node2: no: ") + each.why);
  }
}

TEST(Placement, GoesBeyondTheListOnlyIfItIsNotStrict) {
  Cluster cluster(3);
  Group& db = cluster.group("db", {node(1)});
  cluster.has_duty(node(1), Duty::kStandby);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
  db.strictness = Strictness::kPreferredOnly;
  EXPECT_THAT(plans(cluster), IsEmpty());
  EXPECT_THAT(explained(cluster, db.id),
              ElementsAre("node1: no: on standby",
                          "node2: no: not among its preferred places, and strictness is preferred-only",
                          "node3: no: not among its preferred places, and strictness is preferred-only"));
}

TEST(Placement, NeedsRoomOnThePlace) {
  Cluster cluster(2);
  cluster.spec.capacity[node(1)]["memory"] = 8;
  cluster.group("big").needs["memory"] = 6;
  Group& db = cluster.group("db", {node(1)});
  db.needs["memory"] = 3;
  cluster.runs(GroupId{1}, node(1));
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
  EXPECT_EQ(explained(cluster, db.id).back(), "node1: no: not enough memory");
  cluster.spec.capacity[node(1)]["memory"] = 9;
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"));
}

TEST(Placement, CountsWhatItHasJustPlaced) {
  Cluster cluster(2);
  for (NodeId id : {node(1), node(2)}) cluster.spec.capacity[id]["memory"] = 8;
  for (const char* name : {"a", "b", "c"}) cluster.group(name, {node(1)}).needs["memory"] = 5;
  EXPECT_THAT(plans(cluster), ElementsAre("start a on node1", "start b on node2"));
}

TEST(Placement, PlacesGroupsOfHigherPriorityFirst) {
  Cluster cluster(1);
  cluster.spec.capacity[node(1)]["memory"] = 8;
  cluster.group("batch").needs["memory"] = 5;
  Group& shop = cluster.group("shop");
  shop.needs["memory"] = 5;
  shop.priority = 10;
  EXPECT_THAT(plans(cluster), ElementsAre("start shop on node1"));
}

TEST(Placement, KeepsGuestsOfOneClusterApart) {
  Cluster cluster(2);
  Group& left = cluster.group("guest-a", {node(1)});
  const Group& right = cluster.group("guest-b", {node(1)});
  left.apart = {right.id};  // named by one of the two only
  EXPECT_THAT(plans(cluster), ElementsAre("start guest-a on node1", "start guest-b on node2"));
  cluster.runs(right.id, node(1));
  EXPECT_THAT(plans(cluster), ElementsAre("start guest-a on node2"));
  EXPECT_EQ(explained(cluster, left.id).back(), "node1: no: must not share a place with guest-b");
}

TEST(Placement, LeavesAGroupDownRatherThanTogetherWithWhatItMustNotMeet) {
  Cluster cluster(1);
  const GroupId left = cluster.group("guest-a").id;
  cluster.group("guest-b").apart = {left};
  cluster.runs(left, node(1));
  EXPECT_THAT(plans(cluster), IsEmpty());
}

TEST(Placement, PrefersThePlaceWhereItFailedLess) {
  Cluster cluster(2);
  Group& db = cluster.group("db", {node(1), node(2)});
  cluster.group_state(db.id).failed_at[place(1)] = {1, 0s};
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
  cluster.has_duty(node(2), Duty::kStandby);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"));
}

TEST(Placement, AvoidsAPlaceWhereItFailedBeyondItsLimit) {
  Cluster cluster(1);
  Group& db = cluster.group("db");
  db.on_failure = {.restart = 2, .failover = 1};
  cluster.group_state(db.id).failed_at[place(1)] = {3, 0s};
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"));
  cluster.group_state(db.id).failed_at[place(1)] = {4, 0s};
  EXPECT_THAT(plans(cluster), IsEmpty());
  EXPECT_THAT(explained(cluster, db.id), ElementsAre("node1: no: it failed there too often"));
}

TEST(Placement, AvoidsAPlaceWhoseHealthFailedUnlessAllDo) {
  Cluster cluster(2);
  const Group& db = cluster.group("db", {node(1), node(2)});
  const MonitorId nic = cluster.monitor("nic", {db.id}).id;
  cluster.reports(nic, node(1), Health::kFailed);
  cluster.reports(nic, node(2), Health::kHealthy);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
  cluster.reports(nic, node(2), Health::kFailed);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"));
}

TEST(Placement, IgnoresMonitorsOfOtherGroupsAndSuspendedOnes) {
  Cluster cluster(2);
  const Group& db = cluster.group("db", {node(1), node(2)});
  const Group& web = cluster.group("web", {node(1), node(2)});
  const MonitorId nic = cluster.monitor("nic", {web.id}).id;
  const MonitorId disk = cluster.monitor("disk", {db.id}).id;
  cluster.reports(nic, node(1), Health::kFailed);
  cluster.reports(disk, node(1), Health::kFailed);
  cluster.edit().monitors[disk].suspended = true;
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1", "start web on node2"));
}

TEST(Placement, PrefersHealthBeforeCompanyBeforeLoadBeforeName) {
  Cluster cluster(4);
  const Group& db = cluster.group("db");
  const Group& friendly = cluster.group("cache");
  cluster.spec.groups[db.id].near = {friendly.id};
  cluster.runs(friendly.id, node(4));
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node4"));
  const MonitorId nic = cluster.monitor("nic", {db.id}).id;
  for (NodeId id : {node(1), node(2), node(3)}) cluster.reports(nic, id, Health::kHealthy);
  cluster.reports(nic, node(4), Health::kWarning);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1")) << "all healthy, none near: the first name";
  cluster.runs(cluster.group("other").id, node(1));
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2")) << "node1 runs something already";
  cluster.node_state(node(2)).links_down[node(3)] = 1;
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"))
      << "a place with a dead link, at either end, is worse than a loaded one";
}

TEST(Placement, ComparesTheScarcestCapacityAfterPlacing) {
  Cluster cluster(2);
  cluster.spec.capacity[node(1)] = {{"cpu", 10}, {"memory", 100}};
  cluster.spec.capacity[node(2)] = {{"cpu", 10}, {"memory", 10}};
  Group& db = cluster.group("db");
  db.needs = {{"cpu", 1}, {"memory", 4}};
  EXPECT_THAT(explained(cluster, db.id),
              ElementsAre("node1: preference 1, load 10.0 %, runs 1 group with it",
                          "node2: preference 1, load 40.0 %, runs 1 group with it"));
  cluster.spec.capacity[node(1)]["cpu"] = 2;
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
}

TEST(Placement, SurvivesCapacitiesOfAnySize) {
  Cluster cluster(2);
  constexpr std::int64_t kHuge = std::int64_t{1} << 61;
  cluster.spec.capacity[node(1)]["bytes"] = kHuge;
  cluster.spec.capacity[node(2)]["bytes"] = kHuge;
  Group& db = cluster.group("db");
  db.needs["bytes"] = kHuge / 4;
  Group& web = cluster.group("web");
  web.needs["bytes"] = kHuge / 2;
  cluster.runs(web.id, node(1));
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
  EXPECT_EQ(explained(cluster, db.id).front(), "node2: preference 1, load 25.0 %, runs 1 group with it");
  db.needs["bytes"] = 0;
  cluster.spec.capacity[node(2)]["bytes"] = 0;
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2")) << "needs nothing of what is not there";
}

TEST(Placement, FollowsTheOperatorBeforeThePreference) {
  Cluster cluster(2);
  Group& db = cluster.group("db", {node(1), node(2)});
  cluster.group_state(db.id).intent.move_to = place(2);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
  cluster.has_duty(node(2), Duty::kDrained);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1")) << "rather there than nowhere";
}

TEST(Placement, AvoidsANodeThatIsLostAgainAndAgainUntilItIsSteady) {
  Cluster cluster(2);
  const GroupId db = cluster.group("db", {node(1), node(2)}).id;
  cluster.node_state(node(1)).losses = {3, {}};
  cluster.node_state(node(1)).since = cluster.state().clock;
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2"));
  EXPECT_EQ(explained(cluster, db).back(), "node1: preference 1, unsteady, runs 1 group with it");
  cluster.passes(cluster.spec.brakes.quarantine);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1"));

  cluster.node_state(node(1)).losses = {4, {}};
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node2")) << "twice as long after one more";
  cluster.stands(node(2), Standing::kSettled);
  EXPECT_THAT(plans(cluster), ElementsAre("start db on node1")) << "better there than nowhere";
}

TEST(Placement, MovesNothingForAMonitorThatIsUnsteadyOnTheOtherPlace) {
  Cluster cluster(2);
  const GroupId db = cluster.group("db", {node(1), node(2)}).id;
  const MonitorId lan = cluster.monitor("lan", {db}).id;
  cluster.runs(db, node(1));
  cluster.reports(lan, node(1), Health::kFailed);
  cluster.reports(lan, node(2), Health::kHealthy);
  cluster.edit().monitors.at(lan).since[place(2)] = cluster.state().clock - 1s;
  EXPECT_THAT(plans(cluster), ElementsAre("stop db on node1: lan failed on node1"));
  cluster.edit().monitors.at(lan).flaps[place(2)] = {3, {}};
  EXPECT_THAT(plans(cluster), IsEmpty());
  cluster.passes(cluster.spec.brakes.quarantine);
  EXPECT_THAT(plans(cluster), ElementsAre("stop db on node1: lan failed on node1"));
}

TEST(Placement, ExplainsWhatSpeaksForAndAgainstEachPlace) {
  Cluster cluster(3);
  Group& db = cluster.group("db", {node(1), node(2)});
  const MonitorId nic = cluster.monitor("nic", {db.id}).id;
  cluster.reports(nic, node(2), Health::kFailed);
  cluster.runs(db.id, node(1));
  cluster.group_state(db.id).failed_at[place(2)] = {2, 0s};
  EXPECT_THAT(
      explained(cluster, db.id),
      ElementsAre("node1: preference 1, runs 1 group with it", "node3: preference 3, runs 1 group with it",
                  "node2: preference 2, 1 monitor failing, failed there 2 times, runs 1 group with it"));
}

TEST(Placement, ExplainsNothingAboutAGroupThatDoesNotExist) {
  Cluster cluster(2);
  EXPECT_THAT(explain_placement(cluster.state(), GroupId{9}), IsEmpty());
}

}  // namespace
}  // namespace komainu::core
