// Runs a task of the drivers' on a loop, to its end or until it is cancelled: for tests.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "drivers/task.h"
#include "engine/loop/loop.h"

namespace komainu::engine::testing {

inline constexpr Duration kPatience = 30s;

template <class T>
class Background {
 public:
  Background(Loop& loop, drivers::Task<T> task) : loop_(loop) {
    run_.start(std::move(task), [this](typename drivers::Run<T>::Ended ended) {
      done_ = true;
      if (ended.bug) std::rethrow_exception(ended.bug);
      if (ended.value) value_.emplace(std::move(*ended.value));
    });
  }
  ~Background() {
    if (!done_) cancel_and_wait();
  }

  bool done() const { return done_; }
  bool cancelled() const { return done_ && !value_; }
  void cancel() { run_.cancel(); }
  void cancel_and_wait() {
    run_.cancel();
    EXPECT_TRUE(loop_.run_until([&] { return done_; }, kPatience));
  }
  // The result; the test fails when there is none in time.
  drivers::detail::Unit<T> wait() {
    if (!loop_.run_until([&] { return done_; }, kPatience) || !value_) {
      ADD_FAILURE() << (done_ ? "the task was cancelled" : "the task does not end");
      std::abort();
    }
    return std::move(*value_);
  }

 private:
  Loop& loop_;
  drivers::Run<T> run_;
  bool done_ = false;
  std::optional<drivers::detail::Unit<T>> value_;
};

template <class T>
drivers::detail::Unit<T> wait(Loop& loop, drivers::Task<T> task) {
  return Background<T>(loop, std::move(task)).wait();
}

}  // namespace komainu::engine::testing
