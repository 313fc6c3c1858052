// When a monitor looks, and what its reports are made of: interval, timeout, retries, start delay, and
// silence until it has been healthy once. The types of monitors know nothing of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/driver.h"

namespace komainu::drivers {

// One look. Bounded from outside; cancelled when its time is over.
class Check {
 public:
  virtual ~Check() = default;
  // `timeout`: for a check that would rather say what it has seen than be cut off.
  virtual Task<Verdict> look(Duration timeout) = 0;
  // What the look that was cut off was waiting for; empty where that says no more than that it was.
  virtual std::string waits_for() const { return {}; }
};

// Turns looks and events into reports: what is new, confirmed, and not to be kept quiet.
class Judge {
 public:
  explicit Judge(const Schedule& schedule)
      : schedule_(schedule), quiet_(schedule.quiet == Schedule::Quiet::kUntilHealthy) {}

  // What to report, if anything.
  std::optional<Verdict> looked(Verdict verdict);
  std::optional<Verdict> timed_out(std::string_view waited_for);
  // The kernel's word, or systemd's: needs no confirmation.
  std::optional<Verdict> told(Verdict verdict);

 private:
  Schedule schedule_;
  bool quiet_;
  std::uint32_t failures_ = 0;  // in a row
  std::optional<Health> reported_;
};

// A monitor that looks every interval. A look that takes longer than the interval delays the next one; they
// do not pile up.
std::unique_ptr<Monitor> polled(std::unique_ptr<Check> check, const Schedule& schedule, Clock& clock);

// A monitor that is told. `run` of the derived class's own; begins after the start delay.
class ToldMonitor : public Monitor {
 public:
  ToldMonitor(const Schedule& schedule, Clock& clock) : schedule_(schedule), clock_(clock) {}
  Task<void> run(Reports& reports) final;

 protected:
  // Until cancelled, calls told() whenever something may have changed.
  virtual Task<void> follow() = 0;
  void told(Verdict verdict);

  const Schedule schedule_;

 private:
  Clock& clock_;
  std::optional<Judge> judge_;
  Reports* reports_ = nullptr;
};

}  // namespace komainu::drivers
