#include "whatif/resolve.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

namespace komainu::whatif {
namespace {

using config::Places;
using config::Region;

template <class Map>
auto find_by_name(const Map& map, const std::string& name) {
  return std::ranges::find_if(map, [&](const auto& entry) { return entry.second.name == name; });
}
template <class Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [id, object] : map) names.push_back(object.name);
  return names;
}

// What the monitors of a type are told in this parameter.
std::vector<std::string> watched_by(const core::Spec& spec, std::string_view type, const char* param) {
  std::set<std::string> found;
  for (const auto& [id, monitor] : spec.monitors) {
    const auto given = monitor.params.find(param);
    if (monitor.type != type || given == monitor.params.end()) continue;
    if (const auto* one = std::get_if<std::string>(&given->second)) found.insert(*one);
    if (const auto* many = std::get_if<std::vector<std::string>>(&given->second))
      found.insert(many->begin(), many->end());
  }
  return {found.begin(), found.end()};
}

std::string list(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 12;
  if (names.empty()) return {};
  if (names.size() <= kShown) return fmt::format("one of {}", fmt::join(names, ", "));
  return fmt::format("one of {}, … ({} in all)", fmt::join(names.begin(), names.begin() + kShown, ", "),
                     names.size());
}

// What has to have happened before a repair.
std::optional<std::vector<Kind>> undoes(Kind kind) {
  switch (kind) {
    case Kind::kThaw:
      return {{Kind::kFreeze}};
    case Kind::kPowerBack:
      return {{Kind::kPowerLoss, Kind::kPowerOff, Kind::kShutdown}};
    case Kind::kDaemonResume:
      return {{Kind::kDaemonHang}};
    case Kind::kCorosyncResume:
      return {{Kind::kCorosyncHang}};
    case Kind::kLinkUp:
      return {{Kind::kLinkDown, Kind::kPartition}};
    case Kind::kHeal:
      return {{Kind::kLinkDown, Kind::kPartition}};
    case Kind::kNicUp:
      return {{Kind::kNicDown}};
    case Kind::kReachable:
      return {{Kind::kUnreachable}};
    case Kind::kArbiterBack:
      return {{Kind::kArbiterLost}};
    case Kind::kStartWorks:
      return {{Kind::kStartFails, Kind::kStartHangs}};
    case Kind::kStopWorks:
      return {{Kind::kStopFails, Kind::kStopHangs}};
    case Kind::kBmcWorks:
      return {{Kind::kBmcDead, Kind::kBmcSlow}};
    default:
      return std::nullopt;  // `power-on` too: a fence may have switched the node off
  }
}

}  // namespace

Resolver::Resolver(const core::Spec& spec, config::Diagnostics& diagnostics)
    : spec_(spec),
      diagnostics_(diagnostics),
      node_names_(names_of(spec.nodes)),
      group_names_(names_of(spec.groups)),
      monitor_names_(names_of(spec.monitors)) {
  for (const auto& [id, group] : spec.groups)
    for (const core::Resource& resource : group.resources)
      resource_names_.push_back(group.name + "/" + resource.name);
}

void Resolver::error(const Region& at, std::string what, std::string expected, std::string help) {
  ++errors_;
  diagnostics_.error(at, std::move(what), std::move(expected), std::move(help));
}

void Resolver::unknown(const Region& at, std::string_view kind, const std::string& name,
                       const std::vector<std::string>& known) {
  const std::string meant = diagnostics_.full() ? std::string() : config::did_you_mean(name, known);
  error(at, fmt::format("the configuration has no {} \"{}\"", kind, name), list(known), meant);
}

// ---- names

std::optional<NodeId> Resolver::node(const std::string& name, const Region& at) {
  const auto found = find_by_name(spec_.nodes, name);
  if (found != spec_.nodes.end()) return found->first;
  unknown(at, "node", name, node_names_);
  return std::nullopt;
}

std::optional<GroupId> Resolver::group(const std::string& name, const Region& at) {
  const auto found = find_by_name(spec_.groups, name);
  if (found != spec_.groups.end()) return found->first;
  unknown(at, "group", name, group_names_);
  return std::nullopt;
}

std::optional<MonitorId> Resolver::monitor(const std::string& name, const Region& at) {
  const auto found = find_by_name(spec_.monitors, name);
  if (found != spec_.monitors.end()) return found->first;
  unknown(at, "monitor", name, monitor_names_);
  return std::nullopt;
}

