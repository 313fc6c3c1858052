#include "observer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "namespaces.h"

namespace komainu::witness {
namespace {

// The beginning of a small file of cgroup v2; empty when it does not exist.
std::string read_start(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char buffer[256];
  const ssize_t length = read(fd, buffer, sizeof buffer);
  close(fd);
  return length > 0 ? std::string(buffer, static_cast<std::size_t>(length)) : std::string();
}

std::optional<Address> address_of(const nlmsghdr& message) {
  const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
  std::uint32_t flags = info->ifa_flags;
  const void* local = nullptr;
  const void* address = nullptr;
  auto left = static_cast<int>(IFA_PAYLOAD(&message));
  for (const rtattr* attribute = IFA_RTA(info); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == IFA_LOCAL) local = RTA_DATA(attribute);
    if (attribute->rta_type == IFA_ADDRESS) address = RTA_DATA(attribute);
    if (attribute->rta_type == IFA_FLAGS) std::memcpy(&flags, RTA_DATA(attribute), sizeof flags);
  }
  const void* bytes = local ? local : address;
  if (!bytes || (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))) return std::nullopt;
  if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6) return std::nullopt;
  Address found{info->ifa_family, {}};
  std::memcpy(found.bytes.data(), bytes, info->ifa_family == AF_INET ? 4 : 16);
  return found;
}

}  // namespace

Address parse_address(const std::string& text) {
  Address address;
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), address.bytes.data()) == 1) {
      address.family = static_cast<std::uint8_t>(family);
      return address;
    }
  }
  errno = EINVAL;
  give_up("'" + text + "' is no IP address");
}

Observer::Observer(const ServerArgument& server) : cgroup_(server.cgroup) {
  const InsideNetns inside(server.netns);
  netlink_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  // The kernel answers a dump at once; the bound is against the unforeseen.
  const timeval bound{1, 0};
  if (netlink_ < 0 || setsockopt(netlink_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound) != 0)
    give_up("netlink socket of " + server.name);
}

Observer::Observer(Observer&& other) noexcept
    : cgroup_(std::move(other.cgroup_)),
      netlink_(std::exchange(other.netlink_, -1)),
      found_(std::move(other.found_)) {}

Observer::~Observer() {
  if (netlink_ >= 0) close(netlink_);
}

bool Observer::powered() const {
  return read_start(cgroup_ + "/cgroup.events").find("populated 1") != std::string::npos;
}

bool Observer::runs(const std::string& unit) const {
  return !read_start(cgroup_ + "/system.slice/" + unit + "/cgroup.procs").empty();
}

const std::vector<Address>& Observer::addresses() {
  struct {
    nlmsghdr header;
    ifaddrmsg body;
  } request{};
  request.header = {sizeof request, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0};
  request.body.ifa_family = AF_UNSPEC;
  found_.clear();
  if (send(netlink_, &request, sizeof request, 0) != static_cast<ssize_t>(sizeof request))
    give_up("netlink request");
  alignas(nlmsghdr) char buffer[16384];
  for (;;) {
    const ssize_t length = recv(netlink_, buffer, sizeof buffer, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) give_up("netlink answer");
    auto left = static_cast<unsigned>(length);
    for (const auto* message = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return found_;
      if (message->nlmsg_type == NLMSG_ERROR) give_up("netlink dump");
      if (message->nlmsg_type != RTM_NEWADDR) continue;
      if (const auto address = address_of(*message)) found_.push_back(*address);
    }
  }
}

}  // namespace komainu::witness
