// Looks at a snapshot before the replica takes it over whole: is it what its donor's Hello promised, does it
// fit together, and is it of this cluster? Whoever refuses one starts over or takes no part; it is never
// passed by, since a member that skips a message decides differently from the others.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/message.h"
#include "core/spec.h"

namespace komainu::engine {

class SnapshotGuard {
 public:
  enum class Verdict : std::uint8_t { kDamaged, kForeign };
  struct Refusal {
    Verdict verdict = Verdict::kDamaged;
    std::string why;
  };

  // Of every message, in the stream's order; `own` is the configuration that this node has.
  std::optional<Refusal> look(const core::Message& message, const core::Spec& own);

 private:
  struct Promise {
    core::ViewId view;
    std::uint64_t state_digest = 0;
  };
  std::map<NodeId, Promise> promised_;  // by the last Hello of each
};

}  // namespace komainu::engine
