// A cluster of this configuration, rehearsing: what happens to it is told, what it makes of that is decided
// by the real replicas, and everything is written down.
//
//   Rehearsal rehearsal(spec, assumptions);
//   rehearsal.begin(initial);                 // boots, comes to rest; time zero is now
//   rehearsal.perform({.kind = Kind::kPowerOff, .node = guest1});
//   rehearsal.run_to_rest(10min);
//
// sim::Cluster moves machines, networks and agents. This adds what it leaves open: when a monitor notices,
// which links are left between two nodes, and whether clients are served.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "core/judge/judge.h"
#include "sim/cluster.h"
#include "whatif/run/action.h"
#include "whatif/run/assume.h"
#include "whatif/run/initial.h"
#include "whatif/run/line.h"
#include "whatif/run/senses.h"
#include "whatif/run/service.h"

namespace komainu::whatif {

// Why a configuration cannot be rehearsed by this version; none: it can.
std::optional<Error> cannot_rehearse(const core::Spec& spec);

class Rehearsal final : private sim::Observer {
 public:
  Rehearsal(core::SpecPtr spec, const Assumptions& assumptions);

  // An error: things did not come to stand as they should.
  Result<void> begin(const Initial& initial);
  void perform(const Action& action);
  void run_until(Duration moment);
  // Until nothing is going on and nothing is waited for; false: that did not come within `most` from the
  // beginning.
  bool run_to_rest(Duration most);

  Duration now() const { return cluster_.now() - zero_; }
  const core::Spec& spec() const { return *spec_; }
  const std::vector<Line>& lines() const { return lines_; }
  const std::map<GroupId, Service>& services() const { return services_; }
  const std::vector<Deed>& deeds() const { return deeds_; }
  const std::optional<Detection>& detection() const { return detection_; }
  // The last one to be in an established view; null: nobody was.
  const core::State* state() const;
  const sim::Cluster& cluster() const { return cluster_; }
  // When a node was switched on last; before the beginning is negative.
  Duration booted(NodeId node) const { return booted_.at(node) - zero_; }

 private:
  using Place = std::pair<NodeId, GroupId>;
  enum class Condition : std::uint8_t { kBroken, kWorks };

  // ---- what sim::Cluster tells
  void tells(NodeId node, const core::Event& event) override;
  void answers(NodeId node, const core::Answer& answer) override;
  void executes(NodeId node, GroupId group, const core::Order& order) override;
  void yields(NodeId node, const std::string& reason) override;
  void runs(NodeId node, GroupId group, std::uint64_t resources) override;
  void powered(NodeId node) override;
  void off(NodeId node, const std::string& by) override;
  void ring(NodeId, const core::RingChange&) override { last_happening_ = cluster_.now(); }
  void note(NodeId, const std::string&) override { last_happening_ = cluster_.now(); }

  // ---- time
  void later(Duration delay, std::function<void()> look);
  bool step(Duration moment);
  bool busy() const;
  void look_around();
  void judge_places(const core::State& state);
  void judge_services();
  bool serves(NodeId node, GroupId group) const;

  // ---- what happens (rehearse_actions.cc)
  void perform_on_server(const Action& action);
  void perform_on_network(const Action& action);
  void perform_on_application(const Action& action);
  void perform_on_agents(const Action& action);
  void perform_on_device(const Action& action);
  void report_of_monitor(const Action& action);
  void ask(const Action& action);
  void hang_daemon(NodeId node);
  void shut_down(NodeId node);
  void set_links(const Action& action, Condition now);
  void set_link(NodeId one, NodeId other, std::uint32_t link, Condition now);
  void tell_links();
  void set_interface(NodeId node, const std::string& interface, Condition now);
  void set_reach(const Action& action, Condition now);
  void sicken(GroupId group, std::uint32_t resource, Sickness sickness);
  void monitor_notices(NodeId node, const core::Monitor& monitor, Sickness sickness, std::string evidence,
                       std::function<bool()> still);
  bool request(decltype(core::Request::what) what);

  std::string come_about(const Initial& initial) const;
  void write(Topic topic, core::Severity severity, std::string text, std::optional<NodeId> node = {},
             std::optional<GroupId> group = {}, std::optional<MonitorId> monitor = {},
             core::Cause cause = {});
  void notice(const core::Event& event);
  std::string name(NodeId node) const { return spec_->nodes.at(node).name; }
  std::string name(GroupId group) const { return spec_->groups.at(group).name; }
  std::uint32_t links() const;

  core::SpecPtr spec_;
  Assumptions assume_;
  sim::Cluster cluster_;
  Duration zero_{0};
  bool begun_ = false;
  Duration quiet_{0};           // how long nothing must happen before nothing more will
  Duration last_happening_{0};  // on the cluster's clock
  std::multimap<Duration, std::function<void()>> looks_;

  std::vector<Line> lines_;
  std::map<core::Cause, std::uint32_t> causes_;
  // How often something was told in a view: by each, and by whom most often.
  struct Told {
    std::map<NodeId, int> by;
    int times = 0;
  };
  std::map<std::pair<core::ViewId, std::string>, Told> told_;
  std::pair<core::ViewId, std::uint64_t> seen_;
  std::map<NodeId, const core::Row*> verdicts_;
  std::optional<core::State> state_;  // as of the last line that was written; for when nobody is left
  std::size_t kept_at_ = 0;
  bool touched_ = true;  // what decides whether clients are served may have changed
  std::optional<Detection> detection_;
  std::vector<Deed> deeds_;
  std::map<GroupId, Service> services_;

  std::map<NodeId, Duration> booted_;     // on the cluster's clock
  std::map<Place, std::uint32_t> lives_;  // rises with each order: what was to be noticed before is void
  std::map<Place, Sickness> sick_;
  std::set<std::tuple<NodeId, NodeId, std::uint32_t>> links_down_;       // of two nodes, the lower one first
  std::set<std::tuple<NodeId, NodeId, std::uint32_t>> links_told_down_;  // as `from` has said
  std::set<std::pair<NodeId, std::string>> interfaces_down_;
  std::map<std::string, NodeSet> unreachable_;  // an address, and who does not reach it
};

}  // namespace komainu::whatif
