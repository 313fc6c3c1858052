#include "core/replica.h"

#include <algorithm>
#include <set>
#include <string>
#include <type_traits>

#include "base/digest.h"
#include "base/overloaded.h"
#include "core/admit/admit.h"
#include "core/plan/nodes.h"
#include "core/plan/plan.h"
#include "core/record/events.h"
#include "core/record/record.h"
#include "core/rules.h"
#include "core/view/establish.h"
#include "core/view/stability.h"

namespace komainu::core {
namespace {

// A proposal that did not come back is made again after this long.
constexpr Duration kProposeAgain = 1s;
constexpr Duration kWriteAgain = 1s;  // after a failed write of the store
constexpr std::size_t kCheckpointsKept = 64;
constexpr std::size_t kVotesKept = 4;

struct Acknowledged {
  std::uint64_t position = 0;
  std::uint64_t durable = 0;
  bool any = false;
  auto fields() const { return std::tie(position, durable, any); }
};

// An order of this node that waits for its acknowledgements.
struct WaitingStart {
  std::uint64_t position = 0;
  GroupId group;
  auto fields() const { return std::tie(position, group); }
};
struct WaitingFence {
  std::uint64_t position = 0;
  NodeId target;
  auto fields() const { return std::tie(position, target); }
};
// A write that must be done before `position` and what follows is acknowledged as durable.
struct Writing {
  enum class What : std::uint8_t { kStore, kSpec };
  std::uint64_t token = 0;
  std::uint64_t position = 0;
  What what = What::kStore;
  auto fields() const { return std::tie(token, position, what); }
};

// What a member has not acknowledged, and since when.
struct Owed {
  std::uint64_t position = 0;
  LocalTime since;
};

// What Facts are levels: the last of each is said again in a new view.
using LevelKey = std::tuple<std::size_t, std::uint32_t, std::uint32_t>;
std::optional<LevelKey> level_of(const Fact& fact) {
  if (auto* monitor = std::get_if<MonitorResult>(&fact))
    return LevelKey{fact.index(), monitor->monitor.value, monitor->place.value};
  if (auto* link = std::get_if<LinkChange>(&fact))
    return LevelKey{fact.index(), link->peer.value, link->link};
  if (std::holds_alternative<Leaving>(fact) || std::holds_alternative<Watchdog>(fact) ||
      std::holds_alternative<CorosyncState>(fact))
    return LevelKey{fact.index(), 0, 0};
  return std::nullopt;
}

}  // namespace

struct Replica::Impl {
  ReplicaOptions options;
  State state;
  Durable durable;  // as last written or being written
  bool live = false;
  bool dead = false;    // asked to be replaced by a new incarnation
  bool frozen = false;  // states differ and nobody can tell whose is right

  // ---- the view
  Phase phase = Phase::kOut;
  ViewId view;
  std::map<NodeId, std::uint32_t> members;
  NodeSet ring_nodes;
  NodeSet back;  // stopped by the state; but its daemon, or its Corosync, has come since that was established
  std::optional<RingId> quorum_ring;
  bool quorum_says_yes = false;
  bool hello_said = false;
  Gathering gathering;
  NodeSet silent;  // members suspended before they said Hello
  Succession chosen;
  std::map<NodeId, std::uint64_t> heard;  // last sequence of each sender
  std::uint64_t sequence = 0;
  std::uint64_t introduced =
      0;  // the last of the messages in which this node said what it sees, at the start

  // ---- the established view
  std::uint64_t position = 0;
  std::map<NodeId, Acknowledged> acks;
  std::map<std::uint64_t, std::uint64_t> checkpoints;                         // position → digest
  std::map<std::uint64_t, std::map<NodeId, std::uint64_t>> checkpoint_votes;  // position → who says what
  std::vector<WaitingStart> waiting;
  std::vector<WaitingFence> waiting_fences;
  std::vector<Writing> writing;
  std::uint64_t next_token = 0;
  std::optional<LocalTime> write_again;  // the store's last write failed
  bool ack_now = false;
  Acknowledged acked;  // what this node said last

  // ---- this node
  std::map<GroupId, Activity> held;      // what runs here, as the executor knows; absent: stopped
  std::map<GroupId, OrderId> executing;  // the last order begun for a group
  std::map<GroupId, OrderId> cut_short;  // orders that a yield replaced: its result is theirs
  std::map<NodeId, FenceOrder> fencing;  // begun and not ended
  std::map<LevelKey, std::pair<Fact, Cause>> levels;
  std::uint64_t next_cause = 0;

  // ---- time, on this node's clock
  LocalTime now;
  std::optional<LocalTime> last_step;  // unset: nothing has come yet
  LocalTime opened;                    // the present round
  LocalTime greeted;                   // when this node said its Hello in it
  LocalTime last_flow;                 // when an own message came back in an established view
  LocalTime last_tick_seen;
  LocalTime last_batch;
  LocalTime last_prod;
  bool yielded = false;
  std::map<NodeId, Owed> behind;                 // members that owe acknowledgements
  std::map<NodeId, LocalTime> gone_since;        // lost or suspended: when this node learnt of it
  std::map<std::uint64_t, LocalTime> due_since;  // planned proposals by digest
  std::optional<LocalTime> next_due;             // of those that still wait, the first
  // While this node knows the cluster as disarmed, until then by its own clock. It may be off by the last
  // ticks that were heard: with a fencer nobody relies on it.
  std::optional<LocalTime> disarmed_until;
  std::map<std::uint64_t, LocalTime> proposed;
  std::map<NodeId, std::uint64_t> told_held_back;  // the version of a node of which that was told
  bool plan_again = false;
  DirtyGroups dirty;
  std::map<std::uint64_t, LocalTime> alive_sent;    // number → when
  std::map<std::uint64_t, std::uint64_t> alive_at;  // position → number
  std::uint64_t alive_number = 0;
  LocalTime last_alive;
  std::optional<LocalTime> lease_until;  // unset: this node has never had one

  Effects out;

  Impl(ReplicaOptions given, SpecPtr spec, const Durable& stored)
      : options(given), state(cold_state(spec, stored)), durable(stored) {
    for (const auto& [id, group] : state.groups) held[id] = Activity::kUnknown;
    lease_until = options.lease_until;
  }

