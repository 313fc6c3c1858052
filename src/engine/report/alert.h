// The operator's hook: a command that is run on every alarm, with the alarm in its environment.
//
//   KOMAINU_TEXT   KOMAINU_CLUSTER   KOMAINU_NODE, KOMAINU_GROUP, KOMAINU_MONITOR (names, if it is about one)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/effects.h"
#include "core/spec.h"
#include "drivers/services.h"

namespace komainu::engine {

class Alert {
 public:
  // Alarms that come while so many commands run are dropped and counted: a storm must not become a fork bomb.
  static constexpr std::size_t kMaxRunning = 4;

  explicit Alert(const drivers::Services& services) : services_(services) {}

  // Runs the configuration's `alert`, if it has one.
  void raise(const core::Spec& spec, const core::Event& event);
  std::uint64_t dropped() const { return dropped_; }

 private:
  drivers::Task<void> run(drivers::Command command);

  drivers::Services services_;
  std::vector<std::unique_ptr<drivers::Run<void>>> running_;
  std::uint64_t dropped_ = 0;
};

}  // namespace komainu::engine
