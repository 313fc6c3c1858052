#include "engine/executor/fence_trial.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace komainu::engine {
namespace {

std::string name_of(const core::FenceDevice& device) {
  const auto agent = device.params.find("agent");
  const auto* name = agent == device.params.end() ? nullptr : std::get_if<std::string>(&agent->second);
  return name ? *name : device.type;
}

}  // namespace

void FenceTrial::begin(const core::Spec& spec, NodeSet targets, Done done) {
  lines_.clear();
  tried_.clear();
  unanswered_.clear();
  done_ = std::move(done);
  for (std::uint32_t level = 0; level < spec.fencing.size(); ++level) {
    for (const core::FenceDevice& device : spec.fencing[level].devices) {
      Line line{maker_.fencer(device), {}};
      for (NodeId target : targets) {
        const core::Node* node = spec.node(target);
        if (!node || !device.reaches(target)) continue;
        line.targets.emplace_back(tried_.size(), node->name);
        unanswered_.insert(tried_.size());
        tried_.push_back({.target = target,
                          .level = level,
                          .device = name_of(device),
                          .problem = fmt::format("not asked: it was busy for {} s", kLongest / 1s)});
      }
      lines_.push_back(std::move(line));
    }
  }
  run_.start(drivers::within(services_.clock, kLongest, ask_all()), [this](auto result) {
    if (result.bug) std::rethrow_exception(result.bug);
    ended();
  });
}

void FenceTrial::give_way() {
  if (!busy()) return;
  for (std::size_t index : unanswered_) tried_[index].problem = "not known: a fence came first";
  run_.cancel();
}

drivers::Task<void> FenceTrial::ask_all() {
  drivers::Branches branches;
  for (const Line& line : lines_) branches.add(ask(line));
  co_await branches;
}

drivers::Task<void> FenceTrial::ask(const Line& line) {
  for (const auto& [index, target] : line.targets) {
    FenceTried& tried = tried_[index];
    if (!line.device) {
      unanswered_.erase(index);
      tried.problem = line.device.error().what;
      continue;
    }
    const LocalTime began = services_.clock.now();
    tried.problem = fmt::format("no answer within {} s", kLongest / 1s);
    tried.took = kLongest;
    auto test = (*line.device)->test(target);
    const Result<void> tested = co_await test;
    unanswered_.erase(index);
    tried.took = services_.clock.now() - began;
    tried.problem.reset();
    if (!tested) tried.problem = tested.error().what;
  }
}

void FenceTrial::ended() {
  std::ranges::stable_sort(tried_, {}, &FenceTried::target);
  lines_.clear();
  const Done done = std::exchange(done_, nullptr);
  done(std::exchange(tried_, {}));
}

}  // namespace komainu::engine
