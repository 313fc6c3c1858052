// The channel's thread: keeps a Session to Corosync, cuts and joins messages, and bounds everything in
// between.
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "channel/channel.h"
#include "channel/clock.h"
#include "channel/corosync_session.h"
#include "channel/fragment.h"
#include "channel/link_watch.h"
#include "channel/loss_filter.h"
#include "channel/mailbox.h"
#include "channel/membership.h"
#include "channel/quorum_device_watch.h"

namespace komainu::channel {
namespace {

// libcpg and libquorum keep a buffer of 1 MiB on the stack while they dispatch.
constexpr std::size_t kStackSize = 2u << 20;
// What Corosync holds of ours at a time. Bytes: others' messages get between those of a snapshot, and its
// queue of 4 MiB never overflows, for then it would lose messages silently (cs_ipcs_msg_process in corosync's
// exec/ipc_glue.c). Messages: while Corosync hangs, libqb's socket takes some 200 notifications, and then
// libqb spins (qb_ipcc_sendv in libqb's lib/ipcc.c).
constexpr std::size_t kMaxInFlightBytes = 4 * (kFragmentHeader + kFragmentPayload);
constexpr std::size_t kMaxInFlight = 64;

constexpr Duration kFirstReconnect = 50ms;
constexpr Duration kLastReconnect = 1s;
// Corosync refuses messages while a ring forms: mostly for a few milliseconds, with a quorum device for as
// long as its sync_timeout.
constexpr Duration kRetry = 1ms;
constexpr Duration kSlowRetry = 10ms;
constexpr Duration kSlowRetryAfter = 50ms;
constexpr Duration kPatience = 60s;
constexpr Duration kLookPeriod = 500ms;
constexpr Duration kMisbehaviourPeriod = 1s;
constexpr std::size_t kMaxMisbehaving = 256;  // senders that are counted each on their own
constexpr Duration kStopPatience = 200ms;

struct SendCommand {
  std::string bytes;
  LocalTime at;
};
struct GiveUp {
  std::string reason;
};
struct CancelWaitForAll {};
struct Reload {};
struct Stop {};
using Command = std::variant<SendCommand, GiveUp, CancelWaitForAll, Reload, Stop>;

// What both threads touch.
struct Shared {
  Mailbox<Command> commands{0, 0};  // bounded by `unsent`
  Mailbox<Event> events{Channel::kMaxWaiting, Channel::kMaxWaitingBytes};
  std::atomic<std::uint64_t> unsent = 0, unsent_bytes = 0;
  std::atomic<std::uint64_t> sent = 0, delivered = 0, misbehaved = 0, connections = 0;
  std::atomic<Duration::rep> alive = 0, delivery = 0, latency = 0;

  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
};

class Worker : private Session::Listener {
 public:
  Worker(std::shared_ptr<Shared> shared, const CorosyncOptions& options, std::string group)
      : shared_(std::move(shared)), self_(options.self), group_(std::move(group)) {}

  void run() {
    while (true) {
      now_ = local_now();
      shared_->alive = now_.since_boot.count();
      obey();
      if (stopping_) break;
      if (failure_) lose();
      if (!session_ && now_ >= next_attempt_) connect();
      if (session_) work();
      wait();
    }
    session_.reset();
    shared_->events.push_always(Stopped{});
  }

 private:
  struct Outgoing {
    Splitter splitter;
    std::size_t bytes;
    LocalTime at;  // when the engine sent it
  };
  struct InFlight {
    std::uint64_t number;
    std::uint32_t offset;
    std::size_t bytes;
    std::optional<LocalTime> sent_at;  // the last fragment of a message
  };
  struct Complaint {
    std::uint64_t times = 0;
    LocalTime told;
  };

  Sender own() const { return {self_, process_}; }

  // ---- the engine's commands

  void obey() {
    std::vector<Command> commands = std::exchange(deferred_, {});
    std::ranges::move(shared_->commands.take(), std::back_inserter(commands));
    for (Command& command : commands) {
      if (auto* message = std::get_if<SendCommand>(&command)) {
        const std::size_t bytes = message->bytes.size();
        if (joined_)
          outgoing_.push_back({Splitter(next_number_++, std::move(message->bytes)), bytes, message->at});
        else
          forget_unsent(bytes);
      } else if (auto* give_up = std::get_if<GiveUp>(&command)) {
        failure_ = Error{std::move(give_up->reason), {}};
        losses_.reset();
      } else if (std::holds_alternative<CancelWaitForAll>(command)) {
        shared_->events.push_always(Done{cancel_wait_for_all()});
      } else if (std::holds_alternative<Reload>(command)) {
        shared_->events.push_always(Done{reload()});
      } else {
        stopping_ = true;
      }
    }
  }

