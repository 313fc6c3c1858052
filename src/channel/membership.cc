#include "channel/membership.h"

#include <algorithm>

namespace komainu::channel {
namespace {

bool by_ring(const cpg_address& address) {
  return address.reason == CPG_REASON_NODEDOWN || address.reason == CPG_REASON_NODEUP;
}

bool is_ours(std::uint32_t corosync_id) {
  return corosync_id >= 1 && corosync_id <= kMaxNodes;
}

bool same(const core::RingChange& a, const core::RingChange& b) {
  return a.ring == b.ring && a.members == b.members && a.ring_nodes == b.ring_nodes;
}

}  // namespace

std::optional<core::RingChange> Membership::group_changed(std::span<const cpg_address> members,
                                                          std::span<const cpg_address> left,
                                                          std::span<const cpg_address> joined) {
  now_.members.clear();
  for (const cpg_address& member : members) {
    if (!is_ours(member.nodeid)) continue;
    auto [entry, first] = now_.members.try_emplace(node_of(member.nodeid), member.pid);
    if (!first) entry->second = std::min(entry->second, member.pid);
  }
  // The ring follows at once.
  if (std::ranges::any_of(left, by_ring) || std::ranges::any_of(joined, by_ring)) return std::nullopt;
  return told();
}

std::optional<core::RingChange> Membership::ring_changed(core::RingId ring,
                                                         std::span<const std::uint32_t> nodes) {
  now_.ring = ring;
  now_.ring_nodes.clear();
  for (std::uint32_t node : nodes)
    if (is_ours(node)) now_.ring_nodes.insert(node_of(node));
  ring_known_ = true;
  return told();
}

bool Membership::contains(Sender sender) const {
  auto member = now_.members.find(sender.node);
  return member != now_.members.end() && member->second == sender.process;
}

std::optional<core::RingChange> Membership::told() {
  if (!ring_known_ || (told_ && same(*told_, now_))) return std::nullopt;
  told_ = now_;
  return now_;
}

}  // namespace komainu::channel
