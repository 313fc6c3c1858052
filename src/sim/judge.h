// Judges a cluster by its world: where processes really run, what devices really did, whether equal positions
// hold equal states. What replicas believe is looked at for two reasons only: the invariants of their own
// state, and to know which of the protocol's situations came up (premise.h).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/cluster.h"
#include "sim/fault.h"
#include "sim/premise.h"
#include "sim/shape.h"
#include "sim/violation.h"

namespace komainu::sim {

class Judge final : public Observer {
 public:
  Judge(const Cluster& cluster, const Shape& shape);

  const std::optional<Violation>& violation() const { return violation_; }
  // Including what the cluster's world counted.
  PremiseCounts premises() const;
  // Called for each machine that a fence or a device switched off.
  void on_off(std::function<void(NodeId)> call) { on_off_ = std::move(call); }
  // Called when a moment has come that faults may wait for, with the node that is in it.
  void on_moment(std::function<void(Moment, NodeId)> call) { on_moment_ = std::move(call); }
  void keep_trace() { traces_ = true; }
  const std::vector<std::string>& trace() const { return trace_; }

  void sends(NodeId node, const core::Message& message) override;
  void delivers(NodeId node, const core::Message& message) override;
  void tells(NodeId node, const core::Event& event) override;
  void answers(NodeId node, const core::Answer& answer) override;
  void executes(NodeId node, GroupId group, const core::Order& order) override;
  void fences(NodeId node, NodeId target, const core::FenceOrder& order) override;
  void yields(NodeId node, const std::string& reason) override;
  void starts_over(NodeId node, const std::string& reason) override;
  void runs(NodeId node, GroupId group, std::uint64_t resources) override;
  void falls_out(NodeId node, GroupId group, std::uint32_t resource) override;
  void powered(NodeId node) override;
  void off(NodeId node, const std::string& by) override;
  void ring(NodeId node, const core::RingChange& change) override;
  void quorum(NodeId node, const core::QuorumVerdict& verdict) override;
  void note(NodeId node, const std::string& what) override;
  void has_stepped(NodeId node) override;

 private:
  // What was known of a node's replica after its last step.
  struct Seen {
    core::Phase phase = core::Phase::kOut;
    core::ViewId view;
    std::uint64_t position = 0;
    std::optional<GroupId> start;  // proposed in the message just delivered
    bool braked = false;
    Duration clock{0};
    core::RingId ring;                           // as told
    std::optional<core::QuorumVerdict> verdict;  // the last one told
    bool pending_spec = false;
  };

  void comes(Moment moment, NodeId node) {
    if (on_moment_) on_moment_(moment, node);
  }
  void count(Premise premise) { ++counts_[static_cast<std::size_t>(premise)]; }
  void wrong(Breach broken, std::string what);
  void look_at_ack(NodeId node, const core::Message& message, const core::Ack& ack);
  void look_at_hello(const core::Message& message, const core::Hello& hello);
  void look_at_fact(NodeId node, const core::Replica& replica, const core::Fact& fact);
  void look_at_proposal(NodeId node, const core::Replica& replica, const core::Proposal& proposal);
  void entered(NodeId node, const core::State& state);
  void judge_order(NodeId node, GroupId group, std::uint64_t resources);
  void judge_brake(const std::string& by);
  void judge_right_to_act(NodeId node, const char* what);
  void judge_epoch(const core::ViewId& view, const core::State& state);
  void judge_absent(NodeId node, const core::ViewId& view, const core::State& state);
  void judge_stored(NodeId node);
  void judge_reason(const core::State& state, const core::StopGroup& stop);
  void trace(NodeId node, const std::string& what);

  const Cluster& cluster_;
  const Shape& shape_;
  // Resources of a group on a node, as bits.
  struct Resources {
    std::uint64_t up = 0;
    std::uint64_t fallen_out = 0;
  };
  std::map<NodeId, Seen> seen_;
  std::map<std::pair<NodeId, GroupId>, Resources> resources_;
  PremiseCounts counts_{};
  std::optional<Violation> violation_;
  std::function<void(NodeId)> on_off_;
  std::function<void(Moment, NodeId)> on_moment_;
  // The digest that belongs to a position of a view, of the latest views.
  std::map<core::ViewId, std::unordered_map<std::uint64_t, std::uint64_t>> digests_;
  // Of the latest views that a daemon was a member of: (ring, round) → epoch.
  std::map<core::Incarnation, std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t>> epochs_;
  std::map<core::ViewId, core::ViewId> lineage_of_view_;  // that the first live Hello named
  // When fences switched machines off, with stream time, since the last cold start.
  std::vector<std::pair<Duration, Duration>> fenced_;
  NodeSet wanted_off_;  // by an operator, when their latest fence began
  bool traces_ = false;
  std::vector<std::string> trace_;
};

}  // namespace komainu::sim
