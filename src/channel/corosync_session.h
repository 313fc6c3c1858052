// One connection to Corosync, from its libraries' initialisation to its loss. Any call may wait without end
// when Corosync hangs: only the channel's thread makes them.
#pragma once

#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "channel/channel.h"
#include "channel/link_watch.h"

namespace komainu::channel {

class Session {
 public:
  // What the libraries call back; only from dispatch().
  class Listener {
   public:
    virtual void group_changed(std::span<const cpg_address> members, std::span<const cpg_address> left,
                               std::span<const cpg_address> joined) = 0;
    virtual void ring_changed(core::RingId ring, std::span<const std::uint32_t> nodes) = 0;
    virtual void delivered(Sender sender, std::string_view bytes) = 0;
    // Corosync has begun to synchronise this ring. ring_changed() ends that: after some milliseconds, or as
    // much as the sync_timeout of a quorum device later. Until then Corosync takes no request, and one that
    // waits for it makes it spin at its real-time priority (qb_ipcs_dispatch_connection_request in libqb's
    // lib/ipcs.c).
    virtual void ring_forms(core::RingId ring) = 0;
    virtual void quorum_changed(core::RingId ring, bool quorate) = 0;

   protected:
    ~Listener() = default;
  };

  static Result<std::unique_ptr<Session>> open(NodeId self, Listener& listener);
  // Leaves the group if it was joined.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int group_fd() const { return group_fd_; }
  int quorum_fd() const { return quorum_fd_; }
  int sync_fd() const { return sync_fd_; }

  // Every error below means that the connection is of no use any more. False: not now, try again.
  Result<void> dispatch();
  Result<bool> join(const std::string& group);
  Result<bool> send(std::string_view header, std::string_view payload);
  // Nothing: Corosync does not know the peer, or not yet.
  Result<std::optional<LinkStatus>> links_to(NodeId peer);
  Result<QuorumDevice> quorum_device();
  // Nothing: not now, ask again.
  Result<std::optional<RunningSettings>> running_settings();
  // An error does not mean that the connection is of no use.
  Result<void> reload();

 private:
  Session() = default;
  std::map<NodeId, std::vector<std::string>> running_links();
  std::string running_key_file();
  Result<void> initialize(NodeId self, Listener& listener);

  std::optional<cpg_handle_t> cpg_;
  std::optional<quorum_handle_t> quorum_;
  std::optional<votequorum_handle_t> votes_;
  std::optional<corosync_cfg_handle_t> cfg_;
  std::optional<cmap_handle_t> map_;
  int group_fd_ = -1;
  int quorum_fd_ = -1;
  int sync_fd_ = -1;
};

// On a short connection of its own.
Result<void> cancel_wait_for_all();

}  // namespace komainu::channel
