// Everything that this node does in the world: its groups, monitors and fences. Effects of the replica go in,
// facts come out through the sink; the executor decides nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/effects.h"
#include "core/spec.h"
#include "drivers/services.h"
#include "engine/executor/fence_runner.h"
#include "engine/executor/fence_trial.h"
#include "engine/executor/group_runner.h"
#include "engine/executor/maker.h"
#include "engine/executor/monitor_runner.h"

namespace komainu::engine {

class Executor {
 public:
  using Sink = std::function<void(core::Fact)>;
  // `sink` is called from inside coroutines: it must only queue. Nothing is done before configure(). `spec`
  // names this node.
  Executor(NodeId self, const core::Spec& spec, const drivers::Services& services, Sink sink,
           DriverTypes types = {});

  // The configuration is this one now: groups that changed or went are let go, and those that are new here
  // are looked at. The ids of the groups that were let go: what was reported of them speaks of others. An
  // error when this version cannot hold the configuration: nothing has changed then.
  Result<std::set<GroupId>> configure(const core::Spec& spec);
  // Can this node hold the configuration? Unset: yes.
  std::optional<std::string> refuse(const core::Spec& spec) const;

  void execute(const core::Execute& execute);
  void prepare(GroupId group);
  void probe(GroupId group);
  void probe_all();
  void fence(const core::Spec& spec, const core::ExecuteFence& fence);
  void cancel_fence(const core::CancelFence& cancel) { fences_.cancel(cancel.target, cancel.order); }
  void cancel_fences() { fences_.cancel_all(); }
  FenceTrial& fence_trial() { return trial_; }
  bool fencing() const { return fences_.busy(); }
  // Stops every group that may run here: these.
  std::set<GroupId> yield();
  // For a configuration that configure() refuses: stops what of it can be made.
  std::set<GroupId> give_up(const core::Spec& spec);
  // What was done and seen here so far counts for nothing: the next configure() begins with it anew.
  void forget();
  // Nothing runs here as far as is known, and nothing is done to a group.
  bool idle() const;
  // A group that a yield should have stopped by now and that may still run; unset: there is none.
  std::optional<std::string> failed_to_yield(LocalTime now) const;
  // Something is done to a group.
  bool busy() const;
  // The stops of all that runs here, one after the other, if nothing hangs.
  Duration longest_stops() const;
  void follow(const core::State& state) { monitors_.follow(state); }

 private:
  GroupRunner* find(GroupId id);
  void let_go(GroupId id);
  void look();
  void forget_yield(GroupId id) { yielding_.erase(id); }

  const NodeId self_;
  const drivers::Services services_;
  const Maker maker_;
  const Sink sink_;
  std::map<GroupId, std::unique_ptr<GroupRunner>> groups_;
  std::vector<std::unique_ptr<GroupRunner>> going_;
  std::set<GroupId> unseen_;               // to be probed once all of `going_` have ended
  std::map<GroupId, LocalTime> yielding_;  // until when each of them has to have stopped
  MonitorRunner monitors_;
  FenceRunner fences_;
  FenceTrial trial_;
};

}  // namespace komainu::engine