NodeSet Resolver::nodes(const std::vector<std::string>& names, const Places& places, std::string_view key) {
  NodeSet result;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (const auto id = node(names[i], places.item(key, i))) result.insert(*id);
  return result;
}

bool Resolver::takes_time(const std::string& name, const Region& at) {
  std::vector<std::string> known = resource_names_;
  for (const auto& [id, group] : spec_.groups)
    for (const core::Resource& resource : group.resources)
      if (std::ranges::find(known, resource.type) == known.end()) known.push_back(resource.type);
  if (std::ranges::find(known, name) != known.end()) return true;
  unknown(at, "resource or resource type", name, known);
  return false;
}

// ---- [initial]

Initial Resolver::initial(const InitialKeys& keys, const Places& places,
                          const std::vector<PlacedGroup>& placed) {
  Initial result;
  result.off = nodes(keys.off, places, "off");
  result.drained = nodes(keys.drained, places, "drained");
  result.standby = nodes(keys.standby, places, "standby");
  for (std::size_t i = 0; i < keys.stopped.size(); ++i)
    if (const auto id = group(keys.stopped[i], places.item("stopped", i))) result.stopped.push_back(*id);
  for (std::size_t i = 0; i < keys.suspended.size(); ++i)
    if (const auto id = monitor(keys.suspended[i], places.item("suspended", i)))
      result.suspended.push_back(*id);
  for (const PlacedGroup& written : placed) {
    const auto id = group(written.group, written.group_at);
    const auto where = node(written.node, written.node_at);
    if (id && where) result.placed.emplace(*id, *where);
  }
  for (NodeId both : result.drained & result.standby)
    error(places.of("standby"), fmt::format("{} is drained and on standby", spec_.nodes.at(both).name),
          "one of the two");
  check_placed(result, placed);
  check_room(result, placed);
  return result;
}

void Resolver::check_placed(const Initial& initial, const std::vector<PlacedGroup>& placed) {
  for (const PlacedGroup& written : placed) {
    const auto found = find_by_name(spec_.groups, written.group);
    if (found == spec_.groups.end() || !initial.placed.contains(found->first)) continue;
    const core::Group& group = found->second;
    const NodeId where = initial.placed.at(group.id);
    if (std::ranges::count(initial.stopped, group.id) != 0)
      error(written.node_at, fmt::format("{} is stopped and runs on {}", group.name, written.node),
            "one of the two");
    if (initial.off.contains(where))
      error(written.node_at, fmt::format("{} cannot run on {}, which is off", group.name, written.node));
    if (initial.standby.contains(where))
      error(written.node_at,
            fmt::format("{} cannot run on {}, which is on standby", group.name, written.node));
    if (!spec_.allowed(group).contains(core::Spec::place_of(where))) {
      std::vector<std::string> names;
      for (PlaceId place : spec_.allowed(group))
        names.push_back(spec_.nodes.at(core::Spec::node_of(place)).name);
      error(written.node_at,
            fmt::format("the configuration does not allow {} on {}", group.name, written.node), list(names));
    }
    check_together(group.id, initial, written);
  }
}

void Resolver::check_together(GroupId id, const Initial& initial, const PlacedGroup& written) {
  const core::Group& group = spec_.groups.at(id);
  for (GroupId other : group.apart) {
    const auto there = initial.placed.find(other);
    if (there == initial.placed.end() || there->second != initial.placed.at(id)) continue;
    error(written.node_at, fmt::format("{} and {} must be apart, and are both on {}", group.name,
                                       spec_.groups.at(other).name, written.node));
  }
  for (const core::Dependency& dependency : group.after) {
    const std::string& name = spec_.groups.at(dependency.other).name;
    if (std::ranges::count(initial.stopped, dependency.other) != 0)
      error(written.node_at, fmt::format("{} cannot run without {}, which is stopped", group.name, name));
    const auto there = initial.placed.find(dependency.other);
    if (dependency.where == core::Dependency::Where::kSamePlace && there != initial.placed.end() &&
        there->second != initial.placed.at(id))
      error(written.node_at, fmt::format("{} runs only where {} does, on {}", group.name, name,
                                         spec_.nodes.at(there->second).name));
  }
}