  const Spec& spec() const { return *state.spec; }
  const Timing& timing() const { return state.spec->timing; }
  bool participating() const { return gathering.hellos.contains(options.self); }
  // A node that the cluster's configuration does not name listens, and does nothing.
  bool established() const {
    return phase == Phase::kEstablished && participating() && state.nodes.contains(options.self);
  }
  bool quorate() const {
    return quorum_says_yes && (quorum_ring == view.ring || !applies(Rule::kQuorumOfThisRing));
  }
  bool uses_lease() const { return spec().uses_lease(); }
  // Where the end of a lease stands for a fence: it is not over.
  bool may_run(LocalTime at) const { return !uses_lease() || (lease_until && at <= *lease_until); }
  // The ticks stand still where the stream does, and so would a lease that they measured.
  LocalTime lease_clock() const { return applies(Rule::kLeaseByOwnClock) ? now : LocalTime{state.clock}; }
  // Counted from when the sign of life was sent: the others may count from a moment soon after it.
  void extend_lease_from(LocalTime sent) {
    const LocalTime until = sent + timing().lease;
    if (!lease_until || *lease_until < until) lease_until = until;
  }

  NodeSet member_ids() const {
    NodeSet ids;
    for (const auto& [id, process] : members) ids.insert(id);
    return ids;
  }
  NodeSet suspended_ids() const {
    NodeSet ids = silent;
    for (const auto& [id, node] : state.nodes) {
      if (node.suspended) ids.insert(id);
    }
    return ids;
  }
  NodeSet settled_ids() const {
    NodeSet ids;
    for (const auto& [id, node] : state.nodes) {
      if (node.standing == Standing::kSettled) ids.insert(id);
    }
    return ids;
  }
  NodeSet responsive() const {
    if (phase != Phase::kEstablished) return {};
    return state.members() - suspended_ids();
  }

  // ---- sending

  Cause new_cause() { return {options.self, options.incarnation, ++next_cause}; }
  Message compose(Body body, Cause cause) {
    return Message{options.self, options.incarnation, view, ++sequence, cause, std::move(body)};
  }
  void send(Body body, Cause cause = {}) { out.emplace_back(Send{compose(std::move(body), cause)}); }
  void tell(Severity severity, EventKind kind, std::string text, std::optional<NodeId> node = {}) {
    out.emplace_back(Event{severity, kind, {}, node, {}, {}, std::move(text)});
  }

  // ---- rings and rounds

  void on(const RingChange& change) {
    const bool same_ring = view.ring == change.ring && !members.empty();
    note_who_is_back(change);
    members = change.members;
    ring_nodes = change.ring_nodes;
    open_round({change.ring, same_ring ? view.round + 1 : 1, digest_of(members)});
  }
  void note_who_is_back(const RingChange& change) {
    for (const auto& [id, node] : state.nodes) {
      if (!has_stopped(state, id)) continue;
      const auto daemon = change.members.find(id);
      const auto before = members.find(id);
      const bool joins =
          daemon != change.members.end() && (before == members.end() || before->second != daemon->second);
      // Of two nodes one alone acts only after it has seen the other, or by an operator's word.
      const bool appears = !spec().two_node() && change.ring_nodes.contains(id) && !ring_nodes.contains(id);
      if (joins || appears) back.insert(id);
    }
  }
  void on(const QuorumVerdict& verdict) {
    const bool had_consent = quorum_says_yes && quorum_ring == verdict.ring;
    quorum_ring = verdict.ring;
    quorum_says_yes = verdict.quorate || (had_consent && !applies(Rule::kConsentCanEnd));
    if (!quorate()) {
      close();
    } else if (phase == Phase::kOut && !members.empty()) {
      // Quorum came back inside one ring: what happened meanwhile was not for this node.
      if (hello_said)
        open_round({view.ring, view.round + 1, view.members});
      else
        begin_gathering();
    }
  }
  void on(const ChannelLost&) {
    members.clear();
    quorum_ring.reset();
    close();
  }

  // Nothing is executed, acknowledged or proposed any more; orders that were not begun are void.
  void close() {
    if (phase == Phase::kEstablished) tell(Severity::kWarning, EventKind::kView, "the view has ended");
    phase = Phase::kOut;
    waiting.clear();
    waiting_fences.clear();
    due_since.clear();
    next_due.reset();
    proposed.clear();
  }
  void open_round(ViewId id) {
    close();
    view = id;
    opened = now;
    hello_said = false;
    gathering = {};
    silent.clear();
    heard.clear();
    sequence = 0;
    acks.clear();
    begin_gathering();
  }
  void begin_gathering() {
    if (!quorate() || !members.contains(options.self)) return;
    phase = Phase::kGathering;
    hello_said = true;
    greeted = lease_clock();
    send(own_hello());
    try_establish();
  }
  Hello own_hello() {
    Hello hello;
    hello.boot = options.boot;
    hello.live = live;
    hello.lineage = live ? state.lineage : durable.lineage;
    hello.position = position;
    hello.state_digest = state.digest();
    hello.spec_version = state.spec->version;
    hello.spec_digest = state.spec_digest;
    for (const auto& [id, node] : state.nodes) {
      if (has_stopped(state, id) && !members.contains(id) && !back.contains(id)) hello.settled.insert(id);
    }
    hello.decision_version = options.decision_version;
    hello.holds = held;
    for (const auto& [target, order] : fencing) hello.fencing[target] = order.id;
    return hello;
  }

  void on_hello(const Message& message, const Hello& hello) {
    if (message.view.members != view.members || message.view.round < view.round) return;
    if (message.view.round > view.round) open_round(message.view);
    if (gathering.hellos.contains(message.from)) return;
    if (phase == Phase::kSyncing || phase == Phase::kEstablished || silent.contains(message.from)) {
      // It was suspended before it said Hello: everybody gathers again, with it.
      return open_round({view.ring, view.round + 1, view.members});
    }
    gathering.hellos[message.from] = hello;
    gathering.incarnations[message.from] = message.incarnation;
    heard[message.from] = message.sequence;
    try_establish();
  }

