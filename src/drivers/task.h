// Coroutines of the drivers: Task<T> is lazy and is awaited once. One thread runs all of them; nothing here
// locks.
//
// Cancellation is structured. A Fiber is one line of execution: a chain of tasks of which only the last is
// suspended, in an Operation. Cancelling the fiber cancels that operation; the operation still has to
// complete (a child process is killed *and gone*), and then the chain unwinds by the exception Cancelled. So
// whoever cancels and awaits a fiber knows that nothing of it acts any more. Drivers never catch Cancelled;
// what they hold is released by destructors.
//
//   Run ── Fiber ── Task ── Task ── Operation            one line
//   Run ── Fiber ── Task ── Branches ─┬─ Fiber ── Task ── Operation
//                                     └─ Fiber ── Task ── Operation
//
// GCC 12 miscompiles some temporaries inside co_await expressions: name awaitables and arguments first.
#pragma once

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace komainu::drivers {

// Thrown out of every co_await of an operation once its fiber has been cancelled.
struct Cancelled {};

// What can be suspended at the end of a fiber.
class Cancellable {
 public:
  // Called at most once. May resume the fiber before it returns.
  virtual void cancel() = 0;

 protected:
  ~Cancellable() = default;
};

class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  bool cancelled() const { return cancelled_; }

  void cancel() {
    if (cancelled_) return;
    cancelled_ = true;
    if (Cancellable* leaf = std::exchange(leaf_, nullptr)) leaf->cancel();
  }

  // For awaitables: `leaf` is suspended now, or (null) no longer.
  void suspended_in(Cancellable* leaf) { leaf_ = leaf; }

 private:
  bool cancelled_ = false;
  Cancellable* leaf_ = nullptr;
};

template <class T>
class Task;

namespace detail {

struct PromiseBase {
  Fiber* fiber = nullptr;
  std::coroutine_handle<> continuation = std::noop_coroutine();  // once the awaiter is really suspended
  bool ended = false;
  std::exception_ptr error;

  struct Finish {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      self.promise().ended = true;
      return self.promise().continuation;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Finish final_suspend() const noexcept { return {}; }
  void unhandled_exception() { error = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  // Destroys a task that never began or has ended; one that is under way is cancelled and awaited instead.
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle handle;
    bool await_ready() const noexcept { return false; }
    // A task that ends without waiting does not suspend its parent: a loop over such tasks needs no stack,
    // also where the compiler makes no tail calls (sanitizers).
    template <class Parent>
    bool await_suspend(std::coroutine_handle<Parent> parent) const {
      handle.promise().fiber = parent.promise().fiber;
      handle.resume();
      if (handle.promise().ended) return false;
      handle.promise().continuation = parent;
      return true;
    }
    T await_resume() const { return handle.promise().take(); }
  };
  Awaiter operator co_await() const noexcept { return Awaiter{handle_}; }

 private:
  Handle handle_ = nullptr;
};

namespace detail {

template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(Task<T>::Handle::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(Task<void>::Handle::from_promise(*this));
}

// void as a value.
template <class T>
using Unit = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

// The frame below the first task of a fiber: starts at once and frees itself after `done`.
struct Root {
  struct promise_type {
    Fiber* fiber = nullptr;
    template <class... Args>
    explicit promise_type(Fiber& root_fiber, Args&...) : fiber(&root_fiber) {}
    Root get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

inline Root run_root([[maybe_unused]] Fiber& fiber, Task<void> task,
                     std::function<void(std::exception_ptr)> done) {
  std::exception_ptr error;
  try {
    co_await task;
  } catch (...) {
    error = std::current_exception();
  }
  task = Task<void>();
  done(error);
}

template <class T, class Store>
Task<void> store_result(Task<T> task, Store store) {
  if constexpr (std::is_void_v<T>) {
    co_await task;
    store(std::monostate{});
  } else {
    T value = co_await task;
    store(std::move(value));
  }
}

}  // namespace detail

// The bridge from callbacks. Start something asynchronous, await the operation, and have the callback call
// complete(), once. When the fiber is cancelled `on_cancel` is called, once; complete() must still follow.
//
//   Operation<> operation([&] { timer.cancel(); });
//   timer.async_wait([&](auto) { operation.complete(); });
//   co_await operation;
template <class T = std::monostate>
class Operation final : public Cancellable {
 public:
  explicit Operation(std::function<void()> on_cancel) : on_cancel_(std::move(on_cancel)) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { assert(!waiter_); }

  // Resumes the waiter before it returns: the operation may be gone afterwards.
  void complete(T value = T{}) {
    assert(!value_);
    value_.emplace(std::move(value));
    if (!waiter_) return;
    fiber_->suspended_in(nullptr);
    std::exchange(waiter_, nullptr).resume();
  }

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) {
    fiber_ = waiter.promise().fiber;
    if (fiber_->cancelled() && !value_) take_on_cancel();
    if (value_) return false;
    waiter_ = waiter;
    if (!fiber_->cancelled()) fiber_->suspended_in(this);
    return true;
  }
  T await_resume() {
    if (fiber_->cancelled()) throw Cancelled{};
    return std::move(*value_);
  }

  void cancel() override { take_on_cancel(); }

 private:
  void take_on_cancel() {
    const std::function<void()> on_cancel = std::exchange(on_cancel_, nullptr);
    if (on_cancel) on_cancel();
  }

