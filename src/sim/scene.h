// Scripted schedules: a few machines with one group, and every step in a test's hands.
//
//   Scene scene({.quorum = Quorum::kMajority});         // nodes a, b, c in one view; nothing runs
//   scene.says(a, core::Suspend{b});
//   scene.proposes_start(a, a);
//   scene.hears(a);                                     // a alone: the others lag
//   scene.split({{a}, {b, c}});
//   scene.settle();                                     // everything else happens
//   EXPECT_EQ(scene.running(), NodeSet{b});
//
// After each sentence the world is judged; what is wrong fails the test.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "sim/explore.h"
#include "sim/world.h"

namespace komainu::sim {

inline constexpr NodeId a{0};
inline constexpr NodeId b{1};
inline constexpr NodeId c{2};
inline constexpr NodeId d{3};
inline constexpr NodeId e{4};
inline constexpr GroupId kGroup{World::kFirstGroup};

struct Setting {
  Quorum quorum = Quorum::kMajority;
  std::uint32_t nodes = 3;
  std::vector<NodeId> only_on;  // where the group is allowed; empty: anywhere
  enum class From : std::uint8_t { kBoot, kIdle } from = From::kIdle;  // kIdle: a view of all
  enum class Planner : std::uint8_t { kScript, kReplicas } planner = Planner::kScript;
  enum class Stream : std::uint8_t {
    kFast,    // what is sent has its place at once
    kQueues,  // … by sends_out() or settle()
  } stream = Stream::kFast;
  enum class Disks : std::uint8_t { kFast, kSlow } disks = Disks::kFast;
  enum class Fencing : std::uint8_t { kFencer, kLease } fencing = Fencing::kFencer;
  enum class Verdicts : std::uint8_t {
    kFast,   // a ring's verdict comes with the ring
    kQueue,  // … by is_told_of_quorum() or settle()
  } verdicts = Verdicts::kFast;
};

class Scene {
 public:
  explicit Scene(const Setting& setting)
      : spec_(spec_of(setting)),
        replicas_(spec_),
        world_(spec_, replicas_, options_of(setting),
               {.order = setting.stream == Setting::Stream::kFast,
                .store = setting.disks == Setting::Disks::kFast,
                .verdict = setting.verdicts == Setting::Verdicts::kFast,
                .report = false}) {
    const NodeSet all = spec_->node_ids();
    for (NodeId node : all) world_.boot(node);
    world_.form({&all, 1}, 0, TestChannel::Merge::kAtOnce);
    for (NodeId node : all) world_.start_daemon(node);
    if (setting.from == Setting::From::kIdle) settle();
  }

  World& world() { return world_; }
  const core::State& state(NodeId node) const { return world_.replica(node).state(); }
  core::Standing standing(NodeId of, NodeId seen_by) const { return state(seen_by).nodes.at(of).standing; }
  NodeSet running() const { return world_.running(kGroup); }
  std::size_t shots(NodeId node) const { return world_.machine(node).shots.size(); }
  bool in_a_view(NodeId node) const {
    return world_.up(node) && world_.replica(node).phase() == core::Phase::kEstablished;
  }
  bool in_one_view(NodeSet nodes) const {
    for (NodeId node : nodes) {
      if (!in_a_view(node) || world_.replica(node).responsive() != nodes) return false;
      if (world_.replica(node).view() != world_.replica(nodes.first()).view()) return false;
    }
    return true;
  }

  // ---- what somebody says

  void says(NodeId from, const core::Body& body) {
    world_.say(from, body);
    judge();
  }
  // Each is made of what `from` knows now.
  void proposes_start(NodeId from, NodeId at) {
    const core::State& known = state(from);
    says(from, core::Proposal{core::StartGroup{kGroup, core::Spec::place_of(at), version(from),
                                               known.nodes.at(at).incarnation, known.spec->version}});
  }
  void proposes_stop(NodeId from, NodeId at) {
    says(from,
         core::Proposal{core::StopGroup{kGroup, core::Spec::place_of(at), version(from), "", false, false}});
  }
  void proposes_fence(NodeId from, NodeId target, NodeId executor) {
    const core::NodeState& known = state(from).nodes.at(target);
    says(from, core::Proposal{core::FenceNode{target, known.incarnation, known.version, executor, 0, ""}});
  }

  // ---- what one machine does

