// Everything that this node does in the world: its groups, monitors and fences. Effects of the replica go in,
// facts come out through the sink; the executor decides nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/effects.h"
#include "core/spec.h"
#include "drivers/services.h"
#include "engine/executor/fence_runner.h"
#include "engine/executor/group_runner.h"
#include "engine/executor/monitor_runner.h"

namespace komainu::engine {

class Executor {
 public:
  using Sink = std::function<void(core::Fact)>;
  // `sink` is called from inside coroutines: it must only queue.
  Executor(NodeId self, const core::Spec& spec, const drivers::Services& services, Sink sink);

  // The configuration is another one: groups that changed or went are let go, new ones begin unprobed.
  void configure(const core::Spec& spec);
  // Can this node hold the configuration? Unset: yes.
  std::optional<std::string> refuse(const core::Spec& spec) const;

  void execute(const core::Execute& execute);
  void prepare(GroupId group);
  void probe(GroupId group);
  void probe_all();
  void fence(const core::Spec& spec, const core::ExecuteFence& fence);
  void cancel_fence(NodeId target) { fences_.cancel(target); }
  // Stops every group that may run here.
  void yield();
  void follow(const core::State& state) { monitors_.follow(state); }

 private:
  GroupRunner* find(GroupId id);
  void let_go(GroupId id);

  const NodeId self_;
  std::string node_name_;
  const drivers::Services services_;
  const Sink sink_;
  std::map<GroupId, std::unique_ptr<GroupRunner>> groups_;
  std::vector<std::unique_ptr<GroupRunner>> going_;
  MonitorRunner monitors_;
  FenceRunner fences_;
};

}  // namespace komainu::engine
