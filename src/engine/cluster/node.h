// This node's part in the cluster: one replica, what feeds it and what it wants done.
//
//   channel ──▶ ┐                        ┌──▶ channel          Send
//   executor ─▶ ├─ inputs ─▶ Replica ─▶ ─┼──▶ executor         Execute, Probe, fences, Yield
//   operators ▶ ┤                        ├──▶ store            Store
//   timer ────▶ ┘                        └──▶ events, answers
//
// Inputs are queued and taken one by one on the loop, so nothing ever happens inside something else. What
// comes from this node is never dropped: an order whose report is lost would be in flight for ever. The
// channel has to wait when the queue is long, and leaves the group if that lasts.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "channel/channel.h"
#include "core/replica.h"
#include "engine/cluster/corosync_follow.h"
#include "engine/cluster/snapshot_guard.h"
#include "engine/cluster/stream_record.h"
#include "engine/cluster/token_watch.h"
#include "engine/executor/executor.h"
#include "engine/files/flow_stamp.h"
#include "engine/loop/loop.h"

namespace komainu::engine {

// What the node needs and does not own.
struct NodeParts {
  Loop& loop;
  channel::Channel& channel;
  drivers::Services services;
  // Writes the store off the loop and calls back on it.
  std::function<void(core::Durable, std::function<void(bool)>)> write_store;
  // Keeps a StreamRecord for `komainu replay`; drops it rather than waiting.
  std::function<void(std::string)> keep;
  // Another configuration is active: the administrator's file follows it.
  std::function<void(const core::Spec&)> publish_config;
  std::function<void(const core::Event&)> tell;
  // Makes corosync.conf that of this configuration, if it is not, off the loop; calls back on it.
  std::function<void(const core::Spec&, std::function<void(bool)>)> write_corosync =
      [](const core::Spec&, const std::function<void(bool)>& done) { done(true); };
  DriverTypes types{};
  std::uint32_t decision_version = core::kDecisionVersion;
  // When the stream last flowed, to an earlier run in this boot; kept up to date, and told, as it flows.
  // Unset: that is not known.
  std::optional<Flow> last_flow = {};
  std::function<void(const Flow&)> flowed = [](const Flow&) {};
  // Makes this node ready for a configuration that may become active; an error when it cannot hold it. Calls
  // back on the loop, at once or later.
  std::function<void(const core::Spec&, std::function<void(const Result<void>&)>)> prepare =
      [](const core::Spec&, const std::function<void(const Result<void>&)>& done) { done({}); };
  // Who is not ready by then refuses the configuration.
  Duration prepares_within = std::chrono::seconds(5);
};

class Node {
 public:
  Node(NodeParts parts, NodeId self, std::uint64_t boot, core::SpecPtr spec, core::Durable stored);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Not yet: it neither looks nor takes part, but time passes, and who cannot take part for `grace` yields.
  // start() follows.
  void hold();
  // Looks what runs here, and takes part.
  void start();
  // Moves the groups away; calls `done` once nothing runs or is fenced from here, the others know, and what
  // ran here is online elsewhere if it can be. After `patience` also with groups that still run, unless they
  // are being stopped within their time limits, or the others would then take them for stopped.
  void leave(Duration patience, std::function<void()> done);
  // Its groups are being stopped, started or looked at.
  bool busy() const { return executor_.busy(); }
  // Puts the request into the stream; `answer` is called once, from the loop: also when the view ends first,
  // and when nobody can be waiting any more.
  void submit(core::Request request, std::function<void(core::Answer)> answer);
  FenceTrial& fence_trial() { return executor_.fence_trial(); }

  // The operator has put the cluster out of action for a while.
  bool disarmed() const { return replica_->disarmed(parts_.loop.now()); }
  // Nothing runs here, as probed, and nothing is started or stopped.
  bool idle() const { return replica_->holds().empty() && executor_.idle(); }
  // Why the watchdog must not be fed: something runs here, or may, that must not any more. Unset: it may be.
  std::optional<std::string> runs_against_its_right(LocalTime now) const;
  // What the others count on when they wait for the end of this node's lease.
  void guarded(std::optional<Duration> watchdog);
  // This machine or this process stood still: who has to yield does so before anything else happens.
  void was_paused() {
    if (timer_.armed()) take_input(core::Timer{});
  }

