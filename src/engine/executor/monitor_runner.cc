#include "engine/executor/monitor_runner.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace komainu::engine {

class MonitorRunner::Running final : public drivers::Reports {
 public:
  Running(MonitorRunner& runner, const core::Spec& spec, const core::Monitor& monitor, bool was_healthy)
      : runner_(runner), id_(monitor.id) {
    drivers::Schedule schedule;
    schedule.interval = monitor.interval;
    schedule.timeout = monitor.timeout;
    schedule.retries = monitor.retries;
    schedule.start_delay = monitor.start_delay;
    schedule.on_timeout = monitor.timeout_is_failure ? drivers::Schedule::OnTimeout::kFailed
                                                     : drivers::Schedule::OnTimeout::kWarning;
    schedule.quiet = monitor.quiet_until_healthy && !was_healthy ? drivers::Schedule::Quiet::kUntilHealthy
                                                                 : drivers::Schedule::Quiet::kNever;
    auto made = runner.maker_.monitor(spec, monitor, schedule);
    if (!made) throw std::invalid_argument(made.error().what);
    monitor_ = std::move(*made);
  }

  void begin() {
    run_.start(monitor_->run(*this), [this](drivers::Run<void>::Ended ended) {
      if (ended.bug) std::rethrow_exception(ended.bug);
      runner_.ended();
    });
  }
  void cancel() {
    cancelled_ = true;
    run_.cancel();
  }
  bool running() const { return run_.running(); }
  MonitorId id() const { return id_; }

  void report(const drivers::Verdict& verdict) override {
    if (cancelled_) return;
    static constexpr core::Health kHealth[] = {core::Health::kHealthy, core::Health::kWarning,
                                               core::Health::kFailed};
    runner_.sink_(core::MonitorResult{id_, core::Spec::place_of(runner_.self_),
                                      kHealth[static_cast<int>(verdict.health)],
                                      verdict.evidence.substr(0, core::kMaxEvidence)});
  }

 private:
  MonitorRunner& runner_;
  const MonitorId id_;
  std::unique_ptr<drivers::Monitor> monitor_;
  drivers::Run<void> run_;
  bool cancelled_ = false;
};

MonitorRunner::MonitorRunner(NodeId self, const Maker& maker, Sink sink)
    : self_(self), maker_(maker), sink_(std::move(sink)) {}
MonitorRunner::~MonitorRunner() = default;

bool MonitorRunner::wanted(const core::State& state, const core::Monitor& monitor) const {
  auto known = state.monitors.find(monitor.id);
  if (known == state.monitors.end() || known->second.suspended) return false;
  if (monitor.role == core::MonitorRole::kArbiter) return false;  // the channel tells of it
  if (!monitor.group) return true;
  const core::GroupState* group = state.group(*monitor.group);
  const PlaceId here = core::Spec::place_of(self_);
  return group && !group->order && group->activity(here) == core::Activity::kOnline;
}

void MonitorRunner::follow(const core::State& state) {
  const PlaceId here = core::Spec::place_of(self_);
  for (const auto& [id, monitor] : state.spec->monitors) {
    auto it = running_.find(id);
    const bool wants = wanted(state, monitor);
    if (wants && it == running_.end()) {
      auto& running = running_[id];
      running = std::make_unique<Running>(*this, *state.spec, monitor,
                                          state.monitors.at(id).was_healthy.contains(here));
      running->begin();
    } else if (!wants && it != running_.end()) {
      ending_.push_back(std::move(it->second));
      running_.erase(it);
      ending_.back()->cancel();
      sink_(core::MonitorResult{id, here, core::Health::kUnknown, {}});
    }
  }
  ended();
}

void MonitorRunner::reset() {
  for (auto& [id, running] : std::exchange(running_, {})) {
    ending_.push_back(std::move(running));
    ending_.back()->cancel();
  }
  ended();
}

// A monitor may end by itself only when it was cancelled; what has ended is let go here.
void MonitorRunner::ended() {
  std::erase_if(ending_, [](const auto& running) { return !running->running(); });
}

}  // namespace komainu::engine
