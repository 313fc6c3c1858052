#include "core/judge/judge.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using testing::node;
using testing::place;

std::vector<Evidence> all_evidence() {
  std::vector<Evidence> all;
  for (int standing = 0; standing < kStandings; ++standing)
    for (int daemon = 0; daemon < kDaemons; ++daemon)
      for (int ring = 0; ring < kRings; ++ring)
        for (int fencing = 0; fencing < kFencings; ++fencing)
          for (int reach = 0; reach < kReaches; ++reach)
            for (int watch = 0; watch < kWatches; ++watch)
              for (int links = 0; links < kLinks; ++links)
                for (int past = 0; past < kPasts; ++past)
                  all.push_back({static_cast<Standing>(standing), static_cast<Daemon>(daemon),
                                 static_cast<Ring>(ring), static_cast<Fencing>(fencing),
                                 static_cast<Reach>(reach), static_cast<Watch>(watch),
                                 static_cast<Links>(links), static_cast<Past>(past)});
  return all;
}

bool absent(const Evidence& evidence) {
  return evidence.standing == Standing::kLost || evidence.standing == Standing::kUnknown;
}
bool sure(const Evidence& evidence) {
  return evidence.standing == Standing::kSettled || evidence.standing == Standing::kLeft;
}

TEST(EvidenceTable, DecidesEveryCombinationOfEvidence) {
  ASSERT_EQ(all_evidence().size(), 5u * 3 * 2 * 2 * 3 * 4 * 2 * 2);
  for (const Evidence& evidence : all_evidence()) {
    bool matched = false;
    for (const Row& row : evidence_table()) matched = matched || row.matches(evidence);
    EXPECT_TRUE(matched);
  }
}

TEST(EvidenceTable, HasNoRowThatEarlierRowsShadow) {
  std::set<const Row*> used;
  for (const Evidence& evidence : all_evidence()) used.insert(&judge(evidence));
  EXPECT_EQ(used.size(), evidence_table().size());
}

TEST(EvidenceTable, SaysSurelyDownExactlyWhenNothingCanRunThere) {
  for (const Evidence& evidence : all_evidence()) {
    EXPECT_EQ(judge(evidence).verdict == Verdict::kSurelyDown, sure(evidence)) << judge(evidence).text;
  }
}

TEST(EvidenceTable, NeverCallsAnAbsentOrSilentNodeUsable) {
  for (const Evidence& evidence : all_evidence()) {
    if (!absent(evidence) && evidence.daemon != Daemon::kSilent && evidence.fencing == Fencing::kNone)
      continue;
    EXPECT_GT(judge(evidence).verdict, Verdict::kIsolated) << judge(evidence).text;
  }
}

TEST(EvidenceTable, CallsAMemberHealthyOnlyWhenNothingIsWrong) {
  const Evidence spotless{.standing = Standing::kMember};
  for (Evidence evidence : all_evidence()) {
    const bool healthy = judge(evidence).verdict == Verdict::kHealthy;
    evidence.ring = spotless.ring;  // says nothing more about a member
    EXPECT_EQ(healthy, evidence == spotless) << judge(evidence).text;
  }
}

TEST(EvidenceTable, NeverJudgesBetterWhenOneKindOfEvidenceOfAMemberGetsWorse) {
  for (const Evidence& evidence : all_evidence()) {
    if (evidence.standing != Standing::kMember) continue;
    std::vector<Evidence> worse(5, evidence);
    worse[0].reach = Reach::kNothing;
    worse[1].watch = Watch::kFailure;
    worse[2].links = Links::kSomeDown;
    worse[3].daemon = Daemon::kSilent;
    worse[4].past = Past::kUnsteady;
    for (const Evidence& other : worse) EXPECT_GE(judge(other).verdict, judge(evidence).verdict);
  }
}

struct Case {
  const char* what;
  void (*happens)(Cluster&);
  Verdict verdict;
};

TEST(Judge, ReadsTheEvidenceFromTheState) {
  static constexpr MonitorId kNic{1};
  static constexpr MonitorId kGateway{2};
  const Case cases[] = {
      {"nothing", [](Cluster&) {}, Verdict::kHealthy},
      {"lost", [](Cluster& c) { c.loses(node(1)); }, Verdict::kUnknown},
      {"lost its daemon only",
       [](Cluster& c) {
         c.loses(node(1));
         c.node_state(node(1)).ring_member = true;
       },
       Verdict::kStalled},
      {"fenced", [](Cluster& c) { c.stands(node(1), Standing::kSettled); }, Verdict::kSurelyDown},
      {"left", [](Cluster& c) { c.stands(node(1), Standing::kLeft); }, Verdict::kSurelyDown},
      {"suspended", [](Cluster& c) { c.suspends(node(1)); }, Verdict::kStalled},
      {"its peer misses a link to it", [](Cluster& c) { c.node_state(node(2)).links_down[node(1)] = 1; },
       Verdict::kDegraded},
      {"its NIC fails", [](Cluster& c) { c.reports(kNic, node(1), Health::kFailed); }, Verdict::kDegraded},
      {"it reaches nothing",
       [](Cluster& c) {
         c.reports(kNic, node(1), Health::kFailed);
         c.reports(kGateway, node(1), Health::kFailed);
       },
       Verdict::kIsolated},
      {"it misses what its peer misses, too, and all else",
       [](Cluster& c) {
         c.reports(kNic, node(1), Health::kFailed);
         c.reports(kGateway, node(1), Health::kFailed);
         c.reports(kGateway, node(2), Health::kFailed);
       },
       Verdict::kIsolated},
      {"a suspended monitor fails",
       [](Cluster& c) {
         c.reports(kNic, node(1), Health::kFailed);
         c.edit().monitors[kNic].suspended = true;
       },
       Verdict::kHealthy},
  };
  for (const Case& each : cases) {
    Cluster cluster(2);
    cluster.monitor("nic", {}).type = "nic-link";
    cluster.monitor("gateway", {}).type = "ping";
    for (MonitorId monitor : {kNic, kGateway}) {
      cluster.reports(monitor, node(1), Health::kHealthy);
      cluster.reports(monitor, node(2), Health::kHealthy);
    }
    each.happens(cluster);
    EXPECT_EQ(judge(cluster.state(), place(1)).verdict, each.verdict) << each.what;
  }
}

TEST(Judge, BlamesNoPlaceForWhatAllPlacesShare) {
  Cluster cluster(2);
  const MonitorId gateway = cluster.monitor("gateway", {}).id;
  for (NodeId id : {node(1), node(2)}) cluster.reports(gateway, id, Health::kFailed);
  for (PlaceId each : {place(1), place(2)}) {
    EXPECT_EQ(evidence_about(cluster.state(), each).watch, Watch::kSharedFailure);
  }
}

TEST(Judge, KnowsNothingAboutAPlaceThatIsNotConfigured) {
  Cluster cluster(2);
  EXPECT_EQ(judge(cluster.state(), place(7)).verdict, Verdict::kUnknown);
}

}  // namespace
}  // namespace komainu::core
