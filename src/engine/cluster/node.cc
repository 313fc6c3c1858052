#include "engine/cluster/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <random>
#include <utility>

#include "core/corosync.h"
#include "core/plan/groups.h"
#include "core/plan/placement.h"
#include "engine/cluster/outgoing.h"
#include "wire/wire.h"

namespace komainu::engine {

namespace {

// Nothing is taken from the channel while so many inputs wait: it bounds what it holds, and leaves the group
// when that is too much. One take() of it comes on top.
constexpr std::size_t kManyInputs = 8192;
constexpr Duration kCatchUp = 5ms;
// Inputs taken at one turn of the loop: others want to live, too.
constexpr int kInputsAtOnce = 256;
// Operators' requests that wait for an answer.
constexpr std::size_t kMaxAsked = 256;
// Longer than whoever asked waits (api::Limits::answer).
constexpr Duration kAnswerPatience = 60s;
// A node that leaves and runs nothing any more waits so long for what ran there to be online elsewhere: its
// departure makes a new view, which voids a start that has not begun.
constexpr Duration kArrivePatience = 10s;
// After the stop of one group that of another is ordered within a fraction of it.
constexpr Duration kNextStop = 2s;
constexpr Duration kComplainAgain = 60s;
constexpr Duration kWriteCorosyncAgain = 10s;  // after a failure
// Longer than it takes until all have read back by what they run.
constexpr Duration kReloadAgain = 15s;
// So often is a damaged snapshot asked for again.
constexpr int kMaxRefused = 3;

constexpr const char* kSameVersion = "install the version of komainu that the other nodes have";

std::string cannot_hold(const Error& error) {
  return "it cannot hold the cluster's configuration: " + error.what;
}

core::Incarnation new_incarnation() {
  std::random_device random;
  return {(static_cast<std::uint64_t>(random()) << 32) | (random() | 1u)};
}

}  // namespace

Node::Node(NodeParts parts, NodeId self, std::uint64_t boot, core::SpecPtr spec, core::Durable stored)
    : parts_(std::move(parts)),
      self_(self),
      boot_(boot),
      stored_(std::move(stored)),
      spec_(std::move(spec)),
      executor_(
          self_, *spec_, parts_.services,
          [this](core::Fact fact) { feed(core::Observed{std::move(fact), {}}); }, parts_.types),
      timer_(parts_.loop),
      due_(parts_.loop) {
  begin_replica();
}

void Node::begin_replica() {
  if (!stored_.spec) stored_.spec = spec_;
  replica_ = std::make_unique<core::Replica>(
      core::ReplicaOptions{.self = self_,
                           .incarnation = new_incarnation(),
                           .boot = boot_,
                           .last_flow = parts_.last_flow ? std::optional(parts_.last_flow->at) : std::nullopt,
                           .lease_until = parts_.last_flow ? parts_.last_flow->lease_until : std::nullopt,
                           .decision_version = parts_.decision_version},
      spec_, stored_);
  if (watchdog_) feed(core::Observed{core::Fact{core::Watchdog{watchdog_}}, {}});
  if (corosync_.told()) feed(core::Observed{core::Fact{*corosync_.told()}, {}});
  keep(Began{self_, replica_->incarnation(), boot_, wire::encode(stored_)});
  tell_quorum_device();
}

// The fences of the replica that ended act for nobody now, and the new one's Hello names none of them: the
// others then let the target come back. So they have to be over before it speaks.
void Node::begin_again() {
  if (executor_.fencing()) return executor_.cancel_fences();
  begins_again_ = false;
  begin_replica();
  executor_.probe_all();
}

void Node::hold() {
  held_ = true;
  if (spec_->nodes.size() > 1) beat();  // alone there is nobody to yield to
}

void Node::start() {
  // What was stopped and seen while it was held is told to nobody, and seen anew: a survivor of an earlier
  // run may have acted until now.
  if (std::exchange(held_, false)) {
    executor_.forget();
    drop_facts(inputs_.size(), [](const core::Fact& fact) {
      return std::holds_alternative<core::GroupReport>(fact) ||
             std::holds_alternative<core::ResourceFailed>(fact);
    });
    begin_replica();
  }
  if (!timer_.armed()) beat();
  if (const Result<std::set<GroupId>> held = executor_.configure(*spec_); !held)
    return stay_out(cannot_hold(held.error()), kSameVersion);
  executor_.probe_all();
  channel_watch_.start(watch_channel(), [](drivers::Run<void>::Ended ended) {
    if (ended.bug) std::rethrow_exception(ended.bug);
  });
}

// Whoever cannot hold the cluster's configuration or state can neither run its groups nor tell whether they
// run. For the others this node is gone, and what of it can be stopped is stopped.
void Node::stay_out(const std::string& why, const std::string& help) {
  if (std::exchange(out_, true)) return;
  parts_.tell({.severity = core::Severity::kAlarm,
               .kind = core::EventKind::kConfig,
               .cause = {},
               .node = self_,
               .group = {},
               .monitor = {},
               .text = "this node takes no part: " + why + "; " + help + ", and restart komainud"});
  channel_watch_.cancel();
  parts_.channel.stop();
  keep(core::ChannelLost{});
  inputs_.clear();
  timer_waits_ = false;
  feed(core::ChannelLost{});
  while (!asked_.empty()) answer(asked_.begin()->first, false, "this node takes no part any more");
  executor_.give_up(*spec_);
}

// ---- inputs

void Node::feed(core::Input input) {
  inputs_.push_back(std::move(input));
  schedule();
}

void Node::schedule() {
  if (std::exchange(scheduled_, true)) return;
  boost::asio::post(parts_.loop.io(), [this] {
    scheduled_ = false;
    drain();
  });
}

void Node::drain() {
  parts_.loop.notice_pause();
  if (begins_again_) begin_again();
  for (int taken = 0; taken < kInputsAtOnce && !inputs_.empty() && !begins_again_; ++taken) {
    const core::Input input = std::move(inputs_.front());
    inputs_.pop_front();
    if (std::holds_alternative<core::Timer>(input)) timer_waits_ = false;
    if (refuses(input)) break;
    take_input(input);
    if (begins_again_) begin_again();
  }
  if (replica_->phase() == core::Phase::kEstablished && !out_) executor_.follow(replica_->state());
  check_leaving();
  if (!inputs_.empty() && !begins_again_) schedule();
}

void Node::take_input(const core::Input& input) {
  core::Effects effects = replica_->step(parts_.loop.now(), input);
  note_flow(input);
  if (replica_->phase() == core::Phase::kEstablished && replica_->view() != kept_view_) {
    kept_view_ = replica_->view();
    keep(Established{wire::encode(replica_->state())});
  }
  note_request(input);
  for (core::Effect& effect : effects) {
    const bool also_outside =
        std::holds_alternative<core::Answer>(effect) || std::holds_alternative<core::Yield>(effect);
    if (!out_ || also_outside) std::visit([&](auto& what) { apply(what); }, effect);
  }
  answer_for_lost_view();
  // What is due already is looked at with the next beat: where it cannot be done now, waking would not end.
  const auto due = replica_->next_due();
  const LocalTime now = parts_.loop.now();
  if (due && *due > now) due_.set_after(*due - now, [this] { wake(); });
}

std::optional<std::string> Node::runs_against_its_right(LocalTime now) const {
  if (idle()) return std::nullopt;
  if (const auto group = executor_.failed_to_yield(now))
    return "this node had to stop " + *group + " and could not";
  if (!replica_->may_run(now)) return "the lease has run out, and not everything is known to be stopped";
  return std::nullopt;
}

void Node::guarded(std::optional<Duration> watchdog) {
  watchdog_ = watchdog;
  feed(core::Observed{core::Fact{core::Watchdog{watchdog}}, {}});
}

// A snapshot that cannot be trusted: this node starts over, as if it had missed the message. It stays out of
// a cluster that is not its own, and where starting over does not help.
bool Node::refuses(const core::Input& input) {
  const auto* delivered = std::get_if<core::Delivered>(&input);
  if (!delivered || out_) return false;
  const core::Message& message = delivered->message;
  const auto refusal = guard_.look(message, *spec_);
  const bool awaited =
      message.from != self_ && replica_->phase() == core::Phase::kSyncing && message.view == replica_->view();
  if (!awaited || !std::holds_alternative<core::Snapshot>(message.body)) return false;
  if (!refusal) {
    snapshots_refused_ = 0;
    return false;
  }
  ++malformed_;
  const core::Node* sender = spec_->node(message.from);
  const std::string why =
      fmt::format("the state that {} offers is not used: {}",
                  sender ? sender->name : fmt::format("node {}", message.from.value + 1), refusal->why);
  if (refusal->verdict == SnapshotGuard::Verdict::kForeign)
    stay_out(why, "correct `name` in cluster.toml, or join the right cluster with 'komainu cluster join'");
  else if (++snapshots_refused_ >= kMaxRefused)
    stay_out(why, "restart komainud on that node");
  else
    start_over(why);
  return true;
}

void Node::start_over(const std::string& why) {
  parts_.tell({.severity = core::Severity::kAlarm,
               .kind = core::EventKind::kProtocol,
               .cause = {},
               .node = self_,
               .group = {},
               .monitor = {},
               .text = "this node starts over: " + why});
  core::Rejoin rejoin{why};
  apply(rejoin);
  begin_again();
}

// As the replica counts its grace: from when an own message came back in an established view.
void Node::note_flow(const core::Input& input) {
  const auto* delivered = std::get_if<core::Delivered>(&input);
  if (!delivered || delivered->message.from != self_ || replica_->phase() != core::Phase::kEstablished)
    return;
  parts_.last_flow = Flow{parts_.loop.now(), replica_->lease_until()};
  parts_.flowed(*parts_.last_flow);
}

void Node::beat() {
  timer_.set_after(core::Replica::kTimerPeriod, [this] { beat(); });
  answer_late_ones();
  tell_token();
  follow_with_corosync();
  wake();
}
void Node::wake() {
  if (!std::exchange(timer_waits_, true)) feed(core::Timer{});
}

drivers::Task<void> Node::watch_channel() {
  for (;;) {
    auto readable = parts_.services.readiness.readable(parts_.channel.event_fd());
    co_await readable;
    while (inputs_.size() >= kManyInputs) {
      auto pause = parts_.services.clock.sleep(kCatchUp);
      co_await pause;
    }
    for (channel::Event& event : parts_.channel.take()) std::visit([&](auto& what) { take(what); }, event);
  }
}

void Node::take(core::RingChange& change) {
  keep(change);
  feed(std::move(change));
}
void Node::take(core::QuorumVerdict& verdict) {
  keep(verdict);
  feed(verdict);
}
void Node::take(channel::Lost& lost) {
  parts_.services.log.warning("the connection to Corosync is gone: " + lost.reason.what);
  keep(core::ChannelLost{});
  feed(core::ChannelLost{});
}
void Node::take(channel::Delivered& delivered) {
  Result<core::Message> message = wire::decode_message(delivered.bytes, delivered.sender.node);
  if (message) {
    keep(Came{delivered.sender.node, std::move(delivered.bytes)});
    feed(core::Delivered{std::move(*message)});
  } else {
    ++malformed_;
    parts_.services.log.warning(message.error().what);
  }
}
void Node::take(core::LinkChange& change) {
  feed(core::Observed{core::Fact{change}, {}});
}
void Node::take(channel::QuorumDevice& device) {
  device_ = device;
  tell_quorum_device();
}
void Node::take(channel::RunningSettings& running) {
  token_.saw(running.token);
  corosync_.saw(std::move(running));
  tell_token();
  tell_corosync();
}
void Node::take(channel::Misbehaved& misbehaved) {
  malformed_ += misbehaved.times;
  parts_.services.log.warning(fmt::format("process {} of node {} in the process group: {} ({} times)",
                                          misbehaved.sender.process, misbehaved.sender.node.value,
                                          misbehaved.what, misbehaved.times));
}
void Node::take(channel::Done& done) {
  if (!done.result) parts_.services.log.warning(done.result.error().what);
}
void Node::take(channel::Stopped&) {}

void Node::keep(decltype(StreamRecord::what) what) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  parts_.keep(encode(
      StreamRecord{parts_.loop.now(), std::chrono::duration_cast<Duration>(wall).count(), std::move(what)}));
}

