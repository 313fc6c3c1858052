#include "core/corosync.h"

namespace komainu::core {
namespace {

// Nothing of it runs, and when it comes it has the same key and counts the same votes: it has never been
// here, or did already.
bool may_be_missing(const State& state, const NodeState& node) {
  const bool stopped = node.standing == Standing::kLeft || node.standing == Standing::kSettled;
  const bool knows = node.corosync.counts == state.spec->node_ids() && node.corosync.key == state.spec->key;
  return stopped && (node.last_seen == Lineage{} || knows);
}

}  // namespace

NodeSet corosync_behind(const State& state) {
  NodeSet behind;
  for (const auto& [id, node] : state.nodes) {
    const bool is_known = !node.corosync.counts.empty();
    if (node.standing == Standing::kMember && is_known && node.corosync.runs != state.spec->version)
      behind.insert(id);
  }
  return behind;
}

NodeSet corosync_awaits(const State& state) {
  NodeSet awaited;
  for (const auto& [id, node] : state.nodes) {
    const bool is_ready =
        node.standing == Standing::kMember && !node.suspended && node.corosync.written == state.spec->version;
    if (!is_ready && !may_be_missing(state, node)) awaited.insert(id);
  }
  return awaited;
}

std::optional<NodeId> who_reloads_corosync(const State& state) {
  if (corosync_behind(state).empty() || !corosync_awaits(state).empty()) return std::nullopt;
  return state.members().first();
}

}  // namespace komainu::core
