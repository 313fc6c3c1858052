#include "engine/cluster/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <random>
#include <utility>

#include "wire/wire.h"

namespace komainu::engine {

namespace {

// More inputs than this wait only when the loop cannot keep up; what is lost then is lost loudly.
constexpr std::size_t kMaxInputs = 16384;
// Inputs taken at one turn of the loop: others want to live, too.
constexpr int kInputsAtOnce = 256;

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
      executor_(self_, *spec_, parts_.services,
                [this](core::Fact fact) { feed(core::Observed{std::move(fact), {}}); }),
      timer_(parts_.loop) {
  begin_replica();
}

void Node::begin_replica() {
  if (!stored_.spec) stored_.spec = spec_;
  replica_ = std::make_unique<core::Replica>(
      core::ReplicaOptions{.self = self_, .incarnation = new_incarnation(), .boot = boot_}, spec_, stored_);
  keep(Began{self_, replica_->incarnation(), boot_, wire::encode(stored_)});
}

void Node::start() {
  if (const Result<std::set<GroupId>> held = executor_.configure(*spec_); !held)
    parts_.services.log.warning(held.error().what);
  channel_watch_.start(watch_channel(), [](drivers::Run<void>::Ended ended) {
    if (ended.bug) std::rethrow_exception(ended.bug);
  });
  beat();
}

// ---- inputs

void Node::feed(core::Input input) {
  if (inputs_.size() >= kMaxInputs) {
    ++inputs_dropped_;
    return;
  }
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
  for (int taken = 0; taken < kInputsAtOnce && !inputs_.empty(); ++taken) {
    const core::Input input = std::move(inputs_.front());
    inputs_.pop_front();
    core::Effects effects = replica_->step(parts_.loop.now(), input);
    if (replica_->phase() == core::Phase::kEstablished && replica_->view() != kept_view_) {
      kept_view_ = replica_->view();
      keep(Established{wire::encode(replica_->state())});
    }
    for (core::Effect& effect : effects) std::visit([&](auto& what) { apply(what); }, effect);
    if (std::exchange(begin_again_, false)) {
      begin_replica();
      executor_.probe_all();
    }
  }
  if (replica_->phase() == core::Phase::kEstablished) executor_.follow(replica_->state());
  check_leaving();
  if (!inputs_.empty()) schedule();
}

void Node::beat() {
  timer_.set_after(core::Replica::kTimerPeriod, [this] { beat(); });
  feed(core::Timer{});
}

drivers::Task<void> Node::watch_channel() {
  for (;;) {
    auto readable = parts_.services.readiness.readable(parts_.channel.event_fd());
    co_await readable;
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

void Node::submit(core::Request request, std::function<void(core::Answer)> answer) {
  request.number = ++next_request_;
  answers_[request.number] = std::move(answer);
  feed(core::Observed{core::Fact{std::move(request)}, {}});
}

// ---- leaving

void Node::leave(Duration patience, std::function<void()> done) {
  leaving_ = Leave{parts_.loop.now() + patience, std::move(done)};
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
  if ((said && empty) || alone || parts_.loop.now() > leaving_->until)
    std::exchange(leaving_, std::nullopt)->done();
}

// ---- effects

void Node::apply(core::Send& send) {
  const bool kept = send.message.view == replica_->view();
  if (!kept) return;  // the view ended within the same step: nobody would take it
  Result<std::string> bytes = wire::encode(send.message);
  if (bytes) {
    parts_.channel.send(std::move(*bytes));
  } else {
    parts_.services.log.warning(bytes.error().what);
  }
}
void Node::apply(core::Execute& execute) {
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
  executor_.yield();
}

void Node::apply(core::Store& store) {
  stored_ = store.durable;
  parts_.write_store(store.durable, [this, token = store.token](bool ok) { feed(core::Stored{token, ok}); });
}

void Node::apply(core::Rejoin& rejoin) {
  begin_again_ = true;
  parts_.channel.rejoin(rejoin.reason);
}

void Node::apply(core::SpecActivated& activated) {
  const bool changed = *activated.spec != *spec_;
  spec_ = activated.spec;
  if (!changed) return;
  if (const Result<std::set<GroupId>> held = executor_.configure(*spec_); !held)
    parts_.services.log.warning(held.error().what);
  parts_.publish_config(*spec_);
}

void Node::apply(core::SpecProposed& proposed) {
  if (std::optional<std::string> why = executor_.refuse(*proposed.spec)) {
    feed(core::Stored{proposed.token, false});
    feed(core::Observed{core::Fact{core::ConfigRefuse{proposed.spec->version, *why}}, {}});
  } else {
    feed(core::Stored{proposed.token, true});
  }
}

void Node::apply(core::Answer& answer) {
  auto waiting = answers_.extract(answer.request);
  if (waiting) waiting.mapped()(answer);
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
          {"inputs_dropped", inputs_dropped_},
          {"messages_malformed", malformed_},
          {"stream_position", replica_->position()}};
}

}  // namespace komainu::engine
