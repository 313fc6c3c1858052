#include "config/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/timing.h"

namespace komainu::config {
namespace {

// The objects of one kind by name.
template <class Id>
using Names = std::map<std::string, Id, std::less<>>;

template <class Id>
std::vector<std::string> known(const Names<Id>& names) {
  std::vector<std::string> result;
  for (const auto& [name, id] : names) result.push_back(name);
  return result;
}

// Ids for objects that have none yet: not those of `current`, so that nothing known about a removed object is
// taken for knowledge about a new one.
template <class Id>
class FreeIds {
 public:
  template <class Map>
  explicit FreeIds(const Map* current) {
    if (current)
      for (const auto& [id, object] : *current) taken_.insert(id);
  }
  void take(Id id) { taken_.insert(id); }
  Id next() {
    while (taken_.contains(next_)) ++next_.value;
    taken_.insert(next_);
    return next_;
  }

 private:
  std::set<Id> taken_;
  Id next_{0};
};

class Resolver {
 public:
  Resolver(const Draft& draft, const core::Spec* current, Diagnostics& diagnostics)
      : draft_(draft),
        current_(current),
        diagnostics_(diagnostics),
        all_nodes_known_(!draft.nodes.empty() && !draft.truncated),
        all_groups_known_(!draft.truncated) {}

  core::Spec run() {
    cluster();
    name_nodes();
    name_groups();
    for (const GroupDraft& group : draft_.groups) add_group(group);
    for (auto& [id, group] : spec_.groups)
      for (const GroupId other : group.apart) make_apart(spec_.groups.at(other), id);
    add_monitors();
    add_fencing();
    return std::move(spec_);
  }

 private:
  void cluster();
  void name_nodes();
  void name_groups();
  void add_group(const GroupDraft& draft);
  void add_monitors();
  std::vector<core::Monitor> monitors_of_the_cluster() const;
  void add_fencing();
  void watch(const MonitorDraft& draft, core::Monitor& monitor);

  static void make_apart(core::Group& group, GroupId other) {
    if (std::ranges::find(group.apart, other) == group.apart.end()) group.apart.push_back(other);
  }

  // True if the name is new; otherwise reported. A name that could not be read is not.
  template <class Keys>
  bool is_new(const Section<Keys>& section, std::map<std::string, Region>& seen, std::string_view kind) {
    if (section.keys.name.empty()) return false;
    const Region at = section.at.of("name");
    const auto [it, added] = seen.try_emplace(section.keys.name, at);
    if (!added)
      diagnostics_.error(at, fmt::format("there are two {}s \"{}\"", kind, section.keys.name),
                         "a name of its own", fmt::format("the other one is in line {}", it->second.line));
    return added;
  }

  // The ids of a list of names under `key`.
  template <class Id, class Keys>
  std::vector<Id> refer(const Section<Keys>& from, const std::vector<std::string>& list, std::string_view key,
                        const Names<Id>& names, bool all_known, std::string_view kind);

  std::vector<GroupId> refer_groups(const GroupDraft& from, const std::vector<std::string>& list,
                                    std::string_view key) {
    return refer(from, list, key, groups_, all_groups_known_, "group");
  }

