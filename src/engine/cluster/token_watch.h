// `komainu config apply` writes corosync.conf, and Corosync goes on with what it read before until all nodes
// have theirs and it is told to read it. While that takes longer than a moment, the times of the
// configuration do not fit it: with a `grace` that was made for a shorter token the survivors of a loss stop
// their groups while Corosync still makes up its mind.
#pragma once

#include <optional>

#include "channel/channel.h"
#include "core/effects.h"
#include "core/spec.h"

namespace komainu::engine {

class TokenWatch {
 public:
  // How often it is told again while it lasts.
  static constexpr Duration kRepeat = 3600s;

  // All nodes write their files, and read them again, within it.
  static constexpr Duration kPatience = 10s;

  void saw(Duration token) { running_ = token; }
  // What people have to know now; unset: nothing new.
  std::optional<core::Event> look(const core::Spec& spec, NodeId self, LocalTime now);

 private:
  std::optional<Duration> running_;
  std::optional<LocalTime> differs_since_;
  std::optional<Duration> complained_;  // that the configuration says this, which does not run
  LocalTime again_;
};

}  // namespace komainu::engine
