// Fences that this node executes: the devices of a level one after the other, all needed, each confirmed by
// its driver.
//
// One fence at a time for each target. A newer order cancels the one under way and begins once nothing of it
// acts any more: its agent could otherwise switch off a target that the newer order has confirmed and let
// return. Every order gets a result.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/message.h"
#include "core/state.h"
#include "drivers/driver.h"
#include "drivers/services.h"
#include "engine/executor/maker.h"

namespace komainu::engine {

class FenceRunner {
 public:
  using Sink = std::function<void(core::Fact)>;
  FenceRunner(const Maker& maker, const drivers::Services& services, Sink sink);
  FenceRunner(const FenceRunner&) = delete;
  FenceRunner& operator=(const FenceRunner&) = delete;
  ~FenceRunner();

  void execute(const core::Spec& spec, NodeId target, const core::FenceOrder& order);
  // Kills the agents; the result (not confirmed) comes once they are gone.
  void cancel(NodeId target, core::OrderId order);
  void cancel_all();
  // Something of a fence may still act.
  bool busy() const { return !running_.empty(); }

 private:
  struct Fence {
    core::OrderId order;
    std::string target;
    Result<std::vector<std::unique_ptr<drivers::Fencer>>> devices;
  };
  struct Running {
    Fence fence;
    std::optional<Fence> next;
    std::string cancelled;  // why
    drivers::Run<Result<void>> run;
    drivers::Run<void> gone;  // after a cancel: until its agents that survived SIGKILL have ended
  };
  Fence prepare(const core::Spec& spec, NodeId target, const core::FenceOrder& order) const;
  void begin(NodeId target, Fence fence);
  void cancel(NodeId target, const std::string& why);
  void drop_next(NodeId target, const std::string& why);
  drivers::Task<Result<void>> off(const Fence& fence);
  void ended(NodeId target, drivers::Run<Result<void>>::Ended result);
  bool agent_is_stuck(const std::string& target) const;
  drivers::Task<void> agents_gone(std::string target);
  void finish(NodeId target, std::optional<Result<void>> result);
  void report(NodeId target, core::OrderId order, bool confirmed, const std::string& evidence);

  const Maker& maker_;
  const drivers::Services services_;
  const Sink sink_;
  std::map<NodeId, std::unique_ptr<Running>> running_;
};

}  // namespace komainu::engine
