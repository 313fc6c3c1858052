#include "sim/explore.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "core/admit/admit.h"
#include "sim/digest128.h"
#include "sim/pack.h"

namespace komainu::sim {
namespace {

constexpr GroupId kGroup{World::kFirstGroup};

struct Situation {
  World world;
  Budget left;
};

struct Action {
  enum class Kind : std::uint8_t {
    kDeliver,
    kEnd,
    kEndWithHole,
    kJudge,
    kOrder,
    kWrite,
    kWriteFails,
    kAct,
    kActFailsClean,
    kActFailsHalf,
    kOldStart,
    kReport,
    kProbe,
    kShoot,
    kReportShot,
    kPause,
    kCrash,
    kStartDaemon,
    kPowerOff,
    kBoot,
    kForm,
    kVote,
    kSay,
  };
  Kind kind = Kind::kDeliver;
  std::uint8_t node = 0;
  std::uint8_t detail = 0;   // shot
  std::uint16_t choice = 0;  // kForm, kSay: which of them
};

// A ring change as a whole.
struct Formation {
  std::vector<NodeSet> components;
  std::optional<std::size_t> vote;
};

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

struct Said {
  core::Body body;
  std::uint64_t content = 0;  // digest of the body
  std::uint32_t object = 0;
  enum class Cost : std::uint8_t { kStart, kStop, kFence, kSuspend } cost = Cost::kStart;
};

std::uint8_t& price(Budget& budget, Said::Cost cost) {
  switch (cost) {
    case Said::Cost::kStart:
      return budget.starts;
    case Said::Cost::kStop:
      return budget.stops;
    case Said::Cost::kFence:
      return budget.fences;
    case Said::Cost::kSuspend:
      break;
  }
  return budget.suspensions;
}

class Explorer {
 public:
  explicit Explorer(const Exploration& exploration);
  Report run();

 private:
  static void start_on_the_first(World& world);

  // ---- what can happen
  void enumerate(const Situation& at);
  void enumerate_machine(const Situation& at, NodeId node);
  void enumerate_formations(const Situation& at);
  const std::vector<Said>& sayings(const World& world, NodeId node);
  std::vector<Said> think_of(const core::Replica& replica) const;
  bool pointless(const Situation& at, NodeId node, const Said& said);
  bool promising(const core::Replica& replica, const core::Proposal& proposal) const;
  void apply(Situation& at, const Action& action) const;
  std::string describe(const Situation& at, const Action& action) const;
  void push(Action::Kind kind, NodeId node, std::size_t choice = 0, std::size_t detail = 0) {
    actions_.push_back({kind, static_cast<std::uint8_t>(node.value), static_cast<std::uint8_t>(detail),
                        static_cast<std::uint16_t>(choice)});
  }

  // ---- what has been seen
  Digest128 digest(const Situation& at) const;
  std::optional<Digest128> digest(const Situation& at, std::size_t renaming) const;
  std::optional<std::string> judge(const World& world) const;
  std::optional<std::string> judge_step(const World& before, Action::Kind what, const World& after) const;
  Finding finding(std::string what, std::uint32_t state);

  const Exploration exploration_;
  core::SpecPtr spec_;
  mutable InternedReplicas replicas_;
  Situation first_;
  DigestSet seen_;
  struct Step {
    std::uint32_t before = 0;
    std::uint32_t action = 0;  // of those enumerated there
  };
  std::vector<Step> steps_;  // how each state was reached first

