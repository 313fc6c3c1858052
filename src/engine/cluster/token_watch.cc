#include "engine/cluster/token_watch.h"

#include <fmt/format.h>

#include "base/duration_text.h"

namespace komainu::engine {

std::optional<core::Event> TokenWatch::look(const core::Spec& spec, NodeId self, LocalTime now) {
  if (!running_) return std::nullopt;
  core::Event event{.severity = core::Severity::kInfo,
                    .kind = core::EventKind::kConfig,
                    .cause = {},
                    .node = self,
                    .group = {},
                    .monitor = {},
                    .text = {}};
  const Duration token = spec.timing.token;
  if (*running_ == token) {
    differs_since_.reset();
    if (!complained_) return std::nullopt;
    complained_.reset();
    event.text = fmt::format("Corosync runs with token {}, as the configuration says", duration_text(token));
    return event;
  }
  if (complained_ == token && now < again_) return std::nullopt;
  if (!differs_since_) differs_since_ = now;
  if (now - *differs_since_ < kPatience) return std::nullopt;
  complained_ = token;
  again_ = now + kRepeat;
  const bool slower = *running_ > token;
  event.severity = slower ? core::Severity::kAlarm : core::Severity::kWarning;
  event.text = fmt::format(
      "Corosync runs with token {}, and the configuration says {}: it is told to read its file once all "
      "nodes have "
      "theirs{}",
      duration_text(*running_), duration_text(token),
      slower ? "; until then the loss of one node may stop the groups of the others" : "");
  return event;
}

}  // namespace komainu::engine
