// The monitors of this node: those of nodes always run, those of a group while the group is online here.
// Their judgements become facts; a monitor that does not run says kUnknown.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "core/message.h"
#include "core/state.h"
#include "drivers/driver.h"
#include "engine/executor/maker.h"

namespace komainu::engine {

class MonitorRunner {
 public:
  using Sink = std::function<void(core::Fact)>;
  MonitorRunner(NodeId self, const Maker& maker, Sink sink);
  MonitorRunner(const MonitorRunner&) = delete;
  MonitorRunner& operator=(const MonitorRunner&) = delete;
  ~MonitorRunner();

  // Starts and stops monitors so that they fit the state, whose configuration is the one that
  // Executor::configure took. Cheap when nothing changed.
  void follow(const core::State& state);
  // Stops all and forgets what they said: the configuration changes.
  void reset();

 private:
  class Running;
  bool wanted(const core::State& state, const core::Monitor& monitor) const;
  void ended();

  const NodeId self_;
  const Maker& maker_;
  const Sink sink_;
  std::map<MonitorId, std::unique_ptr<Running>> running_;
  std::vector<std::unique_ptr<Running>> ending_;
};

}  // namespace komainu::engine
