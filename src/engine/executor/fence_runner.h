// Fences that this node executes: the devices of a level one after the other, all needed, each confirmed by
// its driver.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/message.h"
#include "core/state.h"
#include "drivers/driver.h"
#include "drivers/services.h"

namespace komainu::engine {

class FenceRunner {
 public:
  using Sink = std::function<void(core::Fact)>;
  FenceRunner(std::string node_name, const drivers::Services& services, Sink sink);
  FenceRunner(const FenceRunner&) = delete;
  FenceRunner& operator=(const FenceRunner&) = delete;
  ~FenceRunner();

  void execute(const core::Spec& spec, NodeId target, const core::FenceOrder& order);
  // Kills the agents; the result (not confirmed) comes once they are gone.
  void cancel(NodeId target);
  bool busy() const { return !running_.empty(); }

 private:
  struct Running {
    core::OrderId order;
    std::string target;
    std::vector<std::unique_ptr<drivers::Fencer>> devices;
    drivers::Run<Result<void>> run;
  };
  drivers::Task<Result<void>> off(Running& running);
  void ended(NodeId target, drivers::Run<Result<void>>::Ended result);

  const std::string node_name_;
  const drivers::Services services_;
  const Sink sink_;
  std::map<NodeId, std::unique_ptr<Running>> running_;
};

}  // namespace komainu::engine
