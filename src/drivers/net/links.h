// Questions about the table of links.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "drivers/services.h"

namespace komainu::drivers {

const Link* find_link(const Netlink& netlink, int index);
const Link* find_link(const Netlink& netlink, std::string_view name);

// Why nothing can be sent and received on the link: "eth1 has no carrier". None: it works.
std::optional<std::string> link_problem(const Link& link);

// The link for a new address: the one that has another address of its network, of the most specific network
// when there are several.
Result<Link> link_for(const Netlink& netlink, const IpPrefix& address);

}  // namespace komainu::drivers