  Result<void> cancel_wait_for_all() {
    if (!session_) return failure("Corosync is not connected", "See: systemctl status corosync");
    return channel::cancel_wait_for_all();
  }

  Result<void> reload() {
    if (!session_) return failure("Corosync is not connected", "See: systemctl status corosync");
    if (ring_is_forming())
      return failure("Corosync is not told to read its files while a ring forms", "It is tried again.");
    next_look_ = now_;
    return session_->reload();
  }

  void forget_unsent(std::size_t bytes) {
    --shared_->unsent;
    shared_->unsent_bytes -= bytes;
  }

  // What waits to be sent was meant for a view that is gone. Runs inside callbacks, where other commands must
  // wait.
  void drop_unsent() {
    for (Command& command : shared_->commands.take()) {
      if (auto* message = std::get_if<SendCommand>(&command))
        forget_unsent(message->bytes.size());
      else
        deferred_.push_back(std::move(command));
    }
    for (const Outgoing& message : outgoing_) forget_unsent(message.bytes);
    outgoing_.clear();
    refused_since_.reset();
  }

  // ---- the connection

  void connect() {
    // Who could not keep up comes back when it has caught up.
    if (overflowed_ && shared_->events.size() > 0) {
      next_attempt_ = now_ + kFirstReconnect;
      return;
    }
    overflowed_ = false;
    auto session = Session::open(self_, *this);
    if (!session) {
      failure_ = std::move(session.error());
      return lose();
    }
    session_ = std::move(*session);
    ++shared_->connections;
    join_accepted_ = false;
    next_look_ = now_;
  }

  // Ends the session, if there is one, because of failure_. Never inside a callback of it.
  void lose() {
    session_.reset();
    joined_ = false;
    membership_ = {};
    assembler_.clear();
    in_flight_.clear();
    in_flight_bytes_ = 0;
    forming_ = judged_ = {};
    drop_unsent();
    next_attempt_ = now_ + reconnect_after_;
    reconnect_after_ = std::min(2 * reconnect_after_, kLastReconnect);
    Error reason = *std::exchange(failure_, std::nullopt);
    if (losses_.lost(reason.what)) shared_->events.push_always(Lost{std::move(reason)});
  }

  void work() {
    if (auto done = session_->dispatch(); !done && !failure_) failure_ = done.error();
    if (!failure_ && !join_accepted_) join();
    if (!failure_ && joined_) send();
    if (!failure_ && now_ >= next_look_ && !ring_is_forming()) look_around();
    if (failure_) lose();
  }

  void join() {
    auto accepted = session_->join(group_);
    if (!accepted)
      failure_ = accepted.error();
    else
      join_accepted_ = *accepted;
  }

  // ---- sending

  void send() {
    if (ring_is_forming()) return;  // what waits will be dropped: it was meant for the view that is ending
    while (!outgoing_.empty() && in_flight_.size() < kMaxInFlight && in_flight_bytes_ < kMaxInFlightBytes) {
      Outgoing& message = outgoing_.front();
      const Fragment fragment = message.splitter.next();
      auto taken = session_->send(encode_header(fragment), fragment.payload);
      if (!taken) {
        failure_ = taken.error();
        return;
      }
      if (!*taken) {
        if (!refused_since_) refused_since_ = now_;
        if (now_ - *refused_since_ > kPatience)
          failure_ = Error{fmt::format("Corosync has refused messages for {} s", kPatience / 1s), {}};
        return;
      }
      refused_since_.reset();
      message.splitter.advance();
      const bool whole = message.splitter.done();
      in_flight_.push_back({fragment.number, fragment.offset, fragment.payload.size(),
                            whole ? std::optional(message.at) : std::nullopt});
      in_flight_bytes_ += fragment.payload.size();
      if (whole) {
        ++shared_->sent;
        forget_unsent(message.bytes);
        outgoing_.pop_front();
      }
    }
  }

  // An own fragment came back: those sent before it must have come, too.
  void acknowledge(const Fragment& fragment) {
    auto found = std::ranges::find_if(in_flight_, [&](const InFlight& sent) {
      return sent.number == fragment.number && sent.offset == fragment.offset;
    });
    if (found == in_flight_.end()) return;  // sent in an earlier ring
    if (found != in_flight_.begin())
      failure_ = Error{"Corosync lost a message of this node: its queue was full", {}};
    if (found->sent_at) shared_->latency = (now_ - *found->sent_at).count();
    for (auto sent = in_flight_.begin(); sent <= found; ++sent) in_flight_bytes_ -= sent->bytes;
    in_flight_.erase(in_flight_.begin(), found + 1);
  }

  // ---- what Corosync tells

