#include "engine/report/alert.h"

#include <fmt/core.h>

#include <utility>

namespace komainu::engine {

namespace {
constexpr Duration kTimeout = 30s;
}

void Alert::raise(const core::Spec& spec, const core::Event& event) {
  if (spec.alert_command.empty()) return;
  std::erase_if(running_, [](const auto& run) { return !run->running(); });
  if (running_.size() >= kMaxRunning) {
    ++dropped_;
    return;
  }
  drivers::Command hook;
  hook.label = "alert";
  hook.argv = {"/bin/sh", "-c", spec.alert_command};
  hook.environment = {{"KOMAINU_CLUSTER", spec.cluster}, {"KOMAINU_TEXT", event.text}};
  const auto name = [&](const char* variable, const auto* object) {
    if (object) hook.environment[variable] = object->name;
  };
  if (event.node) name("KOMAINU_NODE", spec.node(*event.node));
  if (event.group) name("KOMAINU_GROUP", spec.group(*event.group));
  if (event.monitor) name("KOMAINU_MONITOR", spec.monitor(*event.monitor));
  hook.timeout = kTimeout;
  running_.push_back(std::make_unique<drivers::Run<void>>());
  running_.back()->start(run(std::move(hook)), [](drivers::Run<void>::Ended) {});
}

drivers::Task<void> Alert::run(drivers::Command command) {
  auto running = services_.spawner.run(command);
  const Result<drivers::Exit> result = co_await running;
  if (!result) {
    services_.log.warning("the alert command cannot be run: " + result.error().what);
  } else if (result->how != drivers::Exit::How::kExited || result->code != 0) {
    services_.log.warning(fmt::format("the alert command failed: {}", result->errors));
  }
}

}  // namespace komainu::engine
