#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "channel/channel.h"

namespace komainu::channel {
namespace {

using ::testing::SizeIs;

constexpr NodeId kSelf{2};

template <class T>
const T& as(const Event& event) {
  return std::get<T>(event);
}

TEST(Solo, IsAQuorateRingOfItsOwn) {
  const auto channel = make_solo(kSelf);
  const auto events = channel->take();
  ASSERT_THAT(events, SizeIs(2));
  const auto& change = as<core::RingChange>(events[0]);
  EXPECT_EQ(change.ring_nodes, NodeSet{kSelf});
  EXPECT_EQ(change.members.size(), 1u);
  EXPECT_TRUE(change.members.contains(kSelf));
  EXPECT_EQ(as<core::QuorumVerdict>(events[1]).ring, change.ring);
  EXPECT_TRUE(as<core::QuorumVerdict>(events[1]).quorate);
}

TEST(Solo, DeliversEveryMessageToItselfInOrder) {
  const auto channel = make_solo(kSelf);
  const auto change = as<core::RingChange>(channel->take()[0]);
  for (int i = 0; i < 3; ++i) channel->send(std::to_string(i));
  pollfd poll_fd{channel->event_fd(), POLLIN, 0};
  EXPECT_EQ(poll(&poll_fd, 1, 0), 1);
  const auto events = channel->take();
  ASSERT_THAT(events, SizeIs(3));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(as<Delivered>(events[i]).bytes, std::to_string(i));
    EXPECT_EQ(as<Delivered>(events[i]).sender, (Sender{kSelf, change.members.at(kSelf)}));
  }
  EXPECT_EQ(poll(&poll_fd, 1, 0), 0);
}

TEST(Solo, JoinsAgainInALaterRing) {
  const auto channel = make_solo(kSelf);
  const auto before = as<core::RingChange>(channel->take()[0]);
  channel->rejoin("its state is another");
  const auto events = channel->take();
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(as<Lost>(events[0]).reason.what, "its state is another");
  EXPECT_GT(as<core::RingChange>(events[1]).ring.seq, before.ring.seq);
}

TEST(Solo, LeavesWhenTheDaemonDoesNotKeepUp) {
  const auto channel = make_solo(kSelf);
  for (std::size_t i = 0; i < 2 * Channel::kMaxWaiting; ++i) channel->send("x");
  const auto events = channel->take();
  ASSERT_THAT(events, SizeIs(Channel::kMaxWaiting + 3));
  EXPECT_TRUE(std::holds_alternative<Lost>(events[Channel::kMaxWaiting]));
  EXPECT_TRUE(std::holds_alternative<core::QuorumVerdict>(events.back()));
  channel->send("y");
  EXPECT_EQ(as<Delivered>(channel->take().at(0)).bytes, "y");
}

}  // namespace
}  // namespace komainu::channel
