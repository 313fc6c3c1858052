// Which links went down and which came back, of what Corosync says each time it is asked.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "channel/channel.h"

namespace komainu::channel {

struct LinkStatus {
  bool reachable = false;        // by any link
  std::uint32_t configured = 0;  // bits of links
  std::uint32_t connected = 0;
};

class LinkWatch {
 public:
  // A link counts as down when two looks in a row say so while another link still works: links to a node that
  // dies go down one after the other, and then its leaving the ring is all there is to say.
  std::vector<core::LinkChange> look(NodeId peer, const LinkStatus& status);

 private:
  struct Peer {
    std::uint32_t told_down = 0;
    std::uint32_t seen_down = 0;  // at the last look
  };
  std::map<NodeId, Peer> peers_;
};

}  // namespace komainu::channel