  void try_establish() {
    const bool syncing = phase == Phase::kSyncing;
    if (phase == Phase::kOut || phase == Phase::kEstablished) return;
    if (gathering.hellos.empty()) return;
    for (const auto& [id, process] : members) {
      if (!silent.contains(id) && !gathering.hellos.contains(id)) return;
    }
    gathering.view = view;
    gathering.ring_nodes = ring_nodes;
    chosen = succession(gathering);
    if (!participating()) {
      phase = Phase::kSyncing;  // the others go on without this node; its late Hello makes them gather again
      return;
    }
    if (chosen.identical) return enter(state);
    if (syncing && chosen.donor != options.self) return;
    phase = Phase::kSyncing;
    if (chosen.donor == options.self) send(Snapshot{std::make_shared<const State>(state)});
  }
  void on_snapshot(const Message& message, const Snapshot& snapshot) {
    if (phase != Phase::kSyncing || !participating() || message.from != chosen.donor || !snapshot.state)
      return;
    enter(*snapshot.state);
  }

  void enter(const State& base) {
    const bool new_spec = !live || base.spec_digest != state.spec_digest;
    const std::vector<GroupId> to_probe = adopt_spec_of_donor(base);
    const SpecPtr mine = state.spec;
    const std::uint32_t decided_by = base.decision_version;
    state = core::establish(base, gathering, chosen, out);
    back = {};
    note_disarmed();
    if (!applies(Rule::kClusterConfiguration)) install_spec(state, mine);
    dirty.all();
    live = true;
    phase = Phase::kEstablished;
    frozen = false;
    yielded = false;
    position = 0;
    acked = {};
    checkpoints.clear();
    checkpoint_votes.clear();
    behind.clear();
    alive_sent.clear();
    alive_at.clear();
    last_flow = last_tick_seen = now;
    last_alive = greeted;
    // Its Hello was its last sign of life to the others; how long the word of the establishment was under
    // way, or how long this daemon slept over it, nobody can say.
    extend_lease_from(applies(Rule::kLeaseFromSending) ? greeted : lease_clock());
    checkpoint();
    for (const auto& [id, node] : state.nodes) {
      const bool gone = node.standing == Standing::kLost || node.standing == Standing::kUnknown;
      if (!gone) {
        gone_since.erase(id);
        continue;
      }
      // A node that stays lost is measured anew: its lease may have been renewed until the last view had
      // ended.
      gone_since[id] = lease_clock();
      prepare_for(id);
    }
    std::erase_if(gone_since, [&](const auto& entry) { return !state.nodes.contains(entry.first); });
    if (new_spec) out.emplace_back(SpecActivated{state.spec});
    for (GroupId id : to_probe) out.emplace_back(Probe{id});
    tell(Severity::kInfo, EventKind::kView, members_text());
    tell_decision_version(decided_by);
    writing.clear();
    write(0);
    say_levels();
    introduced = sequence;
    cancel_fences();
    plan_again = true;
  }

  // Groups of another configuration than the one this node knew have not been looked at under their present
  // ids.
  std::vector<GroupId> adopt_spec_of_donor(const State& base) {
    if (base.spec_digest == state.spec_digest) return {};
    held.clear();
    executing.clear();
    std::vector<GroupId> to_probe;
    for (const auto& [id, group] : base.spec->groups) {
      held[id] = Activity::kUnknown;
      to_probe.push_back(id);
    }
    tell(Severity::kWarning, EventKind::kConfig,
         "this node's configuration differs from the cluster's, whose version " +
             std::to_string(base.spec->version) + " is used");
    return to_probe;
  }
  std::string members_text() const {
    std::string names;
    for (NodeId id : state.members()) names += (names.empty() ? "" : ", ") + name_of(state, id);
    return "view established: " + names;
  }
  // While komainu is upgraded node by node all decide as the oldest does.
  void tell_decision_version(std::uint32_t before) {
    const std::uint32_t lowest = state.decision_version;
    std::string older, newer;
    for (const auto& [id, hello] : gathering.hellos) {
      std::string& names = hello.decision_version == lowest ? older : newer;
      names += (names.empty() ? "" : ", ") + name_of(state, id);
    }
    const std::string version = std::to_string(lowest);
    if (!newer.empty())
      tell(Severity::kWarning, EventKind::kView,
           "all decide as version " + version + " does, like " + older + ": komainu is older there than on " +
               newer);
    else if (lowest != before)
      tell(Severity::kInfo, EventKind::kView, "all members decide as version " + version + " from now on");
  }
  void say_levels() {
    const Hello& said = gathering.hellos.at(options.self);
    std::set<GroupId> differ;
    for (const auto& [id, activity] : held) {
      auto it = said.holds.find(id);
      if (it == said.holds.end() || it->second != activity) differ.insert(id);
    }
    for (const auto& [id, activity] : said.holds) {
      if (!held.contains(id)) differ.insert(id);
    }
    for (GroupId id : differ) {
      auto it = held.find(id);
      send(Fact{GroupReport{id, Spec::place_of(options.self), std::nullopt,
                            it == held.end() ? std::nullopt : std::optional(it->second)}},
           new_cause());
    }
    for (const auto& [target, order] : said.fencing) {
      if (fencing.contains(target)) continue;
      send(Fact{FenceResult{target, order, false, "its result came while there was no view"}}, new_cause());
    }
    for (const auto& [key, level] : levels) send(level.first, level.second);
  }
  // A fence that was begun in an older view hits a member of this one: it must not.
  void cancel_fences() {
    for (const auto& [target, order] : fencing) {
      const NodeState* node = state.node(target);
      if (node && node->standing == Standing::kMember) out.emplace_back(CancelFence{target, order.id});
    }
  }

  // ---- the stream

  // By its name, and by the incarnation that said Hello in it.
  bool of_this_view(const Message& message) const {
    auto known = gathering.incarnations.find(message.from);
    return message.view == view && known != gathering.incarnations.end() &&
           known->second == message.incarnation;
  }
  void on(const Delivered& delivered) {
    const Message& message = delivered.message;
    if (!members.contains(message.from)) return;
    const bool of_this_ring = message.view.ring == view.ring;
    if (of_this_ring && message.from == options.self && established()) last_flow = now;
    if (auto* hello = std::get_if<Hello>(&message.body)) {
      if (of_this_ring) on_hello(message, *hello);
      return;
    }
    if (!of_this_view(message) && applies(Rule::kOwnViewOnly)) return;
    if (message.sequence != ++heard[message.from]) {
      return rejoin("a message of " + name_of(state, message.from) + " was skipped");
    }
    std::visit(Overloaded{
                   [&](const Hello&) {},
                   [&](const Snapshot& snapshot) { on_snapshot(message, snapshot); },
                   [&](const Ack& ack) { on_ack(message.from, ack); },
                   [&](const Suspend& suspend) { on_suspend(suspend.target); },
                   [&](const auto& body) {
                     if (established()) apply(message, body);
                   },
               },
               message.body);
  }

