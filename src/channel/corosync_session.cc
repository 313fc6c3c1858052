#include "channel/corosync_session.h"

#include <corosync/cmap.h>
#include <corosync/corotypes.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/uio.h>

#include <cstdlib>
#include <cstring>

#include "channel/fragment.h"

namespace komainu::channel {
namespace {

// Deliveries and changes handled before the thread looks at its other duties.
constexpr int kDispatchBatch = 256;

std::unexpected<Error> refused(std::string_view what, cs_error_t code) {
  std::string help;
  switch (code) {
    case CS_ERR_ACCESS:
    case CS_ERR_SECURITY:
      help = "Only root, and users named in corosync.conf (uidgid), may talk to Corosync.";
      break;
    default:
      help = "Is Corosync running? See: systemctl status corosync";
  }
  return failure(fmt::format("cannot {}: {}", what, cs_strerror(code)), std::move(help));
}

bool hung_up(int fd) {
  pollfd poll_fd{fd, 0, 0};
  return poll(&poll_fd, 1, 0) == 1;  // POLLHUP and POLLERR are told unasked
}

Session::Listener* listener_of(cpg_handle_t handle) {
  void* context = nullptr;
  return cpg_context_get(handle, &context) == CS_OK ? static_cast<Session::Listener*>(context) : nullptr;
}
Session::Listener* listener_of_quorum(quorum_handle_t handle) {
  const void* context = nullptr;
  if (quorum_context_get(handle, &context) != CS_OK) return nullptr;
  return static_cast<Session::Listener*>(const_cast<void*>(context));
}

void on_deliver(cpg_handle_t handle, const cpg_name*, std::uint32_t node, std::uint32_t process, void* bytes,
                std::size_t size) {
  if (auto* listener = listener_of(handle))
    listener->delivered({node_of(node), process}, {static_cast<const char*>(bytes), size});
}
void on_group(cpg_handle_t handle, const cpg_name*, const cpg_address* members, std::size_t member_count,
              const cpg_address* left, std::size_t left_count, const cpg_address* joined,
              std::size_t joined_count) {
  if (auto* listener = listener_of(handle))
    listener->group_changed({members, member_count}, {left, left_count}, {joined, joined_count});
}
void on_ring(cpg_handle_t handle, cpg_ring_id ring, std::uint32_t node_count, const std::uint32_t* nodes) {
  if (auto* listener = listener_of(handle))
    listener->ring_changed({ring.nodeid, ring.seq}, {nodes, node_count});
}
void on_quorum(quorum_handle_t handle, std::uint32_t quorate, quorum_ring_id ring, std::uint32_t,
               const std::uint32_t*) {
  if (auto* listener = listener_of_quorum(handle))
    listener->quorum_changed({ring.nodeid, ring.seq}, quorate != 0);
}
// Told when synchronisation begins (votequorum_sync_process in corosync's exec/votequorum.c).
void on_nodes(votequorum_handle_t handle, std::uint64_t, votequorum_ring_id_t ring, std::uint32_t,
              std::uint32_t[]) {
  void* listener = nullptr;
  if (votequorum_context_get(handle, &listener) != CS_OK) return;
  static_cast<Session::Listener*>(listener)->ring_forms({ring.nodeid, ring.seq});
}

template <class Dispatch>
Result<void> drain(Dispatch dispatch, int fd, std::string_view what) {
  for (int i = 0; i < kDispatchBatch; ++i) {
    const cs_error_t code = dispatch();
    const bool empty = code == CS_ERR_TRY_AGAIN;
    if (code == CS_ERR_LIBRARY || (empty && hung_up(fd)))
      return failure("Corosync has ended or closed the connection", "See: systemctl status corosync");
    if (empty) return {};
    if (code != CS_OK) return refused(what, code);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(NodeId self, Listener& listener) {
  std::unique_ptr<Session> session(new Session);
  if (auto done = session->initialize(self, listener); !done) return std::unexpected(done.error());
  return session;
}

Result<void> Session::initialize(NodeId self, Listener& listener) {
  cpg_model_v1_data_t group_model{};
  group_model.model = CPG_MODEL_V1;
  group_model.cpg_deliver_fn = on_deliver;
  group_model.cpg_confchg_fn = on_group;
  group_model.cpg_totem_confchg_fn = on_ring;
  group_model.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
  cpg_handle_t cpg = 0;
  cs_error_t code =
      cpg_model_initialize(&cpg, CPG_MODEL_V1, reinterpret_cast<cpg_model_data_t*>(&group_model), &listener);
  if (code != CS_OK) return refused("connect to Corosync's process groups", code);
  cpg_ = cpg;

  std::uint32_t local_id = 0;
  if (code = cpg_local_get(cpg, &local_id); code != CS_OK)
    return refused("ask Corosync for this node's id", code);
  if (local_id != corosync_id(self))
    return failure(
        fmt::format(
            "Corosync's nodeid of this server is {}, but its number in the cluster is {}: they differ "
            "from what `komainu` writes into corosync.conf",
            local_id, corosync_id(self)),
        "Run `komainu config apply`, or restart Corosync if corosync.conf is right.");
  std::uint32_t largest = 0;
  if (code = cpg_max_atomic_msgsize_get(cpg, &largest); code != CS_OK)
    return refused("ask Corosync for its largest message", code);
  if (largest < kFragmentHeader + kFragmentPayload)
    return failure(fmt::format("Corosync takes messages of {} bytes only; {} are needed", largest,
                               kFragmentHeader + kFragmentPayload));

  quorum_model_v1_data_t quorum_model{};
  quorum_model.model = QUORUM_MODEL_V1;
  quorum_model.quorum_notify_fn = on_quorum;
  quorum_handle_t quorum = 0;
  std::uint32_t quorum_type = QUORUM_FREE;
  code =
      quorum_model_initialize(&quorum, QUORUM_MODEL_V1, reinterpret_cast<quorum_model_data_t*>(&quorum_model),
                              &quorum_type, &listener);
  if (code != CS_OK) return refused("connect to Corosync's quorum service", code);
  quorum_ = quorum;
  if (quorum_type != QUORUM_SET)
    return failure("Corosync runs without a quorum provider",
                   "corosync.conf needs `quorum { provider: corosync_votequorum }`.");

  votequorum_callbacks_t vote_callbacks{};
  vote_callbacks.votequorum_nodelist_notify_fn = on_nodes;
  votequorum_handle_t votes = 0;
  if (code = votequorum_initialize(&votes, &vote_callbacks); code != CS_OK)
    return refused("connect to Corosync's votes", code);
  votes_ = votes;
  if (code = votequorum_context_set(votes, &listener); code != CS_OK)
    return refused("watch Corosync's synchronisation", code);

  corosync_cfg_handle_t cfg = 0;
  corosync_cfg_callbacks_t no_callbacks{};
  if (code = corosync_cfg_initialize(&cfg, &no_callbacks); code != CS_OK)
    return refused("connect to Corosync's configuration service", code);
  cfg_ = cfg;

  cmap_handle_t map = 0;
  if (code = cmap_initialize(&map); code != CS_OK)
    return refused("connect to Corosync's configuration map", code);
  map_ = map;

  if (code = cpg_fd_get(cpg, &group_fd_); code != CS_OK) return refused("watch the process group", code);
  if (code = quorum_fd_get(quorum, &quorum_fd_); code != CS_OK) return refused("watch the quorum", code);
  if (code = votequorum_fd_get(votes, &sync_fd_); code != CS_OK)
    return refused("watch Corosync's synchronisation", code);
  if (code = quorum_trackstart(quorum, CS_TRACK_CHANGES); code != CS_OK)
    return refused("track the quorum", code);
  if (code = votequorum_trackstart(votes, 0, CS_TRACK_CHANGES); code != CS_OK)
    return refused("track Corosync's synchronisation", code);
  return {};
}

Session::~Session() {
  if (map_) cmap_finalize(*map_);
  if (cfg_) corosync_cfg_finalize(*cfg_);
  if (votes_) votequorum_finalize(*votes_);
  if (quorum_) quorum_finalize(*quorum_);
  if (cpg_) cpg_finalize(*cpg_);
}

Result<void> Session::dispatch() {
  auto done = drain([&] { return votequorum_dispatch(*votes_, CS_DISPATCH_ONE_NONBLOCKING); }, sync_fd_,
                    "follow Corosync's synchronisation");
  if (!done) return done;
  done = drain([&] { return quorum_dispatch(*quorum_, CS_DISPATCH_ONE_NONBLOCKING); }, quorum_fd_,
               "follow the quorum");
  if (!done) return done;
  return drain([&] { return cpg_dispatch(*cpg_, CS_DISPATCH_ONE_NONBLOCKING); }, group_fd_,
               "follow the process group");
}

Result<bool> Session::join(const std::string& group) {
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(group.size());
  std::memcpy(name.value, group.data(), group.size());
  const cs_error_t code = cpg_join(*cpg_, &name);
  if (code == CS_ERR_TRY_AGAIN) return false;  // a ring is just forming, or our own leave is still on its way
  if (code != CS_OK) return refused("join the process group " + group, code);
  return true;
}

Result<bool> Session::send(std::string_view header, std::string_view payload) {
  const iovec parts[] = {{const_cast<char*>(header.data()), header.size()},
                         {const_cast<char*>(payload.data()), payload.size()}};
  const cs_error_t code = cpg_mcast_joined(*cpg_, CPG_TYPE_AGREED, parts, 2);
  if (code == CS_ERR_TRY_AGAIN) return false;
  if (code != CS_OK) return refused("send", code);
  return true;
}

Result<std::optional<LinkStatus>> Session::links_to(NodeId peer) {
  corosync_cfg_node_status_v1 node{};
  const cs_error_t code = corosync_cfg_node_status_get(*cfg_, corosync_id(peer), CFG_NODE_STATUS_V1, &node);
  if (code == CS_ERR_LIBRARY || code == CS_ERR_BAD_HANDLE) return refused("ask Corosync for its links", code);
  if (code != CS_OK) return std::nullopt;
  LinkStatus status;
  status.reachable = node.reachable != 0;
  for (std::uint32_t link = 0; link < CFG_MAX_LINKS; ++link) {
    if (node.link_status[link].enabled) status.configured |= 1u << link;
    if (node.link_status[link].connected) status.connected |= 1u << link;
  }
  return status;
}

Result<QuorumDevice> Session::quorum_device() {
  votequorum_info about{};
  const cs_error_t code = votequorum_getinfo(*votes_, VOTEQUORUM_QDEVICE_NODEID, &about);  // this node's
  if (code != CS_OK) return refused("ask Corosync for its quorum device", code);
  if ((about.flags & VOTEQUORUM_INFO_QDEVICE_REGISTERED) == 0) return QuorumDevice::kAbsent;
  if ((about.flags & VOTEQUORUM_INFO_QDEVICE_ALIVE) == 0) return QuorumDevice::kHangs;
  return (about.flags & VOTEQUORUM_INFO_QDEVICE_CAST_VOTE) != 0 ? QuorumDevice::kVotes
                                                                : QuorumDevice::kGivesNoVote;
}

namespace {
// While Corosync reads its files, its map holds some of the old and some of the new.
bool is_reading(cmap_handle_t map) {
  std::uint8_t reading = 0;
  return cmap_get_uint8(map, "config.reload_in_progress", &reading) == CS_OK && reading != 0;
}

std::vector<std::string> keys_below(cmap_handle_t map, const char* prefix) {
  std::vector<std::string> keys;
  cmap_iter_handle_t iterator = 0;
  if (cmap_iter_init(map, prefix, &iterator) != CS_OK) return keys;
  char key[CMAP_KEYNAME_MAXLEN + 1] = {};
  std::size_t size = 0;
  cmap_value_types_t type{};
  while (cmap_iter_next(map, iterator, key, &size, &type) == CS_OK) keys.emplace_back(key);
  cmap_iter_finalize(map, iterator);
  return keys;
}
}  // namespace

// nodelist.node.POSITION.nodeid, nodelist.node.POSITION.ringLINK_addr (cmap_keys(7))
std::map<NodeId, std::vector<std::string>> Session::running_links() {
  constexpr std::string_view kId = ".nodeid";
  std::map<NodeId, std::vector<std::string>> links;
  for (const std::string& key : keys_below(*map_, "nodelist.node.")) {
    if (!key.ends_with(kId)) continue;
    std::uint32_t id = 0;
    if (cmap_get_uint32(*map_, key.c_str(), &id) != CS_OK || id == 0) continue;
    std::vector<std::string>& addresses = links[node_of(id)];
    const std::string node = key.substr(0, key.size() - kId.size());
    for (int link = 0; link < CFG_MAX_LINKS; ++link) {
      char* address = nullptr;
      if (cmap_get_string(*map_, fmt::format("{}.ring{}_addr", node, link).c_str(), &address) != CS_OK) break;
      addresses.emplace_back(address);
      std::free(address);
    }
  }
  return links;
}

std::string Session::running_key_file() {
  char* path = nullptr;
  if (cmap_get_string(*map_, "totem.keyfile", &path) != CS_OK) return {};
  std::string result = path;
  std::free(path);
  return result;
}

Result<std::optional<RunningSettings>> Session::running_settings() {
  if (is_reading(*map_)) return std::nullopt;
  std::uint32_t milliseconds = 0;
  cs_error_t code = cmap_get_uint32(*map_, "runtime.config.totem.token", &milliseconds);
  if (code == CS_ERR_TRY_AGAIN || code == CS_ERR_NOT_EXIST) return std::nullopt;
  if (code != CS_OK) return refused("ask Corosync for its token", code);
  std::uint32_t self = 0;
  if (code = cpg_local_get(*cpg_, &self); code != CS_OK)
    return refused("ask Corosync for this node's id", code);
  votequorum_info votes{};
  if (code = votequorum_getinfo(*votes_, self, &votes); code != CS_OK)
    return refused("ask Corosync for its votes", code);
  return RunningSettings{std::chrono::milliseconds(milliseconds), running_links(), votes.node_expected_votes,
                         running_key_file()};
}

Result<void> Session::reload() {
  if (const cs_error_t code = corosync_cfg_reload_config(*cfg_); code != CS_OK)
    return failure(fmt::format("Corosync does not read its files again: {}", cs_strerror(code)),
                   "See: journalctl -u corosync");
  return {};
}

Result<void> cancel_wait_for_all() {
  cmap_handle_t cmap = 0;
  cs_error_t code = cmap_initialize(&cmap);
  if (code != CS_OK) return refused("connect to Corosync's configuration map", code);
  code = cmap_set_uint8(cmap, "quorum.cancel_wait_for_all", 1);
  cmap_finalize(cmap);
  if (code != CS_OK) return refused("set quorum.cancel_wait_for_all", code);
  return {};
}

}  // namespace komainu::channel
