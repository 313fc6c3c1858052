#include "engine/executor/group_runner.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

namespace komainu::engine {

using core::Activity;
using drivers::Presence;
using drivers::Task;

namespace {

// A probe answers from what the node knows, not from far away.
constexpr Duration kProbeTimeout = 10s;
// A probe that cannot tell (systemd is still starting …) is repeated before the group is called failed.
constexpr int kProbeTries = 10;
constexpr Duration kProbeAgain = 1s;

}  // namespace

// The watch of one resource. It lives until its coroutine has ended.
class GroupRunner::Watch final : public drivers::Reports {
 public:
  Watch(GroupRunner& runner, std::uint32_t index) : runner_(runner), index_(index) {}

  void begin() {
    run_.start(runner_.resources_[index_]->watch(*this), [this](drivers::Run<std::string>::Ended ended) {
      if (ended.bug) std::rethrow_exception(ended.bug);
      if (ended.value && !runner_.closed_) {
        runner_.sink_(core::ResourceFailed{runner_.group_.id, core::Spec::place_of(runner_.self_), index_,
                                           ended.value->substr(0, core::kMaxEvidence)});
      }
      runner_.settle_down();
    });
  }
  void cancel() { run_.cancel(); }
  bool running() const { return run_.running(); }

  void report(const drivers::Verdict& verdict) override {
    if (verdict.health == drivers::Health::kHealthy) return;
    runner_.services_.log.warning(fmt::format("{}/{}: {}", runner_.group_.name,
                                              runner_.group_.resources[index_].name, verdict.evidence));
  }