  std::function<void()> on_cancel_;
  std::optional<T> value_;
  Fiber* fiber_ = nullptr;
  std::coroutine_handle<> waiter_;
};

// Until cancelled.
inline Task<void> forever() {
  Operation<> never([&never] { never.complete(); });
  co_await never;
}

// Several lines at once. Awaiting it runs all that were added until all have ended; cancelling the awaiting
// fiber cancels them all. An exception of one cancels the others and is thrown when all have ended.
class Branches final : public Cancellable {
 public:
  Branches() = default;
  Branches(const Branches&) = delete;
  Branches& operator=(const Branches&) = delete;

  void add(Task<void> task) { branches_.push_back(std::make_unique<Branch>(std::move(task))); }

  void cancel() override {
    ++running_;  // a branch that ends inside the loop must not resume, and so destroy, us
    for (const auto& branch : branches_) branch->fiber.cancel();
    ended();
  }

  bool await_ready() const noexcept { return branches_.empty(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> waiter) {
    fiber_ = waiter.promise().fiber;
    running_ = branches_.size() + 1;
    if (!fiber_->cancelled()) fiber_->suspended_in(this);
    for (std::size_t i = 0; i < branches_.size(); ++i) {
      Branch& branch = *branches_[i];
      if (fiber_->cancelled() || stopping_) {
        --running_;
        continue;
      }
      detail::run_root(branch.fiber, std::move(branch.task),
                       [this](std::exception_ptr error) { branch_ended(std::move(error)); });
    }
    if (--running_ == 0) {
      fiber_->suspended_in(nullptr);
      return false;
    }
    waiter_ = waiter;
    return true;
  }
  void await_resume() const {
    if (error_) std::rethrow_exception(error_);
    if (fiber_ && fiber_->cancelled()) throw Cancelled{};
  }

  // Ends all branches; for a branch that has found what all were looking for.
  void stop() {
    stopping_ = true;
    cancel();
  }

 private:
  struct Branch {
    explicit Branch(Task<void> t) : task(std::move(t)) {}
    Fiber fiber;
    Task<void> task;
  };

  void branch_ended(std::exception_ptr error) {
    if (error && !error_) {
      try {
        std::rethrow_exception(error);
      } catch (const Cancelled&) {
      } catch (...) {
        error_ = error;
        stop();
      }
    }
    ended();
  }
  void ended() {
    if (--running_ > 0 || !waiter_) return;
    fiber_->suspended_in(nullptr);
    std::exchange(waiter_, nullptr).resume();
  }

  std::vector<std::unique_ptr<Branch>> branches_;
  std::size_t running_ = 0;
  bool stopping_ = false;
  std::exception_ptr error_;
  Fiber* fiber_ = nullptr;
  std::coroutine_handle<> waiter_;
};

// Runs all tasks until the first has a result; the others are cancelled and awaited. The variant's index says
// which; a Task<void> has std::monostate.
template <class... T>
Task<std::variant<detail::Unit<T>...>> race(Task<T>... tasks) {
  std::optional<std::variant<detail::Unit<T>...>> first;
  Branches branches;
  auto add_all = [&]<std::size_t... I>(std::index_sequence<I...>) {
    (branches.add(detail::store_result(std::move(tasks),
                                       [&](auto value) {
                                         if (first) return;
                                         first.emplace(std::in_place_index<I>, std::move(value));
                                         branches.stop();
                                       })),
     ...);
  };
  add_all(std::index_sequence_for<T...>{});
  co_await branches;
  co_return std::move(*first);
}

// Runs all tasks and waits for all; results in the order of the tasks.
template <class T>
Task<std::vector<T>> all(std::vector<Task<T>> tasks) {
  std::vector<std::optional<T>> found(tasks.size());
  Branches branches;
  for (std::size_t i = 0; i < tasks.size(); ++i)
    branches.add(detail::store_result(std::move(tasks[i]),
                                      [slot = &found[i]](T value) { slot->emplace(std::move(value)); }));
  co_await branches;
  std::vector<T> values;
  values.reserve(found.size());
  for (auto& value : found) values.push_back(std::move(*value));
  co_return values;
}

// A fiber from outside of coroutines: what the loop holds for each driver at work. `done` is called once,
// with nothing when it was cancelled; an exception that is not Cancelled is a bug of the driver and is passed
// on. The Run must outlive its task: cancel it and wait for `done`. It may then be started again.
template <class T>
class Run {
 public:
  struct Ended {
    std::optional<detail::Unit<T>> value;
    std::exception_ptr bug;
  };

  Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { assert(!running_); }

  // May call `done` before it returns. The Run may be destroyed or started again inside `done`.
  void start(Task<T> task, std::function<void(Ended)> done) {
    assert(!running_);
    running_ = true;
    done_ = std::move(done);
    fiber_.emplace();  // a fiber that was cancelled stays so
    auto store = [this](detail::Unit<T> value) { value_.emplace(std::move(value)); };
    detail::run_root(*fiber_, detail::store_result(std::move(task), store),
                     [this](std::exception_ptr error) { ended(std::move(error)); });
  }
  void cancel() {
    if (running_) fiber_->cancel();
  }
  bool running() const { return running_; }

 private:
  void ended(std::exception_ptr error) {
    running_ = false;
    Ended result{std::exchange(value_, std::nullopt), nullptr};
    if (error) {
      try {
        std::rethrow_exception(error);
      } catch (const Cancelled&) {
      } catch (...) {
        result.bug = error;
      }
    }
    const std::function<void(Ended)> done = std::move(done_);
    done(std::move(result));
  }

  std::optional<Fiber> fiber_;
  bool running_ = false;
  std::optional<detail::Unit<T>> value_;
  std::function<void(Ended)> done_;
};

}  // namespace komainu::drivers
