// How far this node's Corosync has followed the configuration: its file, and by what it runs, as read back.
// The others are told (core/corosync.h decides when it has to read its file again).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "channel/channel.h"
#include "core/spec.h"
#include "core/state.h"

namespace komainu::engine {

class CorosyncFollow {
 public:
  void saw(channel::RunningSettings running) { running_ = std::move(running); }
  // corosync.conf is that of this version of the configuration, and names this key.
  void wrote(std::uint64_t version, std::string key) {
    written_ = version;
    key_ = std::move(key);
  }
  bool is_written(const core::Spec& spec) const { return written_ == spec.version; }

  // What the others have to be told; unset: nothing new.
  std::optional<core::CorosyncState> look(const core::Spec& spec);
  // As they were told last.
  const std::optional<core::CorosyncState>& told() const { return told_; }

 private:
  std::optional<channel::RunningSettings> running_;
  std::optional<std::uint64_t> written_;
  std::string key_;
  std::optional<core::CorosyncState> told_;
};

}  // namespace komainu::engine
