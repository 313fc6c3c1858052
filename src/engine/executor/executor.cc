#include "engine/executor/executor.h"

#include <algorithm>
#include <utility>

namespace komainu::engine {

Executor::Executor(NodeId self, const core::Spec& spec, const drivers::Services& services, Sink sink)
    : self_(self),
      node_name_(spec.nodes.at(self).name),
      services_(services),
      sink_(std::move(sink)),
      monitors_(self, node_name_, services, sink_),
      fences_(node_name_, services, sink_) {
  configure(spec);
}

void Executor::configure(const core::Spec& spec) {
  monitors_.reset();
  std::vector<GroupId> gone;
  for (const auto& [id, runner] : groups_) {
    const core::Group* now = spec.group(id);
    if (!now || now->resources != runner->group().resources || now->name != runner->group().name)
      gone.push_back(id);
  }
  for (GroupId id : gone) let_go(id);
  for (const auto& [id, group] : spec.groups) {
    if (!groups_.contains(id))
      groups_[id] = std::make_unique<GroupRunner>(group, self_, node_name_, services_, sink_);
  }
}

void Executor::let_go(GroupId id) {
  auto node = groups_.extract(id);
  GroupRunner* runner = node.mapped().get();
  going_.push_back(std::move(node.mapped()));
  runner->close(
      [this, runner] { std::erase_if(going_, [&](const auto& held) { return held.get() == runner; }); });
}

std::optional<std::string> Executor::refuse(const core::Spec& spec) const {
  if (!spec.node(self_) || spec.nodes.at(self_).name != node_name_) return node_name_ + " is not in it";
  auto problem = [&](const auto* type, const std::string& what, const std::string& name,
                     auto&&... make) -> std::optional<std::string> {
    if (!type) return what + ": this version does not know the type '" + name + "'";
    auto made = type->make(make..., services_, drivers::Identity{node_name_, what});
    if (!made) return what + ": " + made.error().what;
    return std::nullopt;
  };
  for (const auto& [id, group] : spec.groups) {
    for (const core::Resource& resource : group.resources) {
      if (auto why = problem(drivers::find_resource_type(resource.type), group.name + "/" + resource.name,
                             resource.type, resource.params)) {
        return why;
      }
    }
  }
  for (const auto& [id, monitor] : spec.monitors) {
    if (auto why = problem(drivers::find_monitor_type(monitor.type), monitor.name, monitor.type,
                           monitor.params, drivers::Schedule{})) {
      return why;
    }
  }
  for (const core::FenceLevel& level : spec.fencing) {
    for (const core::FenceDevice& device : level.devices) {
      if (auto why = problem(drivers::find_fencer_type(device.type), "fencing", device.type, device.params))
        return why;
    }
  }
  return std::nullopt;
}

GroupRunner* Executor::find(GroupId id) {
  auto it = groups_.find(id);
  return it == groups_.end() ? nullptr : it->second.get();
}
void Executor::execute(const core::Execute& execute) {
  if (GroupRunner* runner = find(execute.group)) runner->execute(execute.order);
}
void Executor::prepare(GroupId group) {
  if (GroupRunner* runner = find(group)) runner->prepare();
}
void Executor::probe(GroupId group) {
  if (GroupRunner* runner = find(group)) runner->probe();
}
void Executor::probe_all() {
  for (auto& [id, runner] : groups_) runner->probe();
}
void Executor::fence(const core::Spec& spec, const core::ExecuteFence& fence) {
  fences_.execute(spec, fence.target, fence.order);
}
void Executor::yield() {
  for (auto& [id, runner] : groups_) {
    if (runner->activity() || runner->busy()) runner->yield();
  }
}

}  // namespace komainu::engine