  // Its daemon delivers everything that is there for it.
  void hears(NodeId node) {
    while (world_.can_judge(node) || world_.can_deliver(node)) {
      world_.can_judge(node) ? world_.judge(node) : world_.deliver(node);
    }
    judge();
  }
  // … but no verdict on its quorum.
  void hears_of_rings(NodeId node) {
    while (world_.can_deliver(node)) world_.deliver(node);
    judge();
  }
  // The oldest verdict that it has not heard.
  void is_told_of_quorum(NodeId node) {
    world_.judge(node);
    judge();
  }
  void sends_out(NodeId node) {
    while (world_.can_order(node)) world_.order(node);
  }
  void writes(NodeId node) {
    while (world_.can_write(node)) world_.write(node, World::Disk::kWorks);
  }
  // Its executor does what it was told, and does not say so yet.
  void acts(NodeId node) {
    while (world_.can_act(node, kGroup)) world_.act(node, kGroup, World::Luck::kGood);
    judge();
  }
  // Its fencing agent switches the target off; what becomes of the report is another question.
  void shoots(NodeId node) {
    world_.shoot(node, 0);
    judge();
  }
  // Its daemon is not scheduled; its Corosync goes on.
  void hangs(NodeId node) { hung_.insert(node); }
  void wakes(NodeId node) { hung_.erase(node); }
  // Its fencing agents neither act nor report.
  void agents_hang(NodeId node) { slow_.insert(node); }
  void agents_go_on(NodeId node) { slow_.erase(node); }
  void restarts_daemon(NodeId node) {
    world_.crash_daemon(node);
    world_.start_daemon(node);
  }
  void boots(NodeId node) {
    world_.boot(node);
    world_.start_daemon(node);
  }

  // ---- the network

  // New rings; of the old one each part gets what the furthest of its members has delivered, and no more.
  void split(std::initializer_list<NodeSet> parts, std::optional<std::size_t> vote = std::nullopt) {
    const std::vector<NodeSet> components(parts);
    world_.form(components, vote, TestChannel::Merge::kAtOnce);
    for (NodeSet part : components) {
      for (NodeId node : part) {
        if (!hung_.contains(node) && world_.can_end(node)) world_.end(node, TestChannel::Hole::kNone);
      }
    }
    judge();
  }
  void merge() { split({world_.channel().powered()}); }

  // ---- everything

  // Until nothing is left to do for anybody who does not hang. Time stands still.
  void settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (NodeId node : spec_->node_ids()) busy |= works(node);
      judge();
    }
  }
  void passes(Duration time) {
    settle();
    for (Duration past{0}; past < time; past += kStep) {
      for (NodeId node : spec_->node_ids()) {
        if (world_.up(node) && !hung_.contains(node)) world_.pass(node, kStep);
      }
      settle();
    }
  }

 private:
  static constexpr Duration kStep = 10ms;

  static core::SpecPtr spec_of(const Setting& setting) {
    auto spec = std::make_shared<core::Spec>(*spec_for(setting.quorum, setting.nodes, 1));
    core::Group& group = spec->groups.at(kGroup);
    for (NodeId node : setting.only_on) group.prefer.push_back(core::Spec::place_of(node));
    if (!setting.only_on.empty()) group.strictness = core::Strictness::kPreferredOnly;
    if (setting.fencing == Setting::Fencing::kLease) {
      spec->fencing.clear();
      spec->timing.watchdog = 5s;
    }
    return spec;
  }
  static core::ReplicaOptions options_of(const Setting& setting) {
    core::ReplicaOptions options;
    options.plans = setting.planner == Setting::Planner::kReplicas;
    return options;
  }
  std::uint64_t version(NodeId node) const { return state(node).groups.at(kGroup).version; }

  bool works(NodeId node) {
    bool busy = false;
    auto all = [&](auto can, auto what) {
      while (can()) what(), busy = true;
    };
    all([&] { return world_.can_order(node); }, [&] { world_.order(node); });
    all([&] { return world_.can_act(node, kGroup); }, [&] { world_.act(node, kGroup, World::Luck::kGood); });
    if (hung_.contains(node)) return busy;
    all([&] { return world_.can_judge(node); }, [&] { world_.judge(node); });
    all([&] { return world_.can_deliver(node); }, [&] { world_.deliver(node); });
    if (world_.can_end(node)) world_.end(node, TestChannel::Hole::kNone), busy = true;
    all([&] { return world_.can_write(node); }, [&] { world_.write(node, World::Disk::kWorks); });
    all([&] { return world_.can_report(node, kGroup); }, [&] { world_.report(node, kGroup); });
    all([&] { return world_.can_probe(node, kGroup); }, [&] { world_.probe(node, kGroup); });
    if (slow_.contains(node)) return busy;
    all([&] { return world_.up(node) && shots(node) != 0; },
        [&] {
          if (world_.can_shoot(node, 0)) world_.shoot(node, 0);
          world_.report_shot(node, 0);
        });
    return busy;
  }

  void judge() {
    if (judged_wrong_) return;
    for (const auto& wrong : {world_.violation(), world_.divergence()}) {
      if (!wrong) continue;
      judged_wrong_ = true;
      ADD_FAILURE() << *wrong;
    }
  }

  core::SpecPtr spec_;
  LiveReplicas replicas_;
  World world_;
  NodeSet hung_;
  NodeSet slow_;
  bool judged_wrong_ = false;
};

}  // namespace komainu::sim
