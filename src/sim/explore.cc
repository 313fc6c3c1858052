#include "sim/explore.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "sim/digest128.h"
#include "sim/explore_steps.h"
#include "sim/pack.h"

namespace komainu::sim {
namespace {

class Explorer {
 public:
  explicit Explorer(const Exploration& exploration);
  Report run();
  // Where these choices lead, step by step; nothing: there is no such step.
  std::optional<Finding> follow(std::span<const std::uint32_t> choices);

 private:
  static void start_on_the_first(World& world);
  Digest128 digest(const Situation& at) const;
  std::optional<Digest128> digest(const Situation& at, std::size_t renaming) const;
  std::optional<std::string> judge(const World& world) const;
  std::optional<std::string> judge_step(const World& before, Action::Kind what, const World& after) const;
  Finding finding(std::uint32_t state);

  const Exploration exploration_;
  core::SpecPtr spec_;
  mutable InternedReplicas replicas_;
  Steps moves_;
  Situation first_;
  DigestSet seen_;
  struct Step {
    std::uint32_t before = 0;
    std::uint32_t action = 0;  // of those enumerated there
  };
  std::vector<Step> steps_;  // how each state was reached first
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

core::SpecPtr spec_of(const Exploration& exploration) {
  auto spec =
      std::make_shared<core::Spec>(*spec_for(exploration.quorum, nodes_of(exploration), exploration.groups));
  for (auto& [id, group] : spec->groups)
    if (id.value != World::kFirstGroup) group.apart.push_back(GroupId{World::kFirstGroup});
  if (exploration.fencing == Exploration::Fencing::kLease) {
    spec->fencing.clear();
    spec->timing = lease_timing();
  }
  return spec;
}

// The names of four nodes and more are not worth exchanging: there would be 24 images of everything.
std::vector<Renaming> renamings_for(const Exploration& exploration) {
  const std::uint32_t nodes = nodes_of(exploration);
  const bool use = exploration.symmetry == Exploration::Symmetry::kUse && nodes <= 3;
  return use ? renamings(nodes) : std::vector<Renaming>{identity()};
}

Explorer::Explorer(const Exploration& exploration)
    : exploration_(exploration),
      spec_(spec_of(exploration)),
      replicas_(spec_, renamings_for(exploration)),
      moves_(exploration_, spec_, replicas_),
      first_{World(spec_, replicas_, options(), exploration.immediate), exploration.budget} {
  World& world = first_.world;
  const NodeSet all = spec_->node_ids();
  for (NodeId node : all) world.boot(node);
  world.form({&all, 1}, 0, TestChannel::Merge::kAtOnce);
  for (NodeId node : all) world.start_daemon(node);
  if (exploration_.from == Exploration::From::kBoot) return;
  // Each looks at its group before it says anything, so that none is told from the others by its history.
  for (NodeId node : all)
    for (const auto& [group, configured] : spec_->groups) world.probe(node, group);
  settle(world);
  if (exploration_.from == Exploration::From::kRunning) start_on_the_first(world);
  if (exploration_.and_then) exploration_.and_then(world);
}

void Explorer::start_on_the_first(World& world) {
  const core::State& state = world.replica(NodeId{0}).state();
  world.say(NodeId{0},
            core::Proposal{core::StartGroup{GroupId{World::kFirstGroup}, PlaceId{0},
                                            state.group(GroupId{World::kFirstGroup})->version,
                                            state.node(NodeId{0})->incarnation, state.spec->version}});
  settle(world);
  assert(world.runs(NodeId{0}, GroupId{World::kFirstGroup}));
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
    hash.word(machine.last_flow ? static_cast<std::uint64_t>(machine.last_flow->since_boot.count()) + 1 : 0);
    for (DurableRef disk : {machine.disk, machine.older_disk})
      hash.word(disk == 0 ? 1 : image(replicas_.durable_digest(disk, renaming)));
    for (const Writing& writing : machine.writing) {
      hash.word(writing.token);
      hash.word(writing.durable == 0 ? 1 : image(replicas_.durable_digest(writing.durable, renaming)));
    }
    for (const Shot& shot : machine.shots) {
      hash.word(3ULL << 50 | std::uint64_t{to.to[shot.target]} << 2 | (shot.acted ? 2 : 0) |
                (shot.cancelled ? 1 : 0));
      hash.word(image(replicas_.fence_digest(shot.order, renaming)));
    }
    for (const Here& here : machine.groups) {
      hash.word((here.runs ? 4 : 0) | (here.old_start ? 2 : 0) | (here.probe ? 1 : 0));
      for (const Job& job : here.jobs) {
        hash.word(5ULL << 50 | static_cast<std::uint64_t>(job.kind) << 4 |
                  static_cast<std::uint64_t>(job.stage));
        hash.word(job.order == kNoOrder ? 1 : image(replicas_.order_digest(job.order, renaming)));
      }
    }
    hash.word(std::uint64_t{at.clocks[node.value].unfed} << 2 | (at.clocks[node.value].owed ? 2 : 0) |
              (machine.yields ? 1 : 0));
  }
  std::uint64_t left = 0;
  int spent = 0;
  Budget(at.left).each([&](std::uint8_t one) {
    left = left << 8 | one;
    if (++spent % 8 == 0) hash.word(std::exchange(left, 0));
  });
  hash.word(left);
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
  if (auto wrong = world.violation()) return wrong;
  if (auto wrong = world.crowded()) return wrong;
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
  const bool is_stopped = what == Action::Kind::kCrash || what == Action::Kind::kPowerOff ||
                          what == Action::Kind::kShoot || what == Action::Kind::kTimePasses;  // a watchdog
  // Without a fencer a node may find itself taken for stopped, and then does.
  const bool may_start_over = exploration_.fencing == Exploration::Fencing::kLease;
  if (is_stopped || may_start_over || exploration_.budget.skips > 0) return std::nullopt;
  for (std::uint32_t i = 0; i < after.size(); ++i) {
    if (before.up(NodeId{i}) && !after.up(NodeId{i})) return fmt::format("node {} starts over", i);
  }
  return std::nullopt;
}

// ---- how it came about

Finding Explorer::finding(std::uint32_t state) {
  std::vector<std::uint32_t> path;
  for (std::uint32_t at = state; at != 0; at = steps_[at].before) path.push_back(steps_[at].action);
  std::reverse(path.begin(), path.end());
  return *follow(path);
}

std::optional<Finding> Explorer::follow(std::span<const std::uint32_t> choices) {
  Finding found;
  Situation at = first_;
  for (std::uint32_t choice : choices) {
    moves_.enumerate(at);
    if (choice >= moves_.actions().size()) return std::nullopt;
    const Action action = moves_.actions()[choice];
    const World before = at.world;
    found.choices.push_back(choice);
    found.trace.push_back(moves_.describe(at, action));
    moves_.apply(at, action);
    found.what = judge_step(before, action.kind, at.world).value_or("");
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
    at.exchange(io);
  }
  std::uint32_t read(std::size_t number, Situation& at) const {
    Unpacker io(bytes_.data() + starts_[number]);
    at.exchange(io);
    return ids_[number];
  }
  std::size_t size() const { return ids_.size(); }

 private:
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
      moves_.enumerate(at);
      const std::vector<Action>& actions = moves_.actions();
      for (std::size_t a = 0; a < actions.size(); ++a) {
        Situation after = at;
        moves_.apply(after, actions[a]);
        ++report.transitions;
        if (!seen_.insert(digest(after))) continue;
        const auto id = static_cast<std::uint32_t>(steps_.size());
        steps_.push_back({before, static_cast<std::uint32_t>(a)});
        if (judge_step(at.world, actions[a].kind, after.world)) {
          report.finding = finding(id);
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

std::optional<Finding> replay(const Exploration& exploration, std::span<const std::uint32_t> choices) {
  return Explorer(exploration).follow(choices);
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

// Who takes over waits a little more than four steps: two for the lease, and two for a machine that is paused
// for one and then reset by its watchdog after another.
core::Timing lease_timing() {
  core::Timing timing;
  timing.lease = 2 * kTimeStep;
  timing.watchdog = timing.drain = Duration{0};
  timing.max_pause = 2 * kTimeStep;
  // Whatever else would stop a node or leave it out does not come: the lease alone must hold.
  timing.grace = timing.suspend_after = timing.lost_after = 24h;
  return timing;
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
