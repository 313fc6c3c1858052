#include "drivers/task.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace komainu::drivers {
namespace {

// Something under way: completed by hand, and recording whether it was cancelled. Like a child process it
// ends only when told to, also after a cancel.
struct Work {
  Operation<std::string>* operation = nullptr;
  bool cancelled = false;
  bool ends_at_once = false;

  Task<std::string> run() {
    Operation<std::string> mine([this] {
      cancelled = true;
      if (ends_at_once) end("late");
    });
    operation = &mine;
    co_return co_await mine;
  }
  void end(std::string value) { std::exchange(operation, nullptr)->complete(std::move(value)); }
};

template <class T>
struct Started {
  explicit Started(Task<T> task) {
    run.start(std::move(task), [this](Run<T>::Ended e) { ended = std::move(e); });
  }
  bool done() const { return ended.has_value(); }
  bool was_cancelled() const { return done() && !ended->value && !ended->bug; }
  Run<T> run;
  std::optional<typename Run<T>::Ended> ended;
};

// Tells when the frame that holds it goes away.
struct Guard {
  explicit Guard(int& c) : count(&c) { ++*count; }
  Guard(const Guard&) = delete;
  ~Guard() { --*count; }
  int* count;
};

TEST(Task, DoesNothingBeforeItIsAwaited) {
  Work work;
  {
    Task<std::string> never = work.run();
  }
  EXPECT_EQ(work.operation, nullptr);
}

TEST(Task, HandsItsValueThroughAChain) {
  Work work;
  auto outer = [](Task<std::string> inner) -> Task<std::size_t> {
    std::string text = co_await inner;
    co_return text.size();
  };
  Started<std::size_t> started(outer(work.run()));
  EXPECT_FALSE(started.done());
  work.end("four");
  ASSERT_TRUE(started.done());
  EXPECT_EQ(*started.ended->value, 4u);
}

TEST(Task, CompletesAtOnceWithoutGrowingTheStack) {
  auto one = []() -> Task<int> {
    Operation<int> ready([] {});
    ready.complete(1);
    co_return co_await ready;
  };
  auto many = [&]() -> Task<int> {
    int sum = 0;
    for (int i = 0; i < 200'000; ++i) {
      Task<int> next = one();
      sum += co_await next;
    }
    co_return sum;
  };
  Started<int> started(many());
  ASSERT_TRUE(started.done());
  EXPECT_EQ(*started.ended->value, 200'000);
}

TEST(Task, AnExceptionIsABugThatIsPassedOn) {
  auto broken = []() -> Task<int> {
    throw std::logic_error("broken");
    co_return 0;
  };
  Started<int> started(broken());
  ASSERT_TRUE(started.done());
  EXPECT_TRUE(started.ended->bug);
}

TEST(Cancel, EndsOnlyWhenTheOperationHasEnded) {
  Work work;
  int frames = 0;
  bool went_on = false;
  auto outer = [&]() -> Task<void> {
    Guard guard(frames);
    Task<std::string> inner = work.run();
    co_await inner;
    went_on = true;
  };
  Started<void> started(outer());
  started.run.cancel();
  EXPECT_TRUE(work.cancelled);
  EXPECT_FALSE(started.done());
  EXPECT_EQ(frames, 1);
  work.end("too late to count");
  EXPECT_TRUE(started.was_cancelled());
  EXPECT_FALSE(went_on);
  EXPECT_EQ(frames, 0);
}

TEST(Cancel, OfAFiberThatIsCancelledAlreadyCancelsEachFurtherOperation) {
  Work first, second;
  auto stubborn = [&]() -> Task<void> {
    try {
      Task<std::string> one = first.run();
      co_await one;
    } catch (const Cancelled&) {
    }
    Task<std::string> two = second.run();
    co_await two;
  };
  first.ends_at_once = second.ends_at_once = true;
  Started<void> started(stubborn());
  started.run.cancel();
  EXPECT_TRUE(second.cancelled);
  EXPECT_TRUE(started.was_cancelled());
}

TEST(Race, TheFirstWinsAndTheOthersAreAwaited) {
  Work slow, fast;
  Started<std::variant<std::string, std::string>> started(race(slow.run(), fast.run()));
  fast.end("fast");
  EXPECT_TRUE(slow.cancelled);
  EXPECT_FALSE(started.done()) << "the loser has not ended yet";
  slow.end("slow");
  ASSERT_TRUE(started.done());
  EXPECT_EQ(started.ended->value->index(), 1u);
  EXPECT_EQ(std::get<1>(*started.ended->value), "fast");
}

TEST(Race, IsWonAtOnceByWhatNeverWaits) {
  Work slow;
  auto ready = []() -> Task<void> { co_return; };
  Started<std::variant<std::monostate, std::string>> started(race(ready(), slow.run()));
  ASSERT_TRUE(started.done());
  EXPECT_EQ(started.ended->value->index(), 0u);
  EXPECT_EQ(slow.operation, nullptr) << "it was never begun";
}

TEST(Race, IsCancelledFromOutside) {
  Work one, two;
  one.ends_at_once = two.ends_at_once = true;
  Started<std::variant<std::string, std::string>> started(race(one.run(), two.run()));
  started.run.cancel();
  EXPECT_TRUE(one.cancelled);
  EXPECT_TRUE(two.cancelled);
  EXPECT_TRUE(started.was_cancelled());
}

TEST(Race, ABugInOneEndsAll) {
  Work other;
  other.ends_at_once = true;
  Work trigger;
  auto broken = [&]() -> Task<void> {
    Task<std::string> wait = trigger.run();
    co_await wait;
    throw std::logic_error("broken");
  };
  Started<std::variant<std::monostate, std::string>> started(race(broken(), other.run()));
  trigger.end("");
  ASSERT_TRUE(started.done());
  EXPECT_TRUE(started.ended->bug);
  EXPECT_TRUE(other.cancelled);
}

TEST(Race, NestsAndUnwindsAsATree) {
  Work a, b, c;
  int frames = 0;
  auto guarded = [&](Work& work) -> Task<std::string> {
    Guard guard(frames);
    Task<std::string> inner = work.run();
    co_return co_await inner;
  };
  a.ends_at_once = b.ends_at_once = c.ends_at_once = true;
  auto inner = race(guarded(a), guarded(b));
  Started<std::variant<std::variant<std::string, std::string>, std::string>> started(
      race(std::move(inner), guarded(c)));
  EXPECT_EQ(frames, 3);
  c.end("c");
  ASSERT_TRUE(started.done());
  EXPECT_EQ(started.ended->value->index(), 1u);
  EXPECT_EQ(frames, 0);
}

TEST(All, GathersInOrder) {
  Work one, two;
  std::vector<Task<std::string>> tasks;
  tasks.push_back(one.run());
  tasks.push_back(two.run());
  Started<std::vector<std::string>> started(all(std::move(tasks)));
  two.end("2");
  EXPECT_FALSE(started.done());
  one.end("1");
  ASSERT_TRUE(started.done());
  EXPECT_EQ(*started.ended->value, (std::vector<std::string>{"1", "2"}));
}

TEST(Run, MayBeDestroyedByItsOwnEnd) {
  Work work;
  auto run = std::make_unique<drivers::Run<std::string>>();
  std::string got;
  run->start(work.run(), [&](drivers::Run<std::string>::Ended ended) {
    got = *ended.value;
    run.reset();
  });
  work.end("done");
  EXPECT_EQ(got, "done");
}

TEST(Run, RunsAnotherTaskAfterOneThatWasCancelled) {
  Work first;
  Work second;
  drivers::Run<std::string> run;
  std::vector<std::optional<std::string>> got;
  auto note = [&](drivers::Run<std::string>::Ended ended) { got.push_back(ended.value); };
  run.start(first.run(), note);
  run.cancel();
  first.end("late");
  run.start(second.run(), note);
  EXPECT_FALSE(second.cancelled);
  second.end("done");
  EXPECT_EQ(got, (std::vector<std::optional<std::string>>{std::nullopt, "done"}));
}

TEST(Run, CancelledBeforeItBeginsRunsAsIfNothingHadBeen) {
  Work work;
  drivers::Run<std::string> run;
  std::optional<std::string> got;
  run.cancel();
  run.start(work.run(), [&](drivers::Run<std::string>::Ended ended) { got = ended.value; });
  work.end("done");
  EXPECT_EQ(got, "done");
}

TEST(Run, HasNoValueOfAnEarlierTaskWhenItIsCancelled) {
  Work first;
  Work second;
  drivers::Run<std::string> run;
  std::optional<std::string> got;
  auto note = [&](drivers::Run<std::string>::Ended ended) { got = ended.value; };
  run.start(first.run(), note);
  first.end("done");
  run.start(second.run(), note);
  run.cancel();
  second.end("late");
  EXPECT_EQ(got, std::nullopt);
}

}  // namespace
}  // namespace komainu::drivers
