// What the API needs from the daemon, so that the server can be read, tested and fuzzed without one. The
// engine implements it; everything here is called on the loop's thread and returns without waiting.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "api/event_log.h"
#include "base/id.h"
#include "core/effects.h"
#include "core/message.h"
#include "core/replica.h"
#include "core/state.h"

namespace komainu::api {

// How this node stands to the cluster now.
struct Position {
  NodeId self;
  core::Incarnation incarnation;
  core::Phase phase = core::Phase::kOut;
  core::ViewId view;
  bool quorate = false;
  NodeSet responsive;          // established members that are not suspended
  std::uint64_t position = 0;  // applied messages of this view
  // What may run here, as this node's own executor knows: the truth also outside a view. Unset: not told.
  std::optional<std::map<GroupId, core::Activity>> holds = std::nullopt;

  bool established() const { return phase == core::Phase::kEstablished; }
};

// One mistake in a configuration, as src/config reports it.
struct ConfigProblem {
  std::uint32_t line = 0;  // from 1; 0: the file as a whole
  std::uint32_t column = 0;
  std::string text;  // complete, for a terminal: what, where, what was expected, the nearest valid name
  auto fields() const { return std::tie(line, column, text); }
};

// A fencing device, asked for one node.
struct FenceTried {
  NodeId target;
  std::uint32_t level = 0;
  std::string device;
  std::optional<std::string> problem;  // unset: it answers
  Duration took{0};
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual Position position() const = 0;
  // The replica's state; used before the caller returns to the loop, never kept.
  virtual const core::State& state() const = 0;
  virtual EventLog& events() = 0;

  // Puts the request into the stream (it numbers `request.number` itself) and calls `answer` once, on the
  // loop: with core::Answer when the stream brought the request back, or soon when it cannot be sent (no
  // established view; the queue is full) with what the operator can do about it. The answer may come
  // before submit returns. The server stops waiting by itself (Limits::answer).
  virtual void submit(core::Request request, std::function<void(core::Answer)> answer) = 0;

  // This node of two stops waiting for the other (wait_for_all of Corosync's votequorum) and gets quorum.
  // What the other may run still has to be settled.
  virtual void start_alone() = 0;

  // Asks the fencing devices whether this node could fence these, without effect, and calls `done` once, on
  // the loop, after a minute at the latest: ordered by target, then by level. False: that is under way for
  // somebody else, and nothing is done.
  virtual bool test_fencing(NodeSet targets, std::function<void(std::vector<FenceTried>)> done) = 0;

  // Reads a configuration against the active one, whose objects keep their ids. All mistakes in one run.
  virtual std::expected<core::SpecPtr, std::vector<ConfigProblem>> read_config(
      std::string_view text) const = 0;

  // What the daemon counts about itself: name → value, for example "loop_delay_max_us",
  // "log_lines_dropped", "stream_queue".
  virtual std::map<std::string, std::uint64_t> counters() const = 0;
};

}  // namespace komainu::api
