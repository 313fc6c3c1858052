// `komainu config apply` writes corosync.conf, and Corosync goes on with what it read before until it is told
// to read it again. Meanwhile the times of the configuration do not fit it: with a `grace` that was made for
// a shorter token the survivors of a loss stop their groups while Corosync still makes up its mind.
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

  void saw(const channel::RunningToken& running) { running_ = running; }
  // What people have to know now; unset: nothing new.
  std::optional<core::Event> look(const core::Spec& spec, NodeId self, LocalTime now);

 private:
  std::optional<channel::RunningToken> running_;
  std::optional<Duration> complained_;  // that the configuration says this, which does not run
  LocalTime again_;
};

}  // namespace komainu::engine
