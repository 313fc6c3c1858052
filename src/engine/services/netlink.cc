#include "engine/services/netlink.h"

#include <fmt/core.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace komainu::engine {

using drivers::LinkAddress;
using drivers::Operation;
using drivers::Task;

namespace {

// The kernel sends parts of up to 32 KiB (netlink(7)).
constexpr std::size_t kBuffer = 64 * 1024;
// Of events that come while the tables are read anew; beyond that they are read once more.
constexpr std::size_t kMaxSinceLoss = 4 << 20;
// For a change that the kernel made to be seen in its events; then the tables are read anew.
constexpr Duration kShowPatience{1s};

Fd open_socket(unsigned groups) {
  Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (socket && ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Fd();
  return socket;
}

// Calls `see(message)` for each message until it returns false.
template <class See>
void each_message(std::string_view datagram, See see) {
  std::size_t rest = datagram.size();
  for (auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data()); NLMSG_OK(message, rest);
       message = NLMSG_NEXT(message, rest))
    if (!see(*message)) return;
}

// Calls `see(type, bytes)` for each attribute.
template <class See>
void each_attribute(const rtattr* attribute, std::size_t length, See see) {
  for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
    see(attribute->rta_type, std::span(static_cast<const std::uint8_t*>(RTA_DATA(attribute)),
                                       static_cast<std::size_t>(RTA_PAYLOAD(attribute))));
}

struct AddressRequest {
  nlmsghdr header{};
  ifaddrmsg address{};
  char attributes[128]{};  // two IPv6 addresses and the flags

  void add(std::uint16_t type, const void* data, std::size_t size) {
    auto* at = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(this) + NLMSG_ALIGN(header.nlmsg_len));
    at->rta_type = type;
    at->rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
    std::memcpy(RTA_DATA(at), data, size);
    header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_ALIGN(header.nlmsg_len) + RTA_ALIGN(at->rta_len));
  }
};

AddressRequest address_request(std::uint16_t type, int link, const IpPrefix& prefix) {
  AddressRequest request;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.address);
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  const bool v6 = prefix.address.family == IpAddress::Family::kV6;
  request.address.ifa_family = v6 ? AF_INET6 : AF_INET;
  request.address.ifa_prefixlen = prefix.length;
  request.address.ifa_index = static_cast<unsigned>(link);
  request.add(IFA_LOCAL, prefix.address.bytes.data(), prefix.address.size());
  request.add(IFA_ADDRESS, prefix.address.bytes.data(), prefix.address.size());
  if (type != RTM_NEWADDR) return request;
  request.header.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
  if (v6) {
    const std::uint32_t no_detection = IFA_F_NODAD;  // the driver has asked the neighbours itself
    request.add(IFA_FLAGS, &no_detection, sizeof no_detection);
  }
  return request;
}

}  // namespace

// Asks, and waits for the answer.
class Netlink::Requests {
 public:
  explicit Requests(Fd socket) : socket_(std::move(socket)), buffer_(kBuffer) {}

  std::optional<Tables> read_tables() {
    Tables tables;
    for (const std::uint16_t type : {RTM_GETLINK, RTM_GETADDR}) {
      struct {
        nlmsghdr header{};
        rtgenmsg family{};
      } request;
      request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.family);
      request.header.nlmsg_type = type;
      request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
      request.family.rtgen_family = AF_UNSPEC;
      if (ask(request.header, &tables) != 0) return std::nullopt;
    }
    return tables;
  }

  // An errno, or zero.
  int change(AddressRequest request) { return ask(request.header, nullptr); }

 private:
  int ask(nlmsghdr& request, Tables* tables) {
    request.nlmsg_seq = ++sequence_;
    if (::send(socket_.get(), &request, request.nlmsg_len, 0) < 0) return errno;
    std::optional<int> result;
    while (!result) {
      const ssize_t size = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return errno;
      each_message({buffer_.data(), static_cast<std::size_t>(size)}, [&](const nlmsghdr& message) {
        if (message.nlmsg_seq != sequence_) return true;
        if (message.nlmsg_type == NLMSG_DONE) result = 0;
        if (message.nlmsg_type == NLMSG_ERROR)
          result = -static_cast<const nlmsgerr*>(NLMSG_DATA(&message))->error;
        if (tables && !result) tables->take(message);
        return !result;
      });
    }
    return *result;
  }

  Fd socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
};

// ---- tables

// True when something changed.
bool Netlink::Tables::take(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return take_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return take_address(message);
    default:
      return false;
  }
}

