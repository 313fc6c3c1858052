#include "engine/loop/loop.h"

#include <fmt/core.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include "engine/timer_fd.h"

namespace komainu::engine {

using drivers::Operation;
using drivers::Task;

void LoopDelay::add(Duration delay) {
  last = delay;
  max = std::max(max, delay);
  const auto bucket = std::ranges::lower_bound(kBounds, delay) - kBounds.begin();
  ++histogram[static_cast<std::size_t>(bucket)];
  if (beats % kWindow == 0) {
    recent_max = window_max_;
    window_max_ = Duration{0};
  }
  ++beats;
  window_max_ = std::max(window_max_, delay);
  recent_max = std::max(recent_max, delay);
}

Loop::Loop()
    : io_(1),
      timer_fd_(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)),
      timer_(io_, timer_fd_.get()),
      last_beat_(boot_time()),
      beat_(*this) {
  await_timer();
  beat();
}

Loop::~Loop() {
  timer_.release();
}

void Loop::run() {
  io_.run();
}

bool Loop::run_until(const std::function<bool()>& done, Duration patience) {
  const LocalTime until = boot_time() + patience;
  while (!done()) {
    if (boot_time() >= until) return false;
    io_.run_one();  // a beat comes at the latest
  }
  return true;
}

// ---- readiness

Task<void> Loop::ready(int fd, Wait what) {
  auto& slot = watched_[fd];
  if (!slot) slot = std::make_unique<Watched>(Watched{boost::asio::posix::stream_descriptor(io_, fd), 0});
  Watched& watched = *slot;
  ++watched.waiters;
  boost::asio::cancellation_signal cancel;
  Operation<> operation([&] { cancel.emit(boost::asio::cancellation_type::all); });
  watched.descriptor.async_wait(what, boost::asio::bind_cancellation_slot(
                                          cancel.slot(), [this, fd, &operation](boost::system::error_code) {
                                            notice_pause();
                                            const auto it = watched_.find(fd);
                                            if (--it->second->waiters == 0) {
                                              it->second->descriptor.release();
                                              watched_.erase(it);
                                            }
                                            operation.complete();
                                          }));
  co_await operation;
}

// ---- timers

Task<void> Loop::sleep(Duration duration) {
  if (duration <= 0us) {
    Operation<> turn(nullptr);
    boost::asio::post(io_, [&] { turn.complete(); });
    co_await turn;
    co_return;
  }
  Timer timer(*this);
  Operation<> operation([&] {
    timer.cancel();
    operation.complete();
  });
  timer.set_after(duration, [&] { operation.complete(); });
  co_await operation;
}

void Loop::Timer::set(LocalTime at, std::function<void()> call) {
  cancel();
  at_ = at;
  entry_ = loop_.add_timer(at, [this, call = std::move(call)] {
    entry_ = 0;
    call();  // may set this timer again, or destroy it
  });
}

void Loop::Timer::set_after(Duration duration, std::function<void()> call) {
  set(boot_time() + duration, std::move(call));
}

void Loop::Timer::cancel() {
  if (entry_ != 0) loop_.timers_.erase({at_, std::exchange(entry_, 0)});
}

std::uint64_t Loop::add_timer(LocalTime at, std::function<void()> call) {
  const std::uint64_t id = ++last_timer_;
  timers_.emplace(std::pair(at, id), std::move(call));
  arm();
  return id;
}

// Timers that were cancelled leave the descriptor armed: an early wake-up costs less than a system call each.
void Loop::arm() {
  if (timers_.empty()) return;
  const LocalTime next = timers_.begin()->first.first;
  if (armed_for_ != LocalTime{} && armed_for_ <= next) return;
  armed_for_ = next;
  arm_timer_fd(timer_fd_.get(), next);
}

void Loop::await_timer() {
  timer_.async_wait(Wait::wait_read, [this](boost::system::error_code error) {
    if (error) return;
    expire();
    await_timer();
  });
}

void Loop::expire() {
  std::uint64_t expirations;
  [[maybe_unused]] ssize_t n = ::read(timer_fd_.get(), &expirations, sizeof expirations);
  // Those set by the calls themselves wait for the next round, or descriptors would starve.
  const LocalTime now = boot_time();
  const std::uint64_t newest = last_timer_;
  for (auto it = timers_.begin(); it != timers_.end() && it->first.first <= now;) {
    if (it->first.second > newest) {
      ++it;
      continue;
    }
    if (notice_pause()) {
      it = timers_.begin();
      continue;
    }
    auto entry = timers_.extract(it);
    entry.mapped()();
    it = timers_.begin();
  }
  armed_for_ = LocalTime{};
  arm();
}

// ---- health

bool Loop::notice_pause() {
  const LocalTime now = boot_time();
  if (!on_pause_ || now - std::max(last_beat_, noticed_) <= kPause) return false;
  noticed_ = now;
  on_pause_();
  return true;
}

void Loop::beat() {
  const LocalTime now = boot_time();
  last_beat_ = now;
  beat_.set(now + kBeat, [this, due = now + kBeat] {
    delay_.add(boot_time() - due);
    beat();
  });
}

Result<void> lock_memory() {
  // A thread's stack is locked whole; 8 MiB each, the default, would be most of the daemon.
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, 256 * 1024);
  ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
  // One arena, and no memory given back only to be faulted in again.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, -1);
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) == 0) return {};
  return failure("cannot lock the daemon's memory: " + errno_text(),
                 "give it LimitMEMLOCK=infinity and CAP_IPC_LOCK: a dead system disk may stall it otherwise");
}

}  // namespace komainu::engine
