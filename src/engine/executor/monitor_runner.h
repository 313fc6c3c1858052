// The monitors of this node: those of nodes always run, those of a group while the group is online here.
// Their judgements become facts; a monitor that does not run says kUnknown.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/message.h"
#include "core/state.h"
#include "drivers/driver.h"
#include "drivers/services.h"

namespace komainu::engine {

class MonitorRunner {
 public:
  using Sink = std::function<void(core::Fact)>;
  MonitorRunner(NodeId self, std::string node_name, const drivers::Services& services, Sink sink);
  MonitorRunner(const MonitorRunner&) = delete;
  MonitorRunner& operator=(const MonitorRunner&) = delete;
  ~MonitorRunner();

  // Starts and stops monitors so that they fit the state. Cheap when nothing changed.
  void follow(const core::State& state);
  // Stops all and forgets what they said: the configuration changes.
  void reset();
  // Ends all coroutines; calls `done` when nothing of them acts any more.
  void close(std::function<void()> done);

 private:
  class Running;
  bool wanted(const core::State& state, const core::Monitor& monitor) const;
  void ended();

  const NodeId self_;
  const std::string node_name_;
  const drivers::Services services_;
  const Sink sink_;
  std::map<MonitorId, std::unique_ptr<Running>> running_;
  std::vector<std::unique_ptr<Running>> ending_;
  std::function<void()> closed_;
};

}  // namespace komainu::engine
