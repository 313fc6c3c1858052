#include "drivers/monitors/schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration_text.h"

namespace komainu::drivers {
namespace {

class Polled final : public Monitor {
 public:
  Polled(std::unique_ptr<Check> check, const Schedule& schedule, Clock& clock)
      : check_(std::move(check)), schedule_(schedule), clock_(clock) {}

  Task<void> run(Reports& reports) override {
    Judge judge(schedule_);
    auto delay = clock_.sleep(schedule_.start_delay);
    co_await delay;
    while (true) {
      const LocalTime begun = clock_.now();
      auto look = within(clock_, schedule_.timeout, check_->look(schedule_.timeout));
      std::optional<Verdict> verdict = co_await look;
      const auto report = verdict ? judge.looked(std::move(*verdict)) : judge.timed_out(check_->waits_for());
      if (report) reports.report(*report);
      auto pause = clock_.sleep(std::max(Duration{0}, begun + schedule_.interval - clock_.now()));
      co_await pause;
    }
  }

 private:
  std::unique_ptr<Check> check_;
  Schedule schedule_;
  Clock& clock_;
};

}  // namespace

std::optional<Verdict> Judge::looked(Verdict verdict) {
  if (verdict.health == Health::kFailed && failures_ < schedule_.retries) {
    ++failures_;
    return std::nullopt;
  }
  if (verdict.health == Health::kWarning) quiet_ = false;  // a look that warns has seen that it works
  return told(std::move(verdict));
}

std::optional<Verdict> Judge::timed_out(std::string_view waited_for) {
  Verdict verdict{Health::kFailed, fmt::format("no answer within {}", duration_text(schedule_.timeout))};
  if (!waited_for.empty()) verdict.evidence += fmt::format(": {}", waited_for);
  if (schedule_.on_timeout == Schedule::OnTimeout::kFailed) return looked(std::move(verdict));
  verdict.health = Health::kWarning;
  return told(std::move(verdict));
}

std::optional<Verdict> Judge::told(Verdict verdict) {
  if (verdict.health != Health::kFailed) failures_ = 0;
  if (verdict.health == Health::kHealthy) quiet_ = false;
  if (quiet_ || reported_ == verdict.health) return std::nullopt;
  reported_ = verdict.health;
  return verdict;
}

std::unique_ptr<Monitor> polled(std::unique_ptr<Check> check, const Schedule& schedule, Clock& clock) {
  return std::make_unique<Polled>(std::move(check), schedule, clock);
}

Task<void> ToldMonitor::run(Reports& reports) {
  judge_.emplace(schedule_);
  reports_ = &reports;
  auto delay = clock_.sleep(schedule_.start_delay);
  co_await delay;
  auto following = follow();
  co_await following;
}

void ToldMonitor::told(Verdict verdict) {
  if (const auto report = judge_->told(std::move(verdict))) reports_->report(*report);
}

}  // namespace komainu::drivers