  void group_changed(std::span<const cpg_address> members, std::span<const cpg_address> left,
                     std::span<const cpg_address> joined) override {
    tell(membership_.group_changed(members, left, joined));
  }

  void ring_changed(core::RingId ring, std::span<const std::uint32_t> nodes) override {
    in_flight_.clear();
    in_flight_bytes_ = 0;
    tell(membership_.ring_changed(ring, nodes));
  }

  void tell(std::optional<core::RingChange> change) {
    if (!change || failure_) return;
    assembler_.clear();
    drop_unsent();
    joined_ = membership_.contains(own());
    if (joined_) {
      reconnect_after_ = kFirstReconnect;
      losses_.reset();
    }
    if (auto daemon = change->members.find(self_); daemon != change->members.end() && !joined_) {
      failure_ = Error{
          fmt::format("another process of this server is in the cluster's process group: {}", daemon->second),
          "Is a second komainud running?"};
      return;
    }
    push(std::move(*change), 0);
  }

  // Until its quorum is told, which may have to wait for a quorum device, a new ring has none. The
  // connections have no order between them; the rings of one Corosync have (its store counts them).
  void ring_forms(core::RingId ring) override {
    forming_ = ring;
    if (ring.seq > judged_.seq) push(core::QuorumVerdict{ring, false}, 0);
  }

  bool ring_is_forming() const { return forming_.seq > membership_.ring().seq; }

  void quorum_changed(core::RingId ring, bool quorate) override {
    judged_ = ring;
    push(core::QuorumVerdict{ring, quorate}, 0);
  }

  void delivered(Sender sender, std::string_view bytes) override {
    if (failure_) return;
    now_ = local_now();
    shared_->delivery = now_.since_boot.count();
    if (!membership_.contains(sender)) return complain(sender, "it is not the daemon of its node");
    auto fragment = decode_fragment(bytes);
    if (!fragment) return complain(sender, fragment.error().what);
    if (sender == own()) acknowledge(*fragment);
    auto outcome = assembler_.add(sender, *fragment);
    if (auto* malformed = std::get_if<Assembler::Malformed>(&outcome))
      return complain(sender, malformed->what);
    if (auto* message = std::get_if<std::string>(&outcome)) {
      ++shared_->delivered;
      const std::size_t size = message->size();
      push(Delivered{sender, std::move(*message)}, size);
    }
  }

  void push(Event event, std::size_t bytes) {
    if (failure_) return;
    losses_.told();
    if (shared_->events.push(std::move(event), bytes)) return;
    overflowed_ = true;
    failure_ = Error{
        fmt::format("the daemon does not keep up: {} messages wait for it", shared_->events.size()), {}};
  }

  void complain(Sender sender, std::string_view what) {
    ++shared_->misbehaved;
    if (complaints_.size() >= kMaxMisbehaving && !complaints_.contains(sender)) complaints_.clear();
    auto [entry, first] = complaints_.try_emplace(sender);
    Complaint& complaint = entry->second;
    ++complaint.times;
    if (!first && now_ - complaint.told < kMisbehaviourPeriod) return;
    push(Misbehaved{sender, std::string(what), std::exchange(complaint.times, 0)}, what.size());
    complaint.told = now_;
  }

  // What Corosync tells only who asks.
  void look_around() {
    next_look_ = now_ + kLookPeriod;
    auto device = session_->quorum_device();
    if (!device) {
      failure_ = device.error();
      return;
    }
    if (device_.look(*device)) push(*device, 0);
    auto settings = session_->running_settings();
    if (!settings) {
      failure_ = settings.error();
      return;
    }
    if (*settings && settings_ != **settings) push(*(settings_ = *settings), 0);
    for (NodeId peer : membership_.ring_nodes()) {
      if (peer == self_) continue;
      auto status = session_->links_to(peer);
      if (!status) {
        failure_ = status.error();
        return;
      }
      if (!*status) continue;
      for (const core::LinkChange& change : links_.look(peer, **status)) push(change, 0);
    }
  }

  // ---- waiting