 private:
  GroupRunner& runner_;
  const std::uint32_t index_;
  drivers::Run<std::string> run_;
};

GroupRunner::GroupRunner(const core::Group& group, std::vector<std::unique_ptr<drivers::Resource>> resources,
                         NodeId self, const drivers::Services& services, Sink sink)
    : group_(group),
      resources_(std::move(resources)),
      self_(self),
      services_(services),
      sink_(std::move(sink)) {}
GroupRunner::~GroupRunner() = default;

// ---- commands

void GroupRunner::execute(const core::Order& order) {
  switch (order.kind) {
    case core::OrderKind::kStart:
      return begin(Start{}, order.id);
    case core::OrderKind::kStop:
      return begin(Stop{}, order.id);
    case core::OrderKind::kRestart:
      return begin(Restart{order.first_resource}, order.id);
  }
}
void GroupRunner::probe() {
  if (!busy()) begin(Look{}, std::nullopt);
}
void GroupRunner::yield() {
  begin(Stop{}, std::nullopt);
}

void GroupRunner::prepare() {
  if (busy() || preparing_.running() || closed_) return;
  auto prepare_all = [](GroupRunner& runner) -> Task<void> {
    drivers::Branches branches;
    for (const auto& resource : runner.resources_) branches.add(resource->prepare());
    co_await branches;
  };
  preparing_.start(prepare_all(*this), [this](auto) { settle_down(); });
}

void GroupRunner::begin(Command command, std::optional<core::OrderId> order) {
  if (closed_) return;
  pending_ = Pending{command, order};
  end_all();
}

// Cancels whatever is under way, and goes on when nothing of it acts any more.
void GroupRunner::end_all() {
  ending_all_ = true;  // some end at once: the next must not begin, and be cancelled, before all have been
  preparing_.cancel();
  unwatch_all();
  replaced_ = work_.running();
  work_.cancel();
  ending_all_ = false;
  settle_down();
}

// Goes on when nothing of what was under way acts any more.
void GroupRunner::settle_down() {
  std::erase_if(watches_, [](const auto& watch) { return !watch->running(); });
  if (ending_all_ || work_.running() || preparing_.running()) return;
  if (closed_) {
    if (!watches_.empty()) return;
    return std::exchange(closed_, nullptr)();
  }
  if (pending_ && watches_.empty()) next();
}

void GroupRunner::next() {
  const Pending pending = *std::exchange(pending_, std::nullopt);
  order_ = pending.order;
  replaced_ = false;
  const bool stops = std::holds_alternative<Stop>(pending.command);
  if (!std::holds_alternative<Look>(pending.command))
    activity_ = stops ? Activity::kStopping : Activity::kStarting;
  work_.start(run(pending.command),
              [this](drivers::Run<Outcome>::Ended result) { ended(std::move(result)); });
}

void GroupRunner::ended(drivers::Run<Outcome>::Ended result) {
  if (result.bug) std::rethrow_exception(result.bug);
  if (result.value && !replaced_ && !closed_) {
    Outcome& outcome = *result.value;
    activity_ = outcome.activity;
    sink_(core::GroupReport{group_.id, core::Spec::place_of(self_), order_, outcome.activity,
                            outcome.resource, outcome.evidence.substr(0, core::kMaxEvidence)});
    if (activity_ == Activity::kOnline) watch_all();
  }
  settle_down();
}

void GroupRunner::close(std::function<void()> done) {
  pending_.reset();
  closed_ = std::move(done);
  end_all();
}

// ---- watching

void GroupRunner::watch_all() {
  for (std::uint32_t index = 0; index < resources_.size(); ++index) {
    watches_.push_back(std::make_unique<Watch>(*this, index));
    watches_.back()->begin();
  }
}
void GroupRunner::unwatch_all() {
  // A watch that ends at once comes back through settle_down and changes the list.
  std::vector<Watch*> running;
  for (const auto& watch : watches_) running.push_back(watch.get());
  for (Watch* watch : running) {
    const bool still = std::ranges::any_of(watches_, [&](const auto& held) { return held.get() == watch; });
    if (still) watch->cancel();
  }
}

// ---- work

Duration GroupRunner::longest_stop() const {
  Duration longest{0};
  for (const core::Resource& resource : group_.resources) longest += resource.stop_timeout + kProbeTimeout;
  return longest;
}

Task<GroupRunner::Outcome> GroupRunner::run(Command command) {
  if (auto* begin_at = std::get_if<Start>(&command)) {
    auto work = start(begin_at->from);
    co_return co_await work;
  }
  if (auto* again = std::get_if<Restart>(&command)) {
    auto work = restart(again->from);
    co_return co_await work;
  }
  if (std::holds_alternative<Stop>(command)) {
    auto work = stop(0);
    co_return co_await work;
  }
  auto work = look();
  co_return co_await work;
}

Task<GroupRunner::Outcome> GroupRunner::start(std::uint32_t from) {
  for (std::uint32_t index = from; index < resources_.size(); ++index) {
    const Duration limit = group_.resources[index].start_timeout;
    auto bounded = drivers::within(services_.clock, limit, resources_[index]->start());
    const std::optional<Result<void>> result = co_await bounded;
    if (!result) {
      co_return Outcome{Activity::kFailed, index, fmt::format("start took longer than {} s", limit / 1s)};
    }
    if (!*result) co_return Outcome{Activity::kFailed, index, result->error().what};
  }
  co_return Outcome{Activity::kOnline, 0, {}};
}

Task<GroupRunner::Outcome> GroupRunner::stop(std::uint32_t from) {
  for (auto index = static_cast<std::uint32_t>(resources_.size()); index-- > from;) {
    const Duration limit = group_.resources[index].stop_timeout;
    auto bounded = drivers::within(services_.clock, limit, resources_[index]->stop());
    const std::optional<Result<void>> result = co_await bounded;
    // What stop() says is not believed either way: the probe decides.
    std::string evidence = !result    ? fmt::format("stop took longer than {} s", limit / 1s)
                           : !*result ? result->error().what
                                      : std::string();
    auto looking = look_at(index);
    const Result<drivers::Probe> seen = co_await looking;
    if (!seen) co_return Outcome{Activity::kUnsafe, index, evidence + " (" + seen.error().what + ")"};
    if (seen->presence != Presence::kStopped) {
      if (evidence.empty()) evidence = seen->evidence.empty() ? "it is still there" : seen->evidence;
      co_return Outcome{Activity::kUnsafe, index, evidence};
    }
  }
  co_return Outcome{std::nullopt, 0, {}};
}

Task<GroupRunner::Outcome> GroupRunner::restart(std::uint32_t from) {
  auto stopping = stop(from);
  Outcome stopped = co_await stopping;
  if (stopped.activity) co_return stopped;
  auto starting = start(from);
  co_return co_await starting;
}

Task<Result<drivers::Probe>> GroupRunner::look_at(std::uint32_t index) {
  auto bounded = drivers::within(services_.clock, kProbeTimeout, resources_[index]->probe());
  std::optional<Result<drivers::Probe>> result = co_await bounded;
  if (!result) co_return failure(fmt::format("its probe took longer than {} s", kProbeTimeout / 1s));
  if (*result && (*result)->presence == Presence::kStopped && agent_is_stuck(index))
    co_return drivers::Probe{Presence::kBroken,
                             "it is stopped, but an agent of it has survived SIGKILL and may still start it "
                             "(it waits in the kernel, probably for a dead disk): restart this machine"};
  co_return std::move(*result);
}

bool GroupRunner::agent_is_stuck(std::uint32_t index) const {
  return std::ranges::count(services_.spawner.stuck_agents(),
                            "resource " + group_.name + "/" + group_.resources[index].name) > 0;
}

Task<GroupRunner::Outcome> GroupRunner::look() {
  Outcome outcome;
  for (int tries = 0; tries < kProbeTries; ++tries) {
    std::uint32_t running = 0;
    outcome = {};
    bool unknown = false;
    for (std::uint32_t index = 0; index < resources_.size(); ++index) {
      auto looking = look_at(index);
      const Result<drivers::Probe> seen = co_await looking;
      unknown = unknown || !seen;
      if (seen && seen->presence == Presence::kRunning) {
        ++running;
      } else if (!seen || seen->presence == Presence::kBroken) {
        outcome = {Activity::kFailed, index, seen ? seen->evidence : seen.error().what};
      } else if (!outcome.activity) {
        outcome.resource = index;
      }
    }
    if (running == resources_.size()) co_return Outcome{Activity::kOnline, 0, {}};
    if (running > 0 && !outcome.activity)
      outcome = {Activity::kFailed, outcome.resource, "it is not running"};
    if (!unknown) break;
    auto pause = services_.clock.sleep(kProbeAgain);
    co_await pause;
  }
  co_return outcome;
}

}  // namespace komainu::engine