  void on_suspend(NodeId target) {
    if (phase != Phase::kEstablished) {
      if (!members.contains(target)) return;
      if (target == options.self && hello_said) return open_round({view.ring, view.round + 1, view.members});
      const bool donor_hangs = phase == Phase::kSyncing && target == chosen.donor;
      if (gathering.hellos.contains(target) && !donor_hangs) return;
      gathering.hellos.erase(target);
      gathering.incarnations.erase(target);
      silent.insert(target);
      if (donor_hangs) phase = Phase::kGathering;
      return try_establish();
    }
    if (!established()) return;
    next_position();
    auto it = state.nodes.find(target);
    if (it == state.nodes.end() || it->second.standing != Standing::kMember || it->second.suspended) return;
    dirty.all();
    it->second.cause = cause_of_loss(target, it->second);
    it->second.suspended = true;
    it->second.since = state.clock;
    ++it->second.version;
    gone_since[target] = lease_clock();
    note_loss(state, target, out);
    node_event(out, Severity::kWarning, EventKind::kView, it->second.cause, target,
               name_of(state, target) + " does not answer");
  }

  Context context(const Message& message) const {
    return {options.self, message.from, message.incarnation, OrderId{view, position}, message.cause};
  }
  void next_position() {
    ++position;
    plan_again = true;
  }

  void apply(const Message&, const Resume& resume) {
    next_position();
    auto it = state.nodes.find(resume.target);
    if (it == state.nodes.end() || !it->second.suspended) return;
    dirty.all();
    it->second.suspended = false;
    it->second.since = state.clock;
    ++it->second.version;
    gone_since.erase(resume.target);
    node_event(out, Severity::kInfo, EventKind::kView, std::exchange(it->second.cause, {}), resume.target,
               name_of(state, resume.target) + " answers again");
    give_up_waiting_fence(resume.target);
  }
  // The reason for a fence that nobody has begun is gone. Without enough acknowledgements it would stay open,
  // and keep its target from starting anything, for as long as the view lasts.
  void give_up_waiting_fence(NodeId target) {
    std::erase_if(waiting_fences, [&](const WaitingFence& fence) {
      const auto& open = state.nodes.at(target).fences;
      auto own = open.find(options.self);
      if (fence.target != target || own == open.end()) return false;
      send(Fact{FenceResult{target, own->second.id, false, "not begun: it answers again"}},
           own->second.cause);
      return true;
    });
  }
  void apply(const Message& message, const Alive& alive) {
    next_position();
    const NodeState* node = state.node(message.from);
    // An Alive ordered after its sender's suspension extends nothing.
    if (message.from == options.self && node && !node->suspended) alive_at[position] = alive.number;
    ack_now = true;
  }
  void apply(const Message& message, const Fact& fact) {
    next_position();
    dirty.note(state, message);
    const bool had_pending = state.pending_spec.has_value();
    record(state, fact, context(message), out);
    note_disarmed();
    if (std::holds_alternative<Tick>(fact)) {
      last_tick_seen = now;
      checkpoint();
    }
    if (!had_pending && state.pending_spec) {
      writing.push_back({++next_token, position, Writing::What::kSpec});
      out.emplace_back(SpecProposed{state.pending_spec->spec, next_token});
      ack_now = true;
    }
    if (had_pending && !state.pending_spec) {
      // Refused: what was to be held of it is owed no more, and holds up no acknowledgement.
      std::erase_if(writing, [](const Writing& write) { return write.what == Writing::What::kSpec; });
      ack_now = true;
    }
    if (may_touch_durable(fact)) write_if_changed();
  }
  static bool may_touch_durable(const Fact& fact) {
    if (auto* result = std::get_if<MonitorResult>(&fact)) return result->health == Health::kHealthy;
    return std::holds_alternative<Request>(fact) || std::holds_alternative<GroupReport>(fact);
  }

  void apply(const Message& message, const Proposal& proposal) {
    next_position();
    dirty.note(state, message);
    if (std::optional<Refusal> refusal = admit(state, proposal, context(message), out)) {
      if (!refusal->superseded) {
        out.emplace_back(
            Event{Severity::kWarning, EventKind::kRefused, message.cause, {}, {}, {}, refusal->reason});
      }
      return;
    }
    checkpoint();
    ack_now = true;
    std::visit(Overloaded{
                   [&](const StartGroup& start) { schedule(start.group); },
                   [&](const RestartGroup& restart) { schedule(restart.group); },
                   [&](const StopGroup& stop) { schedule(stop.group); },
                   [&](const FenceNode& fence) { schedule(fence); },
                   [&](const SettleNode&) {},
                   [&](const NodeAction&) {},
               },
               proposal);
    if (!std::holds_alternative<StartGroup>(proposal)) write_if_changed();
  }
  void schedule(GroupId id) {
    const Order& order = *state.groups.at(id).order;
    if (order.executor != options.self) return;
    if (applies(Rule::kStopVoidsStart))
      std::erase_if(waiting, [&](const WaitingStart& start) { return start.group == id; });
    if (order.kind == OrderKind::kStop) {
      begin(id, order);  // stopping never waits for anybody
    } else {
      waiting.push_back({position, id});
    }
  }
  void schedule(const FenceNode& fence) {
    if (fence.executor == options.self) waiting_fences.push_back({position, fence.target});
    prepare_for(fence.target);
  }
  // What may come here once `gone` is settled is looked at while that is under way.
  void prepare_for(NodeId gone) {
    const PlaceId lost = Spec::place_of(gone);
    for (const auto& [id, group] : state.groups) {
      const Group* configured = spec().group(id);
      const bool may_come = configured && spec().allowed(*configured).contains(Spec::place_of(options.self));
      if (may_come && !held.contains(id) && state.may_run(id).contains(lost)) out.emplace_back(Prepare{id});
    }
  }
  void begin(GroupId id, Order order) {
    cut_short.erase(id);
    // Ordered for a group of which a part had failed; if this node has stopped the rest since, all of it
    // starts.
    const auto known = held.find(id);
    const bool up =
        known != held.end() && (known->second == Activity::kOnline || known->second == Activity::kFailed);
    if (!up) order.first_resource = 0;
    if (order.kind != OrderKind::kStop) yielded = false;  // there is something to yield again
    held[id] = order.kind == OrderKind::kStop ? Activity::kStopping : Activity::kStarting;
    executing[id] = order.id;
    out.emplace_back(Execute{id, order});
  }

