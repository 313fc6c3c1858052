#include "channel/link_watch.h"

namespace komainu::channel {

std::vector<core::LinkChange> LinkWatch::look(NodeId peer, const LinkStatus& status) {
  Peer& known = peers_[peer];
  if (!status.reachable) {
    known.seen_down = 0;
    return {};
  }
  const std::uint32_t down = status.configured & ~status.connected;
  const std::uint32_t lost = down & known.seen_down & ~known.told_down;
  const std::uint32_t returned = known.told_down & ~down;
  known.seen_down = down;
  known.told_down = (known.told_down | lost) & ~returned;
  std::vector<core::LinkChange> changes;
  for (std::uint32_t link = 0; link < 32; ++link)
    if (((lost | returned) >> link & 1) != 0) changes.push_back({peer, link, (returned >> link & 1) != 0});
  return changes;
}

}  // namespace komainu::channel
