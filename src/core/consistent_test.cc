#include "core/consistent.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using testing::node;
using testing::place;

// Two nodes, a group that runs, one that starts after it, and a monitor of each kind.
Cluster whole() {
  Cluster cluster(2);
  const GroupId first = cluster.group("first", {node(1)}).id;
  Group& second = cluster.group("second");
  second.after.push_back({first, Dependency::Where::kAnywhere});
  cluster.monitor("lan", {first});
  cluster.monitor_of("answers", first);
  cluster.has_fencer();
  cluster.runs(first, node(1));
  return cluster;
}

TEST(Consistency, OfWhatTheCoreMakesItself) {
  EXPECT_EQ(inconsistency(whole().state()), "");
}

TEST(Consistency, OfAConfigurationMeansThatWhatItNamesIsThere) {
  const struct {
    std::function<void(Spec&)> change;
    const char* problem;
  } cases[] = {
      {[](Spec& s) { s.nodes.clear(); }, "it has no nodes"},
      {[](Spec& s) { s.groups[GroupId{1}].prefer.push_back(place(7)); },
       "group first names a node that is not there"},
      {[](Spec& s) { s.groups[GroupId{1}].apart.push_back(GroupId{7}); },
       "group first names a group that is not there"},
      {[](Spec& s) { s.groups[GroupId{1}].near.push_back(GroupId{7}); },
       "group first names a group that is not there"},
      {[](Spec& s) { s.groups[GroupId{2}].after[0].other = GroupId{7}; },
       "group second names a group that is not there"},
      {[](Spec& s) { s.monitors[MonitorId{1}].affects.push_back(GroupId{7}); },
       "monitor lan names a group that is not there"},
      {[](Spec& s) { s.monitors[MonitorId{2}].group = GroupId{7}; },
       "monitor answers names a group that is not there"},
      {[](Spec& s) { s.monitors[MonitorId{2}].resource = 9; },
       "monitor answers names a resource that group first does not have"},
      {[](Spec& s) { s.fencing[0].devices[0].targets.push_back(node(7)); },
       "a fencing device names a node that is not there"},
  };
  for (const auto& [change, problem] : cases) {
    Cluster cluster = whole();
    change(cluster.spec);
    EXPECT_EQ(inconsistency(cluster.spec), problem);
  }
}

TEST(Consistency, OfAStateMeansThatItIsThatOfItsConfiguration) {
  const char* const kOthers = "its nodes, groups or monitors are not those of its configuration";
  const struct {
    std::function<void(State&)> change;
    const char* problem;
  } cases[] = {
      {[](State& s) { s.spec = nullptr; }, "it has no configuration"},
      {[](State& s) { s.spec = std::make_shared<const Spec>(); }, "it has no nodes"},
      {[](State& s) { ++s.spec_digest; }, "it does not belong to its configuration"},
      {[](State& s) { s.pending_spec.emplace(); }, "the configuration to come is missing"},
      {[](State& s) { s.nodes.erase(node(2)); }, kOthers},
      {[](State& s) { s.groups[GroupId{7}]; }, kOthers},
      {[](State& s) { s.monitors.clear(); }, kOthers},
      {[](State& s) { s.groups[GroupId{1}].at[place(7)] = Activity::kOnline; },
       "group first is at a node that is not there"},
      {[](State& s) { s.groups[GroupId{1}].order = Order{.place = place(7), .executor = node(1)}; },
       "group first is at a node that is not there"},
      {[](State& s) { s.groups[GroupId{1}].order = Order{.place = place(1), .executor = node(7)}; },
       "group first is at a node that is not there"},
      {[](State& s) {
         s.groups[GroupId{1}].order = Order{.place = place(1), .executor = node(1), .first_resource = 4};
       },
       "group first is ordered to start a resource that it does not have"},
  };
  for (const auto& [change, problem] : cases) {
    State state = whole().state();
    change(state);
    EXPECT_EQ(inconsistency(state), problem);
  }
}

}  // namespace
}  // namespace komainu::core
