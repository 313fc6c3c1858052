#include "channel/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>

namespace komainu::channel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool readable(int fd, int timeout_ms = 0) {
  pollfd poll_fd{fd, POLLIN, 0};
  return poll(&poll_fd, 1, timeout_ms) == 1;
}

TEST(Mailbox, IsReadableWhileSomethingWaits) {
  Mailbox<int> box(10, 10);
  EXPECT_FALSE(readable(box.fd()));
  box.push(1);
  box.push(2);
  EXPECT_TRUE(readable(box.fd()));
  EXPECT_THAT(box.take(), ElementsAre(1, 2));
  EXPECT_FALSE(readable(box.fd()));
  EXPECT_THAT(box.take(), IsEmpty());
}

TEST(Mailbox, RefusesWhatIsAboveItsBounds) {
  Mailbox<int> box(3, 10);
  EXPECT_TRUE(box.push(1, 8));
  EXPECT_FALSE(box.push(2, 3)) << "11 bytes";
  EXPECT_TRUE(box.push(3, 2));
  EXPECT_TRUE(box.push(4));
  EXPECT_FALSE(box.push(5)) << "4 items";
  box.push_always(6);
  EXPECT_THAT(box.take(), ElementsAre(1, 3, 4, 6));
  EXPECT_TRUE(box.push(7, 10)) << "taken is gone";
  EXPECT_FALSE(box.push(8, SIZE_MAX));
}

TEST(Mailbox, KeepsOrderBetweenThreads) {
  Mailbox<std::unique_ptr<int>> box(1 << 20, 0);
  std::thread writer([&] {
    for (int i = 0; i < 10000; ++i) box.push(std::make_unique<int>(i));
  });
  int next = 0;
  while (next < 10000) {
    ASSERT_TRUE(readable(box.fd(), 10'000));
    for (const auto& item : box.take()) ASSERT_EQ(*item, next++);
  }
  writer.join();
}

}  // namespace
}  // namespace komainu::channel