void Resolver::check_room(const Initial& initial, const std::vector<PlacedGroup>& placed) {
  for (const auto& [node, capacity] : spec_.capacity) {
    for (const auto& [what, limit] : capacity) {
      std::int64_t used = 0;
      for (const PlacedGroup& written : placed) {
        const auto group = find_by_name(spec_.groups, written.group);
        if (group == spec_.groups.end() || written.node != spec_.nodes.at(node).name) continue;
        if (!initial.placed.contains(group->first)) continue;
        const auto needs = group->second.needs.find(what);
        const std::int64_t need = needs == group->second.needs.end() ? 0 : needs->second;
        if (used <= limit && used + need > limit)
          error(written.node_at, fmt::format("{} has no room for {}: {} of {} {} would be used", written.node,
                                             written.group, used + need, limit, what));
        used += need;
      }
    }
  }
}

// ---- [[step]]

std::optional<Action> Resolver::action(const StepKeys& keys, const Places& places, std::size_t number) {
  const std::size_t before = errors_;
  Action action{.kind = keys.kind};
  resolve_names(keys, places, action);
  if (!has_its_keys(keys, places, number) || errors_ != before) return std::nullopt;
  check_watched(keys, places, action);
  check_place(places, action);
  if (errors_ != before) return std::nullopt;
  check_undone(places, action, number);
  if (row_of(action.kind).sort == Sort::kFault) done_.push_back(action);
  return action;
}

void Resolver::names(const StepKeys& keys, const Places& places) {
  Action nothing;
  resolve_names(keys, places, nothing);
}

bool Resolver::has_its_keys(const StepKeys& keys, const Places& places, std::size_t number) {
  const KindRow& row = row_of(keys.kind);
  std::vector<std::string> about = row.required.names();
  std::ranges::copy(row.allowed.names(), std::back_inserter(about));
  bool good = true;
  for (int i = 0; i < kKeys; ++i) {
    const auto key = static_cast<Key>(i);
    const std::string_view name = to_string(key);
    if (places.unreadable.contains(name)) {
      good = false;  // reported
    } else if (row.required.contains(key) && !places.given(name)) {
      error(places.header, fmt::format("step {} needs `{}`: it is \"{}\"", number, name, row.word),
            fmt::format("at, do, {}", fmt::join(about, ", ")));
      good = false;
    } else if (places.given(name) && !row.required.contains(key) && !row.allowed.contains(key)) {
      error(places.of(name), fmt::format("`{}` says nothing about \"{}\" in step {}", name, row.word, number),
            about.empty() ? "only at and do" : fmt::format("at, do, {}", fmt::join(about, ", ")));
      good = false;
    }
  }
  return good;
}

void Resolver::resolve_names(const StepKeys& keys, const Places& places, Action& action) {
  if (keys.node) action.node = node(*keys.node, places.of("node"));
  if (keys.peer) action.peer = node(*keys.peer, places.of("peer"));
  if (keys.group) action.group = group(*keys.group, places.of("group"));
  if (keys.monitor) action.monitor = monitor(*keys.monitor, places.of("monitor"));
  if (keys.resource) resolve_resource(*keys.resource, places.of("resource"), action);
  if (keys.interface) action.name = *keys.interface;
  if (keys.address) action.name = *keys.address;
  if (keys.evidence) action.name = *keys.evidence;
  if (keys.after) action.after = *keys.after;
  action.link = keys.link;
  if (keys.level) action.level = *keys.level - 1;
  action.missing = nodes(keys.missing, places, "missing");
  if (action.kind == Kind::kPartition) resolve_parts(keys, places, action);
  if (action.peer && !keys.node)
    error(places.of("peer"), "`peer` is the other end of a link of `node`", "node, peer");
  if (action.peer && action.peer == action.node)
    error(places.of("peer"), fmt::format("{} has no link to itself", *keys.peer), "another node");
}

void Resolver::resolve_resource(const std::string& text, const Region& at, Action& action) {
  const auto known = std::ranges::find(resource_names_, text);
  if (known == resource_names_.end()) return unknown(at, "resource", text, resource_names_);
  const std::size_t slash = text.find('/');
  const core::Group& of = find_by_name(spec_.groups, text.substr(0, slash))->second;
  action.group = of.id;
  for (std::uint32_t i = 0; i < of.resources.size(); ++i)
    if (of.resources[i].name == text.substr(slash + 1)) action.resource = i;
}

