// The one thread's loop: Boost.Asio, with timers on CLOCK_BOOTTIME, and a measure of how late the loop is.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>

#include "base/time.h"
#include "drivers/services.h"
#include "engine/posix.h"

namespace komainu::engine {

// How late the loop was when it should have looked at its timer: what every other event had to wait, too.
struct LoopDelay {
  // Upper bounds of the histogram's buckets; the last one has none.
  static constexpr std::array<Duration, 10> kBounds{1ms,  2ms,   5ms,   10ms,  20ms,
                                                    50ms, 100ms, 200ms, 500ms, 1000ms};
  Duration last{0};
  Duration max{0};         // since the start
  Duration recent_max{0};  // of the last 10 to 20 seconds
  std::uint64_t beats = 0;
  std::array<std::uint64_t, kBounds.size() + 1> histogram{};  // each beat in one bucket

  void add(Duration delay);

 private:
  static constexpr std::uint64_t kWindow = 200;  // beats of half the recent time
  Duration window_max_{0};
};

class Loop final : public drivers::Clock, public drivers::Readiness {
 public:
  // How often the loop looks at itself.
  static constexpr Duration kBeat{50ms};

  Loop();
  ~Loop() override;

  boost::asio::io_context& io() { return io_; }
  // Until stop().
  void run();
  void stop() { io_.stop(); }
  // Until `done` holds; false when it does not within `patience`. For tests, and for the way out.
  bool run_until(const std::function<bool()>& done, Duration patience);

  // ---- services
  LocalTime now() const override { return boot_time(); }
  drivers::Task<void> sleep(Duration duration) override;
  drivers::Task<void> readable(int fd) override { return ready(fd, Wait::wait_read); }
  drivers::Task<void> writable(int fd) override { return ready(fd, Wait::wait_write); }

  // ---- timers for code that is no coroutine
  class Timer {
   public:
    explicit Timer(Loop& loop) : loop_(loop) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { cancel(); }
    // Calls once, never from inside set(). Replaces what was set before.
    void set(LocalTime at, std::function<void()> call);
    void set_after(Duration duration, std::function<void()> call);
    void cancel();
    bool armed() const { return entry_ != 0; }

   private:
    Loop& loop_;
    std::uint64_t entry_ = 0;
    LocalTime at_;
  };

  // ---- its own health
  const LoopDelay& delay() const { return delay_; }
  // Since the loop last looked at its timer: at most kBeat and the delay of the events before this one. After
  // a pause of the whole machine, or a handler that took long, it is the length of the pause, and whoever
  // depends on time (a lease) asks before it acts.
  Duration since_beat() const { return boot_time() - last_beat_; }
  // Called once after each pause longer than kPause (the machine or this process stood still, or a handler
  // took long), before the timers and the descriptors that became ready meanwhile are served.
  static constexpr Duration kPause{250ms};
  void on_pause(std::function<void()> call) { on_pause_ = std::move(call); }
  // For whoever is called by the io_context itself. True when there was one.
  bool notice_pause();

 private:
  using Wait = boost::asio::posix::stream_descriptor::wait_type;
  // A descriptor of somebody else's that is being waited for.
  struct Watched {
    boost::asio::posix::stream_descriptor descriptor;
    int waiters = 0;
  };

  drivers::Task<void> ready(int fd, Wait what);
  std::uint64_t add_timer(LocalTime at, std::function<void()> call);
  void arm();
  void await_timer();
  void expire();
  void beat();

  boost::asio::io_context io_;
  Fd timer_fd_;
  boost::asio::posix::stream_descriptor timer_;
  std::map<std::pair<LocalTime, std::uint64_t>, std::function<void()>> timers_;
  std::uint64_t last_timer_ = 0;
  LocalTime armed_for_;
  std::map<int, std::unique_ptr<Watched>> watched_;
  LocalTime last_beat_;
  LoopDelay delay_;
  std::function<void()> on_pause_;
  LocalTime noticed_;  // when on_pause_ was called last: another pause may follow before the next beat
  Timer beat_;
};

// Locks the process's present and future memory, and keeps the stacks of threads small. What a dead disk
// holds can then be gone without the daemon noticing.
Result<void> lock_memory();

}  // namespace komainu::engine
