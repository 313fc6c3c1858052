#include "engine/executor/fence_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

namespace komainu::engine {

namespace {
// A device that has not confirmed after this long has failed: another level, or the operator, goes on.
constexpr Duration kDeviceTimeout = 60s;
}  // namespace

FenceRunner::FenceRunner(std::string node_name, const drivers::Services& services, Sink sink)
    : node_name_(std::move(node_name)), services_(services), sink_(std::move(sink)) {}
FenceRunner::~FenceRunner() = default;

void FenceRunner::execute(const core::Spec& spec, NodeId target, const core::FenceOrder& order) {
  auto& running = running_[target];
  if (running) return;  // its result is still to come; the core does not order a second one meanwhile
  running = std::make_unique<Running>();
  running->order = order.id;
  running->target = spec.nodes.at(target).name;
  for (const core::FenceDevice& device : spec.fencing.at(order.level).devices) {
    if (!device.targets.empty() && std::ranges::count(device.targets, target) == 0) continue;
    const drivers::FencerType* type = drivers::find_fencer_type(device.type);
    auto made = type->make(device.params, services_, {node_name_, device.type});
    if (made) running->devices.push_back(std::move(*made));
  }
  running->run.start(off(*running), [this, target](drivers::Run<Result<void>>::Ended result) {
    ended(target, std::move(result));
  });
}

drivers::Task<Result<void>> FenceRunner::off(Running& running) {
  if (running.devices.empty()) co_return failure("no fencing device of this level reaches " + running.target);
  for (const auto& device : running.devices) {
    auto bounded = drivers::within(services_.clock, kDeviceTimeout, device->off(running.target));
    std::optional<Result<void>> result = co_await bounded;
    if (!result)
      co_return failure(fmt::format("the fencing device did not answer within {} s", kDeviceTimeout / 1s));
    if (!*result) co_return std::move(*result);
  }
  co_return Result<void>{};
}

void FenceRunner::cancel(NodeId target) {
  auto it = running_.find(target);
  if (it != running_.end()) it->second->run.cancel();
}

void FenceRunner::ended(NodeId target, drivers::Run<Result<void>>::Ended result) {
  if (result.bug) std::rethrow_exception(result.bug);
  auto node = running_.extract(target);
  const bool confirmed = result.value && result.value->has_value();
  std::string evidence = !result.value ? "cancelled: the node is back"
                         : confirmed   ? ""
                                       : result.value->error().what;
  sink_(core::FenceResult{target, node.mapped()->order, confirmed, evidence.substr(0, core::kMaxEvidence)});
}

}  // namespace komainu::engine
