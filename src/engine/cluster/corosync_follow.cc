#include "engine/cluster/corosync_follow.h"

#include <algorithm>

#include "config/corosync_conf.h"

namespace komainu::engine {
namespace {

bool runs_by(const channel::RunningSettings& running, const core::Spec& spec) {
  // With a quorum device Corosync adds its votes only while it is registered.
  const bool votes = spec.arbiter_votes() != 0 || running.expected_votes == spec.nodes.size();
  return votes && running.token == spec.timing.token && running.key_file == config::corosync_key_file(spec) &&
         std::ranges::equal(running.links, spec.nodes, [](const auto& runs, const auto& configured) {
           return runs.first == configured.first && runs.second == configured.second.links;
         });
}

}  // namespace

std::optional<core::CorosyncState> CorosyncFollow::look(const core::Spec& spec) {
  if (!running_ || !written_) return std::nullopt;
  core::CorosyncState now{.written = *written_, .runs = told_ ? told_->runs : 0, .counts = {}, .key = key_};
  for (const auto& [id, links] : running_->links) now.counts.insert(id);
  if (is_written(spec)) {
    const bool follows = runs_by(*running_, spec);
    if (follows) now.runs = spec.version;
    if (!follows && now.runs == spec.version) now.runs = 0;  // it went back to an older file
  }
  if (told_ == now) return std::nullopt;
  return told_ = now;
}

}  // namespace komainu::engine