  // ---- acknowledgements

  NodeSet ackers(std::uint64_t at, bool durably) const {
    NodeSet set;
    for (const auto& [id, ack] : acks) {
      if (ack.any && (durably ? ack.durable > at : ack.position >= at)) set.insert(id);
    }
    return set;
  }
  // Whose acknowledgements an activation needs, unless a quorum can no longer be without it.
  NodeSet asked() const {
    return applies(Rule::kSuspendedCount) ? member_ids() : member_ids() - suspended_ids();
  }
  bool is_stable(std::uint64_t at) const {
    return established() &&
           core::stable(spec(), asked(), settled_ids(), ackers(at, applies(Rule::kDurability)));
  }

  void on_ack(NodeId from, const Ack& ack) {
    if (!established()) return;
    Acknowledged& known = acks[from];
    known = {ack.position, ack.durable, true};
    if (const auto checked = checkpoint_at(ack.position); checked != checkpoints.end())
      compare(checked->first, from, ack.digest, checked->second);
    if (dead) return;
    activate_spec();
    run_waiting();
  }
  void run_waiting() {
    if (frozen || !established() || state.nodes.at(options.self).suspended) return;
    extend_lease();
    for (auto it = waiting.begin(); it != waiting.end();) {
      if (!is_stable(it->position) || !may_run(lease_clock())) {
        ++it;
        continue;
      }
      const GroupState& group = state.groups.at(it->group);
      const GroupId id = it->group;
      const bool latest = group.order && group.order->id == OrderId{view, it->position};
      it = waiting.erase(it);
      if (latest) {
        begin(id, *group.order);
      } else if (!applies(Rule::kStopVoidsStart) && group.order) {
        Order overtaken = *group.order;
        overtaken.kind = OrderKind::kStart;
        begin(id, overtaken);
      } else {
        out.emplace_back(Probe{id});  // it says that nothing came of the one that was replaced
      }
    }
    std::erase_if(waiting_fences, [&](const WaitingFence& fence) {
      const NodeState& target = state.nodes.at(fence.target);
      auto open = target.fences.find(options.self);
      if (open == target.fences.end() || open->second.id.position != fence.position) return true;
      if (!fence_stable(spec(), member_ids(), suspended_ids(), fence.target, ackers(fence.position, false)))
        return false;
      fencing[fence.target] = open->second;
      out.emplace_back(ExecuteFence{fence.target, open->second});
      return true;
    });
  }
  void extend_lease() {
    while (!alive_at.empty() && is_stable(alive_at.begin()->first)) {
      auto sent = alive_sent.find(alive_at.begin()->second);
      if (sent != alive_sent.end())
        extend_lease_from(applies(Rule::kLeaseFromSending) ? sent->second : lease_clock());
      alive_sent.erase(alive_sent.begin(), alive_sent.upper_bound(alive_at.begin()->second));
      alive_at.erase(alive_at.begin());
    }
  }
  // The pending configuration becomes active at the acknowledgement that completes "all members hold it".
  void activate_spec() {
    if (!state.pending_spec || !ackers(state.pending_spec->position, true).includes(state.members())) return;
    const PendingSpec pending = *std::exchange(state.pending_spec, std::nullopt);
    // The state changes here: acknowledgements that are under way speak of the one before.
    next_position();
    // What it was checked against may have changed since: a group that it removes was started, say.
    if (const std::string why = cannot_apply(state, *pending.spec); !why.empty()) {
      checkpoint();
      return conclude(pending, Severity::kWarning, why);
    }
    const SpecPtr before = state.spec;
    install_spec(state, pending.spec);
    const bool votes_change = before->node_ids() != spec().node_ids();
    for (auto& [id, node] : state.nodes) {
      if (!before->node(id)) {
        // Nobody has ever heard of it, and who adds it knows that it runs nothing.
        node.standing = Standing::kSettled;
      } else if (node.corosync.counts.empty() && before->nodes.size() > 1 && votes_change) {
        // It has not said yet whose votes its Corosync counts: those of before, until it does.
        node.corosync.counts = before->node_ids();
      }
    }
    dirty.all();
    std::erase_if(held, [&](const auto& entry) { return !state.groups.contains(entry.first); });
    std::erase_if(gone_since, [&](const auto& entry) { return !state.nodes.contains(entry.first); });
    std::erase_if(waiting_fences, [&](const auto& fence) { return !state.nodes.contains(fence.target); });
    out.emplace_back(SpecActivated{state.spec});
    look_at_what_is_new(*before);
    checkpoint();
    conclude(pending, Severity::kInfo,
             "configuration " + std::to_string(pending.spec->version) + " is active");
    write_if_changed();
  }
  void conclude(const PendingSpec& pending, Severity severity, const std::string& text) {
    out.emplace_back(Event{severity, EventKind::kConfig, pending.cause, {}, {}, {}, text});
    if (pending.cause.origin == options.self)
      out.emplace_back(Answer{pending.request, severity == Severity::kInfo, text});
  }
  // A service often runs somewhere before it becomes a group: stopped means probed.
  void look_at_what_is_new(const Spec& before) {
    for (auto& [id, group] : state.groups) {
      const Group* known = before.group(id);
      if (known && known->resources == spec().group(id)->resources) continue;
      for (NodeId member : state.members()) group.at[Spec::place_of(member)] = Activity::kUnknown;
      ++group.version;
      held[id] = Activity::kUnknown;
      executing.erase(id);
      cut_short.erase(id);
      out.emplace_back(Probe{id});
    }
  }

