// The documents of the API as plain values: what the server makes of a core::State and what a client makes of
// JSON. Objects go by their names here; ids stay inside the daemon. docs/api.md describes every field.
//
// A struct declares its JSON once, by `fields(self, io)`, which calls `io(key, member)` for each member;
// reading and writing both follow from it (json.cc). A reader ignores keys that it does not know and
// leaves members whose key is missing as they are, so that a command line and a daemon of different versions
// get along.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/effects.h"
#include "core/judge/judge.h"
#include "core/replica.h"
#include "core/spec.h"
#include "core/state.h"

namespace komainu::api {

struct LinkView {
  std::uint32_t number = 0;
  std::string address;
  std::vector<std::string> down_to;  // members that this node does not reach over it, as either side says
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("number", self.number);
    io("address", self.address);
    io("down_to", self.down_to);
  }
};

struct FenceView {
  std::string executor;
  std::uint32_t level = 0;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("executor", self.executor);
    io("level", self.level);
  }
};

struct NodeView {
  std::string name;
  bool self = false;  // the node that was asked
  core::Standing standing = core::Standing::kUnknown;
  bool suspended = false;
  bool leaving = false;
  bool corosync = false;          // its Corosync is in the ring although its daemon may not be
  bool corosync_behind = false;   // … and does not run by the active configuration yet
  bool corosync_awaited = false;  // no Corosync is told to, before this node has its file
  core::Duty duty = core::Duty::kActive;
  core::Verdict verdict = core::Verdict::kUnknown;
  std::string reason;       // of the verdict: the one sentence that matters most
  bool last_known = false;  // the node that was asked is in no view: this may be otherwise by now
  std::vector<LinkView> links;
  std::vector<FenceView> fences;             // open
  std::optional<std::string> wanted_off_by;  // an operator who asked for its fence, until that is confirmed
  std::uint32_t fence_failures = 0;
  std::optional<Duration> watchdog;  // armed: its timeout
  bool guarded = true;               // false: its watchdog is counted on, and is not armed or too slow
  std::vector<std::string> groups;   // active here in whatever way
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("name", self.name);
    io("self", self.self);
    io("standing", self.standing);
    io("suspended", self.suspended);
    io("leaving", self.leaving);
    io("corosync", self.corosync);
    io("corosync_behind", self.corosync_behind);
    io("corosync_awaited", self.corosync_awaited);
    io("duty", self.duty);
    io("verdict", self.verdict);
    io("reason", self.reason);
    io("last_known", self.last_known);
    io("links", self.links);
    io("fences", self.fences);
    io("wanted_off_by", self.wanted_off_by);
    io("fence_failures", self.fence_failures);
    io("watchdog_us", self.watchdog);
    io("guarded", self.guarded);
    io("groups", self.groups);
  }
};

struct ActivityView {
  std::string node;
  core::Activity activity = core::Activity::kUnknown;
  bool absent = false;      // the node is no member: this is what was known last
  bool last_known = false;  // the node that was asked is in no view: this may be otherwise by now
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("node", self.node);
    io("activity", self.activity);
    io("absent", self.absent);
    io("last_known", self.last_known);
  }
};

struct OrderView {
  core::OrderKind kind = core::OrderKind::kStop;
  std::string node;
  std::string resource;  // restart: the first one restarted
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("kind", self.kind);
    io("node", self.node);
    io("resource", self.resource);
  }
};

struct TroubleView {
  std::string node;
  std::string resource;
  std::optional<std::string> monitor;  // unset: the resource itself reported it
  std::string evidence;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("node", self.node);
    io("resource", self.resource);
    io("monitor", self.monitor);
    io("evidence", self.evidence);
  }
};

struct ResourceView {
  std::string name;
  std::string type;
  std::uint32_t restarts = 0;  // counted against the ladder
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("name", self.name);
    io("type", self.type);
    io("restarts", self.restarts);
  }
};

struct FailureView {
  std::string node;
  std::uint32_t count = 0;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("node", self.node);
    io("count", self.count);
  }
};