// The arbiter is watched like anything else, by what the channel hears of it.
void Node::tell_quorum_device() {
  static constexpr const char* kEvidence[] = {
      "",
      "it gives no vote: corosync-qnetd does not answer, or likes the other half better",
      "corosync-qdevice hangs",
      "corosync-qdevice does not run (systemctl status corosync-qdevice)",
  };
  const core::Monitor* monitor = replica_->state().spec->monitor(core::MonitorRole::kArbiter);
  if (!device_ || !monitor) return;
  const bool votes = *device_ == channel::QuorumDevice::kVotes;
  feed(core::Observed{core::Fact{core::MonitorResult{monitor->id, core::Spec::place_of(self_),
                                                     votes ? core::Health::kHealthy : core::Health::kFailed,
                                                     kEvidence[static_cast<int>(*device_)]}},
                      {}});
}

void Node::tell_token() {
  if (const auto event = token_.look(*spec_, self_, parts_.loop.now())) parts_.tell(*event);
}

// ---- Corosync's files

void Node::follow_with_corosync() {
  if (replica_->phase() != core::Phase::kEstablished || out_ || spec_->nodes.size() < 2) return;
  if (!corosync_.is_written(*spec_) && !corosync_writes_ && parts_.loop.now() >= write_corosync_again_) {
    corosync_writes_ = true;
    parts_.write_corosync(*spec_, [this, version = spec_->version, key = spec_->key](bool ok) {
      corosync_writes_ = false;
      if (ok)
        corosync_.wrote(version, key);
      else
        write_corosync_again_ = parts_.loop.now() + kWriteCorosyncAgain;
      tell_corosync();
    });
  }
  reload_corosync();
}

