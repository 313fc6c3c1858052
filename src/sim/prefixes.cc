#include "sim/prefixes.h"

#include <initializer_list>
#include <optional>
#include <vector>

#include "sim/explore.h"

namespace komainu::sim::prefix {
namespace {

constexpr NodeId a{0}, b{1}, c{2}, d{3};
constexpr GroupId kGroup{World::kFirstGroup};

void hears(World& world, std::initializer_list<NodeId> nodes) {
  for (NodeId node : nodes) {
    while (world.can_deliver(node)) world.deliver(node);
  }
}
void starts_at(World& world, NodeId node) {
  const core::State& known = world.replica(node).state();
  world.say(node, core::Proposal{core::StartGroup{kGroup, core::Spec::place_of(node),
                                                  known.groups.at(kGroup).version,
                                                  known.nodes.at(node).incarnation, known.spec->version}});
}
void acts(World& world, NodeId node) {
  while (world.can_act(node, kGroup)) world.act(node, kGroup, World::Luck::kGood);
}
void splits(World& world, std::initializer_list<NodeSet> parts) {
  const std::vector<NodeSet> components(parts);
  world.form(components, std::nullopt, TestChannel::Merge::kAtOnce);
  for (NodeSet part : components) {
    for (NodeId node : part) {
      if (world.can_end(node)) world.end(node, TestChannel::Hole::kNone);
    }
  }
}

}  // namespace

void a_split(World& world) {
  splits(world, {{a}, {b}});
  settle(world);
}
void a_fences_b(World& world) {
  a_split(world);
  const core::NodeState& known = world.replica(a).state().nodes.at(b);
  world.say(a, core::Proposal{core::FenceNode{b, known.incarnation, known.version, a, 0, ""}});
  hears(world, {a});
}
void a_start_only_a_heard(World& world) {
  starts_at(world, a);
  hears(world, {a});
  acts(world, a);
  splits(world, {{a}, {b, c}});
}
void a_start_with_both_others_suspended(World& world) {
  world.say(a, core::Suspend{b});
  world.say(a, core::Suspend{c});
  a_start_only_a_heard(world);
}
void b_forgets_a_start(World& world) {
  starts_at(world, a);
  hears(world, {a, b, a});
  acts(world, a);
  world.power_off(b);
  world.boot(b);
  world.start_daemon(b);
  splits(world, {{a}, {b, c}});
}
void a_is_cut_off_before_it_hears_of_its_lease(World& world) {
  for (NodeId node : {a, b, c}) world.pass(node, kTimeStep);
  hears(world, {b, c, b, c});
  const NodeSet parts[] = {{a}, {b, c}};
  world.form(parts, std::nullopt, TestChannel::Merge::kAtOnce);
  world.end(b, TestChannel::Hole::kNone);
  hears(world, {b, c, b, c, b, c});
}
void b_loses_what_it_had_not_stored(World& world) {
  splits(world, {{a, b, c}, {d}});
  hears(world, {c, b, a, b});
  while (world.can_write(a)) world.write(a, World::Disk::kWorks);
  starts_at(world, a);
  hears(world, {a, b, a});
  acts(world, a);
  world.power_off(b);
  world.boot(b);
  splits(world, {{a}, {b, c, d}});
}
void b_loses_its_store_too(World& world) {
  b_loses_what_it_had_not_stored(world);
  world.lose_store(b, World::Store::kEmpty);
}

}  // namespace komainu::sim::prefix