void Resolver::resolve_parts(const StepKeys& keys, const Places& places, Action& action) {
  NodeSet seen;
  for (std::size_t i = 0; i < keys.parts.size(); ++i) {
    const Region at = places.item("parts", i);
    NodeSet part;
    std::string_view rest = keys.parts[i];
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find_first_of(" ,"), rest.size());
      const std::string name(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (name.empty()) continue;
      const auto id = node(name, at);
      if (id && seen.contains(*id))
        error(at, fmt::format("{} is in two parts", name), "each node in one part");
      if (id) part.insert(*id), seen.insert(*id);
    }
    if (!part.empty()) action.parts.push_back(part);
  }
  if (const NodeSet rest = spec_.node_ids() - seen; !rest.empty()) action.parts.push_back(rest);
  if (action.parts.size() < 2)
    error(places.of("parts"), "a partition has at least two parts", "[\"guest1\", \"guest2 guest3\"]",
          "nodes that are not named are one more part");
}

// Whatever nobody watches or has, cannot fail.
void Resolver::check_watched(const StepKeys& keys, const Places& places, const Action& action) {
  const auto must_be = [&](const std::vector<std::string>& known, const char* key, std::string_view kind) {
    if (std::ranges::find(known, action.name) != known.end()) return;
    const Region at = places.of(key);
    error(at, fmt::format("no {} monitor watches \"{}\"", kind, action.name), list(known),
          known.empty() ? fmt::format("the configuration has no {} monitor", kind)
                        : config::did_you_mean(action.name, known));
  };
  if (keys.interface) must_be(watched_by(spec_, "nic-link", "interface"), "interface", "nic-link");
  if (keys.address) must_be(watched_by(spec_, "ping", "targets"), "address", "ping");
  if (action.link) {
    const std::size_t links = spec_.nodes.begin()->second.links.size();
    if (*action.link >= links)
      error(places.of("link"), fmt::format("there is no link {}", *action.link),
            links == 0 ? "this cluster has no links" : fmt::format("0 to {}", links - 1));
  }
  const bool fencing = action.kind == Kind::kBmcDead || action.kind == Kind::kBmcSlow;
  if (fencing && spec_.fencing.empty())
    error(places.of("do"), "the configuration has no fencing", {},
          "nothing is switched off without [[fencing]]");
  else if (action.level && *action.level >= spec_.fencing.size())
    error(places.of("level"), fmt::format("there is no fencing level {}", *action.level + 1),
          fmt::format("1 to {}", spec_.fencing.size()));
  if (action.kind == Kind::kArbiterLost && spec_.quorum.arbiter == core::ArbiterType::kNone)
    error(places.of("do"), "the configuration has no arbiter");
}

void Resolver::check_place(const Places& places, const Action& action) {
  if (!action.node) return;
  const std::string& name = spec_.nodes.at(*action.node).name;
  const bool request = row_of(action.kind).sort == Sort::kRequest;
  if (request && action.group) {
    const core::Group& group = spec_.groups.at(*action.group);
    if (!spec_.allowed(group).contains(core::Spec::place_of(*action.node)))
      error(places.of("node"), fmt::format("the configuration does not allow {} on {}", group.name, name));
  }
}

void Resolver::check_undone(const Places& places, const Action& action, std::size_t number) {
  const auto faults = undoes(action.kind);
  if (!faults) return;
  const auto undone = [&](const Action& fault) {
    if (std::ranges::find(*faults, fault.kind) == faults->end()) return false;
    // A fault of everybody is undone for one of them, too.
    if (action.node && fault.node && action.node != fault.node && fault.peer != action.node) return false;
    return action.group == fault.group && action.resource == fault.resource &&
           (fault.kind == Kind::kLinkDown || fault.kind == Kind::kPartition || action.name == fault.name);
  };
  if (std::ranges::any_of(done_, undone)) return;
  std::vector<std::string> words;
  for (Kind fault : *faults) words.emplace_back(row_of(fault).word);
  error(places.of("do"), fmt::format("step {} repairs what is not broken", number),
        fmt::format("a step before it with {}", fmt::join(words, " or ")));
}

}  // namespace komainu::whatif