struct GroupView {
  std::string name;
  std::uint64_t version = 0;
  core::Intent::Wish wish = core::Intent::Wish::kAutomatic;
  bool autostart = true;
  std::optional<std::string> move_to;
  std::vector<ActivityView> at;
  std::vector<std::string> may_run;  // nodes where it may be running, as far as the cluster knows
  std::optional<OrderView> order;    // in flight
  std::optional<TroubleView> trouble;
  bool given_up = false;
  bool last_known = false;  // the node that was asked is in no view: only what is active there is certain
  std::uint32_t failovers = 0;
  std::vector<FailureView> failed_at;
  std::vector<ResourceView> resources;
  std::vector<std::string> prefer;
  std::string
      nowhere_else;  // online, and no other node could take it: why; empty: one could, or it is not online
  Duration start_limit{0};  // the sum of the resources' start timeouts
  Duration stop_limit{0};
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("name", self.name);
    io("version", self.version);
    io("wish", self.wish);
    io("autostart", self.autostart);
    io("move_to", self.move_to);
    io("at", self.at);
    io("may_run", self.may_run);
    io("order", self.order);
    io("trouble", self.trouble);
    io("given_up", self.given_up);
    io("last_known", self.last_known);
    io("failovers", self.failovers);
    io("failed_at", self.failed_at);
    io("resources", self.resources);
    io("prefer", self.prefer);
    io("nowhere_else", self.nowhere_else);
    io("start_limit_us", self.start_limit);
    io("stop_limit_us", self.stop_limit);
  }

  // Where it is online and nowhere else; null: it is not.
  const std::string* online() const {
    const bool here = at.size() == 1 && at[0].activity == core::Activity::kOnline && !at[0].absent;
    return here && !at[0].last_known ? &at[0].node : nullptr;
  }
};

struct HealthView {
  std::string node;
  core::Health health = core::Health::kUnknown;
  std::string evidence;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("node", self.node);
    io("health", self.health);
    io("evidence", self.evidence);
  }
};

struct MonitorView {
  std::string name;
  std::string type;
  std::optional<std::string> group;  // set: it runs where this group is online
  std::string resource;
  std::vector<std::string> affects;
  bool suspended = false;
  bool fails_everywhere = false;  // on all members, and nothing is moved for it
  std::vector<HealthView> at;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("name", self.name);
    io("type", self.type);
    io("group", self.group);
    io("resource", self.resource);
    io("affects", self.affects);
    io("suspended", self.suspended);
    io("fails_everywhere", self.fails_everywhere);
    io("at", self.at);
  }
};

// What is wrong now, by the state alone; the most urgent first.
struct AlarmView {
  core::Severity severity = core::Severity::kWarning;
  std::string text;
  std::string help;  // what the operator can do; empty: nothing to be done by hand
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("severity", self.severity);
    io("text", self.text);
    io("help", self.help);
  }
};

struct DisarmedView {
  std::string by;
  std::string why;
  Duration left{0};
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("by", self.by);
    io("why", self.why);
    io("left_us", self.left);
  }
};

struct Status {
  std::string version;  // of the daemon
  std::string cluster;
  std::string self;
  core::Phase phase = core::Phase::kOut;
  bool quorate = false;
  std::string view;
  std::uint64_t position = 0;
  std::uint64_t epoch = 0;
  std::uint64_t config_version = 0;
  std::optional<std::uint64_t> pending_config_version;
  bool cold = false;
  std::optional<DisarmedView> disarmed;
  std::vector<NodeView> nodes;
  std::vector<GroupView> groups;
  std::vector<MonitorView> monitors;
  std::vector<AlarmView> alarms;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("version", self.version);
    io("cluster", self.cluster);
    io("self", self.self);
    io("phase", self.phase);
    io("quorate", self.quorate);
    io("view", self.view);
    io("position", self.position);
    io("epoch", self.epoch);
    io("config_version", self.config_version);
    io("pending_config_version", self.pending_config_version);
    io("cold", self.cold);
    io("disarmed", self.disarmed);
    io("nodes", self.nodes);
    io("groups", self.groups);
    io("monitors", self.monitors);
    io("alarms", self.alarms);
  }

  bool established() const { return phase == core::Phase::kEstablished; }
};

struct EventView {
  std::uint64_t number = 0;
  std::string time;  // RFC 3339, UTC, microseconds
  Duration at{0};    // since this node's boot: differences are true even when the wall clock jumps
  core::Severity severity = core::Severity::kInfo;
  core::EventKind kind = core::EventKind::kGroup;
  std::string cause;  // events of one chain share it; empty: no cause
  std::optional<std::string> node;
  std::optional<std::string> group;
  std::optional<std::string> monitor;
  std::string text;
  std::uint64_t missed = 0;  // events lost before this one because the reader was too slow
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("number", self.number);
    io("time", self.time);
    io("at_us", self.at);
    io("severity", self.severity);
    io("kind", self.kind);
    io("cause", self.cause);
    io("node", self.node);
    io("group", self.group);
    io("monitor", self.monitor);
    io("text", self.text);
    io("missed", self.missed);
  }
};