  // The positions below this are on disk; nothing of a view is before the view's epoch is.
  std::uint64_t durable_below() const {
    std::uint64_t below = position + 1;
    for (const Writing& write : writing) below = std::min(below, write.position);
    return below;
  }
  void acknowledge() {
    ack_now = false;
    last_batch = now;
    acked = {position, durable_below(), true};
    send(Ack{acked.position, checkpoints.rbegin()->second, acked.durable});
  }

  // ---- same position, same state

  void checkpoint() {
    checkpoints[position] = state.digest();
    if (checkpoints.size() > kCheckpointsKept) checkpoints.erase(checkpoints.begin());
  }
  // The last one up to this position.
  std::map<std::uint64_t, std::uint64_t>::const_iterator checkpoint_at(std::uint64_t at) const {
    const auto after = checkpoints.upper_bound(at);
    return after == checkpoints.begin() ? checkpoints.end() : std::prev(after);
  }
  void compare(std::uint64_t at, NodeId from, std::uint64_t theirs, std::uint64_t mine) {
    auto& votes = checkpoint_votes[at];
    votes[from] = theirs;
    votes[options.self] = mine;
    const bool differs = std::ranges::any_of(votes, [&](const auto& vote) { return vote.second != mine; });
    if (differs) diverged(votes, mine);
    while (checkpoint_votes.size() > kVotesKept) checkpoint_votes.erase(checkpoint_votes.begin());
  }
  void diverged(const std::map<NodeId, std::uint64_t>& votes, std::uint64_t mine) {
    const NodeSet all = state.members();
    auto count = [&](std::uint64_t digest) {
      return static_cast<std::uint32_t>(
          std::ranges::count_if(votes, [&](const auto& vote) { return vote.second == digest; }));
    };
    for (const auto& [id, digest] : votes) {
      if (digest != mine && 2 * count(digest) > all.size())
        return rejoin("its state differs from the majority's");
    }
    if (2 * count(mine) > all.size() || votes.size() < all.size()) return;
    // No majority. Of two nodes the one that runs nothing can start over without harm; otherwise nobody
    // moves.
    NodeSet idle;
    for (NodeId id : all) {
      if (!runs_something(id)) idle.insert(id);
    }
    if (all.size() == 2 && !idle.empty()) {
      const NodeId starts_over = idle.size() == 1 ? idle.first() : *++idle.begin();
      if (starts_over == options.self) rejoin("its state differs from the other node's");
      return;
    }
    freeze();
  }
  bool runs_something(NodeId id) const {
    const PlaceId place = Spec::place_of(id);
    return std::ranges::any_of(state.groups,
                               [&](const auto& entry) { return entry.second.at.contains(place); });
  }
  void freeze() {
    if (frozen) return;
    frozen = true;
    waiting.clear();
    waiting_fences.clear();
    tell(Severity::kAlarm, EventKind::kProtocol,
         "the members' states differ: nothing is started or fenced until komainud is restarted on one of "
         "them");
  }
  void rejoin(const std::string& why) {
    dead = true;
    close();
    tell(Severity::kAlarm, EventKind::kProtocol, name_of(state, options.self) + " starts over: " + why,
         options.self);
    out.emplace_back(Rejoin{why});
  }

  // ---- the store

  void write(std::uint64_t at) {
    durable = durable_part(state);
    writing.push_back({++next_token, at});
    out.emplace_back(Store{durable, next_token});
  }
  void write_if_changed() {
    if (durable_part(state) == durable) return;
    write(position);
    ack_now = true;
  }
  void on(const Stored& stored) {
    auto it = std::ranges::find(writing, stored.token, &Writing::token);
    if (it == writing.end()) return;
    if (it->what == Writing::What::kSpec) {
      if (!stored.ok) return;  // the shell says why with a ConfigRefuse
      writing.erase(it);
    } else if (stored.ok) {
      // Each write holds everything that those before it held.
      std::erase_if(writing, [&](const Writing& write) {
        return write.what == Writing::What::kStore && write.token <= stored.token;
      });
      if (std::exchange(write_again, std::nullopt))
        tell(Severity::kInfo, EventKind::kNode, name_of(state, options.self) + " can write its store again",
             options.self);
    } else {
      // Until then it takes part, but its acknowledgements count for nothing durable.
      if (!write_again)
        tell(Severity::kAlarm, EventKind::kNode,
             name_of(state, options.self) + " cannot write its store: it supports no start", options.self);
      write_again = now + kWriteAgain;
    }
    if (established()) ack_now = true;
  }
  void try_store_again() {
    if (!write_again || now < *write_again) return;
    auto newest = std::ranges::find(writing.rbegin(), writing.rend(), Writing::What::kStore, &Writing::what);
    if (newest == writing.rend()) return write_again.reset();
    write_again = now + kWriteAgain;
    out.emplace_back(Store{durable, newest->token});
  }

  // ---- what this node sees and does

  void on(const Observed& observed) {
    const Cause cause = observed.cause ? observed.cause : new_cause();
    Fact fact = observed.fact;
    if (auto* report = std::get_if<GroupReport>(&fact)) {
      if (!take(*report)) return;
    } else if (auto* failed = std::get_if<ResourceFailed>(&fact)) {
      // The fact may be lost with its view: the next Hello says it again.
      auto it = held.find(failed->group);
      if (it != held.end() && it->second == Activity::kOnline) it->second = Activity::kFailed;
    } else if (auto* result = std::get_if<FenceResult>(&fact)) {
      auto begun = fencing.find(result->target);
      if (begun != fencing.end() && begun->second.id == result->order) fencing.erase(begun);
    } else if (auto* request = std::get_if<Request>(&fact); request && !established()) {
      out.emplace_back(Answer{request->number, false,
                              "this node is not in an established view: nothing can be decided now"});
      return;
    }
    if (auto key = level_of(fact)) levels[*key] = {fact, cause};
    if (established()) send(std::move(fact), cause);
  }
  // The executor's word on a group of this node; false: it speaks of a superseded order.
  bool take(GroupReport& report) {
    auto begun = executing.find(report.group);
    const bool latest = !report.order || (begun != executing.end() && begun->second == *report.order);
    if (!latest && applies(Rule::kLatestResultOnly)) {
      out.emplace_back(Probe{report.group});
      return false;
    }
    if (!report.order && begun != executing.end()) return false;  // a probe that an order overtook
    if (auto cut = cut_short.find(report.group); cut != cut_short.end()) {
      report.order = cut->second;
      cut_short.erase(cut);
    }
    const bool ended = report.activity != Activity::kStarting && report.activity != Activity::kStopping;
    if (begun != executing.end() && ended) executing.erase(begun);
    if (report.activity) {
      held[report.group] = *report.activity;
    } else {
      held.erase(report.group);
    }
    // In a later view than the order's it is news without an order.
    if (report.order && report.order->view != view) report.order.reset();
    return true;
  }

