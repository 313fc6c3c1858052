// Corosync's part: who hears whom, when rings form, when what was sent has its place and is delivered.
#include <algorithm>
#include <cassert>
#include <utility>

#include "sim/cluster.h"

namespace komainu::sim {
namespace {

constexpr std::size_t kMostRings = 24;  // waits for daemons that still have old ones to deliver
constexpr Duration kRingsAgain = 200ms;

}  // namespace

// ---- who hears whom

void Cluster::cut(NodeId from, NodeId to) {
  if (from == to) return;
  bool& is_cut = cut_[index(from)][index(to)];
  if (std::exchange(is_cut, true)) return;
  note(own(from), "is not heard any more by node " + std::to_string(to.value));
  network_changed(Change::kLoss);
}
void Cluster::join(NodeId from, NodeId to) {
  bool& is_cut = cut_[index(from)][index(to)];
  if (!std::exchange(is_cut, false)) return;
  note(own(from), "is heard again by node " + std::to_string(to.value));
  network_changed(Change::kGain);
}
void Cluster::partition(std::span<const NodeSet> parts) {
  auto part_of = [&](NodeId node) {
    const auto part = std::ranges::find_if(parts, [&](NodeSet set) { return set.contains(node); });
    return part == parts.end() ? parts.size() + 1 + index(node)
                               : static_cast<std::size_t>(part - parts.begin());
  };
  for (NodeId from : ids_) {
    for (NodeId to : ids_) part_of(from) == part_of(to) ? join(from, to) : cut(from, to);
  }
}
void Cluster::heal_network() {
  for (NodeId from : ids_) {
    join_arbiter(from);
    for (NodeId to : ids_) join(from, to);
  }
  // An arbiter that had given its vote away, or to nobody, judges anew.
  if (channel_.has_arbiter()) push(Event{now_ + random_.within(options_.latencies.vote), 0, What::kVote});
}
void Cluster::set_link(NodeId from, NodeId to, std::uint32_t link, bool up) {
  Machine& machine = own(from);
  if (machine.replica) observe_later(machine, core::LinkChange{to, link, up});
}
void Cluster::cut_arbiter(NodeId node) {
  if (std::exchange(arbiter_cut_[index(node)], true)) return;
  note(own(node), "does not reach the arbiter");
  if (channel_.has_arbiter()) push(Event{now_ + random_.within(options_.latencies.vote), 0, What::kVote});
}
void Cluster::join_arbiter(NodeId node) {
  if (!std::exchange(arbiter_cut_[index(node)], false)) return;
  if (channel_.has_arbiter()) push(Event{now_ + random_.within(options_.latencies.vote), 0, What::kVote});
}
void Cluster::move_vote(std::optional<NodeId> node) {
  if (!channel_.has_arbiter() || (node && !own(*node).corosync)) return;
  channel_.move_vote(node ? std::optional(NodeId{own(*node).index}) : std::nullopt);
  schedule_judges();
}
void Cluster::refuse_sends(NodeId node, Duration time) {
  Machine& machine = own(node);
  machine.sends_refused_until = std::max(machine.sends_refused_until, now_ + time);
}

bool Cluster::connected(const Machine& one, const Machine& other) const {
  return !cut_[one.index][other.index] && !cut_[other.index][one.index];
}
bool Cluster::corosync_alive(const Machine& machine) const {
  return machine.corosync && !machine.corosync_hung && !machine.frozen;
}
// The token goes round: everybody of the ring is there, and hears the others.
bool Cluster::flows(const Machine& machine) const {
  if (!corosync_alive(machine)) return false;
  const std::uint8_t at = channel_.port(NodeId{machine.index}).ring;
  const NodeSet members = channel_.rings()[at].nodes;
  for (NodeId member : members) {
    const Machine& other = machines_[member.value];
    if (!corosync_alive(other) || channel_.port(member).ring != at || !connected(machine, other))
      return false;
    for (NodeId third : members)
      if (!connected(other, machines_[third.value])) return false;
  }
  return true;
}

// ---- rings

// A lost token is noticed after its timeout, and consensus takes 1.2 times that (totem.consensus); who is
// there again is found at once.
void Cluster::network_changed(Change change) {
  const Duration token = spec_->timing.token;
  const Span loss = options_.chance == Chance::kNone ? Span{token * 11 / 5, token * 11 / 5}
                                                     : Span{token * 2, token * 5 / 2};
  const Span gain{token / 5, token};
  push(Event{now_ + random_.within(change == Change::kLoss ? loss : gain), 0, What::kReform});
  break_rings();
  schedule_traffic();
}

// A message that was under way reached some and not others. Those get it with the next ring, if they go on
// together with one who has it.
void Cluster::break_rings() {
  for (Machine& machine : machines_) {
    const bool broken = machine.corosync && !flows(machine);
    if (broken == std::exchange(machine.ring_broken, broken)) continue;
    machine.missed_rest = broken && random_.one_in(2);
  }
}

bool Cluster::is_transitive() const {
  for (const Machine& a : machines_)
    for (const Machine& b : machines_)
      for (const Machine& c : machines_)
        if (corosync_alive(a) && corosync_alive(b) && corosync_alive(c) && connected(a, b) &&
            connected(b, c) && !connected(a, c))
          return false;
  return true;
}

// Sets of nodes that all hear each other, by their places in the channel. Where hearing is not transitive it
// is chance who finds whom.
std::vector<NodeSet> Cluster::components() {
  std::vector<std::uint8_t> sequence;
  for (const Machine& machine : machines_)
    if (corosync_alive(machine)) sequence.push_back(machine.index);
  if (!is_transitive()) {
    for (std::size_t i = sequence.size(); i > 1; --i)
      std::swap(sequence[i - 1], sequence[random_.below(static_cast<std::uint32_t>(i))]);
  }
  std::vector<NodeSet> parts;
  for (std::uint8_t i : sequence) {
    auto fits = [&](NodeSet part) {
      return std::ranges::all_of(
          part, [&](NodeId other) { return connected(machines_[i], machines_[other.value]); });
    };
    auto part = std::ranges::find_if(parts, fits);
    if (part == parts.end()) part = parts.insert(parts.end(), NodeSet{});
    part->insert(NodeId{i});
  }
  return parts;
}

// Each look may ask for another: two at a time would be four soon.
void Cluster::reform_again(Duration delay) {
  if (std::exchange(reform_is_due_, true)) return;
  push(Event{.at = now_ + delay, .what = What::kReform, .a = 1});
}

void Cluster::reform() {
  std::vector<NodeSet> changed;
  for (NodeSet part : components()) {
    const bool same = std::ranges::all_of(
        part, [&](NodeId node) { return channel_.rings()[channel_.port(node).ring].nodes == part; });
    if (!same) changed.push_back(part);
  }
  const Duration token = spec_->timing.token;
  if (!is_transitive()) reform_again(random_.within({token * 2, token * 8}));
  if (channel_.has_arbiter()) push(Event{now_ + random_.within(options_.latencies.vote), 0, What::kVote});
  if (changed.empty()) return;
  if (channel_.rings().size() + changed.size() > kMostRings) return reform_again(kRingsAgain);
  counts_.rings_formed += changed.size();
  channel_.form(changed, std::nullopt,
                random_.one_in(2) ? TestChannel::Merge::kGradual : TestChannel::Merge::kAtOnce);
  if (channel_.has_arbiter()) {
    // The quorum device votes before the ring is in order: sync waits for it (corosync-qdevice(8),
    // sync_timeout).
    const Duration voted = now_ + random_.within(options_.latencies.vote);
    push(Event{voted, 0, What::kVote});
    for (NodeSet part : changed)
      for (NodeId node : part) refuse_sends(machines_[node.value].id, voted - now_);
  }
  for (NodeSet part : changed) {
    for (NodeId node : part) {
      Machine& machine = machines_[node.value];
      machine.met_all |= part.size() == machines_.size();
      machine.ring_broken = machine.missed_rest = false;
    }
  }
  schedule_traffic();
  schedule_judges();
}

// Fifty-fifty split (corosync-qnetd(8)): the larger part, of equal ones the one that has the vote already,
// then the one with the lowest node.
void Cluster::give_vote() {
  std::optional<NodeId> best;
  std::pair<std::size_t, bool> best_rank{0, false};
  for (const Machine& machine : machines_) {
    if (!corosync_alive(machine) || arbiter_cut_[machine.index]) continue;
    const std::uint8_t at = channel_.port(NodeId{machine.index}).ring;
    const std::pair<std::size_t, bool> rank{channel_.rings()[at].nodes.size(), channel_.vote() == at};
    if (best && rank <= best_rank) continue;
    best = NodeId{machine.index};
    best_rank = rank;
  }
  channel_.move_vote(best);
  schedule_judges();
}

// ---- messages

void Cluster::schedule_pump(Machine& machine) {
  if (!machine.replica || std::exchange(machine.pump_is_due, true)) return;
  after(options_.latencies.deliver, machine, What::kPump);
}
void Cluster::schedule_order(Machine& machine) {
  if (!machine.corosync || std::exchange(machine.order_is_due, true)) return;
  after(options_.latencies.order, machine, What::kOrder);
}
void Cluster::schedule_traffic() {
  for (Machine& machine : machines_) {
    if (!machine.replica) continue;
    schedule_pump(machine);
    if (channel_.can_order(NodeId{machine.index})) schedule_order(machine);
  }
}
void Cluster::schedule_judges() {
  for (Machine& machine : machines_) {
    if (!machine.replica) continue;
    for (std::size_t i = 0; i < channel_.port(NodeId{machine.index}).verdicts.size(); ++i)
      after(options_.latencies.verdict, machine, What::kJudge);
  }
}

void Cluster::order(Machine& machine) {
  const NodeId port{machine.index};
  if (now_ < machine.sends_refused_until) {
    ++counts_.sends_refused;
    machine.order_is_due = true;
    return push(machine.sends_refused_until, machine, What::kOrder);
  }
  if (!channel_.can_order(port) || !flows(machine)) return;
  while (channel_.can_order(port)) {
    channel_.order(port);
    if (!random_.one_in(4) || !channel_.can_order(port)) continue;
    schedule_order(machine);
    break;
  }
  for (NodeId member : channel_.rings()[channel_.port(port).ring].nodes)
    schedule_pump(machines_[member.value]);
}

void Cluster::pump(Machine& machine) {
  const NodeId port{machine.index};
  const std::uint32_t run = machine.runs;
  while (machine.replica && machine.runs == run) {
    const bool can_end = channel_.can_end(port);
    // The new ring's members agree on where the old one ended, somewhere after what any of them has seen.
    if (can_end && (!channel_.can_deliver(port) || random_.one_in(8))) {
      channel_.end(port, TestChannel::Hole::kNone);
      schedule_traffic();
    }
    // Only what was under way in the ring that broke is missed: older ones have ended.
    const bool in_last_ring = channel_.port(port).stream.size() == 1;
    if ((machine.missed_rest && in_last_ring) || !channel_.can_deliver(port)) break;
    deliver_next(machine);
  }
  forget_messages();
}

void Cluster::deliver_next(Machine& machine) {
  TestChannel::Next next = channel_.deliver(NodeId{machine.index});
  if (auto* ref = std::get_if<MessageRef>(&next)) {
    const core::Message& message = messages_[*ref - first_message_];
    if (observer_) observer_->delivers(machine.id, message);
    ++delivered_;
    input(machine, core::Delivered{message});
  } else if (auto* change = std::get_if<core::RingChange>(&next)) {
    const core::RingChange told = named(std::move(*change));
    if (observer_) observer_->ring(machine.id, told);
    input(machine, told);
  }
}

// The channel counts nodes; the configuration numbers them.
core::RingChange Cluster::named(core::RingChange change) const {
  core::RingChange result{change.ring, {}, {}};
  for (const auto& [node, process] : change.members) result.members.emplace(ids_[node.value], process);
  for (NodeId node : change.ring_nodes) result.ring_nodes.insert(ids_[node.value]);
  return result;
}

void Cluster::forget_messages() {
  constexpr std::size_t kKept = 4'096;
  if (messages_.size() < kKept) return;
  MessageRef least = first_message_ + static_cast<MessageRef>(messages_.size());
  for (const Ring& ring : channel_.rings())
    for (const Entry& entry : ring.log)
      if (entry.kind == Entry::Kind::kMessage) least = std::min(least, entry.message);
  for (const Machine& machine : machines_)
    for (MessageRef ref : channel_.port(NodeId{machine.index}).queue) least = std::min(least, ref);
  while (first_message_ < least) {
    messages_.pop_front();
    ++first_message_;
  }
}

}  // namespace komainu::sim
