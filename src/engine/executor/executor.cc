#include "engine/executor/executor.h"

#include <algorithm>
#include <utility>

namespace komainu::engine {

Executor::Executor(NodeId self, const core::Spec& spec, const drivers::Services& services, Sink sink,
                   DriverTypes types)
    : self_(self),
      services_(services),
      maker_(spec.nodes.at(self).name, services, types),
      sink_([this, tell = std::move(sink)](core::Fact fact) {
        const auto* report = std::get_if<core::GroupReport>(&fact);
        if (report && !report->activity) forget_yield(report->group);
        tell(std::move(fact));
      }),
      monitors_(self, maker_, sink_),
      fences_(maker_, services, sink_),
      trial_(maker_, services) {}

// ---- the configuration

Result<std::set<GroupId>> Executor::configure(const core::Spec& spec) {
  if (auto why = maker_.problem(spec)) return failure(*why);
  std::set<GroupId> gone;
  for (const auto& [id, runner] : groups_) {
    const core::Group* now = spec.group(id);
    if (!now || now->resources != runner->group().resources || now->name != runner->group().name)
      gone.insert(id);
  }
  std::map<GroupId, std::unique_ptr<GroupRunner>> fresh;
  for (const auto& [id, group] : spec.groups) {
    if (groups_.contains(id) && !gone.contains(id)) continue;
    auto resources = maker_.resources(group);
    if (!resources) return std::unexpected(resources.error());
    fresh[id] = std::make_unique<GroupRunner>(group, std::move(*resources), self_, services_, sink_);
  }
  monitors_.reset();
  for (GroupId id : gone) let_go(id);
  for (const auto& [id, runner] : fresh) unseen_.insert(id);
  groups_.merge(fresh);
  look();
  return gone;
}

void Executor::let_go(GroupId id) {
  forget_yield(id);
  auto node = groups_.extract(id);
  GroupRunner* runner = node.mapped().get();
  going_.push_back(std::move(node.mapped()));
  runner->close([this, runner] {
    std::erase_if(going_, [&](const auto& held) { return held.get() == runner; });
    look();
  });
}

void Executor::forget() {
  while (!groups_.empty()) let_go(groups_.begin()->first);
}

// A probe beside a start that is being cancelled would see nothing of what that may still bring up.
void Executor::look() {
  if (!going_.empty()) return;
  for (GroupId id : std::exchange(unseen_, {})) {
    if (GroupRunner* runner = find(id)) runner->probe();
  }
}

std::optional<std::string> Executor::refuse(const core::Spec& spec) const {
  const core::Node* here = spec.node(self_);
  if (!here || here->name != maker_.node_name()) return maker_.node_name() + " is not in it";
  return maker_.problem(spec);
}

// ---- effects

GroupRunner* Executor::find(GroupId id) {
  auto it = groups_.find(id);
  return it == groups_.end() ? nullptr : it->second.get();
}
void Executor::execute(const core::Execute& execute) {
  if (execute.order.kind != core::OrderKind::kStop) forget_yield(execute.group);
  if (GroupRunner* runner = find(execute.group)) runner->execute(execute.order);
}
void Executor::prepare(GroupId group) {
  if (GroupRunner* runner = find(group)) runner->prepare();
}
void Executor::probe(GroupId group) {
  unseen_.insert(group);
  look();
}
void Executor::probe_all() {
  for (auto& [id, runner] : groups_) unseen_.insert(id);
  look();
}
void Executor::fence(const core::Spec& spec, const core::ExecuteFence& fence) {
  trial_.give_way();
  fences_.execute(spec, fence.target, fence.order);
}
std::set<GroupId> Executor::yield() {
  std::set<GroupId> stopped;
  for (auto& [id, runner] : groups_) {
    if (!runner->activity() && !runner->busy()) continue;
    stopped.insert(id);
    yielding_.try_emplace(id, services_.clock.now() + runner->longest_stop());
    runner->yield();
  }
  return stopped;
}
std::optional<std::string> Executor::failed_to_yield(LocalTime now) const {
  for (const auto& [id, until] : yielding_) {
    const GroupRunner& runner = *groups_.at(id);
    const bool failed = runner.activity() == core::Activity::kUnsafe && !runner.busy();
    if (failed || now > until) return runner.group().name;
  }
  return std::nullopt;
}
std::set<GroupId> Executor::give_up(const core::Spec& spec) {
  for (const auto& [id, group] : spec.groups) {
    if (groups_.contains(id)) continue;
    auto resources = maker_.resources(group);
    if (resources)
      groups_[id] = std::make_unique<GroupRunner>(group, std::move(*resources), self_, services_, sink_);
  }
  return yield();
}
bool Executor::busy() const {
  return std::ranges::any_of(groups_, [](const auto& entry) { return entry.second->busy(); });
}
Duration Executor::longest_stops() const {
  Duration sum{0};
  for (const auto& [id, runner] : groups_)
    if (runner->activity() || runner->busy()) sum += runner->longest_stop();
  return sum;
}
bool Executor::idle() const {
  return std::ranges::none_of(
      groups_, [](const auto& entry) { return entry.second->activity() || entry.second->busy(); });
}

}  // namespace komainu::engine
