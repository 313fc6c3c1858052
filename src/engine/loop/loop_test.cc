#include "engine/loop/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "engine/testing/tasks.h"

namespace komainu::engine {
namespace {

using drivers::Task;
using testing::Background;
using testing::kPatience;

struct SocketPair {
  Fd a, b;
  SocketPair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    a = Fd(ends[0]);
    b = Fd(ends[1]);
  }
};

TEST(Loop, TimersFireInOrderOfTheirTimes) {
  Loop loop;
  std::string order;
  Loop::Timer a(loop), b(loop), c(loop);
  a.set_after(20ms, [&] { order += 'a'; });
  b.set_after(5ms, [&] { order += 'b'; });
  c.set_after(10ms, [&] { order += 'c'; });
  EXPECT_TRUE(loop.run_until([&] { return order.size() == 3; }, kPatience));
  EXPECT_EQ(order, "bca");
}

TEST(Loop, ATimerThatSetsItselfDoesNotStarveTheRest) {
  Loop loop;
  SocketPair pair;
  Loop::Timer eager(loop);
  std::function<void()> again = [&] { eager.set(LocalTime{}, again); };
  again();
  Background<void> reading(loop, loop.readable(pair.a.get()));
  ASSERT_EQ(::write(pair.b.get(), "x", 1), 1);
  EXPECT_TRUE(loop.run_until([&] { return reading.done(); }, kPatience));
}

TEST(Loop, APauseIsToldBeforeWhatBecameReadyInItIsServed) {
  Loop loop;
  SocketPair pair;
  std::string order;
  loop.on_pause([&] { order += 'p'; });
  Loop::Timer timer(loop);
  Loop::Timer standstill(loop);
  standstill.set_after(1ms, [&] {
    std::this_thread::sleep_for(Loop::kPause + 50ms);
    ASSERT_EQ(::write(pair.b.get(), "x", 1), 1);
  });
  timer.set_after(20ms, [&] { order += 't'; });
  Background<void> reading(loop, [](Loop& on, int fd, std::string& said) -> Task<void> {
    auto readable = on.readable(fd);
    co_await readable;
    said += 'r';
  }(loop, pair.a.get(), order));
  EXPECT_TRUE(loop.run_until([&] { return order.size() >= 3; }, kPatience));
  EXPECT_TRUE(order == "prt" || order == "ptr") << order;
}

TEST(Loop, APauseIsToldAlsoWhenItFollowsAnotherBeforeTheNextBeat) {
  Loop loop;
  std::string order;
  loop.on_pause([&] { order += 'p'; });
  Loop::Timer first(loop), second(loop), third(loop);
  const auto stand_still = [&](char who) {
    order += who;
    std::this_thread::sleep_for(Loop::kPause + 50ms);
  };
  first.set_after(1ms, [&] { stand_still('a'); });
  second.set_after(2ms, [&] { stand_still('b'); });
  third.set_after(3ms, [&] { order += 'c'; });
  EXPECT_TRUE(loop.run_until([&] { return order.ends_with('c'); }, kPatience));
  EXPECT_EQ(order, "apbpc");
}

TEST(Loop, ACancelledTimerDoesNotFire) {
  Loop loop;
  bool fired = false, later = false;
  Loop::Timer a(loop), b(loop);
  a.set_after(5ms, [&] { fired = true; });
  b.set_after(20ms, [&] { later = true; });
  a.cancel();
  EXPECT_TRUE(loop.run_until([&] { return later; }, kPatience));
  EXPECT_FALSE(fired);
}

TEST(Loop, ATimerMayDestroyItselfWhenItFires) {
  Loop loop;
  bool fired = false;
  auto timer = std::make_unique<Loop::Timer>(loop);
  timer->set_after(1ms, [&] {
    timer.reset();
    fired = true;
  });
  EXPECT_TRUE(loop.run_until([&] { return fired; }, kPatience));
}

TEST(Loop, ASleepLastsItsTime) {
  Loop loop;
  const LocalTime before = loop.now();
  Background<void> sleeping(loop, loop.sleep(30ms));
  EXPECT_TRUE(loop.run_until([&] { return sleeping.done(); }, kPatience));
  EXPECT_GE(loop.now() - before, 30ms);
}

TEST(Loop, ACancelledSleepEndsAtOnce) {
  Loop loop;
  Background<void> sleeping(loop, loop.sleep(1h));
  sleeping.cancel();
  EXPECT_TRUE(sleeping.cancelled());
}

TEST(Loop, ReaderAndWriterWaitForTheSameDescriptor) {
  Loop loop;
  SocketPair pair;
  Background<void> reading(loop, loop.readable(pair.a.get()));
  Background<void> writing(loop, loop.writable(pair.a.get()));
  EXPECT_TRUE(loop.run_until([&] { return writing.done(); }, kPatience));
  EXPECT_FALSE(reading.done());
  ASSERT_EQ(::write(pair.b.get(), "x", 1), 1);
  EXPECT_TRUE(loop.run_until([&] { return reading.done(); }, kPatience));
}

TEST(Loop, WhatIsReadableAlreadyIsReportedAgain) {
  Loop loop;
  SocketPair pair;
  ASSERT_EQ(::write(pair.b.get(), "x", 1), 1);
  for (int i = 0; i < 3; ++i) {
    Background<void> reading(loop, loop.readable(pair.a.get()));
    EXPECT_TRUE(loop.run_until([&] { return reading.done(); }, kPatience)) << i;
  }
}

TEST(Loop, ACancelledWaitLeavesTheOtherWaiterAlone) {
  Loop loop;
  SocketPair pair;
  Background<void> first(loop, loop.readable(pair.a.get()));
  Background<void> second(loop, loop.readable(pair.a.get()));
  first.cancel();
  EXPECT_TRUE(loop.run_until([&] { return first.done(); }, kPatience));
  EXPECT_TRUE(first.cancelled());
  EXPECT_FALSE(second.done());
  ASSERT_EQ(::write(pair.b.get(), "x", 1), 1);
  EXPECT_TRUE(loop.run_until([&] { return second.done(); }, kPatience));
  EXPECT_FALSE(second.cancelled());
}

TEST(Loop, WithinGivesUpAfterItsTime) {
  Loop loop;
  SocketPair pair;
  auto waiting = drivers::within(loop, 20ms, loop.readable(pair.a.get()));
  Background<std::optional<std::monostate>> bounded(loop, std::move(waiting));
  EXPECT_FALSE(bounded.wait().has_value());
}

TEST(Loop, MeasuresHowLongAHandlerHeldItUp) {
  Loop loop;
  Loop::Timer slow(loop);
  Duration seen{0};
  slow.set_after(1ms, [&] {
    std::this_thread::sleep_for(3 * Loop::kBeat);
    seen = loop.since_beat();
  });
  EXPECT_TRUE(loop.run_until([&] { return loop.delay().beats >= 2; }, kPatience));
  EXPECT_GE(seen, 3 * Loop::kBeat);
  EXPECT_GE(loop.delay().max, Loop::kBeat);
  EXPECT_GE(loop.delay().recent_max, Loop::kBeat);
}

TEST(LoopDelay, CountsEachBeatInTheBucketOfItsBound) {
  LoopDelay delay;
  for (Duration d : {Duration{0}, Duration{1ms}, Duration{1001us}, Duration{100ms}, Duration{5s}})
    delay.add(d);
  EXPECT_EQ(delay.histogram[0], 2u);
  EXPECT_EQ(delay.histogram[1], 1u);
  EXPECT_EQ(delay.histogram[6], 1u);
  EXPECT_EQ(delay.histogram.back(), 1u);
  EXPECT_EQ(delay.beats, 5u);
  EXPECT_EQ(delay.max, Duration{5s});
}

TEST(LoopDelay, ForgetsAPeakInTheRecentMaximumAfterAWhile) {
  LoopDelay delay;
  delay.add(5s);
  for (int i = 0; i < 1000; ++i) delay.add(1ms);
  EXPECT_EQ(delay.max, Duration{5s});
  EXPECT_EQ(delay.recent_max, Duration{1ms});
}

}  // namespace
}  // namespace komainu::engine
