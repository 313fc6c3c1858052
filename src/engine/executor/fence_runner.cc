#include "engine/executor/fence_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

namespace komainu::engine {

namespace {
constexpr const char* kReplaced = "cancelled: a newer fence took its place";
constexpr const char* kBack = "cancelled: the node is back";
constexpr Duration kLookAgain = 100ms;  // whether a stuck agent has ended
constexpr const char* kStartsOver = "cancelled: the node that fenced starts over";
}  // namespace

FenceRunner::FenceRunner(const Maker& maker, const drivers::Services& services, Sink sink)
    : maker_(maker), services_(services), sink_(std::move(sink)) {}
FenceRunner::~FenceRunner() = default;

// ---- orders

void FenceRunner::execute(const core::Spec& spec, NodeId target, const core::FenceOrder& order) {
  Fence fence = prepare(spec, target, order);
  auto it = running_.find(target);
  if (it == running_.end()) return begin(target, std::move(fence));
  const Running& running = *it->second;
  if (running.fence.order == order.id || (running.next && running.next->order == order.id)) return;
  drop_next(target, kReplaced);
  it->second->next = std::move(fence);
  cancel(target, kReplaced);
}

FenceRunner::Fence FenceRunner::prepare(const core::Spec& spec, NodeId target,
                                        const core::FenceOrder& order) const {
  const core::Node* node = spec.node(target);
  Fence fence{order.id, node ? node->name : "", {}};
  // The configuration may have become another one since the fence was ordered.
  if (!node || order.level >= spec.fencing.size()) {
    fence.devices = failure("the node or the fencing level is not in the configuration any more");
    return fence;
  }
  for (const core::FenceDevice& device : spec.fencing[order.level].devices) {
    if (!device.reaches(target)) continue;
    auto made = maker_.fencer(device);
    if (!made) {
      // All devices of a level are needed: without this one the others confirm nothing.
      fence.devices = std::unexpected(made.error());
      return fence;
    }
    fence.devices->push_back(std::move(*made));
  }
  if (fence.devices->empty())
    fence.devices = failure("no fencing device of this level reaches " + fence.target);
  return fence;
}

void FenceRunner::begin(NodeId target, Fence fence) {
  auto& slot = running_[target];
  slot = std::make_unique<Running>(std::move(fence));
  Running& running = *slot;
  running.run.start(off(running.fence), [this, target](drivers::Run<Result<void>>::Ended result) {
    ended(target, std::move(result));
  });
}

void FenceRunner::cancel(NodeId target, core::OrderId order) {
  auto it = running_.find(target);
  if (it == running_.end()) return;
  if (it->second->next && it->second->next->order == order) return drop_next(target, kBack);
  if (it->second->fence.order == order) cancel(target, kBack);
}

void FenceRunner::cancel_all() {
  std::vector<NodeId> targets;
  for (const auto& [target, running] : running_) targets.push_back(target);
  for (NodeId target : targets) {
    drop_next(target, kStartsOver);
    cancel(target, kStartsOver);
  }
}

void FenceRunner::cancel(NodeId target, const std::string& why) {
  Running& running = *running_.at(target);
  if (running.cancelled.empty()) running.cancelled = why;
  running.run.cancel();  // may be the end of `running`
}

void FenceRunner::drop_next(NodeId target, const std::string& why) {
  const std::optional<Fence> next = std::exchange(running_.at(target)->next, std::nullopt);
  if (next) report(target, next->order, false, why);
}

// ---- work

drivers::Task<Result<void>> FenceRunner::off(const Fence& fence) {
  if (!fence.devices) co_return std::unexpected(fence.devices.error());
  for (const auto& device : *fence.devices) {
    const Duration limit = device->longest_off();
    auto bounded = drivers::within(services_.clock, limit, device->off(fence.target));
    std::optional<Result<void>> result = co_await bounded;
    if (!result) co_return failure(fmt::format("the fencing device did not answer within {} s", limit / 1s));
    if (!*result) co_return std::move(*result);
  }
  co_return Result<void>{};
}

void FenceRunner::ended(NodeId target, drivers::Run<Result<void>>::Ended result) {
  if (result.bug) std::rethrow_exception(result.bug);
  Running& running = *running_.at(target);
  const std::string& name = running.fence.target;
  if (result.value || !agent_is_stuck(name)) return finish(target, std::move(result.value));
  services_.log.warning(fmt::format(
      "{}: an agent of the cancelled fence has survived SIGKILL and may still switch it off: nothing is "
      "started there until it has ended; restart this machine if that stays",
      name));
  running.gone.start(agents_gone(name), [this, target](auto) { finish(target, {}); });
}

// For confirmed and failed fences it does not matter: the target is off, or still to be switched off.
bool FenceRunner::agent_is_stuck(const std::string& target) const {
  return std::ranges::any_of(services_.spawner.stuck_agents(), [&](const std::string& label) {
    return label.starts_with("fence " + target + " ");
  });
}
drivers::Task<void> FenceRunner::agents_gone(std::string target) {
  while (agent_is_stuck(target)) {
    auto pause = services_.clock.sleep(kLookAgain);
    co_await pause;
  }
}

void FenceRunner::finish(NodeId target, std::optional<Result<void>> result) {
  const std::unique_ptr<Running> running = std::move(running_.extract(target).mapped());
  const bool confirmed = result && result->has_value();
  report(target, running->fence.order, confirmed,
         !result     ? running->cancelled
         : confirmed ? ""
                     : result->error().what);
  if (running->next) begin(target, std::move(*running->next));
}

void FenceRunner::report(NodeId target, core::OrderId order, bool confirmed, const std::string& evidence) {
  sink_(core::FenceResult{target, order, confirmed, evidence.substr(0, core::kMaxEvidence)});
}

}  // namespace komainu::engine
