#include "engine/cluster/corosync_follow.h"

#include <gtest/gtest.h>

#include "config/corosync_conf.h"

namespace komainu::engine {
namespace {

constexpr NodeId kFirst{0};
constexpr NodeId kSecond{1};
constexpr NodeId kThird{2};

struct Following : ::testing::Test {
  Following() {
    spec.version = 4;
    spec.nodes[kFirst] = core::Node{kFirst, "first", {"10.0.0.1"}};
    spec.nodes[kSecond] = core::Node{kSecond, "second", {"10.0.0.2"}};
  }
  static channel::RunningSettings by(const core::Spec& spec) {
    channel::RunningSettings running{
        .token = spec.timing.token, .links = {}, .expected_votes = 0, .key_file = {}};
    for (const auto& [id, node] : spec.nodes) running.links[id] = node.links;
    running.expected_votes = static_cast<std::uint32_t>(spec.nodes.size());
    running.key_file = config::corosync_key_file(spec);
    return running;
  }
  core::Spec spec;
  CorosyncFollow follow;
};

TEST_F(Following, TellsOnceByWhichConfigurationItRuns) {
  follow.saw(by(spec));
  EXPECT_FALSE(follow.look(spec)) << "nobody knows what the file says";
  follow.wrote(4, spec.key);
  EXPECT_EQ(follow.look(spec), (core::CorosyncState{4, 4, {kFirst, kSecond}, {}}));
  EXPECT_FALSE(follow.look(spec));
}

TEST_F(Following, RunsByTheOldOneUntilItIsReadBackOtherwise) {
  follow.saw(by(spec));
  follow.wrote(4, spec.key);
  follow.look(spec);
  spec.version = 5;
  spec.nodes[kThird] = core::Node{kThird, "third", {"10.0.0.3"}};
  follow.wrote(5, spec.key);
  EXPECT_EQ(follow.look(spec), (core::CorosyncState{5, 4, {kFirst, kSecond}, {}}));
  channel::RunningSettings running = by(spec);
  running.expected_votes = 2;
  follow.saw(running);
  EXPECT_EQ(follow.look(spec), (core::CorosyncState{5, 4, {kFirst, kSecond, kThird}, {}}))
      << "it knows the node and does not count its vote";
  follow.saw(by(spec));
  EXPECT_EQ(follow.look(spec), (core::CorosyncState{5, 5, {kFirst, kSecond, kThird}, {}}));
}

// Its file was taken from a backup, say.
TEST_F(Following, TellsThatItWentBackToAnOlderFile) {
  follow.saw(by(spec));
  follow.wrote(4, spec.key);
  follow.look(spec);
  channel::RunningSettings older = by(spec);
  older.token *= 2;
  follow.saw(older);
  EXPECT_EQ(follow.look(spec).value().runs, 0u);
  follow.saw(by(spec));
  EXPECT_EQ(follow.look(spec).value().runs, 4u);
}

TEST_F(Following, ComparesTokenKeyAndLinks) {
  for (const auto& change :
       {+[](core::Spec& to) { to.timing.token *= 2; }, +[](core::Spec& to) { to.key = "2b7e151628aed2a6"; },
        +[](core::Spec& to) { to.nodes[kSecond].links = {"10.0.0.9"}; },
        +[](core::Spec& to) { to.nodes[kSecond].links.push_back("10.0.1.2"); }}) {
    CorosyncFollow other;
    other.saw(by(spec));
    other.wrote(4, spec.key);
    other.look(spec);
    core::Spec next = spec;
    next.version = 5;
    change(next);
    other.wrote(5, next.key);
    const auto told = other.look(next);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->runs, 4u);
    EXPECT_EQ(told->key, next.key) << "it starts with that";
  }
}

TEST_F(Following, FollowsAtOnceWhatChangesNothingForCorosync) {
  follow.saw(by(spec));
  follow.wrote(4, spec.key);
  follow.look(spec);
  spec.version = 5;
  EXPECT_FALSE(follow.look(spec)) << "its file has not been looked at";
  follow.wrote(5, spec.key);
  EXPECT_EQ(follow.look(spec), (core::CorosyncState{5, 5, {kFirst, kSecond}, {}}));
}

}  // namespace
}  // namespace komainu::engine
