#include "sim/test_channel.h"

#include <algorithm>
#include <cassert>

namespace komainu::sim {

TestChannel::TestChannel(const core::Spec& spec)
    : machines_(static_cast<std::uint32_t>(spec.nodes.size())),
      quorum_votes_(spec.quorum_votes()),
      arbiter_votes_(spec.arbiter_votes()) {
  assert(machines_ <= kMaxMachines);
}

// ---- daemons

void TestChannel::join(NodeId node, Process process) {
  Port& at = own(node);
  assert(at.powered && at.process == 0 && process != 0);
  Ring& ring = rings_[at.ring];
  at.process = process;
  ring.daemons[node.value] = process;
  ring.log.push_back({Entry::Kind::kJoin, static_cast<std::uint8_t>(node.value), process, 0});
  at.known = ring.daemons;
  Segment segment;
  segment.ring = at.ring;
  segment.joined = true;
  segment.next = static_cast<std::uint32_t>(ring.log.size());
  at.stream.push_back(segment);
  at.last_verdict.reset();
  tell_verdict(node);
}

void TestChannel::leave(NodeId node) {
  Port& at = own(node);
  assert(at.process != 0);
  Ring& ring = rings_[at.ring];
  ring.log.push_back({Entry::Kind::kLeave, static_cast<std::uint8_t>(node.value), at.process, 0});
  ring.daemons[node.value] = 0;
  at.process = 0;
  at.stream.clear();
  at.verdicts.clear();
  at.queue.clear();
  at.known = {};
  tidy();
}

void TestChannel::order(NodeId node) {
  Port& at = own(node);
  Entry entry;
  entry.message = at.queue.front();
  at.queue.erase(at.queue.begin());
  rings_[at.ring].log.push_back(entry);
}

bool TestChannel::can_deliver(NodeId node) const {
  const Port& at = port(node);
  if (at.process == 0 || at.stream.empty()) return false;
  const Segment& segment = at.stream.front();
  if (!segment.announced || segment.decided) return true;
  return segment.next < std::min<std::size_t>(segment.end, rings_[segment.ring].log.size());
}

// The nodes that go from the same old ring to the same next one.
NodeSet TestChannel::companions(NodeId node) const {
  const Port& at = port(node);
  NodeSet nodes;
  for (std::uint32_t i = 0; i < machines_; ++i) {
    const auto& other = ports_[i].stream;
    for (std::size_t s = 0; s + 1 < other.size(); ++s)
      if (other[s].ring == at.stream[0].ring && other[s + 1].ring == at.stream[1].ring)
        nodes.insert(NodeId{i});
  }
  return nodes;
}

bool TestChannel::can_end(NodeId node) const {
  const Port& at = port(node);
  if (at.process == 0 || at.stream.size() < 2 || at.stream[0].decided || !at.stream[0].announced)
    return false;
  for (NodeId other : companions(node)) {
    for (const Segment& segment : port(other).stream)
      if (segment.ring == at.stream[0].ring && segment.next > at.stream[0].next) return false;
  }
  return true;
}

bool TestChannel::can_end_with_hole(NodeId node) const {
  return can_end(node) && port(node).stream[0].next + 1 < port(node).stream[0].end;
}

void TestChannel::end(NodeId node, Hole hole) {
  const Segment ended = port(node).stream[0];
  for (NodeId other : companions(node)) {
    for (Segment& segment : own(other).stream) {
      if (segment.ring != ended.ring) continue;
      const std::uint32_t length = segment.end;
      segment.decided = true;
      segment.end = ended.next;
      for (std::uint32_t late = ended.next + 1; hole == Hole::kOne && late < length; ++late)
        segment.late.push_back(late);
    }
  }
  tidy();
}

TestChannel::Next TestChannel::deliver(NodeId node) {
  Port& at = own(node);
  while (can_deliver(node)) {
    Segment& segment = at.stream.front();
    const Ring& ring = rings_[segment.ring];
    if (!segment.announced) {
      announce(at, node);
      return membership(at);
    }
    const Entry* entry = nullptr;
    if (segment.next < std::min<std::size_t>(segment.end, ring.log.size())) {
      entry = &ring.log[segment.next++];
    } else if (!segment.late.empty()) {
      entry = &ring.log[segment.late.front()];
      segment.late.erase(segment.late.begin());
    } else {
      at.stream.erase(at.stream.begin());
      continue;
    }
    Process& known = at.known[entry->node];
    switch (entry->kind) {
      case Entry::Kind::kMessage: {
        MessageRef message = entry->message;
        tidy();
        return message;
      }
      case Entry::Kind::kJoin:
        if (known == entry->process) continue;
        known = entry->process;
        break;
      case Entry::Kind::kLeave:
        if (known != entry->process) continue;
        known = 0;
        break;
    }
    core::RingChange change = membership(at);
    tidy();
    return change;
  }
  tidy();
  return std::monostate{};
}

// A new ring's membership. Where daemons learn of each other gradually, a node knows at first whom it knew.
void TestChannel::announce(Port& at, NodeId node) const {
  Segment& segment = at.stream.front();
  segment.announced = true;
  if (segment.joined) return;
  const Ring& ring = rings_[segment.ring];
  for (std::uint32_t i = 0; i < machines_; ++i) {
    bool stranger = at.known[i] != ring.started_with[i] && i != node.value;
    at.known[i] = ring.gradual && stranger ? Process{0} : ring.started_with[i];
  }
}

core::RingChange TestChannel::membership(const Port& at) const {
  const Ring& ring = rings_[at.stream.front().ring];
  core::RingChange change;
  change.ring = ring.id;
  change.ring_nodes = ring.nodes;
  for (std::uint32_t i = 0; i < machines_; ++i)
    if (at.known[i] != 0) change.members.emplace(NodeId{i}, at.known[i]);
  return change;
}

core::QuorumVerdict TestChannel::judge(NodeId node) {
  Port& at = own(node);
  Verdict verdict = at.verdicts.front();
  at.verdicts.erase(at.verdicts.begin());
  core::QuorumVerdict told{rings_[verdict.ring].id, verdict.quorate};
  tidy();
  return told;
}

// ---- network

bool TestChannel::quorate(std::uint8_t ring) const {
  std::uint32_t votes = rings_[ring].nodes.size() + (vote_ == ring ? arbiter_votes_ : 0);
  return votes >= quorum_votes_;
}

void TestChannel::tell_verdict(NodeId node) {
  Port& at = own(node);
  if (at.process == 0) return;
  Verdict verdict{at.ring, quorate(at.ring)};
  if (at.last_verdict && at.last_verdict->ring == verdict.ring && at.last_verdict->quorate == verdict.quorate)
    return;
  at.last_verdict = verdict;
  at.verdicts.push_back(verdict);
}

void TestChannel::power_on(NodeId node) {
  Port& at = own(node);
  assert(!at.powered);
  at.powered = true;
  const NodeSet alone{node};
  form({&alone, 1}, std::nullopt, Merge::kAtOnce);
}

void TestChannel::power_off(NodeId node) {
  Port& at = own(node);
  std::uint32_t highest_seq = at.highest_seq;
  at = Port{};
  at.highest_seq = highest_seq;  // Corosync stores it
  tidy();
}

void TestChannel::form(std::span<const NodeSet> components, std::optional<std::size_t> vote, Merge merge) {
  std::optional<std::uint8_t> new_vote = vote_;
  for (std::size_t c = 0; c < components.size(); ++c) {
    Ring ring;
    ring.nodes = components[c];
    ring.gradual = merge == Merge::kGradual;
    // Not its lowest member, as Corosync has it: worlds that differ by names only (rename.h) then have rings
    // that do, too.
    ring.id.leader = static_cast<std::uint32_t>(ring.nodes.bits());
    for (NodeId node : ring.nodes) {
      ring.id.seq = std::max<std::uint64_t>(ring.id.seq, port(node).highest_seq + 1);
      ring.started_with[node.value] = port(node).process;
    }
    ring.daemons = ring.started_with;
    for (NodeId node : ring.nodes) {
      Process process = ring.daemons[node.value];
      if (ring.gradual && process != 0)
        ring.log.push_back({Entry::Kind::kJoin, static_cast<std::uint8_t>(node.value), process, 0});
    }
    auto index = static_cast<std::uint8_t>(rings_.size());
    rings_.push_back(ring);
    if (vote == c) new_vote = index;
    for (NodeId node : ring.nodes) {
      Port& at = own(node);
      at.highest_seq = static_cast<std::uint32_t>(ring.id.seq);
      at.ring = index;
      if (at.process == 0) continue;
      Segment& last = at.stream.back();
      last.end = static_cast<std::uint32_t>(rings_[last.ring].log.size());
      Segment segment;
      segment.ring = index;
      at.stream.push_back(segment);
    }
  }
  // The vote of a ring that is gone is nobody's until the arbiter gives it anew.
  if (!vote && vote_) {
    bool still_there = false;
    for (std::uint32_t i = 0; i < machines_; ++i)
      still_there |= ports_[i].powered && ports_[i].ring == *vote_;
    if (!still_there) new_vote.reset();
  }
  vote_ = new_vote;
  for (std::uint32_t i = 0; i < machines_; ++i)
    if (ports_[i].powered) tell_verdict(NodeId{i});
  tidy();
}

void TestChannel::move_vote(std::optional<NodeId> node) {
  vote_ = node ? std::optional(port(*node).ring) : std::nullopt;
  for (std::uint32_t i = 0; i < machines_; ++i)
    if (ports_[i].powered) tell_verdict(NodeId{i});
  tidy();
}

// ---- to look at

NodeSet TestChannel::powered() const {
  NodeSet nodes;
  for (std::uint32_t i = 0; i < machines_; ++i)
    if (ports_[i].powered) nodes.insert(NodeId{i});
  return nodes;
}

bool TestChannel::quiet() const {
  for (std::uint32_t i = 0; i < machines_; ++i) {
    NodeId node{i};
    if (can_deliver(node) || can_end(node) || can_judge(node) || can_order(node)) return false;
  }
  return true;
}

// Drops rings and entries that nobody will deliver any more, so that equal futures look equal.
void TestChannel::tidy() {
  std::array<std::uint32_t, 32> first{};  // entry that somebody may still deliver
  std::array<std::uint32_t, 32> last{};
  std::array<bool, 32> used{};
  first.fill(Segment::kOpen);
  assert(rings_.size() <= used.size());
  for (std::uint32_t i = 0; i < machines_; ++i) {
    const Port& at = ports_[i];
    if (at.powered) used[at.ring] = true;
    for (const Segment& segment : at.stream) {
      used[segment.ring] = true;
      first[segment.ring] = std::min(first[segment.ring], segment.next);
      last[segment.ring] = std::max(last[segment.ring], segment.end);
      for (std::uint32_t late : segment.late) last[segment.ring] = std::max(last[segment.ring], late + 1);
    }
    for (const Verdict& verdict : at.verdicts) used[verdict.ring] = true;
  }
  if (vote_) used[*vote_] = true;

  for (std::size_t r = 0; r < rings_.size(); ++r) {
    Ring& ring = rings_[r];
    if (last[r] < ring.log.size()) ring.log.resize(last[r]);
    auto drop = std::min<std::uint32_t>(first[r], static_cast<std::uint32_t>(ring.log.size()));
    if (drop == 0) continue;
    ring.log.erase(ring.log.begin(), ring.log.begin() + drop);
    for (std::uint32_t i = 0; i < machines_; ++i) {
      for (Segment& segment : ports_[i].stream) {
        if (segment.ring != r) continue;
        segment.next -= drop;
        if (segment.end != Segment::kOpen) segment.end -= drop;
        for (std::uint32_t& late : segment.late) late -= drop;
      }
    }
  }

  std::array<std::uint8_t, 32> moved{};
  std::uint8_t kept = 0;
  for (std::size_t r = 0; r < rings_.size(); ++r) {
    moved[r] = kept;
    if (!used[r]) continue;
    if (kept != r) rings_[kept] = rings_[r];
    ++kept;
  }
  if (kept == rings_.size()) return;
  rings_.resize(kept);
  for (std::uint32_t i = 0; i < machines_; ++i) {
    Port& at = ports_[i];
    if (at.powered) at.ring = moved[at.ring];
    for (Segment& segment : at.stream) segment.ring = moved[segment.ring];
    for (Verdict& verdict : at.verdicts) verdict.ring = moved[verdict.ring];
    if (at.last_verdict) at.last_verdict->ring = moved[at.last_verdict->ring];
  }
  if (vote_) vote_ = moved[*vote_];
}

}  // namespace komainu::sim
