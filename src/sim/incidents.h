// Lets the faults of a schedule happen to a cluster, and ends them.
#pragma once

#include <bitset>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/cluster.h"
#include "sim/fault.h"
#include "sim/shape.h"

namespace komainu::sim {

class Incidents {
 public:
  Incidents(Cluster& cluster, const Shape& shape);

  // Now, or when its moment comes.
  void happen(const Fault& fault);
  // Of those that had something to happen to.
  std::uint32_t happened() const { return happened_; }
  const std::bitset<kFaultKinds>& kinds() const { return kinds_; }
  // Faults that wait for it hit `node`, or another one.
  void moment(Moment moment, NodeId node);
  // What is due at or before now: ends of faults, and the later parts of some.
  void run_due();
  Duration next_due() const { return due_.empty() ? Duration::max() : due_.begin()->first; }
  // Somebody switches a machine on again that a fence or a watchdog has left off.
  void went_off(NodeId node);
  // All faults end now: everything is joined and works, and powered but for some nodes.
  void quiet(NodeSet left_off);

 private:
  using Action = std::function<void()>;
  void later(Duration delay, Action action) { due_.emplace(cluster_.now() + delay, std::move(action)); }
  void strike(const Fault& fault);
  bool happens(const Fault& fault);
  bool to_machine(const Fault& fault, NodeId node);
  bool to_owner(const Fault& fault);
  bool isolate(const Fault& fault, NodeId node);
  bool hang_several(const Fault& fault);
  bool to_network(const Fault& fault);
  bool to_arbiter(const Fault& fault);
  bool to_agents(const Fault& fault);
  bool to_monitors(const Fault& fault);
  bool to_device(const Fault& fault, Device device);
  bool by_operator(const Fault& fault);
  bool confirm_fence(const Fault& fault);
  bool lose_all_power(const Fault& fault);
  void swizzle(const Fault& fault);
  bool keep_off(NodeId node, Duration time);
  void ask(NodeId at, decltype(core::Request::what) what) { cluster_.request(at, std::move(what)); }

  NodeId node(std::uint32_t choice) const;
  NodeId other(NodeId than, std::uint32_t choice) const;
  GroupId group(std::uint32_t choice) const;
  std::optional<NodeId> owner(std::uint32_t choice) const;

  Cluster& cluster_;
  const Shape& shape_;
  Random random_;
  std::multimap<Duration, Action> due_;
  std::map<NodeId, Duration> kept_off_until_;
  std::vector<Fault> waiting_;  // for their moment
  std::uint32_t happened_ = 0;
  std::bitset<kFaultKinds> kinds_;
};

}  // namespace komainu::sim