void Node::tell_corosync() {
  if (const auto news = corosync_.look(*spec_)) feed(core::Observed{core::Fact{*news}, {}});
}

void Node::reload_corosync() {
  const core::State& state = replica_->state();
  if (core::who_reloads_corosync(state) != self_) {
    reloaded_for_ = 0;
    return;
  }
  const bool again = reloaded_for_ == spec_->version;
  if (again && parts_.loop.now() < reload_again_) return;
  reloaded_for_ = spec_->version;
  reload_again_ = parts_.loop.now() + (again ? kComplainAgain : kReloadAgain);
  std::string behind;
  for (NodeId id : core::corosync_behind(state)) {
    const core::Node* node = spec_->node(id);
    if (node) behind += (behind.empty() ? "" : ", ") + node->name;
  }
  parts_.tell(
      {.severity = again ? core::Severity::kAlarm : core::Severity::kInfo,
       .kind = core::EventKind::kConfig,
       .cause = {},
       .node = self_,
       .group = {},
       .monitor = {},
       .text =
           again ? fmt::format("Corosync was told to read its files, and does not run by "
                               "configuration {} on {}: see 'journalctl -u corosync' there; it is told again",
                               spec_->version, behind)
                 : fmt::format("Corosync reads its files again, for configuration {}", spec_->version)});
  parts_.channel.reload();
}