// Why a place is, or is not, where a group runs.
struct PlacementView {
  std::string node;
  bool chosen = false;
  bool eligible = false;
  std::string reason;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("node", self.node);
    io("chosen", self.chosen);
    io("eligible", self.eligible);
    io("reason", self.reason);
  }
};

struct Explanation {
  GroupView group;
  std::string summary;           // one sentence: where it is, or why it is nowhere
  std::vector<EventView> chain;  // of the last recovery or request, from its first symptom
  std::vector<PlacementView> placement;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("group", self.group);
    io("summary", self.summary);
    io("chain", self.chain);
    io("placement", self.placement);
  }
};

struct FenceDeviceView {
  std::string type;
  std::string agent;                 // of type "agent": which
  std::vector<std::string> targets;  // empty: every node
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("type", self.type);
    io("agent", self.agent);
    io("targets", self.targets);
  }
};

struct FenceLevelView {
  std::vector<FenceDeviceView> devices;  // all needed
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("devices", self.devices);
  }
};

struct FenceTargetView {
  std::string node;
  core::Standing standing = core::Standing::kUnknown;
  std::vector<FenceView> open;
  std::optional<std::string> wanted_off_by;  // an operator who asked for it, until it is confirmed
  std::uint32_t failures = 0;                // in a row
  bool needed = false;                       // absent, and not known to run nothing
  bool braked = false;                       // … and the brake holds back its fence
  bool corosync = false;                     // its Corosync is in the ring although its daemon may not be
  bool last_known = false;  // the node that was asked is in no view: this may be otherwise by now
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("node", self.node);
    io("standing", self.standing);
    io("open", self.open);
    io("wanted_off_by", self.wanted_off_by);
    io("failures", self.failures);
    io("needed", self.needed);
    io("braked", self.braked);
    io("corosync", self.corosync);
    io("last_known", self.last_known);
  }
};

struct FenceStatus {
  std::vector<FenceLevelView> levels;  // alternatives, tried in order
  std::vector<FenceTargetView> nodes;
  std::uint32_t brake_fences = 0;  // at most so many …
  Duration brake_window{0};        // … in this time
  std::uint32_t brake_used = 0;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("levels", self.levels);
    io("nodes", self.nodes);
    io("brake_fences", self.brake_fences);
    io("brake_window_us", self.brake_window);
    io("brake_used", self.brake_used);
  }
};

// A fencing device, asked for one node without effect.
struct FenceTriedView {
  std::uint32_t level = 0;
  std::string device;
  bool answers = false;
  std::string problem;  // in the device's words
  Duration took{0};
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("level", self.level);
    io("device", self.device);
    io("answers", self.answers);
    io("problem", self.problem);
    io("took_us", self.took);
  }
};

struct FenceTestedView {
  std::string node;
  bool can_be_fenced = false;           // all devices of some level answer
  std::vector<FenceTriedView> devices;  // empty: none reaches it
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("node", self.node);
    io("can_be_fenced", self.can_be_fenced);
    io("devices", self.devices);
  }
};

struct FenceTest {
  std::string self;  // which asked them
  std::vector<FenceTestedView> nodes;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("self", self.self);
    io("nodes", self.nodes);
  }
};

struct ConfigDocument {
  std::uint64_t version = 0;
  std::optional<std::uint64_t> pending_version;
  std::string text;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("version", self.version);
    io("pending_version", self.pending_version);
    io("text", self.text);
  }
};

struct Health {
  std::string version;
  std::string node;
  core::Phase phase = core::Phase::kOut;
  bool quorate = false;
  std::map<std::string, std::uint64_t> counters;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("version", self.version);
    io("node", self.node);
    io("phase", self.phase);
    io("quorate", self.quorate);
    io("counters", self.counters);
  }
};

// What there is to talk about: for completion.
struct Names {
  std::vector<std::string> nodes;
  std::vector<std::string> groups;
  std::vector<std::string> monitors;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("nodes", self.nodes);
    io("groups", self.groups);
    io("monitors", self.monitors);
  }
};

// The answer to a request that the cluster accepted.
struct Accepted {
  std::string text;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("text", self.text);
  }
};

struct ProblemView {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string text;
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("line", self.line);
    io("column", self.column);
    io("text", self.text);
  }
};

// The body of every answer that is not 2xx.
struct Failure {
  std::string error;
  std::string help;
  std::optional<std::string> nearest;  // the name that was probably meant
  std::vector<ProblemView> problems;   // of a configuration
  template <class Self, class Io>
  static void fields(Self& self, Io& io) {
    io("error", self.error);
    io("help", self.help);
    io("nearest", self.nearest);
    io("problems", self.problems);
  }
};

}  // namespace komainu::api