  const core::Replica& replica() const { return *replica_; }
  std::map<std::string, std::uint64_t> counters() const;

 private:
  void feed(core::Input input);
  void schedule();
  void drain();
  void take_input(const core::Input& input);
  drivers::Task<void> watch_channel();
  void keep(decltype(StreamRecord::what) what);
  void note_flow(const core::Input& input);
  bool refuses(const core::Input& input);
  void beat();
  void wake();
  void begin_replica();
  void begin_again();
  void stay_out(const std::string& why, const std::string& help);
  void start_over(const std::string& why);
  void drop_reports_of(const std::set<GroupId>& groups, std::size_t among);
  void forget_looks(const std::set<GroupId>& groups, std::size_t among);
  void drop_facts(std::size_t among, const std::function<bool(const core::Fact&)>& which);
  void note_request(const core::Input& input);
  void answer(std::uint64_t request, bool accepted, const std::string& text);
  void answer_for_lost_view();
  void answer_late_ones();
  void check_leaving();
  bool may_leave_groups_behind() const;
  bool leaves_late();
  void tell_quorum_device();
  void tell_token();
  void follow_with_corosync();
  void tell_corosync();
  void reload_corosync();
  void begin_job(drivers::Task<void> job);

  void take(core::RingChange& change);
  void take(core::QuorumVerdict& verdict);
  void take(channel::Lost& lost);
  void take(channel::Delivered& delivered);
  void take(core::LinkChange& change);
  void take(channel::QuorumDevice& device);
  void take(channel::RunningSettings& running);
  void take(channel::Misbehaved& misbehaved);
  void take(channel::Done& done);
  void take(channel::Stopped& stopped);

  void apply(core::Send& send);
  void apply(core::Execute& execute);
  void apply(core::Prepare& prepare);
  void apply(core::Probe& probe);
  void apply(core::ExecuteFence& fence);
  void apply(core::CancelFence& cancel);
  void apply(core::Yield& yield);
  void apply(core::Store& store);
  void apply(core::Rejoin& rejoin);
  void apply(core::SpecActivated& activated);
  void apply(core::SpecProposed& proposed);
  void apply(core::Answer& answer);
  void apply(core::RestartOs& restart);
  void apply(core::Event& event);

  NodeParts parts_;
  const NodeId self_;
  const std::uint64_t boot_;
  core::Durable stored_;
  core::SpecPtr spec_;
  Executor executor_;
  std::unique_ptr<core::Replica> replica_;
  std::deque<core::Input> inputs_;
  bool scheduled_ = false;
  bool timer_waits_ = false;   // in `inputs_`
  bool begins_again_ = false;  // with a new replica, once no fence of the old one acts any more
  bool out_ = false;           // takes no part any more
  bool held_ = false;
  std::optional<Duration> watchdog_;
  Loop::Timer timer_;
  Loop::Timer due_;  // for what the replica wants to do before the next beat
  drivers::Run<void> channel_watch_;
  core::ViewId kept_view_;
  // A request that was not answered yet.
  struct Asked {
    std::function<void(core::Answer)> answer;
    LocalTime since;
    std::optional<core::ViewId> view;  // whose stream it went into
  };
  std::map<std::uint64_t, Asked> asked_;
  std::uint64_t next_request_ = 0;
  std::uint64_t malformed_ = 0;
  LocalTime complain_again_;  // of a message that is too large
  SnapshotGuard guard_;
  int snapshots_refused_ = 0;                    // in a row
  std::optional<channel::QuorumDevice> device_;  // as last told
  TokenWatch token_;
  CorosyncFollow corosync_;
  bool corosync_writes_ = false;  // its file is being written
  LocalTime write_corosync_again_;
  LocalTime reload_again_;
  std::uint64_t reloaded_for_ = 0;  // the version for which it was told last
  std::vector<std::unique_ptr<drivers::Run<void>>> jobs_;
  struct Leave {
    LocalTime until;
    LocalTime stops_until;  // by then the stops that were under way have ended, one after the other
    std::function<void()> done;
    std::vector<GroupId> groups;           // that this node held
    std::optional<LocalTime> empty_since;  // nothing runs here, and the others know
    bool complained = false;
  };
  bool has_arrived(GroupId group) const;
  std::optional<Leave> leaving_;
};

}  // namespace komainu::engine