bool Netlink::Tables::take_link(const nlmsghdr& message) {
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
  if (info->ifi_family != AF_UNSPEC) return false;  // a bridge's view of its port
  drivers::Link link;
  link.index = info->ifi_index;
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
  link.carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
  each_attribute(IFLA_RTA(info), IFLA_PAYLOAD(&message), [&](int type, std::span<const std::uint8_t> bytes) {
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    if (type == IFLA_IFNAME) link.name.assign(text, ::strnlen(text, bytes.size()));
    if (type == IFLA_ADDRESS && bytes.size() == link.mac.bytes.size())
      std::ranges::copy(bytes, link.mac.bytes.begin());
    if (type == IFLA_CARRIER && !bytes.empty()) link.carrier = bytes[0] != 0;
    if (type == IFLA_OPERSTATE && !bytes.empty()) link.operstate = bytes[0];
  });
  const auto known = std::ranges::find(links, link.index, &drivers::Link::index);
  if (message.nlmsg_type == RTM_DELLINK) {
    std::erase_if(addresses, [&](const LinkAddress& address) { return address.link == link.index; });
    if (known == links.end()) return false;
    links.erase(known);
  } else if (known == links.end()) {
    links.push_back(std::move(link));
  } else {
    if (*known == link) return false;  // a counter, a queue length, …
    *known = std::move(link);
  }
  return true;
}

bool Netlink::Tables::take_address(const nlmsghdr& message) {
  const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
  if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) return false;
  const std::size_t length = info->ifa_family == AF_INET ? 4 : 16;
  LinkAddress address;
  address.link = static_cast<int>(info->ifa_index);
  std::uint32_t flags = info->ifa_flags;
  bool local = false;
  each_attribute(IFA_RTA(info), IFA_PAYLOAD(&message), [&](int type, std::span<const std::uint8_t> bytes) {
    // IFA_LOCAL is this end's address; IFA_ADDRESS is the other end's on a point-to-point link.
    if ((type == IFA_LOCAL || (type == IFA_ADDRESS && !local)) && bytes.size() == length) {
      address.prefix = {IpAddress::from_bytes(bytes), info->ifa_prefixlen};
      local = local || type == IFA_LOCAL;
    }
    if (type == IFA_FLAGS && bytes.size() == sizeof flags) std::memcpy(&flags, bytes.data(), sizeof flags);
  });
  address.tentative = (flags & IFA_F_TENTATIVE) != 0;
  address.duplicate = (flags & IFA_F_DADFAILED) != 0;
  const auto known = std::ranges::find_if(addresses, [&](const LinkAddress& other) {
    return other.link == address.link && other.prefix == address.prefix;
  });
  if (message.nlmsg_type == RTM_DELADDR) {
    if (known == addresses.end()) return false;
    addresses.erase(known);
  } else if (known == addresses.end()) {
    addresses.push_back(address);
  } else {
    if (*known == address) return false;
    *known = address;
  }
  return true;
}

// ---- events

Result<std::unique_ptr<Netlink>> Netlink::open(Loop& loop, int receive_buffer) {
  const auto cannot = [](const char* what) {
    return failure(fmt::format("cannot {} the kernel's network tables: {}", what, errno_text()));
  };
  Fd events = open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
  Fd asking = open_socket(0);
  if (!events || !asking) return cannot("watch");
  // FORCE needs CAP_NET_ADMIN; events that are lost for want of it cost a reading of the tables.
  if (::setsockopt(events.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0)
    ::setsockopt(events.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  auto requests = std::make_shared<Requests>(std::move(asking));
  auto tables = requests->read_tables();
  if (!tables) return cannot("read");
  return std::unique_ptr<Netlink>(
      new Netlink(loop, std::move(events), std::move(requests), std::move(*tables)));
}

Netlink::Netlink(Loop& loop, Fd events, std::shared_ptr<Requests> requests, Tables tables)
    : loop_(loop),
      events_(std::move(events)),
      descriptor_(loop.io(), events_.get()),
      requests_(std::move(requests)),
      tables_(std::move(tables)),
      buffer_(kBuffer),
      tell_(loop),
      retry_(loop),
      show_(loop),
      thread_(loop.io()) {
  await_events();
}

Netlink::~Netlink() {
  *alive_ = false;
  descriptor_.release();
}

void Netlink::await_events() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, alive = alive_](boost::system::error_code error) {
                           if (error || !*alive) return;
                           receive();
                           await_events();
                         });
}

