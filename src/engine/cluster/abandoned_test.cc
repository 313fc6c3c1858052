#include "engine/cluster/abandoned.h"

#include <gtest/gtest.h>

namespace komainu::engine {
namespace {

constexpr LocalTime kFlowed{1h};
constexpr DaemonEnd kCrashed{"signal", "killed", "KILL"};
constexpr DaemonEnd kFailed{"exit-code", "exited", "1"};
constexpr DaemonEnd kMisconfigured{"exit-code", "exited", "78"};
constexpr DaemonEnd kStopped{"success", "exited", "0"};
constexpr DaemonEnd kStoppedTooSlowly{"timeout", "killed", "KILL"};

core::Spec with_leases() {
  core::Spec spec;
  for (std::uint32_t number = 1; number <= 3; ++number)
    spec.nodes[NodeId{number}] = core::Node{NodeId{number}, "node" + std::to_string(number), {}};
  spec.timing.grace = 10s;
  return spec;
}

TEST(Abandoned, IsWhatADaemonRanThatIsNotStartedAgain) {
  for (const DaemonEnd& end : {kMisconfigured, kStopped, kStoppedTooSlowly})
    EXPECT_TRUE(abandoned(with_leases(), end, kFlowed, kFlowed + 1s)) << end.result << ' ' << end.status;
}

TEST(Abandoned, IsWhatADaemonRanThatDoesNotComeUpWithinGrace) {
  for (const DaemonEnd& end : {kCrashed, kFailed}) {
    EXPECT_FALSE(abandoned(with_leases(), end, kFlowed, kFlowed + 10s)) << "it comes back and adopts it";
    EXPECT_TRUE(abandoned(with_leases(), end, kFlowed, kFlowed + 11s)) << end.status;
  }
}

TEST(Abandoned, IsNothingWhereTheDaemonLeftOrNeverTookPart) {
  EXPECT_FALSE(abandoned(with_leases(), kMisconfigured, std::nullopt, kFlowed));
}

TEST(Abandoned, IsNothingWhereOthersFenceOrThereAreNone) {
  core::Spec fenced = with_leases();
  fenced.fencing.emplace_back();
  EXPECT_FALSE(abandoned(fenced, kMisconfigured, kFlowed, kFlowed + 1min));
  core::Spec alone = with_leases();
  alone.nodes.erase(NodeId{2});
  alone.nodes.erase(NodeId{3});
  EXPECT_FALSE(abandoned(alone, kMisconfigured, kFlowed, kFlowed + 1min));
}

}  // namespace
}  // namespace komainu::engine
