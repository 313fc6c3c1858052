// The kernel's links and addresses over rtnetlink(7): tables that its events keep up to date, and changes of
// addresses.
//
// The kernel answers a request inside send(2), after it got a lock that a network driver in trouble may hold
// for long. So requests are made on a thread of their own, and only events are received on the loop.
//
// A change is followed until the tables show it, also when its asker has been cancelled: that waits for the
// answer for kCancelPatience, and until there is one settled() says that the tables do not tell the whole
// truth. Nothing is left to wait for of a daemon that died: a request of its that had got into the kernel
// holds the process until it is done, and the tables are read under the same lock.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/services.h"
#include "engine/files/writer.h"
#include "engine/loop/loop.h"
#include "engine/posix.h"

struct nlmsghdr;

namespace komainu::engine {

class Netlink final : public drivers::Netlink {
 public:
  static constexpr int kReceiveBuffer = 1 << 20;
  static constexpr Duration kCancelPatience{1s};

  // Reads both tables before it returns: for the time before the loop runs. The namespace is the caller's.
  static Result<std::unique_ptr<Netlink>> open(Loop& loop, int receive_buffer = kReceiveBuffer);
  ~Netlink() override;

  const std::vector<drivers::Link>& links() const override { return tables_.links; }
  const std::vector<drivers::LinkAddress>& addresses() const override { return tables_.addresses; }
  drivers::Task<void> changed() override;
  bool settled(const IpAddress& address) const override;
  // Changes are made in the order in which they were asked for.
  drivers::Task<Result<void>> add_address(int link, IpPrefix address) override;
  drivers::Task<Result<void>> remove_address(int link, IpPrefix address) override;

  // How often the tables were read anew because events had been lost.
  std::uint64_t resyncs() const { return resyncs_; }
  // The one that asks the kernel: for tests, which keep it busy.
  Writer& thread() { return thread_; }

 private:
  struct Tables {
    std::vector<drivers::Link> links;
    std::vector<drivers::LinkAddress> addresses;

    bool take(const nlmsghdr& message);
    bool take_link(const nlmsghdr& message);
    bool take_address(const nlmsghdr& message);
  };
  class Requests;
  using Answer = drivers::Operation<Result<void>>;
  // A change, from when it is asked for until the tables show it.
  struct Change {
    bool is_of(const Change& other) const { return link == other.link && address == other.address; }
    void answer(Result<void> result);

    int link = 0;
    IpPrefix address;
    bool adds = false;
    bool made = false;        // the kernel has said so
    bool past = false;        // … and the tables were read since, or it was overtaken by another change
    Answer* asker = nullptr;  // who has not given up
  };

  Netlink(Loop& loop, Fd events, std::shared_ptr<Requests> requests, Tables tables);
  void await_events();
  void receive();
  bool take_all(std::string_view datagram);
  void resync();
  void resynced(std::optional<Tables> fresh);
  void tell();
  drivers::Task<Result<void>> change(std::uint16_t type, int link, IpPrefix address);
  void answered(const std::shared_ptr<Change>& change, const Result<void>& result);
  bool shows(const Change& change) const;
  bool awaits_events() const;
  void see_changes_through();

  Loop& loop_;
  Fd events_;
  boost::asio::posix::stream_descriptor descriptor_;  // of events_
  std::shared_ptr<Requests> requests_;                // used on the thread only
  Tables tables_;
  std::vector<char> buffer_;
  // While the tables are read anew: the events since, which may or may not be in what is read.
  std::optional<std::vector<std::string>> since_loss_;
  std::size_t since_loss_size_ = 0;
  bool stale_ = false;  // events were lost once more meanwhile
  std::uint64_t resyncs_ = 0;
  std::vector<drivers::Operation<>*> waiters_;
  std::vector<std::shared_ptr<Change>> changes_;
  Loop::Timer tell_;
  Loop::Timer retry_;
  Loop::Timer show_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Writer thread_;
};

}  // namespace komainu::engine
