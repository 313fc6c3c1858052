#include "engine/executor/fence_check.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace komainu::engine {
namespace {

struct Level {
  std::vector<std::unique_ptr<drivers::Fencer>> devices;
};
struct Target {
  std::string name;
  std::vector<Level> levels;  // that have a device for it
};

class FenceCheck final : public drivers::Check {
 public:
  FenceCheck(std::vector<Target> targets, drivers::Clock& clock)
      : targets_(std::move(targets)), clock_(clock) {}

  drivers::Task<drivers::Verdict> look(Duration) override {
    drivers::Verdict verdict;
    if (answered_ && clock_.now() - *answered_ < kTestFencing) co_return verdict;
    answered_.reset();
    for (const Target& target : targets_) {
      std::string problem = target.levels.empty() ? "no device reaches it" : "";
      std::size_t good = 0;
      for (const Level& level : target.levels) {
        auto test = test_level(level, target.name);
        std::string failed = co_await test;
        good += failed.empty() ? 1 : 0;
        if (problem.empty()) problem = std::move(failed);
      }
      if (problem.empty()) continue;
      const auto health = good == 0 ? drivers::Health::kFailed : drivers::Health::kWarning;
      if (health <= verdict.health) continue;
      verdict = {health, target.name + " cannot be fenced from here" +
                             (good == 0 ? ": " : " by one of the levels: ") + problem};
    }
    if (verdict.health == drivers::Health::kHealthy) answered_ = clock_.now();
    co_return verdict;
  }

 private:
  // All devices of a level are needed. Empty: they answer.
  static drivers::Task<std::string> test_level(const Level& level, std::string target) {
    for (const auto& device : level.devices) {
      auto test = device->test(target);
      const Result<void> tested = co_await test;
      if (!tested) co_return tested.error().what;
    }
    co_return "";
  }

  std::vector<Target> targets_;
  drivers::Clock& clock_;
  std::optional<LocalTime> answered_;  // all of them, when last asked
};

}  // namespace

Result<std::unique_ptr<drivers::Check>> make_fence_check(const core::Spec& spec, const Maker& maker,
                                                         drivers::Clock& clock) {
  std::vector<Target> targets;
  for (const auto& [id, node] : spec.nodes) {
    if (node.name == maker.node_name()) continue;
    Target& target = targets.emplace_back(node.name);
    for (const core::FenceLevel& configured : spec.fencing) {
      Level level;
      for (const core::FenceDevice& device : configured.devices) {
        if (!device.reaches(id)) continue;
        auto made = maker.fencer(device);
        if (!made) return std::unexpected(made.error());
        level.devices.push_back(std::move(*made));
      }
      if (!level.devices.empty()) target.levels.push_back(std::move(level));
    }
  }
  return std::make_unique<FenceCheck>(std::move(targets), clock);
}

}  // namespace komainu::engine
