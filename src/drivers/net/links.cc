#include "drivers/net/links.h"

#include <fmt/format.h>
#include <linux/if.h>

#include <algorithm>

namespace komainu::drivers {

const Link* find_link(const Netlink& netlink, int index) {
  const auto it = std::ranges::find(netlink.links(), index, &Link::index);
  return it == netlink.links().end() ? nullptr : &*it;
}

const Link* find_link(const Netlink& netlink, std::string_view name) {
  const auto it = std::ranges::find(netlink.links(), name, &Link::name);
  return it == netlink.links().end() ? nullptr : &*it;
}

std::optional<std::string> link_problem(const Link& link) {
  if (!link.up) return fmt::format("{} is switched off (ip link set {} up)", link.name, link.name);
  if (!link.carrier) return fmt::format("{} has no carrier", link.name);
  switch (link.operstate) {  // drivers that do not support it say IF_OPER_UNKNOWN (RFC 2863; Linux
                             // operstates.rst)
    case IF_OPER_UP:
    case IF_OPER_UNKNOWN:
      return std::nullopt;
    case IF_OPER_DORMANT:
      return fmt::format("{} waits for its authentication (802.1X)", link.name);
    case IF_OPER_LOWERLAYERDOWN:
      return fmt::format("{} stands on a link that is down", link.name);
    default:
      return fmt::format("{} is not operational (operstate {})", link.name, link.operstate);
  }
}

Result<Link> link_for(const Netlink& netlink, const IpPrefix& address) {
  const Link* best = nullptr;
  int best_length = -1;
  bool ambiguous = false;
  for (const LinkAddress& entry : netlink.addresses()) {
    const Link* link = find_link(netlink, entry.link);
    if (!link || link->loopback || entry.prefix.address == address.address ||
        !entry.prefix.contains(address.address) || entry.prefix.length < best_length)
      continue;
    ambiguous = best && link != best && entry.prefix.length == best_length;
    best = link;
    best_length = entry.prefix.length;
  }
  if (!best)
    return failure(fmt::format("no interface has an address of the network of {}", address.text()),
                   "give this server an address of that network, or name the interface: `interface = \"…\"`");
  if (ambiguous)
    return failure(fmt::format("several interfaces have an address of the network of {}", address.text()),
                   "say which one is meant: `interface = \"…\"`");
  return *best;
}

}  // namespace komainu::drivers