void Netlink::receive() {
  bool news = false;
  bool lost = false;
  for (;;) {
    const ssize_t size = ::recv(events_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {
      lost = true;  // what is still queued came before the gap
      continue;
    }
    if (size <= 0) break;
    const std::string_view datagram(buffer_.data(), static_cast<std::size_t>(size));
    news = take_all(datagram) || news;
    if (since_loss_) {
      since_loss_->emplace_back(datagram);
      since_loss_size_ += datagram.size();
    }
  }
  if (lost || since_loss_size_ > kMaxSinceLoss) resync();
  if (news) tell();
}

bool Netlink::take_all(std::string_view datagram) {
  bool news = false;
  each_message(datagram, [&](const nlmsghdr& message) {
    news = tables_.take(message) || news;
    return true;
  });
  return news;
}

// Reads the tables anew. What is read is older than the latest events, so those are applied to it once more.
void Netlink::resync() {
  stale_ = since_loss_.has_value();
  since_loss_.emplace();
  since_loss_size_ = 0;
  if (stale_) return;  // what is being read now will not do
  ++resyncs_;
  auto fresh = std::make_shared<std::optional<Tables>>();
  const bool queued = thread_.submit(
      [requests = requests_, fresh]() -> Result<void> {
        *fresh = requests->read_tables();
        return {};
      },
      [this, alive = alive_, fresh](const Result<void>&) {
        if (*alive) resynced(std::move(*fresh));
      });
  if (!queued) resynced(std::nullopt);
}

void Netlink::resynced(std::optional<Tables> fresh) {
  const std::vector<std::string> events = *std::exchange(since_loss_, std::nullopt);
  since_loss_size_ = 0;
  if (!fresh) return retry_.set_after(1s, [this] { resync(); });
  if (stale_) return resync();
  tables_ = std::move(*fresh);
  for (const std::string& datagram : events) take_all(datagram);
  for (const auto& change : changes_) change->past = change->made;  // the same thread did one after the other
  tell();
}

// ---- waiting and changing

// Not from inside receive(): who goes on may destroy us, or ask for more.
void Netlink::tell() {
  if (tell_.armed()) return;
  tell_.set_after(0us, [this, alive = alive_] {
    see_changes_through();
    const std::size_t present = waiters_.size();  // who waits anew, waits for the next change
    for (std::size_t i = 0; i < present && *alive && !waiters_.empty(); ++i) {
      Operation<>* waiter = waiters_.front();
      waiters_.erase(waiters_.begin());
      waiter->complete();
    }
  });
}

Task<void> Netlink::changed() {
  Operation<>* self = nullptr;
  Operation<> operation([this, &self] {
    std::erase(waiters_, self);
    self->complete();
  });
  self = &operation;
  waiters_.push_back(self);
  co_await operation;
}

Task<Result<void>> Netlink::add_address(int link, IpPrefix address) {
  return change(RTM_NEWADDR, link, address);
}

Task<Result<void>> Netlink::remove_address(int link, IpPrefix address) {
  return change(RTM_DELADDR, link, address);
}

void Netlink::Change::answer(Result<void> result) {
  if (Answer* waiting = std::exchange(asker, nullptr)) waiting->complete(std::move(result));
}

Task<Result<void>> Netlink::change(std::uint16_t type, int link, IpPrefix address) {
  const bool adds = type == RTM_NEWADDR;
  const auto change = std::make_shared<Change>(Change{.link = link, .address = address, .adds = adds});
  Loop::Timer patience(loop_);
  Answer operation([&patience, change] {
    patience.set_after(kCancelPatience, [change] { change->answer(failure("cancelled")); });
  });
  change->asker = &operation;
  auto job = [requests = requests_, type, link, address, adds]() -> Result<void> {
    const int error = requests->change(address_request(type, link, address));
    if (error == 0 || error == (adds ? EEXIST : EADDRNOTAVAIL)) return {};
    return failure(
        fmt::format("cannot {} {}: {}", adds ? "add" : "remove", address.text(), errno_text(error)));
  };
  const bool queued =
      thread_.submit(std::move(job), [this, alive = alive_, change](const Result<void>& result) {
        if (*alive) answered(change, result);
      });
  if (!queued)
    co_return failure(
        fmt::format("cannot change {}: the kernel's network tables do not answer", address.text()));
  changes_.push_back(change);
  co_return co_await operation;
}

void Netlink::answered(const std::shared_ptr<Change>& change, const Result<void>& result) {
  if (!result) {
    std::erase(changes_, change);
    tell();
    return change->answer(result);
  }
  for (const auto& other : changes_)
    if (other->made && other->is_of(*change)) other->past = true;
  change->made = true;
  receive();  // the event was sent before the answer; only IPv6 announces an address a little later
  tell();
}

bool Netlink::shows(const Change& change) const {
  const bool present = std::ranges::any_of(tables_.addresses, [&](const LinkAddress& entry) {
    return entry.link == change.link && entry.prefix == change.address;
  });
  return present == change.adds;
}

bool Netlink::awaits_events() const {
  return std::ranges::any_of(changes_, [](const auto& change) { return change->made; });
}

void Netlink::see_changes_through() {
  const auto is_over = [this](const auto& change) {
    return change->made && (change->past || shows(*change));
  };
  const auto alive = alive_;  // who goes on may destroy us
  while (*alive) {
    const auto it = std::ranges::find_if(changes_, is_over);
    if (it == changes_.end()) break;
    const std::shared_ptr<Change> change = *it;
    changes_.erase(it);
    change->answer(shows(*change)
                       ? Result<void>{}
                       : failure(fmt::format("the kernel took the change of {}, and does not show it",
                                             change->address.text())));
  }
  if (!*alive || !awaits_events() || show_.armed()) return;
  show_.set_after(kShowPatience, [this] {
    if (awaits_events()) resync();
  });
}

bool Netlink::settled(const IpAddress& address) const {
  const bool complete = !since_loss_ && !retry_.armed();
  return complete && std::ranges::none_of(
                         changes_, [&](const auto& change) { return change->address.address == address; });
}

}  // namespace komainu::engine
