// What libcpg's callbacks say about the group, as the core's RingChange.
//
// When a ring changes, Corosync tells the nodes that went (NODEDOWN), then those that came (NODEUP), and last
// the ring itself, with no message between them (cpg_sync_activate in corosync's exec/cpg.c): they are told
// on as one change. A process that joins or leaves inside a ring comes alone and in order with the messages.
#pragma once

#include <corosync/cpg.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "channel/channel.h"

namespace komainu::channel {

class Membership {
 public:
  // Callbacks of libcpg. A value: something changed.
  std::optional<core::RingChange> group_changed(std::span<const cpg_address> members,
                                                std::span<const cpg_address> left,
                                                std::span<const cpg_address> joined);
  std::optional<core::RingChange> ring_changed(core::RingId ring, std::span<const std::uint32_t> nodes);

  // Is this process the daemon of its node? If a node has several processes in the group, the one with the
  // lowest number is: a choice that all members make alike, whenever they came.
  bool contains(Sender sender) const;
  NodeSet ring_nodes() const { return now_.ring_nodes; }
  core::RingId ring() const { return now_.ring; }

 private:
  std::optional<core::RingChange> told();

  core::RingChange now_;
  bool ring_known_ = false;
  std::optional<core::RingChange> told_;
};

}  // namespace komainu::channel
