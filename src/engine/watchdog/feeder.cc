#include "engine/watchdog/feeder.h"

#include <algorithm>
#include <utility>

#include "base/duration_text.h"

namespace komainu::engine {
namespace {

// While it is not fed, or not armed: a start may wait for it.
constexpr Duration kLook = 100ms;
constexpr Duration kTryAgain = 5s;
// Fed so many times in its timeout, and once a second at least: it spares a loop that is late.
constexpr int kFeeds = 5;
constexpr Duration kLongestPeriod = 1s;

Error too_slow(Duration timeout, Duration longest) {
  return {"the watchdog's timeout is " + duration_text(timeout) + ", as read back, and the others wait for " +
              duration_text(longest),
          "no group starts here: set [timing] watchdog to " + duration_text(timeout) +
              " or more, or use another device"};
}

}  // namespace

std::optional<std::string> WatchdogFeeder::objection(LocalTime now) const {
  for (const Condition& condition : conditions_) {
    if (std::optional<std::string> against = condition(now)) return against;
  }
  return std::nullopt;
}

void WatchdogFeeder::told(std::optional<Duration> timeout) {
  if (std::exchange(told_, timeout) != timeout) parts_.tell(timeout);
}

void WatchdogFeeder::complain(LocalTime now, const Error& error) {
  try_again_ = now + kTryAgain;
  if (std::exchange(problem_, error.what) != error.what) parts_.alarm(error);
}

// ---- its timeout

// Who waits for a reset counts on the configuration that it knows. So a longer timeout is only set while
// nothing runs here.
void WatchdogFeeder::want(Duration longest) {
  longest_ = longest;
  if (!device_ || longest_ == Duration::zero()) return;
  if (device_->timeout() <= longest_ && !parts_.idle()) return;
  if (Result<void> set = device_->set_timeout(longest_); !set) parts_.alarm(set.error());
  if (device_->timeout() > longest_) parts_.alarm(too_slow(device_->timeout(), longest_));
  told(device_->timeout());
}

Result<void> WatchdogFeeder::prepare(Duration longest) {
  if (!device_ || longest == Duration::zero() || device_->timeout() <= longest) return {};
  Result<void> set = device_->set_timeout(longest);
  told(device_->timeout());
  if (!set) return set;
  if (device_->timeout() > longest) return std::unexpected(too_slow(device_->timeout(), longest));
  return {};
}

// ---- its life

Duration WatchdogFeeder::beat(LocalTime now) {
  if (const std::optional<std::string> against = objection(now)) {
    if (device_ && std::exchange(against_, *against) != *against) {
      parts_.alarm(
          {"the watchdog is not fed: " + *against,
           "it resets this machine within " + duration_text(device_->timeout()) + " unless that passes"});
    }
    return kLook;
  }
  if (!against_.empty()) parts_.log.warning("the watchdog is fed again");
  against_.clear();
  if (!device_) {
    const bool may_open = open_ == Open::kAlways || parts_.idle();
    if (longest_ > Duration::zero() && may_open && now >= try_again_) arm(now);
  } else if (longest_ == Duration::zero() && parts_.idle()) {
    disarm();
  } else {
    feed();
  }
  return device_ ? std::min(device_->timeout() / kFeeds, kLongestPeriod) : kLook;
}

void WatchdogFeeder::arm(LocalTime now) {
  Result<std::unique_ptr<WatchdogDevice>> opened = parts_.open();
  if (!opened) return complain(now, opened.error());
  device_ = std::move(*opened);
  const bool idle = parts_.idle();
  const Result<void> set = device_->set_timeout(idle ? longest_ : std::min(longest_, device_->timeout()));
  if (set && device_->timeout() <= longest_) {
    open_ = Open::kAlways;
    problem_.clear();
    parts_.log.info("the watchdog is armed with " + duration_text(device_->timeout()) + ": " +
                    device_->description());
    return told(device_->timeout());
  }
  complain(now, set ? too_slow(device_->timeout(), longest_) : set.error());
  // Each opening feeds it: with something running there is none until that has ended, or the machine.
  open_ = Open::kWhenIdle;
  if (idle) [[maybe_unused]]
    const Result<void> disarmed = device_->disarm();
  device_.reset();
}

void WatchdogFeeder::feed() {
  const Result<void> fed = device_->feed();
  if (!fed && std::exchange(problem_, fed.error().what) != fed.error().what) parts_.alarm(fed.error());
  if (fed) problem_.clear();
  told(fed ? std::optional(device_->timeout()) : std::nullopt);
}

void WatchdogFeeder::disarm() {
  if (const Result<void> disarmed = device_->disarm(); disarmed) {
    parts_.log.info("the watchdog is disarmed: nothing runs here");
  } else {
    parts_.alarm(disarmed.error());
  }
  device_.reset();
  told(std::nullopt);
}

void WatchdogFeeder::end() {
  if (!device_) return;
  if (parts_.idle()) return disarm();
  parts_.alarm({"the watchdog stays armed: something still runs here",
                "it resets this machine within " + duration_text(device_->timeout()) +
                    " unless komainud is started again"});
  device_.reset();
}

}  // namespace komainu::engine