  // ---- time

  void on(const Timer&) {
    notice_gap();
    if (phase == Phase::kGathering || phase == Phase::kSyncing) prod_silent();
    if (established()) {
      watch_members();
      tick();
      renew_lease();
      try_store_again();
      std::erase_if(proposed, [&](const auto& entry) { return now - entry.second >= kProposeAgain; });
      if (position > acked.position && now - last_batch >= kTimerPeriod) ack_now = true;
    }
    yield_if_alone();
    last_step = now;
  }

  // After a pause of this machine, time seems to have passed for the others, too: it has not been observed.
  void notice_gap() {
    const Duration gap = now - *last_step;
    if (gap <= timing().suspend_after / 2) return;
    behind.clear();
    opened = std::max(opened, now - timing().suspend_after / 2);
  }
  void prod_silent() {
    if (!hello_said || now - opened < timing().suspend_after || now - last_prod < timing().suspend_after)
      return;
    last_prod = now;
    if (phase == Phase::kSyncing && participating()) return send(Suspend{chosen.donor});
    for (const auto& [id, process] : members) {
      if (!gathering.hellos.contains(id) && !silent.contains(id) && id != options.self) send(Suspend{id});
    }
  }
  void watch_members() {
    for (NodeId id : state.members()) {
      if (id == options.self) continue;
      const bool suspended = state.nodes.at(id).suspended;
      auto owes = behind.find(id);
      if (owes != behind.end() && acks[id].any && acks[id].position >= owes->second.position) {
        behind.erase(owes);
        if (suspended) propose(Resume{id});
        owes = behind.end();
      }
      if (acks[id].any && acks[id].position >= position) {
        if (suspended) propose(Resume{id});
      } else if (owes == behind.end()) {
        behind[id] = {position, now};
      } else if (!suspended && now - owes->second.since >= timing().suspend_after) {
        propose(Suspend{id});
      }
    }
  }
  std::uint32_t rank() const {
    std::uint32_t before = 0;
    for (NodeId id : responsive()) {
      if (id == options.self) return before;
      ++before;
    }
    return ~0U;
  }
  void tick() {
    const std::uint32_t my_rank = rank();
    if (my_rank == ~0U || !options.plans) return;
    const Duration since = now - last_tick_seen;
    if (since < timing().tick * (my_rank + 1)) return;
    last_tick_seen = now;
    send(Fact{Tick{state.ticks + 1, since}});
  }

  void renew_lease() {
    if (!uses_lease()) return;
    if (now - last_alive >= timing().lease / 4) {
      last_alive = now;
      alive_sent[++alive_number] = lease_clock();
      if (alive_sent.size() > 64) alive_sent.erase(alive_sent.begin());
      send(Alive{alive_number});
    }
    if (rank() != 0) return;
    // 1 % is the drift that docs/protocol.md assumes of CLOCK_BOOTTIME.
    const Duration wait =
        (timing().lease + timing().watchdog + timing().drain + timing().max_pause) * 101 / 100;
    for (const auto& [id, since] : gone_since) {
      const NodeState& node = state.nodes.at(id);
      if (lease_clock() - since < wait || node.standing == Standing::kUnknown || !lease_ends(state, id))
        continue;
      propose(Proposal{SettleNode{id, node.incarnation, node.version, SettleNode::Why::kLeaseOver}},
              node.cause);
    }
  }
  // Sends what has not been sent already, or did not come back for long.
  template <class What>
  void propose(What what, Cause cause = {}) {
    Digest digest;
    digest.word(Body(what).index());
    add(digest, what);
    auto [it, fresh] = proposed.try_emplace(digest.value(), now);
    if (!fresh && now - it->second < kProposeAgain) return;
    it->second = now;
    send(std::move(what), cause);
  }

  void note_disarmed() {
    disarmed_until.reset();
    if (state.disarmed) disarmed_until = now + (state.disarmed->until - state.clock);
  }
  // A node that cannot take part for longer than `grace` stops its groups by itself: nobody can tell it to.
  void yield_if_alone() {
    if (yielded || held.empty() || now - last_flow <= timing().grace) return;
    if (disarmed_until && now < *disarmed_until) return;
    const bool data = std::ranges::any_of(spec().groups, [&](const auto& entry) {
      return entry.second.holds_data && held.contains(entry.first);
    });
    if (spec().quorum.on_no_quorum == NoQuorum::kFreeze && !data) return;
    yield("no established view for longer than grace");
  }
  void yield(const std::string& why) {
    if (yielded || !applies(Rule::kYields)) return;
    yielded = true;
    executing.clear();
    for (const auto& [id, group] : state.groups) {
      if (group.order && group.order->executor == options.self) cut_short[id] = group.order->id;
    }
    out.emplace_back(Yield{why});
    // Where nothing runs, nothing is stopped, and nobody would say what came of the order.
    for (const WaitingStart& start : std::exchange(waiting, {})) out.emplace_back(Probe{start.group});
    for (auto& [id, activity] : held) {
      if (activity == Activity::kOnline || activity == Activity::kFailed) activity = Activity::kStopping;
    }
    // The others, if there are any, name its loss alike.
    const NodeState* known = state.node(options.self);
    node_event(out, Severity::kAlarm, EventKind::kProtocol,
               known ? cause_of_loss(options.self, *known) : Cause{}, options.self,
               name_of(state, options.self) + " stops its groups: " + why);
  }

  // ---- planning

