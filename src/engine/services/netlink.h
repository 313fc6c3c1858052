// The kernel's links and addresses over rtnetlink(7): tables that its events keep up to date, and changes of
// addresses.
//
// The kernel answers a request inside send(2), after it got a lock that a network driver in trouble may hold
// for long. So requests are made on a thread of their own, and only events are received on the loop.
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

  // Reads both tables before it returns: for the time before the loop runs. The namespace is the caller's.
  static Result<std::unique_ptr<Netlink>> open(Loop& loop, int receive_buffer = kReceiveBuffer);
  ~Netlink() override;

  const std::vector<drivers::Link>& links() const override { return tables_.links; }
  const std::vector<drivers::LinkAddress>& addresses() const override { return tables_.addresses; }
  drivers::Task<void> changed() override;
  // A change that is cancelled may still be made, but before any that is asked for later.
  drivers::Task<Result<void>> add_address(int link, IpPrefix address) override;
  drivers::Task<Result<void>> remove_address(int link, IpPrefix address) override;

  // How often the tables were read anew because events had been lost.
  std::uint64_t resyncs() const { return resyncs_; }

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

  Netlink(Loop& loop, Fd events, std::shared_ptr<Requests> requests, Tables tables);
  void await_events();
  void receive();
  bool take_all(std::string_view datagram);
  void resync();
  void resynced(std::optional<Tables> fresh);
  void tell();
  drivers::Task<Result<void>> change(std::uint16_t type, int link, IpPrefix address);
  drivers::Task<void> shown(int link, IpPrefix address, bool present);

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
  Loop::Timer tell_;
  Loop::Timer retry_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Writer thread_;
};

}  // namespace komainu::engine
