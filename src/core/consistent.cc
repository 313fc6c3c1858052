#include "core/consistent.h"

#include <algorithm>

#include "base/digest.h"
#include "core/same_keys.h"

namespace komainu::core {
namespace {

std::string of_group(const Group& group) {
  return "group " + group.name;
}

class SpecCheck {
 public:
  explicit SpecCheck(const Spec& spec) : spec_(spec) {}

  std::string run() {
    if (spec_.nodes.empty()) return "it has no nodes";
    for (const auto& [id, group] : spec_.groups) this->group(group);
    for (const auto& [id, monitor] : spec_.monitors) this->monitor(monitor);
    for (const FenceLevel& level : spec_.fencing)
      for (const FenceDevice& device : level.devices)
        for (const NodeId target : device.targets) need(spec_.node(target), "a fencing device", "a node");
    return std::move(problem_);
  }

 private:
  void group(const Group& group) {
    const std::string who = of_group(group);
    for (const PlaceId place : group.prefer) need(spec_.node(Spec::node_of(place)), who, "a node");
    for (const auto* others : {&group.apart, &group.near})
      for (const GroupId other : *others) need(spec_.group(other), who, "a group");
    for (const Dependency& after : group.after) need(spec_.group(after.other), who, "a group");
  }
  void monitor(const Monitor& monitor) {
    const std::string who = "monitor " + monitor.name;
    for (const GroupId other : monitor.affects) need(spec_.group(other), who, "a group");
    if (!monitor.group) return;
    const Group* watched = spec_.group(*monitor.group);
    need(watched, who, "a group");
    if (watched && monitor.resource > 0 && monitor.resource >= watched->resources.size())
      say(who + " names a resource that " + of_group(*watched) + " does not have");
  }
  void need(const void* object, const std::string& who, const char* what) {
    if (!object) say(who + " names " + what + " that is not there");
  }
  void say(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  const Spec& spec_;
  std::string problem_;
};

std::string of_group(const State& state, const Group& configured, const GroupState& group) {
  const auto is_place = [&](PlaceId place) { return state.spec->node(Spec::node_of(place)) != nullptr; };
  const std::string elsewhere = of_group(configured) + " is at a node that is not there";
  for (const auto& [place, activity] : group.at)
    if (!is_place(place)) return elsewhere;
  if (group.order && (!is_place(group.order->place) || !state.spec->node(group.order->executor)))
    return elsewhere;
  if (group.order && group.order->first_resource > 0 &&
      group.order->first_resource >= configured.resources.size())
    return of_group(configured) + " is ordered to start a resource that it does not have";
  return {};
}

}  // namespace

std::string inconsistency(const Spec& spec) {
  return SpecCheck(spec).run();
}

std::string inconsistency(const State& state) {
  if (!state.spec) return "it has no configuration";
  if (std::string problem = inconsistency(*state.spec); !problem.empty()) return problem;
  if (state.spec_digest != digest_of(*state.spec)) return "it does not belong to its configuration";
  if (state.pending_spec && !state.pending_spec->spec) return "the configuration to come is missing";
  if (!same_keys(state.nodes, state.spec->nodes) || !same_keys(state.groups, state.spec->groups) ||
      !same_keys(state.monitors, state.spec->monitors))
    return "its nodes, groups or monitors are not those of its configuration";
  for (const auto& [id, group] : state.groups)
    if (std::string problem = of_group(state, *state.spec->group(id), group); !problem.empty())
      return problem;
  return {};
}

}  // namespace komainu::core