  // Of the situation that is being expanded.
  std::vector<Action> actions_;
  std::vector<Formation> formations_;
  std::unordered_map<ReplicaRef, std::vector<Said>> sayings_;
};

core::ReplicaOptions options() {
  core::ReplicaOptions options;
  options.plans = false;
  return options;
}

std::uint32_t nodes_of(const Exploration& exploration) {
  if (exploration.nodes != 0) return exploration.nodes;
  return exploration.quorum == Quorum::kMajority ? 3 : 2;
}

// The names of four nodes and more are not worth exchanging: there would be 24 images of everything.
std::vector<Renaming> renamings_for(const Exploration& exploration) {
  const std::uint32_t nodes = nodes_of(exploration);
  const bool use = exploration.symmetry == Exploration::Symmetry::kUse && nodes <= 3;
  return use ? renamings(nodes) : std::vector<Renaming>{identity()};
}

Explorer::Explorer(const Exploration& exploration)
    : exploration_(exploration),
      spec_(spec_for(exploration.quorum, nodes_of(exploration), 1)),
      replicas_(spec_, renamings_for(exploration)),
      first_{World(spec_, replicas_, options(), exploration.immediate), exploration.budget} {
  World& world = first_.world;
  const NodeSet all = spec_->node_ids();
  for (NodeId node : all) world.boot(node);
  world.form({&all, 1}, 0, TestChannel::Merge::kAtOnce);
  for (NodeId node : all) world.start_daemon(node);
  if (exploration_.from == Exploration::From::kBoot) return;
  settle(world);
  if (exploration_.from == Exploration::From::kRunning) start_on_the_first(world);
  if (exploration_.and_then) exploration_.and_then(world);
}

void Explorer::start_on_the_first(World& world) {
  const core::State& state = world.replica(NodeId{0}).state();
  world.say(NodeId{0},
            core::Proposal{core::StartGroup{kGroup, PlaceId{0}, state.group(kGroup)->version,
                                            state.node(NodeId{0})->incarnation, state.spec->version}});
  settle(world);
  assert(world.runs(NodeId{0}, kGroup));
}

// ---- what can happen

void Explorer::enumerate(const Situation& at) {
  actions_.clear();
  formations_.clear();
  const World& world = at.world;
  for (std::uint32_t i = 0; i < world.size(); ++i) enumerate_machine(at, NodeId{i});
  if (at.left.rings > 0) enumerate_formations(at);
  if (at.left.votes > 0 && world.channel().has_arbiter()) {
    std::uint64_t asked = 0;
    for (std::uint32_t i = 0; i < world.size(); ++i) {
      const Port& port = world.channel().port(NodeId{i});
      if (!port.powered || ((asked >> port.ring) & 1) != 0) continue;
      asked |= std::uint64_t{1} << port.ring;
      if (world.channel().vote() != port.ring) push(Action::Kind::kVote, NodeId{i});
    }
  }
}

void Explorer::enumerate_machine(const Situation& at, NodeId node) {
  using Kind = Action::Kind;
  const World& world = at.world;
  const Machine& machine = world.machine(node);
  if (!world.powered(node)) {
    if (at.left.boots > 0) push(Kind::kBoot, node);
    return;
  }
  if (world.can_deliver(node)) push(Kind::kDeliver, node);
  if (world.can_end(node)) push(Kind::kEnd, node);
  if (at.left.skips > 0 && world.channel().can_end_with_hole(node)) push(Kind::kEndWithHole, node);
  if (world.can_judge(node)) push(Kind::kJudge, node);
  if (world.can_order(node)) push(Kind::kOrder, node);
  if (world.can_write(node)) push(Kind::kWrite, node);
  if (world.can_write(node) && at.left.failures > 0) push(Kind::kWriteFails, node);
  if (world.can_act(node, kGroup)) {
    push(Kind::kAct, node);
    if (at.left.failures > 0) push(Kind::kActFailsClean, node);
    if (at.left.failures > 0) push(Kind::kActFailsHalf, node);
  }
  if (world.can_old_start_act(node, kGroup)) push(Kind::kOldStart, node);
  if (world.can_report(node, kGroup)) push(Kind::kReport, node);
  if (world.can_probe(node, kGroup)) push(Kind::kProbe, node);
  for (std::size_t shot = 0; shot < machine.shots.size(); ++shot) {
    if (world.can_shoot(node, shot)) push(Kind::kShoot, node, 0, shot);
    const bool ended = machine.shots[shot].acted || machine.shots[shot].cancelled;
    if (world.up(node) && (ended || at.left.failures > 0)) push(Kind::kReportShot, node, 0, shot);
  }
  if (at.left.power_offs > 0) push(Kind::kPowerOff, node);
  if (!world.up(node)) {
    push(Kind::kStartDaemon, node);
    return;
  }
  if (at.left.crashes > 0) push(Kind::kCrash, node);
  if (at.left.pauses > 0 && !world.replica(node).holds().empty()) push(Kind::kPause, node);
  const std::vector<Said>& said = sayings(world, node);
  for (std::size_t s = 0; s < said.size(); ++s) {
    Budget left = at.left;
    if (price(left, said[s].cost) > 0 && !pointless(at, node, said[s])) push(Kind::kSay, node, s);
  }
}

// Two proposals for one version of an object: the second one is refused, and a refused proposal changes
// nothing. So nobody says what would come behind another for the same object, nor what a lower member of the
// ring could say as well. Only where messages may be skipped the second one may be the first.
bool Explorer::pointless(const Situation& at, NodeId node, const Said& said) {
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

// Every way to part the powered nodes into rings, with every wish of the arbiter; the ring they are in may
// break and form anew.
void Explorer::enumerate_formations(const Situation& at) {
  const TestChannel& channel = at.world.channel();
  std::vector<NodeId> nodes;
  for (NodeId node : channel.powered()) nodes.push_back(node);
  std::vector<NodeSet> parts;
  auto part = [&](auto&& self, std::size_t next) -> void {
    if (next == nodes.size()) {
      for (std::size_t vote = 0; vote <= (channel.has_arbiter() ? parts.size() : 0); ++vote) {
        push(Action::Kind::kForm, NodeId{0}, formations_.size());
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

const std::vector<Said>& Explorer::sayings(const World& world, NodeId node) {
  auto [it, fresh] = sayings_.try_emplace(world.machine(node).replica);
  if (fresh) it->second = think_of(world.replica(node));
  return it->second;
}

// What a member may say with its present knowledge: any start, stop, fence, suspension.
std::vector<Said> Explorer::think_of(const core::Replica& replica) const {
  std::vector<Said> said;
  const core::State& state = replica.state();
  const bool established = replica.phase() == core::Phase::kEstablished;
  auto add = [&](const core::Body& body, Said::Cost cost) {
    said.push_back({body, digest_of_message(core::Message{.body = body}), object_of(body), cost});
  };
  auto propose = [&](const core::Proposal& proposal, Said::Cost cost) {
    if (exploration_.proposals == Exploration::Proposals::kAll || promising(replica, proposal))
      add(proposal, cost);
  };
  for (const auto& [id, node] : state.nodes) {
    if (!established) break;
    const PlaceId place = core::Spec::place_of(id);
    const std::uint64_t version = state.group(kGroup)->version;
    propose(core::StartGroup{kGroup, place, version, node.incarnation, state.spec->version},
            Said::Cost::kStart);
    propose(core::StopGroup{kGroup, place, version, "", false, false}, Said::Cost::kStop);
    // A member that answers is not fenced: that only stops things.
    const bool answers = node.standing == core::Standing::kMember && !node.suspended;
    for (const auto& [executor, other] : state.nodes)
      if (!answers || exploration_.proposals == Exploration::Proposals::kAll)
        propose(core::FenceNode{id, node.incarnation, node.version, executor, 0, ""}, Said::Cost::kFence);
  }
  const bool gathers = replica.phase() == core::Phase::kGathering || replica.phase() == core::Phase::kSyncing;
  for (const auto& [id, node] : state.nodes) {
    const bool member = node.standing == core::Standing::kMember;
    if (id == replica.self()) continue;
    if (gathers || (established && member && !node.suspended)) add(core::Suspend{id}, Said::Cost::kSuspend);
    if (established && member && node.suspended) add(core::Resume{id}, Said::Cost::kSuspend);
  }
  return said;
}

bool Explorer::promising(const core::Replica& replica, const core::Proposal& proposal) const {
  core::State copy = replica.state();
  core::Effects effects;
  core::Context context;
  context.self = context.from = replica.self();
  context.incarnation = replica.incarnation();
  context.position = {replica.view(), replica.position() + 1};
  return !core::admit(copy, proposal, context, effects);
}

void Explorer::apply(Situation& at, const Action& action) const {
  using Kind = Action::Kind;
  World& world = at.world;
  const NodeId node{action.node};
  switch (action.kind) {
    case Kind::kDeliver:
      return world.deliver(node);
    case Kind::kEnd:
      return world.end(node, TestChannel::Hole::kNone);
    case Kind::kEndWithHole:
      --at.left.skips;
      return world.end(node, TestChannel::Hole::kOne);
    case Kind::kJudge:
      return world.judge(node);
    case Kind::kOrder:
      return world.order(node);
    case Kind::kWrite:
      return world.write(node, World::Disk::kWorks);
    case Kind::kWriteFails:
      --at.left.failures;
      return world.write(node, World::Disk::kFails);
    case Kind::kAct:
      return world.act(node, kGroup, World::Luck::kGood);
    case Kind::kActFailsClean:
      --at.left.failures;
      return world.act(node, kGroup, World::Luck::kNothing);
    case Kind::kActFailsHalf:
      --at.left.failures;
      return world.act(node, kGroup, World::Luck::kHalf);
    case Kind::kOldStart:
      return world.old_start_acts(node, kGroup);
    case Kind::kReport:
      return world.report(node, kGroup);
    case Kind::kProbe:
      return world.probe(node, kGroup);
    case Kind::kShoot:
      return world.shoot(node, action.detail);
    case Kind::kReportShot: {
      const Shot& shot = world.machine(node).shots[action.detail];
      if (!shot.acted && !shot.cancelled) --at.left.failures;
      return world.report_shot(node, action.detail);
    }
    case Kind::kPause:
      --at.left.pauses;
      return world.pass(node, spec_->timing.grace + 1s);
    case Kind::kCrash:
      --at.left.crashes;
      return world.crash_daemon(node);
    case Kind::kStartDaemon:
      return world.start_daemon(node);
    case Kind::kPowerOff:
      --at.left.power_offs;
      return world.power_off(node);
    case Kind::kBoot:
      --at.left.boots;
      return world.boot(node);
    case Kind::kForm: {
      const Formation& formation = formations_[action.choice];
      --at.left.rings;
      return world.form(formation.components, formation.vote, exploration_.merge);
    }
    case Kind::kVote:
      --at.left.votes;
      return world.move_vote(node);
    case Kind::kSay: {
      const Said& said = sayings_.at(world.machine(node).replica)[action.choice];
      --price(at.left, said.cost);
      return world.say(node, said.body);
    }
  }
}

// ---- telling

std::string Explorer::describe(const Situation& at, const Action& action) const {
  using Kind = Action::Kind;
  const World& world = at.world;
  const NodeId node{action.node};
  const std::string who = fmt::format("node {}", node.value);
  auto queued = [&] { return sim::describe(replicas_.message(world.channel().port(node).queue.front())); };
  switch (action.kind) {
    case Kind::kDeliver: {
      TestChannel copy = world.channel();
      const TestChannel::Next next = copy.deliver(node);
      if (auto* message = std::get_if<MessageRef>(&next))
        return who + " delivers " + sim::describe(replicas_.message(*message));
      if (auto* change = std::get_if<core::RingChange>(&next)) {
        std::string members;
        for (const auto& [member, process] : change->members)
          members += fmt::format(" {}({})", member.value, process);
        return fmt::format("{} is told of ring {}.{} with{}", who, change->ring.leader, change->ring.seq,
                           members);
      }
      return who + " delivers nothing new";
    }
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
      return who + " gets its place in the stream for " + queued();
    case Kind::kWrite:
      return who + " has written its store";
    case Kind::kWriteFails:
      return who + " cannot write its store";
    case Kind::kAct:
    case Kind::kActFailsClean:
    case Kind::kActFailsHalf: {
      const Job& job = world.machine(node).groups[0].jobs.front();
      const char* luck = action.kind == Kind::kAct            ? ""
                         : action.kind == Kind::kActFailsHalf ? ", but says it failed"
                                                              : " in vain";
      return fmt::format("{} really {} the group{}", who, job.kind == Job::Kind::kStart ? "STARTS" : "STOPS",
                         luck);
    }
    case Kind::kOldStart:
      return who + " really STARTS the group by an agent that is being killed";
    case Kind::kReport:
      return who + "'s executor reports";
    case Kind::kProbe:
      return who + " looks whether the group runs";
    case Kind::kShoot:
      return fmt::format("{} really FENCES node {}", who, world.machine(node).shots[action.detail].target);
    case Kind::kReportShot:
      return fmt::format("{}'s fence of node {} reports", who,
                         world.machine(node).shots[action.detail].target);
    case Kind::kPause:
      return who + " has heard nothing for longer than grace";
    case Kind::kCrash:
      return who + "'s daemon CRASHES";
    case Kind::kStartDaemon:
      return who + "'s daemon starts";
    case Kind::kPowerOff:
      return who + " loses POWER";
    case Kind::kBoot:
      return who + " boots";
    case Kind::kForm: {
      const Formation& formation = formations_[action.choice];
      std::string text = "RINGS form:";
      for (NodeSet component : formation.components) {
        text += " {";
        for (NodeId member : component) text += fmt::format(" {}", member.value);
        text += " }";
      }
      if (world.channel().has_arbiter()) {
        text += formation.vote ? fmt::format(", the arbiter votes for ring {}", *formation.vote + 1)
                               : std::string(", the arbiter's vote stays with the old ring or nobody");
      }
      return text;
    }
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

// ---- what has been seen

std::optional<Digest128> Explorer::digest(const Situation& at, std::size_t renaming) const {
  const World& world = at.world;
  const TestChannel& channel = world.channel();
  const Renaming& to = replicas_.renamings()[renaming];
  bool complete = true;
  auto image = [&](std::uint64_t value) {
    complete &= value != 0;
    return value;
  };
  Hasher128 hash;

  // Rings in an order that does not depend on how they came about.
  const std::span<const Ring> rings = channel.rings();
  std::array<std::uint8_t, 16> order{};
  for (std::uint8_t r = 0; r < rings.size(); ++r) order[r] = r;
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(rings.size()),
            [&](std::uint8_t a, std::uint8_t b) { return to(rings[a].id) < to(rings[b].id); });
  std::array<std::uint8_t, 16> place{};
  auto processes = [&](const PerMachine<Process>& known) {
    std::uint64_t word = 0;
    for (std::uint32_t i = 0; i < world.size(); ++i) word = word << 8 | known[to.from[i]];
    hash.word(word);
  };
  for (std::uint8_t p = 0; p < rings.size(); ++p) {
    const Ring& ring = rings[order[p]];
    place[order[p]] = p;
    hash.word(to(ring.id).seq << 8 | to(ring.id).leader);
    hash.word(to(ring.nodes).bits() << 1 | (ring.gradual ? 1 : 0));
    processes(ring.started_with);
    processes(ring.daemons);
    hash.word(ring.log.size());
    for (const Entry& entry : ring.log) {
      if (entry.kind == Entry::Kind::kMessage) {
        hash.word(image(replicas_.message_digest(entry.message, renaming)));
      } else {
        hash.word(static_cast<std::uint64_t>(entry.kind) << 16 |
                  static_cast<std::uint64_t>(to.to[entry.node]) << 8 | entry.process);
      }
    }
  }
  hash.word(channel.vote() ? place[*channel.vote()] + 1U : 0U);

  for (std::uint32_t i = 0; i < world.size(); ++i) {
    const NodeId node{to.from[i]};
    const Port& port = channel.port(node);
    hash.word(port.highest_seq << 1 | (port.powered ? 1 : 0));
    hash.word(port.powered ? place[port.ring] + 1U : 0U);
    hash.word(port.process);
    if (port.process != 0) {
      processes(port.known);
      for (const Segment& segment : port.stream) {
        hash.word(std::uint64_t{place[segment.ring]} << 3 | (segment.decided ? 4 : 0) |
                  (segment.joined ? 2 : 0) | (segment.announced ? 1 : 0));
        hash.word(std::uint64_t{segment.next} << 32 | segment.end);
        for (std::uint32_t late : segment.late) hash.word((late + 1ULL) << 40);
      }
      for (const Verdict& verdict : port.verdicts)
        hash.word(1ULL << 50 | std::uint64_t{place[verdict.ring]} << 1 | (verdict.quorate ? 1 : 0));
      hash.word(port.last_verdict && port.last_verdict->quorate ? 1 : 0);
      for (MessageRef message : port.queue) hash.word(image(replicas_.message_digest(message, renaming)));
      hash.word(port.queue.size());
    }
    const Machine& machine = world.machine(node);
    hash.word(machine.replica == kNoReplica ? 1 : image(replicas_.replica_digest(machine.replica, renaming)));
    hash.word(std::uint64_t{machine.boots} << 8 | machine.runs);
    hash.word(static_cast<std::uint64_t>(machine.clock.count()));
    hash.word(machine.disk == 0 ? 1 : image(replicas_.durable_digest(machine.disk, renaming)));
    for (const Writing& writing : machine.writing) {
      hash.word(writing.token);
      hash.word(writing.durable == 0 ? 1 : image(replicas_.durable_digest(writing.durable, renaming)));
    }
    for (const Shot& shot : machine.shots) {
      hash.word(3ULL << 50 | std::uint64_t{to.to[shot.target]} << 2 | (shot.acted ? 2 : 0) |
                (shot.cancelled ? 1 : 0));
      hash.word(image(replicas_.fence_digest(shot.order, renaming)));
    }
    const Here& here = machine.groups[0];
    hash.word((here.runs ? 4 : 0) | (here.old_start ? 2 : 0) | (here.probe ? 1 : 0));
    for (const Job& job : here.jobs) {
      hash.word(5ULL << 50 | static_cast<std::uint64_t>(job.kind) << 4 |
                static_cast<std::uint64_t>(job.stage));
      hash.word(job.order == kNoOrder ? 1 : image(replicas_.order_digest(job.order, renaming)));
    }
  }
  const Budget& left = at.left;
  hash.word(left.starts | left.stops << 4 | left.fences << 8 | left.suspensions << 12 | left.rings << 16 |
            left.votes << 20);
  hash.word(left.crashes | left.power_offs << 4 | left.boots << 8 | left.pauses << 12 | left.failures << 16 |
            left.skips << 20);
  if (!complete) return std::nullopt;
  return hash.value();
}

// The least of the digests of all images: the same for all worlds that differ by names only.
Digest128 Explorer::digest(const Situation& at) const {
  Digest128 least = *digest(at, 0);
  for (std::size_t r = 1; r < replicas_.renamings().size(); ++r)
    if (const auto other = digest(at, r); other && *other < least) least = *other;
  return least;
}

std::optional<std::string> Explorer::judge(const World& world) const {
  if (world.running(kGroup).size() > 1) return world.violation();
  // A hole in a log gives one position to two messages; there, only rule 1 is judged.
  if (exploration_.budget.skips > 0) return std::nullopt;
  for (std::uint32_t a = 0; a < world.size(); ++a) {
    if (!world.up(NodeId{a})) continue;
    const auto& one = replicas_.standpoint(world.machine(NodeId{a}).replica);
    if (!one.established) continue;
    for (std::uint32_t b = a + 1; b < world.size(); ++b) {
      if (!world.up(NodeId{b})) continue;
      const auto& two = replicas_.standpoint(world.machine(NodeId{b}).replica);
      if (two.established && one.view == two.view && one.position == two.position && one.state != two.state)
        return world.divergence();
    }
  }
  return std::nullopt;
}

std::optional<std::string> Explorer::judge_step(const World& before, Action::Kind what,
                                                const World& after) const {
  if (auto wrong = judge(after)) return wrong;
  // A daemon that has forgotten a fence cannot know better.
  const bool nobody_forgets = exploration_.budget.crashes == 0 && exploration_.budget.power_offs == 0;
  if (nobody_forgets) {
    if (auto wrong = after.endangered()) return wrong;
  }
  // Whoever misses no message and agrees with the others has no reason to start over.
  const bool is_stopped =
      what == Action::Kind::kCrash || what == Action::Kind::kPowerOff || what == Action::Kind::kShoot;
  if (is_stopped || exploration_.budget.skips > 0) return std::nullopt;
  for (std::uint32_t i = 0; i < after.size(); ++i) {
    if (before.up(NodeId{i}) && !after.up(NodeId{i})) return fmt::format("node {} starts over", i);
  }
  return std::nullopt;
}

Finding Explorer::finding(std::string what, std::uint32_t state) {
  std::vector<std::uint32_t> path;
  for (std::uint32_t at = state; at != 0; at = steps_[at].before) path.push_back(steps_[at].action);
  std::reverse(path.begin(), path.end());
  Finding found{std::move(what), {}};
  Situation at = first_;
  for (std::uint32_t choice : path) {
    enumerate(at);
    found.trace.push_back(describe(at, actions_[choice]));
    apply(at, actions_[choice]);
  }
  return found;
}

// The situations of one depth, packed.
class Frontier {
 public:
  void push(Situation& at, std::uint32_t id) {
    starts_.push_back(bytes_.size());
    ids_.push_back(id);
    Packer io(bytes_);
    exchange(io, at);
  }
  std::uint32_t read(std::size_t number, Situation& at) const {
    Unpacker io(bytes_.data() + starts_[number]);
    exchange(io, at);
    return ids_[number];
  }
  std::size_t size() const { return ids_.size(); }

 private:
  template <class Io>
  static void exchange(Io& io, Situation& at) {
    at.world.exchange(io);
    Budget& left = at.left;
    for (std::uint8_t* one :
         {&left.starts, &left.stops, &left.fences, &left.suspensions, &left.rings, &left.votes, &left.crashes,
          &left.power_offs, &left.boots, &left.pauses, &left.failures, &left.skips})
      io(*one);
  }
  std::string bytes_;
  std::vector<std::size_t> starts_;
  std::vector<std::uint32_t> ids_;
};

Report Explorer::run() {
  Report report;
  Frontier now;
  Situation at = first_;
  now.push(at, 0);
  seen_.insert(digest(first_));
  steps_.emplace_back();
  auto finish = [&](Report::End end) {
    report.end = end;
    report.states = steps_.size();
    report.counts = replicas_.counts();
    return report;
  };
  while (now.size() > 0) {
    if (report.depth >= exploration_.most_depth) return finish(Report::End::kCapped);
    ++report.depth;
    report.most_waiting = std::max<std::uint64_t>(report.most_waiting, now.size());
    Frontier next;
    for (std::size_t s = 0; s < now.size(); ++s) {
      const std::uint32_t before = now.read(s, at);
      enumerate(at);
      for (std::size_t a = 0; a < actions_.size(); ++a) {
        Situation after = at;
        apply(after, actions_[a]);
        ++report.transitions;
        if (!seen_.insert(digest(after))) continue;
        const auto id = static_cast<std::uint32_t>(steps_.size());
        steps_.push_back({before, static_cast<std::uint32_t>(a)});
        if (std::optional<std::string> wrong = judge_step(at.world, actions_[a].kind, after.world)) {
          report.finding = finding(*wrong, id);
          return finish(Report::End::kViolation);
        }
        if (steps_.size() >= exploration_.most_states) return finish(Report::End::kCapped);
        next.push(after, id);
      }
    }
    now = std::move(next);
  }
  return finish(Report::End::kExhausted);
}

}  // namespace

Report explore(const Exploration& exploration) {
  return Explorer(exploration).run();
}

core::SpecPtr spec_for(Quorum quorum, std::uint32_t nodes, std::uint32_t groups) {
  auto spec = std::make_shared<core::Spec>();
  spec->cluster = "sim";
  spec->version = 1;
  for (std::uint32_t i = 0; i < nodes; ++i)
    spec->nodes[NodeId{i}] = core::Node{NodeId{i}, fmt::format("node{}", i), {}};
  for (std::uint32_t g = 0; g < groups; ++g) {
    core::Group group;
    group.id = GroupId{World::kFirstGroup + g};
    group.name = fmt::format("group{}", group.id.value);
    group.resources.push_back(core::Resource{.name = "service", .type = "command", .params = {}});
    spec->groups[group.id] = group;
  }
  spec->fencing.push_back(
      core::FenceLevel{{core::FenceDevice{.type = "agent", .params = {}, .targets = {}}}});
  spec->brakes.fences = 1'000'000;  // what is braked is not wrong: brakes have tests of their own
  if (quorum == Quorum::kQnetd) spec->quorum.arbiter = core::ArbiterType::kQnetd;
  return spec;
}

void settle(World& world) {
  for (bool busy = true; busy;) {
    busy = false;
    for (std::uint32_t i = 0; i < world.size(); ++i) {
      const NodeId node{i};
      while (world.can_order(node)) world.order(node), busy = true;
      while (world.can_judge(node)) world.judge(node), busy = true;
      while (world.can_deliver(node)) world.deliver(node), busy = true;
      if (world.can_end(node)) world.end(node, TestChannel::Hole::kNone), busy = true;
      while (world.can_write(node)) world.write(node, World::Disk::kWorks), busy = true;
      for (const auto& [group, configured] : world.spec().groups) {
        while (world.can_act(node, group)) world.act(node, group, World::Luck::kGood), busy = true;
        while (world.can_report(node, group)) world.report(node, group), busy = true;
        while (world.can_probe(node, group)) world.probe(node, group), busy = true;
      }
      while (world.powered(node) && world.up(node) && !world.machine(node).shots.empty()) {
        if (world.can_shoot(node, 0)) world.shoot(node, 0);
        if (!world.machine(node).shots.empty()) world.report_shot(node, 0);
        busy = true;
      }
    }
  }
}

}  // namespace komainu::sim