  void wait() {
    if (!deferred_.empty()) return;
    LocalTime until = local_now() + Channel::kHeartbeat / 2;
    if (!session_) until = std::min(until, next_attempt_);
    if (session_ && !ring_is_forming()) until = std::min(until, next_look_);
    if (session_ && !join_accepted_) until = std::min(until, now_ + kSlowRetry);
    if (refused_since_)
      until = std::min(until, now_ + (now_ - *refused_since_ < kSlowRetryAfter ? kRetry : kSlowRetry));
    pollfd fds[] = {{shared_->commands.fd(), POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}, {-1, 0, 0}};
    if (session_) {
      fds[1] = {session_->group_fd(), POLLIN, 0};
      fds[2] = {session_->quorum_fd(), POLLIN, 0};
      fds[3] = {session_->sync_fd(), POLLIN, 0};
    }
    const Duration left = std::max(until - local_now(), Duration{0});
    poll(fds, std::size(fds), static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
  }

  const std::shared_ptr<Shared> shared_;
  const NodeId self_;
  const std::uint32_t process_ = static_cast<std::uint32_t>(getpid());
  const std::string group_;
  bool stopping_ = false;
  std::vector<Command> deferred_;
  LocalTime now_;

  std::unique_ptr<Session> session_;
  bool join_accepted_ = false;
  bool joined_ = false;           // this process is its node's daemon in the group
  std::optional<Error> failure_;  // why the session has to end; found inside its callbacks, where it cannot
  bool overflowed_ = false;
  LossFilter losses_;
  LocalTime next_attempt_;
  Duration reconnect_after_ = kFirstReconnect;

  Membership membership_;
  Assembler assembler_;
  std::map<Sender, Complaint> complaints_;
  LinkWatch links_;
  QuorumDeviceWatch device_;
  std::optional<RunningSettings> settings_;  // as last told
  LocalTime next_look_;
  core::RingId forming_;  // the latest ring that Corosync has begun to synchronise
  core::RingId judged_;   // the latest ring whose quorum was told

  std::deque<Outgoing> outgoing_;
  std::uint64_t next_number_ = 1;
  std::optional<LocalTime> refused_since_;
  std::deque<InFlight> in_flight_;
  std::size_t in_flight_bytes_ = 0;
};

struct Start {
  std::shared_ptr<Shared> shared;
  CorosyncOptions options;
  std::string group;
};

void* run_worker(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
  pthread_setname_np(pthread_self(), "channel");
  Worker(start->shared, start->options, start->group).run();
  std::lock_guard lock(start->shared->mutex);
  start->shared->ended = true;
  start->shared->changed.notify_all();
  return nullptr;
}

class Corosync : public Channel {
 public:
  explicit Corosync(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  // A thread that hangs in Corosync is left behind; it ends when Corosync goes on or dies.
  ~Corosync() override {
    stop();
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, kStopPatience, [&] { return shared_->ended; });
  }

  int event_fd() const override { return shared_->events.fd(); }
  std::vector<Event> take() override { return shared_->events.take(); }

  void send(std::string bytes) override {
    const std::size_t size = bytes.size();
    if (shared_->unsent >= kMaxUnsent || shared_->unsent_bytes + size > kMaxUnsentBytes) {
      // Once is enough, until the thread has seen it.
      if (!std::exchange(gave_up_, true))
        rejoin(fmt::format("Corosync does not take messages fast enough: {} wait", shared_->unsent.load()));
      return;
    }
    gave_up_ = false;
    ++shared_->unsent;
    shared_->unsent_bytes += size;
    shared_->commands.push_always(SendCommand{std::move(bytes), local_now()});
  }
  void rejoin(std::string reason) override { shared_->commands.push_always(GiveUp{std::move(reason)}); }
  void cancel_wait_for_all() override { shared_->commands.push_always(CancelWaitForAll{}); }
  void reload() override { shared_->commands.push_always(Reload{}); }
  void stop() override { shared_->commands.push_always(Stop{}); }

  Health health() const override {
    return {
        .alive = {Duration{shared_->alive}},
        .delivery = {Duration{shared_->delivery}},
        .latency = Duration{shared_->latency},
        .unsent = shared_->unsent,
        .unsent_bytes = shared_->unsent_bytes,
        .waiting = shared_->events.size(),
        .sent = shared_->sent,
        .delivered = shared_->delivered,
        .misbehaved = shared_->misbehaved,
        .connections = shared_->connections,
    };
  }

 private:
  const std::shared_ptr<Shared> shared_;
  bool gave_up_ = false;
};

}  // namespace

Result<std::unique_ptr<Channel>> make_corosync(const CorosyncOptions& options) {
  std::string group = "komainu:" + options.cluster;
  if (group.size() >= CPG_MAX_NAME_LENGTH)
    return failure(fmt::format("the cluster's name '{}' is too long: at most {} bytes are allowed",
                               options.cluster,
                               CPG_MAX_NAME_LENGTH - 1 - (group.size() - options.cluster.size())));

  auto shared = std::make_shared<Shared>();
  auto start = std::make_unique<Start>(Start{shared, options, std::move(group)});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // Signals are the engine's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run_worker, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) return failure(fmt::format("cannot start the channel's thread: {}", std::strerror(error)));
  start.release();
  return std::make_unique<Corosync>(std::move(shared));
}

}  // namespace komainu::channel
