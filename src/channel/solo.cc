// One server alone: no Corosync, no thread. A message is delivered as soon as it is sent.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <utility>

#include "channel/channel.h"
#include "channel/clock.h"
#include "channel/mailbox.h"

namespace komainu::channel {
namespace {

class Solo : public Channel {
 public:
  explicit Solo(NodeId self) : self_(self) { join(); }

  int event_fd() const override { return events_.fd(); }

  std::vector<Event> take() override {
    std::vector<Event> events = events_.take();
    if (!overflow_.empty()) {
      rejoin(std::exchange(overflow_, {}));
      std::ranges::move(events_.take(), std::back_inserter(events));
    }
    return events;
  }

  void send(std::string bytes) override {
    if (!overflow_.empty()) return;
    const std::size_t size = bytes.size();
    ++health_.sent;
    if (events_.push(Delivered{sender(), std::move(bytes)}, size)) {
      ++health_.delivered;
      health_.delivery = local_now();
    } else {
      overflow_ = "the daemon does not keep up with its own messages";
    }
  }

  void rejoin(std::string reason) override {
    events_.push_always(Lost{{std::move(reason), {}}});
    join();
  }
  void cancel_wait_for_all() override { events_.push_always(Done{}); }
  void reload() override { events_.push_always(Done{}); }
  void stop() override { events_.push_always(Stopped{}); }

  Health health() const override {
    Health health = health_;
    health.alive = local_now();
    health.waiting = events_.size();
    return health;
  }

 private:
  Sender sender() const { return {self_, static_cast<std::uint32_t>(getpid())}; }

  void join() {
    // As with Corosync, a later run's rings have greater numbers.
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto microseconds = std::chrono::duration_cast<Duration>(now).count();
    ring_.leader = corosync_id(self_);
    ring_.seq = std::max(ring_.seq + 1, static_cast<std::uint64_t>(microseconds));
    events_.push_always(core::RingChange{ring_, {{self_, sender().process}}, {self_}});
    events_.push_always(core::QuorumVerdict{ring_, true});
    ++health_.connections;
  }

  const NodeId self_;
  core::RingId ring_;
  Mailbox<Event> events_{kMaxWaiting, kMaxWaitingBytes};
  std::string overflow_;  // why the group has to be left; empty: it has not
  Health health_;
};

}  // namespace

std::unique_ptr<Channel> make_solo(NodeId self) {
  return std::make_unique<Solo>(self);
}

}  // namespace komainu::channel