// ---- operators

void Node::submit(core::Request request, std::function<void(core::Answer)> answer) {
  if (asked_.size() >= kMaxAsked)
    return answer({0, false, "too many requests are waiting for an answer: try again later"});
  if (const auto* apply = std::get_if<core::ConfigApply>(&request.what)) {
    if (const std::optional<Error> problem = too_large(apply->spec))
      return answer({0, false, problem->what + ": " + problem->help});
  }
  request.number = ++next_request_;
  asked_[request.number] = {std::move(answer), parts_.loop.now(), {}};
  feed(core::Observed{core::Fact{std::move(request)}, {}});
}

void Node::note_request(const core::Input& input) {
  auto* observed = std::get_if<core::Observed>(&input);
  auto* request = observed ? std::get_if<core::Request>(&observed->fact) : nullptr;
  if (!request || replica_->phase() != core::Phase::kEstablished) return;
  if (auto it = asked_.find(request->number); it != asked_.end()) it->second.view = replica_->view();
}

void Node::answer(std::uint64_t request, bool accepted, const std::string& text) {
  if (auto waiting = asked_.extract(request)) waiting.mapped().answer({request, accepted, text});
}

// A request may have been decided in a view whose end came before this node heard of it.
void Node::answer_for_lost_view() {
  const bool established = replica_->phase() == core::Phase::kEstablished;
  std::vector<std::uint64_t> lost;
  for (const auto& [number, asked] : asked_) {
    if (asked.view && (!established || *asked.view != replica_->view())) lost.push_back(number);
  }
  for (std::uint64_t number : lost) {
    answer(number, false,
           "the members changed before this was decided: look with 'komainu status' what came of it, and ask "
           "again");
  }
}

