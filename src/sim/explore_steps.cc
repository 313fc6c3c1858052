#include "sim/explore_steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/admit/admit.h"

namespace komainu::sim {
namespace {

using Kind = Action::Kind;

GroupId group_of(const Action& action) {
  return GroupId{World::kFirstGroup + action.detail};
}

// What a proposal is about: a group (kFirstGroup …), a node (100 …), or nothing (0).
std::uint32_t object_of(const core::Body& body) {
  if (auto* suspend = std::get_if<core::Suspend>(&body)) return 200 + suspend->target.value;
  if (auto* resume = std::get_if<core::Resume>(&body)) return 200 + resume->target.value;
  auto* proposal = std::get_if<core::Proposal>(&body);
  if (!proposal) return 0;
  if (auto* start = std::get_if<core::StartGroup>(proposal)) return start->group.value;
  if (auto* stop = std::get_if<core::StopGroup>(proposal)) return stop->group.value;
  if (auto* fence = std::get_if<core::FenceNode>(proposal)) return 100 + fence->target.value;
  return 0;
}

// The watchdog of a machine resets it after so many steps of time in which nobody feeds it.
constexpr std::uint8_t kWatchdogSteps = 1;

}  // namespace

Steps::Steps(const Exploration& exploration, core::SpecPtr spec, InternedReplicas& replicas)
    : exploration_(exploration), spec_(std::move(spec)), replicas_(replicas) {}

// ---- what can happen

void Steps::enumerate(const Situation& at) {
  actions_.clear();
  formations_.clear();
  const World& world = at.world;
  for (std::uint32_t i = 0; i < world.size(); ++i) enumerate_machine(at, NodeId{i});
  if (time_can_pass(at)) push(Kind::kTimePasses, NodeId{0});
  if (at.left.rings > 0) enumerate_formations(at);
  if (at.left.votes > 0 && world.channel().has_arbiter()) enumerate_votes(at);
}

void Steps::enumerate_machine(const Situation& at, NodeId node) {
  const World& world = at.world;
  if (!world.up(node) && at.left.stores > 0 && world.machine(node).disk != 0) {
    push(Kind::kLoseStore, node, 0);
    if (world.machine(node).older_disk != 0) push(Kind::kLoseStore, node, 1);
  }
  if (!world.powered(node)) {
    if (at.left.boots > 0) push(Kind::kBoot, node);
    return;
  }
  if (at.clocks[node.value].owed) push(Kind::kIsScheduled, node);
  if (world.can_deliver(node)) push(Kind::kDeliver, node);
  if (world.can_end(node)) push(Kind::kEnd, node);
  if (at.left.skips > 0 && world.channel().can_end_with_hole(node)) push(Kind::kEndWithHole, node);
  if (world.can_judge(node)) push(Kind::kJudge, node);
  if (world.can_order(node)) push(Kind::kOrder, node);
  // A message that Corosync had not taken when its ring ended.
  const Port& port = world.channel().port(node);
  if (at.left.drops > 0 && !port.queue.empty() && port.stream.size() > 1) push(Kind::kDropNewest, node);
  if (world.can_write(node)) push(Kind::kWrite, node);
  if (world.can_write(node) && at.left.failures > 0) push(Kind::kWriteFails, node);
  enumerate_executor(at, node);
  if (at.left.power_offs > 0) push(Kind::kPowerOff, node);
  if (!world.up(node)) {
    push(Kind::kStartDaemon, node);
    return;
  }
  if (at.left.crashes > 0) push(Kind::kCrash, node);
  if (at.left.pauses > 0 && !world.replica(node).holds().empty()) push(Kind::kPause, node);
  enumerate_sayings(at, node);
}

void Steps::enumerate_executor(const Situation& at, NodeId node) {
  const World& world = at.world;
  for (std::uint32_t g = 0; g < exploration_.groups; ++g) {
    const GroupId group{World::kFirstGroup + g};
    if (world.can_act(node, group)) {
      push(Kind::kAct, node, g);
      if (at.left.failures > 0) push(Kind::kActFailsClean, node, g);
      if (at.left.failures > 0) push(Kind::kActFailsHalf, node, g);
    }
    if (world.can_old_start_act(node, group)) push(Kind::kOldStart, node, g);
    if (world.can_report(node, group)) push(Kind::kReport, node, g);
    if (world.can_probe(node, group)) push(Kind::kProbe, node, g);
  }
  const auto& shots = world.machine(node).shots;
  for (std::size_t shot = 0; shot < shots.size(); ++shot) {
    if (world.can_shoot(node, shot)) push(Kind::kShoot, node, shot);
    const bool ended = shots[shot].acted || shots[shot].cancelled;
    if (world.up(node) && (ended || at.left.failures > 0)) push(Kind::kReportShot, node, shot);
  }
}

void Steps::enumerate_votes(const Situation& at) {
  const TestChannel& channel = at.world.channel();
  std::uint64_t asked = 0;
  for (std::uint32_t i = 0; i < at.world.size(); ++i) {
    const Port& port = channel.port(NodeId{i});
    if (!port.powered || ((asked >> port.ring) & 1) != 0) continue;
    asked |= std::uint64_t{1} << port.ring;
    if (channel.vote() != port.ring) push(Kind::kVote, NodeId{i});
  }
}

// Every way to part the powered nodes into rings, with every wish of the arbiter; the ring they are in may
// break and form anew.
void Steps::enumerate_formations(const Situation& at) {
  const TestChannel& channel = at.world.channel();
  std::vector<NodeId> nodes;
  for (NodeId node : channel.powered()) nodes.push_back(node);
  std::vector<NodeSet> parts;
  auto part = [&](auto&& self, std::size_t next) -> void {
    if (next == nodes.size()) {
      for (std::size_t vote = 0; vote <= (channel.has_arbiter() ? parts.size() : 0); ++vote) {
        push(Kind::kForm, NodeId{0}, 0, formations_.size());
        formations_.push_back({parts, vote == 0 ? std::nullopt : std::optional(vote - 1)});
      }
      return;
    }
    for (std::size_t p = 0; p < parts.size(); ++p) {
      parts[p].insert(nodes[next]);
      self(self, next + 1);
      parts[p].erase(nodes[next]);
    }
    parts.push_back(NodeSet{nodes[next]});
    self(self, next + 1);
    parts.pop_back();
  };
  if (!nodes.empty()) part(part, 0);
}

// ---- what members say

void Steps::enumerate_sayings(const Situation& at, NodeId node) {
  const std::vector<Said>& said = sayings(at.world, node);
  for (std::size_t s = 0; s < said.size(); ++s)
    if (at.left.*said[s].price > 0 && !pointless(at, node, said[s])) push(Kind::kSay, node, 0, s);
}

// Two proposals for one version of an object: the second one is refused, and a refused proposal changes
// nothing. So nobody says what would come behind another for the same object, nor what a lower member of the
// ring could say as well. Only where messages may be skipped the second one may be the first.
bool Steps::pointless(const Situation& at, NodeId node, const Said& said) {
  if (at.left.skips > 0) return false;
  const TestChannel& channel = at.world.channel();
  const Port& port = channel.port(node);
  for (std::uint32_t i = 0; i < node.value; ++i) {
    const NodeId lower{i};
    if (!at.world.up(lower) || channel.port(lower).ring != port.ring || channel.port(lower).stream.size() > 1)
      continue;
    if (at.world.replica(lower).view() != at.world.replica(node).view()) continue;
    for (const Said& other : sayings(at.world, lower))
      if (other.content == said.content) return true;
  }
  const Segment& segment = port.stream.back();
  const Ring& ring = channel.rings()[segment.ring];
  for (std::size_t e = segment.next; e < ring.log.size(); ++e) {
    const Entry& entry = ring.log[e];
    if (entry.kind == Entry::Kind::kMessage &&
        object_of(replicas_.message(entry.message).body) == said.object)
      return true;
  }
  return false;
}

const std::vector<Steps::Said>& Steps::sayings(const World& world, NodeId node) {
  auto [it, fresh] = sayings_.try_emplace(world.machine(node).replica);
  if (fresh) it->second = think_of(world.replica(node));
  return it->second;
}

// What a member may say with its present knowledge: any start, stop, fence, suspension.
std::vector<Steps::Said> Steps::think_of(const core::Replica& replica) const {
  std::vector<Said> said;
  const core::State& state = replica.state();
  const bool all = exploration_.proposals == Exploration::Proposals::kAll;
  const bool established = replica.phase() == core::Phase::kEstablished;
  auto add = [&](const core::Body& body, std::uint8_t Budget::* price) {
    said.push_back({body, digest_of_message(core::Message{.body = body}), object_of(body), price});
  };
  auto propose = [&](const core::Proposal& proposal, std::uint8_t Budget::* price) {
    if (all || promising(replica, proposal)) add(proposal, price);
  };
  for (const auto& [id, node] : state.nodes) {
    if (!established) break;
    const PlaceId place = core::Spec::place_of(id);
    for (const auto& [group, known] : state.groups) {
      propose(core::StartGroup{group, place, known.version, node.incarnation, state.spec->version},
              &Budget::starts);
      propose(core::StopGroup{group, place, known.version, "", false, false}, &Budget::stops);
    }
    // A member that answers is not fenced: that only stops things.
    const bool answers = node.standing == core::Standing::kMember && !node.suspended;
    if (answers && !all) continue;
    for (const auto& [executor, other] : state.nodes)
      propose(core::FenceNode{id, node.incarnation, node.version, executor, 0, ""}, &Budget::fences);
  }
  const bool gathers = replica.phase() == core::Phase::kGathering || replica.phase() == core::Phase::kSyncing;
  for (const auto& [id, node] : state.nodes) {
    const bool member = node.standing == core::Standing::kMember;
    if (id == replica.self()) continue;
    if (gathers || (established && member && !node.suspended)) add(core::Suspend{id}, &Budget::suspensions);
    if (established && member && node.suspended) add(core::Resume{id}, &Budget::suspensions);
  }
  return said;
}

bool Steps::promising(const core::Replica& replica, const core::Proposal& proposal) const {
  core::State copy = replica.state();
  core::Effects effects;
  core::Context context;
  context.self = context.from = replica.self();
  context.incarnation = replica.incarnation();
  context.position = {replica.view(), replica.position() + 1};
  return !core::admit(copy, proposal, context, effects);
}

// ---- time

// Nobody may be left unscheduled for two steps: docs/protocol.md bounds a machine's pause. Who is where its
// ring is has heard everything by then; only who has been cut off may lag for longer.
bool Steps::time_can_pass(const Situation& at) const {
  if (at.left.passes == 0) return false;
  for (std::uint32_t i = 0; i < at.world.size(); ++i)
    if (at.world.up(NodeId{i}) && (at.clocks[i].owed || is_in_step_but_behind(at.world, NodeId{i})))
      return false;
  return true;
}

bool Steps::is_in_step_but_behind(const World& world, NodeId node) {
  return world.channel().port(node).stream.size() == 1 && world.can_deliver(node);
}

// A watchdog is fed by a daemon that holds its lease, or where nothing runs.
void Steps::let_time_pass(Situation& at) const {
  --at.left.passes;
  for (std::uint32_t i = 0; i < at.world.size(); ++i) {
    const NodeId node{i};
    Situation::Clock& clock = at.clocks[i];
    const Machine& machine = at.world.machine(node);
    const bool runs =
        std::ranges::any_of(machine.groups, [](const Here& here) { return here.runs || !here.jobs.empty(); });
    const bool fed = !runs || (at.world.up(node) && !machine.yields);
    clock.unfed = fed ? 0 : static_cast<std::uint8_t>(clock.unfed + 1);
    clock.owed = at.world.powered(node);
    at.world.advance(node, kTimeStep);
    if (clock.unfed <= kWatchdogSteps) continue;
    at.world.power_off(node);
    clock = {};
  }
}

// ---- doing it

void Steps::apply(Situation& at, const Action& action) const {
  World& world = at.world;
  Budget& left = at.left;
  const NodeId node{action.node};
  switch (action.kind) {
    case Kind::kDeliver:
      do world.deliver(node);
      while (exploration_.deliveries == Exploration::Deliveries::kAll && world.can_deliver(node));
      return;
    case Kind::kEnd:
      return world.end(node, TestChannel::Hole::kNone);
    case Kind::kEndWithHole:
      --left.skips;
      return world.end(node, TestChannel::Hole::kOne);
    case Kind::kJudge:
      return world.judge(node);
    case Kind::kOrder:
      return world.order(node);
    case Kind::kDropNewest:
      --left.drops;
      return world.drop_newest(node);
    case Kind::kWrite:
      return world.write(node, World::Disk::kWorks);
    case Kind::kWriteFails:
      --left.failures;
      return world.write(node, World::Disk::kFails);
    case Kind::kAct:
      return world.act(node, group_of(action), World::Luck::kGood);
    case Kind::kActFailsClean:
      --left.failures;
      return world.act(node, group_of(action), World::Luck::kNothing);
    case Kind::kActFailsHalf:
      --left.failures;
      return world.act(node, group_of(action), World::Luck::kHalf);
    case Kind::kOldStart:
      return world.old_start_acts(node, group_of(action));
    case Kind::kReport:
      return world.report(node, group_of(action));
    case Kind::kProbe:
      return world.probe(node, group_of(action));
    case Kind::kShoot:
      return world.shoot(node, action.detail);
    case Kind::kReportShot: {
      const Shot& shot = world.machine(node).shots[action.detail];
      if (!shot.acted && !shot.cancelled) --left.failures;
      return world.report_shot(node, action.detail);
    }
    case Kind::kPause:
      --left.pauses;
      return world.pass(node, spec_->timing.grace + 1s);
    case Kind::kTimePasses:
      return let_time_pass(at);
    case Kind::kIsScheduled:
      at.clocks[action.node].owed = false;
      return world.pass(node, Duration{0});
    case Kind::kCrash:
      --left.crashes;
      return world.crash_daemon(node);
    case Kind::kStartDaemon:
      return world.start_daemon(node);
    case Kind::kPowerOff:
      --left.power_offs;
      return world.power_off(node);
    case Kind::kBoot:
      --left.boots;
      return world.boot(node);
    case Kind::kLoseStore:
      --left.stores;
      return world.lose_store(node, action.detail == 0 ? World::Store::kEmpty : World::Store::kOld);
    case Kind::kForm: {
      const Formation& formation = formations_[action.choice];
      --left.rings;
      return world.form(formation.components, formation.vote, exploration_.merge);
    }
    case Kind::kVote:
      --left.votes;
      return world.move_vote(node);
    case Kind::kSay: {
      const Said& said = sayings_.at(world.machine(node).replica)[action.choice];
      --(left.*said.price);
      return world.say(node, said.body);
    }
  }
}

// ---- telling

std::string Steps::describe(const Situation& at, const Action& action) const {
  const World& world = at.world;
  const NodeId node{action.node};
  const std::string who = fmt::format("node {}", node.value);
  const std::string group = fmt::format("group {}", group_of(action).value);
  auto queued = [&](MessageRef message) { return sim::describe(replicas_.message(message)); };
  auto acts = [&](const char* luck) {
    const Job& job = world.machine(node).groups[action.detail].jobs.front();
    return fmt::format("{} really {} {}{}", who, job.kind == Job::Kind::kStart ? "STARTS" : "STOPS", group,
                       luck);
  };
  auto target = [&] { return world.machine(node).shots[action.detail].target; };
  switch (action.kind) {
    case Kind::kDeliver:
      return describe_delivery(world, node);
    case Kind::kEnd:
    case Kind::kEndWithHole: {
      const Segment& segment = world.channel().port(node).stream[0];
      return fmt::format("the old ring ENDS for {} and its companions {} messages early{}", who,
                         segment.end - segment.next,
                         action.kind == Kind::kEnd ? "" : ", with a hole of one message");
    }
    case Kind::kJudge: {
      TestChannel copy = world.channel();
      const core::QuorumVerdict verdict = copy.judge(node);
      return fmt::format("{} hears that ring {}.{} is {}quorate", who, verdict.ring.leader, verdict.ring.seq,
                         verdict.quorate ? "" : "not ");
    }
    case Kind::kOrder:
      return who + " gets its place in the stream for " + queued(world.channel().port(node).queue.front());
    case Kind::kDropNewest:
      return who + "'s channel drops " + queued(world.channel().port(node).queue.back());
    case Kind::kWrite:
      return who + " has written its store";
    case Kind::kWriteFails:
      return who + " cannot write its store";
    case Kind::kAct:
      return acts("");
    case Kind::kActFailsClean:
      return acts(" in vain");
    case Kind::kActFailsHalf:
      return acts(", but says it failed");
    case Kind::kOldStart:
      return fmt::format("{} really STARTS {} by an agent that is being killed", who, group);
    case Kind::kReport:
      return fmt::format("{}'s executor reports {}", who, group);
    case Kind::kProbe:
      return fmt::format("{} looks whether {} runs", who, group);
    case Kind::kShoot:
      return fmt::format("{} really FENCES node {}", who, target());
    case Kind::kReportShot:
      return fmt::format("{}'s fence of node {} reports", who, target());
    case Kind::kPause:
      return who + " has heard nothing for longer than grace";
    case Kind::kTimePasses:
      return "TIME passes";
    case Kind::kIsScheduled:
      return who + " sees what time it is";
    case Kind::kCrash:
      return who + "'s daemon CRASHES";
    case Kind::kStartDaemon:
      return who + "'s daemon starts";
    case Kind::kPowerOff:
      return who + " loses POWER";
    case Kind::kBoot:
      return who + " boots";
    case Kind::kLoseStore:
      return who + (action.detail == 0 ? " LOSES its store" : "'s store is an OLD one");
    case Kind::kForm:
      return describe_rings(world, formations_[action.choice]);
    case Kind::kVote:
      return "the arbiter's vote MOVES to " + who;
    case Kind::kSay: {
      core::Message message;
      message.from = node;
      message.body = sayings_.at(world.machine(node).replica)[action.choice].body;
      return who + " proposes " + sim::describe(message);
    }
  }
  return {};
}

std::string Steps::describe_delivery(const World& world, NodeId node) const {
  const std::string who = fmt::format("node {}", node.value);
  TestChannel copy = world.channel();
  const TestChannel::Next next = copy.deliver(node);
  const char* more = exploration_.deliveries == Exploration::Deliveries::kAll && copy.can_deliver(node)
                         ? " and what follows"
                         : "";
  if (auto* message = std::get_if<MessageRef>(&next))
    return who + " delivers " + sim::describe(replicas_.message(*message)) + more;
  auto* change = std::get_if<core::RingChange>(&next);
  if (!change) return who + " delivers nothing new" + more;
  std::string members;
  for (const auto& [member, process] : change->members)
    members += fmt::format(" {}({})", member.value, process);
  return fmt::format("{} is told of ring {}.{} with{}{}", who, change->ring.leader, change->ring.seq, members,
                     more);
}

std::string Steps::describe_rings(const World& world, const Formation& formation) const {
  std::string text = "RINGS form:";
  for (NodeSet component : formation.components) {
    text += " {";
    for (NodeId member : component) text += fmt::format(" {}", member.value);
    text += " }";
  }
  if (!world.channel().has_arbiter()) return text;
  return text + (formation.vote ? fmt::format(", the arbiter votes for ring {}", *formation.vote + 1)
                                : std::string(", the arbiter's vote stays with the old ring or nobody"));
}

}  // namespace komainu::sim