  void plan_now() {
    next_due.reset();
    if (!options.plans || frozen || !established() || state.nodes.at(options.self).suspended) return;
    // What it found while there was no view is not in the state yet: that it is cut off itself, for one.
    if (heard[options.self] < introduced) return;
    const std::uint32_t my_rank = rank();
    if (my_rank == ~0U) return;
    std::map<std::uint64_t, LocalTime> still_due;
    Plans plans = plan(state, options.self, dirty);
    dirty.planned(plans.due);
    tell_held_back(plans.held_back);
    for (Planned& planned : plans.due) {
      const std::uint64_t key = digest_of(planned.proposal);
      auto since = due_since.find(key);
      const LocalTime first = since == due_since.end() ? now : since->second;
      still_due[key] = first;
      Duration wait = timing().rank_delay * my_rank;
      if (auto* fence = std::get_if<FenceNode>(&planned.proposal);
          fence && holds_fewer(state, fence->target)) {
        wait += timing().fence_race;
      }
      if (now - first >= wait)
        propose(std::move(planned.proposal), planned.cause ? planned.cause : new_cause());
      else if (!next_due || first + wait < *next_due)
        next_due = first + wait;
    }
    due_since = std::move(still_due);
    plan_again = false;
  }
  // Once for each loss or suspension: that a fence is not ordered leaves no trace in the state.
  void tell_held_back(const std::vector<HeldBack>& held_back) {
    for (const HeldBack& fence : held_back) {
      const std::uint64_t version = state.nodes.at(fence.node).version;
      if (std::exchange(told_held_back[fence.node], version) == version) continue;
      node_event(out, Severity::kAlarm, EventKind::kFence, fence.cause, fence.node, fence.why);
    }
  }
  // Taken for stopped while it lives: its lease was over, or somebody vouched for it. It must run nothing,
  // and comes back as a new member.
  void step_down_if_settled() {
    if (state.nodes.at(options.self).standing != Standing::kSettled) return;
    yield("the others have taken it for stopped");
    rejoin("the others have taken it for stopped");
  }

  Effects step(LocalTime at, const Input& input) {
    now = at;
    if (!last_step) {
      last_step = opened = at;
      last_flow = options.last_flow.value_or(at);
      note_disarmed();
    }
    out.clear();
    if (!dead) {
      // Before anything that has come meanwhile is acted on; also without a view, for `grace` counts from
      // when an own message came back, and the lease from when it was sent.
      if (lease_until && !may_run(lease_clock()) && !held.empty()) yield("the lease has run out");
      std::visit([&](const auto& what) { on(what); }, input);
      if (!dead && established()) step_down_if_settled();
      if (!dead && established()) {
        if (ack_now) acknowledge();
        if (plan_again || (!due_since.empty() && std::holds_alternative<Timer>(input))) plan_now();
      }
    }
    return std::move(out);
  }

  std::uint64_t digest() const;
};

std::uint64_t Replica::Impl::digest() const {
  Digest d;
  add(d, state.digest());
  add(d, state.lineage);
  add(d, live);
  add(d, dead);
  add(d, frozen);
  add(d, phase);
  add(d, view);
  add(d, members);
  add(d, ring_nodes);
  add(d, back);
  add(d, quorum_ring);
  add(d, quorum_says_yes);
  add(d, hello_said);
  add(d, gathering.hellos);
  add(d, gathering.incarnations);
  add(d, silent);
  add(d, heard);
  add(d, sequence);
  add(d, introduced);
  add(d, position);
  add(d, acks);
  add(d, waiting);
  add(d, waiting_fences);
  add(d, writing);
  add(d, held);
  add(d, executing);
  add(d, cut_short);
  add(d, fencing);
  add(d, checkpoints);
  add(d, checkpoint_votes);
  add(d, next_token);
  add(d, write_again);
  add(d, ack_now);
  add(d, acked);
  add(d, next_cause);
  add(d, now);
  add(d, last_step);
  add(d, opened);
  add(d, last_flow);
  add(d, last_prod);
  add(d, yielded);
  add(d, options.incarnation);
  add(d, durable.lineage);
  if (uses_lease()) {
    add(d, alive_sent);
    add(d, alive_at);
    add(d, alive_number);
    add(d, last_alive);
    add(d, lease_until);
    add(d, gone_since);
    add(d, proposed);
    add(d, greeted);
  }
  return d.value();
}

Replica::Replica(ReplicaOptions options, SpecPtr spec, const Durable& durable)
    : impl_(std::make_unique<Impl>(options, std::move(spec), durable)) {}
Replica::Replica(const Replica& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
Replica& Replica::operator=(const Replica& other) {
  if (this != &other) *impl_ = *other.impl_;
  return *this;
}
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&&) noexcept = default;
Replica::~Replica() = default;

Effects Replica::step(LocalTime now, const Input& input) {
  return impl_->step(now, input);
}
const State& Replica::state() const {
  return impl_->state;
}
Phase Replica::phase() const {
  return impl_->phase;
}
ViewId Replica::view() const {
  return impl_->view;
}
NodeId Replica::self() const {
  return impl_->options.self;
}
Incarnation Replica::incarnation() const {
  return impl_->options.incarnation;
}
bool Replica::quorate() const {
  return impl_->quorate();
}
std::uint64_t Replica::position() const {
  return impl_->position;
}
bool Replica::stable(std::uint64_t position) const {
  return impl_->is_stable(position);
}
std::optional<std::uint64_t> Replica::digest_at(std::uint64_t position) const {
  const auto checked = impl_->checkpoint_at(position);
  return checked == impl_->checkpoints.end() ? std::nullopt : std::optional(checked->second);
}
LocalTime Replica::last_flow() const {
  return impl_->last_flow;
}
std::optional<LocalTime> Replica::next_due() const {
  return impl_->next_due;
}
bool Replica::disarmed(LocalTime at) const {
  return impl_->disarmed_until && at < *impl_->disarmed_until;
}
std::optional<LocalTime> Replica::lease_until() const {
  return impl_->lease_until;
}
bool Replica::may_run(LocalTime at) const {
  return impl_->may_run(at);
}
NodeSet Replica::responsive() const {
  return impl_->responsive();
}
const std::map<GroupId, Activity>& Replica::holds() const {
  return impl_->held;
}
Message Replica::compose(Body body, Cause cause) {
  return impl_->compose(std::move(body), cause);
}
std::uint64_t Replica::digest() const {
  return impl_->digest();
}

}  // namespace komainu::core