void Node::answer_late_ones() {
  const LocalTime now = parts_.loop.now();
  while (!asked_.empty() && now - asked_.begin()->second.since > kAnswerPatience)
    answer(asked_.begin()->first, false, "the cluster did not decide in time");
}

// ---- leaving

void Node::leave(Duration patience, std::function<void()> done) {
  // What runs goes on without this daemon, as the operator wants it; its successor takes it over.
  if (disarmed()) {
    executor_.cancel_fences();
    return done();
  }
  const LocalTime until = parts_.loop.now() + patience;
  leaving_ = Leave{until, until + executor_.longest_stops(), std::move(done), {}, {}};
  for (const auto& [group, activity] : replica_->holds()) leaving_->groups.push_back(group);
  feed(core::Observed{core::Fact{core::Leaving{}}, {}});
}

void Node::check_leaving() {
  if (!leaving_) return;
  const core::State& state = replica_->state();
  const core::NodeState* mine = state.node(self_);
  const PlaceId here = core::Spec::place_of(self_);
  const bool said = mine && mine->leaving && replica_->stable(replica_->position());
  const bool empty = replica_->holds().empty() && std::ranges::none_of(state.groups, [&](const auto& entry) {
                       return entry.second.at.contains(here);
                     });
  const bool alone = replica_->phase() != core::Phase::kEstablished && replica_->holds().empty();
  const bool out = out_ && executor_.idle();
  const LocalTime now = parts_.loop.now();
  if (said && empty && !leaving_->empty_since) leaving_->empty_since = now;
  const bool handed_over =
      leaving_->empty_since &&
      (now - *leaving_->empty_since > kArrivePatience ||
       std::ranges::all_of(leaving_->groups, [&](GroupId group) { return has_arrived(group); }));
  const bool late = leaves_late();
  if (!handed_over && !alone && !out && !late) return;
  // Who has left fences nobody: for the others its fences are over.
  executor_.cancel_fences();
  const bool fences = std::ranges::any_of(
      state.nodes, [&](const auto& entry) { return entry.second.fences.contains(self_); });
  if (!executor_.fencing() && !(said && fences)) std::exchange(leaving_, std::nullopt)->done();
}