  const Draft& draft_;
  const core::Spec* current_;
  Diagnostics& diagnostics_;
  core::Spec spec_;
  Names<NodeId> nodes_;
  Names<GroupId> groups_;
  // False if a name could not be read: then an unknown one may be that.
  bool all_nodes_known_;
  bool all_groups_known_;
};

template <class Id, class Keys>
std::vector<Id> Resolver::refer(const Section<Keys>& from, const std::vector<std::string>& list,
                                std::string_view key, const Names<Id>& names, bool all_known,
                                std::string_view kind) {
  std::vector<Id> result;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto it = names.find(list[i]);
    if (it == names.end()) {
      if (!all_known) continue;
      const std::vector<std::string> candidates =
          diagnostics_.full() ? std::vector<std::string>{} : known(names);
      diagnostics_.error(from.at.item(key, i), fmt::format("there is no {} \"{}\"", kind, list[i]),
                         fmt::format("the name of a {}", kind), did_you_mean(list[i], candidates));
    } else if (std::ranges::find(result, it->second) != result.end()) {
      diagnostics_.error(from.at.item(key, i), fmt::format("\"{}\" is named twice in `{}`", list[i], key));
    } else {
      result.push_back(it->second);
    }
  }
  return result;
}

void Resolver::cluster() {
  const ClusterKeys& keys = draft_.cluster.keys;
  spec_.cluster = keys.name;
  spec_.version = current_ ? current_->version + 1 : 1;
  spec_.profile = keys.profile;
  spec_.alert_command = keys.alert.value_or("");
  spec_.key = keys.key.value_or("");
  core::Quorum& quorum = spec_.quorum;
  quorum.arbiter = draft_.arbiter.type;
  quorum.arbiter_address = draft_.arbiter.address.value_or("");
  quorum.on_no_quorum = draft_.quorum.keys.on_no_quorum;
  quorum.allow_split_risk = draft_.quorum.keys.allow_split_risk;
  spec_.timing =
      timing_section().read_partial(draft_.timing, default_timing(spec_.profile, spec_.quorum.arbiter));
  spec_.brakes = draft_.brakes;
}

void Resolver::name_nodes() {
  std::map<std::string, Region> seen;
  std::map<NodeId, std::string> numbered;
  FreeIds<NodeId> free(current_ ? &current_->nodes : nullptr);
  const auto add = [&](const NodeDraft& draft, NodeId id) {
    core::Node& node = spec_.nodes[id];
    node.id = id;
    node.name = draft.keys.name;
    for (const IpAddress& link : draft.keys.links) node.links.push_back(link.text());
    if (const auto& device = draft.keys.watchdog ? draft.keys.watchdog : draft_.cluster.keys.watchdog)
      node.watchdog = *device;
    if (!draft.capacity.empty()) spec_.capacity[id] = draft.capacity;
    nodes_[node.name] = id;
    free.take(id);
  };
  Names<NodeId> before;
  if (current_)
    for (const auto& [id, node] : current_->nodes) before[node.name] = id;

  std::vector<const NodeDraft*> kept;
  std::vector<const NodeDraft*> added;
  for (const NodeDraft& draft : draft_.nodes) {
    all_nodes_known_ = all_nodes_known_ && !draft.keys.name.empty();
    if (!is_new(draft, seen, "node")) continue;
    if (!draft.keys.id) {
      (before.contains(draft.keys.name) ? kept : added).push_back(&draft);
      continue;
    }
    const NodeId id{*draft.keys.id - 1};
    const auto [it, unique] = numbered.try_emplace(id, draft.keys.name);
    if (!unique) {
      added.push_back(&draft);
      diagnostics_.error(draft.at.of("id"),
                         fmt::format("node \"{}\" already has the id {}", it->second, *draft.keys.id),
                         "an id of its own", "leave the id out, and a free one is taken");
    } else {
      add(draft, id);
    }
  }
  // A node that kept its name loses its id only to one that names it.
  for (const NodeDraft* draft : kept) {
    const NodeId id = before.find(draft->keys.name)->second;
    add(*draft, spec_.nodes.contains(id) ? free.next() : id);
  }
  for (const NodeDraft* draft : added) {
    NodeId id = free.next();
    if (id.value >= kMaxNodes) {  // all others are this configuration's or the current one's
      id = NodeId{0};
      while (spec_.nodes.contains(id)) ++id.value;
    }
    add(*draft, id);
  }
}

void Resolver::name_groups() {
  std::map<std::string, Region> seen;
  FreeIds<GroupId> free(current_ ? &current_->groups : nullptr);
  Names<GroupId> before;
  if (current_)
    for (const auto& [id, group] : current_->groups) before[group.name] = id;
  for (const GroupDraft& draft : draft_.groups) {
    const std::string& name = draft.keys.name;
    all_groups_known_ = all_groups_known_ && !name.empty();
    if (!is_new(draft, seen, "group")) continue;
    const auto it = before.find(name);
    groups_[name] = it == before.end() ? free.next() : it->second;
  }
}

void Resolver::add_group(const GroupDraft& draft) {
  const GroupKeys& keys = draft.keys;
  const auto named = groups_.find(keys.name);
  if (named == groups_.end() || spec_.groups.contains(named->second)) return;  // reported
  core::Group group;
  group.id = named->second;
  group.name = keys.name;
  for (const NodeId node : refer(draft, keys.prefer, "prefer", nodes_, all_nodes_known_, "node"))
    group.prefer.push_back(core::Spec::place_of(node));
  group.strictness = keys.strict ? core::Strictness::kPreferredOnly : core::Strictness::kPreferredFirst;
  group.failback = keys.failback;
  group.autostart = keys.autostart;
  group.priority = keys.priority;
  group.needs = draft.needs;
  group.apart = refer_groups(draft, keys.apart, "apart");
  group.near = refer_groups(draft, keys.near, "near");
  using Where = core::Dependency::Where;
  for (const GroupId other : refer_groups(draft, keys.after, "after"))
    group.after.push_back({other, Where::kAnywhere});
  for (const GroupId other : refer_groups(draft, keys.after_here, "after_here"))
    group.after.push_back({other, Where::kSamePlace});
  group.on_failure = draft.on_failure;
  group.holds_data = keys.holds_data.value_or(false);
  for (const ResourceDraft& resource : draft.resources) {
    group.resources.push_back({resource.keys.name, resource.keys.type, resource.driver.params,
                               resource.keys.start_timeout, resource.keys.stop_timeout});
    if (resource.driver.type && resource.driver.type->data == params::Data::kHeld) group.holds_data = true;
  }
  spec_.groups.emplace(group.id, std::move(group));
}

void Resolver::watch(const MonitorDraft& draft, core::Monitor& monitor) {
  const std::string& path = *draft.keys.watch;
  const std::size_t slash = path.find('/');
  const std::string group_name = path.substr(0, slash);
  const auto group = groups_.find(group_name);
  if (group == groups_.end()) {
    if (all_groups_known_)
      diagnostics_.error(draft.at.of("watch"), fmt::format("there is no group \"{}\"", group_name),
                         "\"group\" or \"group/resource\"", did_you_mean(group_name, known(groups_)));
    return;
  }
  monitor.group = group->second;
  if (slash == std::string::npos) return;
  const std::string resource_name = path.substr(slash + 1);
  std::vector<std::string> names;
  for (const core::Resource& resource : spec_.groups.at(group->second).resources) {
    if (resource.name == resource_name) {
      monitor.resource = static_cast<std::uint32_t>(names.size());
      return;
    }
    if (resource.name.empty()) return;  // reported, and it may be the one that is meant
    names.push_back(resource.name);
  }
  diagnostics_.error(draft.at.of("watch"),
                     fmt::format("group \"{}\" has no resource \"{}\"", group_name, resource_name),
                     "\"group\" or \"group/resource\"", did_you_mean(resource_name, names));
}

// Its check asks the devices now and then only, but a device that does not answer as often as this.
constexpr Duration kLookAtFencing = 20s;
constexpr Duration kLongestLookAtFencing = 5min;

// Watched on every node, and shown like the others. The ping's times follow from the token: whoever is cut
// off has to know it before the membership has changed, because then it might fence.
std::vector<core::Monitor> Resolver::monitors_of_the_cluster() const {
  std::vector<core::Monitor> monitors;
  if (spec_.quorum.arbiter != core::ArbiterType::kNone) {
    core::Monitor& monitor = monitors.emplace_back();
    monitor.name = "arbiter";
    monitor.type = "quorum-device";
    monitor.role = core::MonitorRole::kArbiter;
  }
  if (!draft_.quorum.keys.ping.empty()) {
    std::vector<std::string> targets;
    for (const IpAddress& target : draft_.quorum.keys.ping) targets.push_back(target.text());
    core::Monitor& monitor = monitors.emplace_back();
    monitor.name = "quorum-ping";
    monitor.type = "ping";
    monitor.params = {{"targets", std::move(targets)}};
    monitor.interval = monitor.timeout = spec_.timing.token / 2;
    monitor.retries = 0;
    monitor.quiet_until_healthy = false;
    monitor.role = core::MonitorRole::kMayFence;
  }
  if (!draft_.fencing.empty() && spec_.nodes.size() > 1) {
    core::Monitor& monitor = monitors.emplace_back();
    monitor.name = monitor.type = "fencing";
    monitor.interval = kLookAtFencing;
    monitor.timeout = kLongestLookAtFencing;
    monitor.start_delay = 10s;
    monitor.quiet_until_healthy = false;
    monitor.role = core::MonitorRole::kFencing;
  }
  return monitors;
}

void Resolver::add_monitors() {
  std::map<std::string, Region> seen;
  FreeIds<MonitorId> free(current_ ? &current_->monitors : nullptr);
  Names<MonitorId> before;
  if (current_)
    for (const auto& [id, monitor] : current_->monitors) before[monitor.name] = id;
  for (core::Monitor& monitor : monitors_of_the_cluster()) {
    const auto it = before.find(monitor.name);
    monitor.id = it == before.end() ? free.next() : it->second;
    const bool of_fencing = monitor.role == core::MonitorRole::kFencing;
    seen.emplace(monitor.name, of_fencing ? draft_.fencing.front().header : draft_.quorum.at.header);
    spec_.monitors.emplace(monitor.id, std::move(monitor));
  }
  for (const MonitorDraft& draft : draft_.monitors) {
    const MonitorKeys& keys = draft.keys;
    if (!is_new(draft, seen, "monitor")) continue;
    const auto it = before.find(keys.name);
    core::Monitor monitor;
    monitor.id = it == before.end() ? free.next() : it->second;
    monitor.name = keys.name;
    monitor.type = keys.type;
    monitor.params = draft.driver.params;
    if (keys.watch) watch(draft, monitor);
    monitor.affects = refer(draft, keys.affects, "affects", groups_, all_groups_known_, "group");
    monitor.interval = keys.interval;
    monitor.timeout = keys.timeout;
    monitor.retries = keys.retries;
    monitor.start_delay = keys.start_delay;
    monitor.timeout_is_failure = keys.timeout_is_failure;
    monitor.quiet_until_healthy = keys.quiet_until_healthy;
    const bool polled = !draft.driver.type || draft.driver.type->pace == params::Pace::kPolled;
    monitor.common_mode_wait = keys.common_mode_wait.value_or(polled ? keys.interval + keys.timeout
                                                                     : core::Monitor{}.common_mode_wait);
    monitor.on_failure = draft.on_failure;
    spec_.monitors.emplace(monitor.id, std::move(monitor));
  }
}

void Resolver::add_fencing() {
  for (const LevelDraft& draft : draft_.fencing) {
    core::FenceLevel level;
    for (const DeviceDraft& device : draft.devices)
      level.devices.push_back({device.keys.type, device.driver.params,
                               refer(device, device.keys.nodes, "nodes", nodes_, all_nodes_known_, "node")});
    spec_.fencing.push_back(std::move(level));
  }
}

}  // namespace

core::Spec resolve(const Draft& draft, const core::Spec* current, Diagnostics& diagnostics) {
  return Resolver(draft, current, diagnostics).run();
}

}  // namespace komainu::config
