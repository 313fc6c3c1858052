// The smallest real loop: the real clock, and poll(2). For tests with real sockets and processes.
#pragma once

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "drivers/services.h"
#include "drivers/testing/world.h"

namespace komainu::drivers::testing {

class PollLoop final : public Clock, public Readiness {
 public:
  LocalTime now() const override {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return {std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000)};
  }
  Task<void> sleep(Duration duration) override {
    const auto at = sleepers_.emplace(now() + duration, nullptr);
    Operation<> operation([this, at, &operation] {
      sleepers_.erase(at);
      operation.complete();
    });
    at->second = &operation;
    co_await operation;
  }
  Task<void> readable(int fd) override { return ready(fd, POLLIN); }
  Task<void> writable(int fd) override { return ready(fd, POLLOUT); }

  // Runs until `done` says so; false when that took longer than `patience`.
  bool run_until(const std::function<bool()>& done, Duration patience = 20s) {
    const LocalTime give_up = now() + patience;
    while (!done()) {
      if (now() >= give_up) return false;
      turn(give_up);
    }
    return true;
  }
  // The result of a task; throws when it does not end in time.
  template <class T>
  detail::Unit<T> run(Task<T> task) {
    Started<T> started(std::move(task));
    if (!run_until([&] { return started.done(); })) throw std::runtime_error("the task did not end in time");
    return started.value();
  }

 private:
  struct Waiting {
    int fd;
    short events;
    Operation<>* operation;
  };

  Task<void> ready(int fd, short events) {
    Operation<> operation([this, &operation] {
      std::erase_if(waiting_, [&](const Waiting& entry) { return entry.operation == &operation; });
      operation.complete();
    });
    waiting_.push_back({fd, events, &operation});
    co_await operation;
  }

  void turn(LocalTime give_up) {
    LocalTime next = give_up;
    if (!sleepers_.empty()) next = std::min(next, sleepers_.begin()->first);
    std::vector<pollfd> polled;
    for (const Waiting& entry : waiting_) polled.push_back({entry.fd, entry.events, 0});
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now());
    ::poll(polled.data(), polled.size(), static_cast<int>(std::max<std::int64_t>(0, wait.count())));
    std::vector<Operation<>*> woken;
    for (std::size_t i = 0; i < polled.size(); ++i)
      if (polled[i].revents != 0) woken.push_back(waiting_[i].operation);
    for (Operation<>* operation : woken) {
      // What was resumed before may have cancelled it.
      if (std::erase_if(waiting_, [&](const Waiting& entry) { return entry.operation == operation; }) > 0)
        operation->complete();
    }
    while (!sleepers_.empty() && sleepers_.begin()->first <= now()) {
      Operation<>* operation = sleepers_.begin()->second;
      sleepers_.erase(sleepers_.begin());
      operation->complete();
    }
  }

  std::multimap<LocalTime, Operation<>*> sleepers_;
  std::vector<Waiting> waiting_;
};

}  // namespace komainu::drivers::testing