// A stop under way is waited for, and the next one, which is ordered only then.
bool Node::leaves_late() {
  const LocalTime now = parts_.loop.now();
  if (executor_.busy())
    leaving_->until = std::max(leaving_->until, std::min(now + kNextStop, leaving_->stops_until));
  if (now <= leaving_->until) return false;
  const bool leaves = may_leave_groups_behind();
  if (!std::exchange(leaving_->complained, true)) {
    std::string names;
    for (const auto& [group, activity] : replica_->holds()) {
      const core::Group* known = spec_->group(group);
      names += (names.empty() ? "" : ", ") + (known ? known->name : std::to_string(group.value));
    }
    if (!names.empty())
      parts_.tell(
          {.severity = core::Severity::kAlarm,
           .kind = core::EventKind::kNode,
           .cause = {},
           .node = self_,
           .group = {},
           .monitor = {},
           .text = names + " could not be stopped in time: " +
                   (!leaves                    ? "this node does not leave, as nobody would fence it"
                    : spec_->nodes.size() == 1 ? "the daemon ends all the same"
                                               : "this node leaves all the same, and the others fence it")});
  }
  return leaves;
}

// Where nobody fences it, the others count on it to have stopped what it ran.
bool Node::may_leave_groups_behind() const {
  return !spec_->fencing.empty() || spec_->nodes.size() == 1;
}

bool Node::has_arrived(GroupId id) const {
  const core::State& state = replica_->state();
  const core::Group* group = state.spec->group(id);
  const core::GroupState* known = state.group(id);
  if (!group || !known || known->online() || core::wish_of(*group, *known) != core::Wish::kRun) return true;
  return std::ranges::all_of(core::explain_placement(state, id), [&](const core::Candidate& candidate) {
    return candidate.obstacle.has_value();
  });
}

// ---- effects

void Node::apply(core::Send& send) {
  const bool kept = send.message.view == replica_->view();
  if (!kept) return;  // the view ended within the same step: nobody would take it
  Outgoing out = outgoing(send.message);
  parts_.channel.send(std::move(out.bytes));
  if (!out.problem || parts_.loop.now() < complain_again_) return;
  complain_again_ = parts_.loop.now() + kComplainAgain;
  parts_.tell({.severity = core::Severity::kAlarm,
               .kind = core::EventKind::kProtocol,
               .cause = {},
               .node = self_,
               .group = {},
               .monitor = {},
               .text = out.problem->what + ": " + out.problem->help});
}
void Node::apply(core::Execute& execute) {
  forget_looks({execute.group}, inputs_.size());
  executor_.execute(execute);
}
void Node::apply(core::Prepare& prepare) {
  executor_.prepare(prepare.group);
}
void Node::apply(core::Probe& probe) {
  executor_.probe(probe.group);
}
void Node::apply(core::ExecuteFence& fence) {
  executor_.fence(*replica_->state().spec, fence);
}
void Node::apply(core::CancelFence& cancel) {
  executor_.cancel_fence(cancel);
}
void Node::apply(core::Yield&) {
  const std::size_t waiting = inputs_.size();
  // While it is held nothing was looked at: everything may run.
  forget_looks(held_ ? executor_.give_up(*spec_) : executor_.yield(), waiting);
}

void Node::apply(core::Store& store) {
  stored_ = store.durable;
  parts_.write_store(store.durable, [this, token = store.token, of = replica_->incarnation()](bool ok) {
    if (of == replica_->incarnation()) feed(core::Stored{token, ok});  // the next one counts anew
  });
}

void Node::apply(core::Rejoin& rejoin) {
  begins_again_ = true;
  parts_.channel.rejoin(rejoin.reason);
}

void Node::apply(core::SpecActivated& activated) {
  if (*activated.spec == *spec_) return;
  const std::size_t waiting = inputs_.size();
  const Result<std::set<GroupId>> let_go = executor_.configure(*activated.spec);
  if (!let_go) return stay_out(cannot_hold(let_go.error()), kSameVersion);
  spec_ = activated.spec;
  drop_reports_of(*let_go, waiting);
  tell_quorum_device();
  parts_.publish_config(*spec_);
}

// What was reported of a group that went must not be taken for a word on the one that has its id now.
void Node::drop_reports_of(const std::set<GroupId>& groups, std::size_t among) {
  drop_facts(among, [&](const core::Fact& fact) {
    if (auto* report = std::get_if<core::GroupReport>(&fact)) return groups.contains(report->group);
    auto* failed = std::get_if<core::ResourceFailed>(&fact);
    return failed && groups.contains(failed->group);
  });
}

// What a probe saw says nothing any more once something else is begun: the replica may have forgotten what it
// began (it yields, or another has taken its place) when the result's turn comes.
void Node::forget_looks(const std::set<GroupId>& groups, std::size_t among) {
  drop_facts(among, [&](const core::Fact& fact) {
    auto* report = std::get_if<core::GroupReport>(&fact);
    return report && !report->order && groups.contains(report->group);
  });
}

// Of the first `among` inputs that wait.
void Node::drop_facts(std::size_t among, const std::function<bool(const core::Fact&)>& which) {
  auto drop = [&](const core::Input& input) {
    auto* observed = std::get_if<core::Observed>(&input);
    return observed && which(observed->fact);
  };
  const auto end = inputs_.begin() + static_cast<std::ptrdiff_t>(among);
  inputs_.erase(std::remove_if(inputs_.begin(), end, drop), end);
}

void Node::apply(core::SpecProposed& proposed) {
  const auto prepared = [this, token = proposed.token, version = proposed.spec->version,
                         of = replica_->incarnation(),
                         said = std::make_shared<bool>(false)](const Result<void>& ready) {
    if (of != replica_->incarnation() || std::exchange(*said, true)) return;
    feed(core::Stored{token, ready.has_value()});
    if (!ready) feed(core::Observed{core::Fact{core::ConfigRefuse{version, ready.error().what}}, {}});
  };
  if (std::optional<std::string> why = executor_.refuse(*proposed.spec)) return prepared(failure(*why));
  parts_.prepare(*proposed.spec, prepared);
  // Until it has said so, what it acknowledges counts for nothing, and nothing can start anywhere.
  begin_job([](drivers::Clock& clock, Duration patience, auto late) -> drivers::Task<void> {
    auto sleeping = clock.sleep(patience);
    co_await sleeping;
    late(failure("its disk does not answer"));
  }(parts_.loop, parts_.prepares_within, prepared));
}

void Node::apply(core::Answer& answer) {
  this->answer(answer.request, answer.accepted, answer.text);
}

void Node::apply(core::RestartOs& restart) {
  parts_.services.log.warning("restarting the operating system: " + restart.reason);
  begin_job([](drivers::Services services) -> drivers::Task<void> {
    auto starting = services.systemd.start_unit("reboot.target");
    const Result<void> result = co_await starting;
    if (!result) services.log.warning("cannot restart the operating system: " + result.error().what);
  }(parts_.services));
}

void Node::apply(core::Event& event) {
  parts_.tell(event);
}

void Node::begin_job(drivers::Task<void> job) {
  std::erase_if(jobs_, [](const auto& held) { return !held->running(); });
  jobs_.push_back(std::make_unique<drivers::Run<void>>());
  jobs_.back()->start(std::move(job), [](drivers::Run<void>::Ended) {});
}

std::map<std::string, std::uint64_t> Node::counters() const {
  return {{"inputs_waiting", inputs_.size()},
          {"requests_waiting", asked_.size()},
          {"messages_malformed", malformed_},
          {"stream_position", replica_->position()}};
}

}  // namespace komainu::engine
