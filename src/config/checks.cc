#include "config/checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/overloaded.h"
#include "config/timing_check.h"

namespace komainu::config {
namespace {

using core::ArbiterType;

class Checks {
 public:
  Checks(const Draft& draft, const core::Spec& spec, const params::Registry& registry,
         Diagnostics& diagnostics)
      : draft_(draft), spec_(spec), registry_(registry), diagnostics_(diagnostics) {
    for (const auto& [id, group] : spec.groups) groups_[group.name] = &group;
  }

  void run() {
    links();
    quorum();
    fencing();
    for (const GroupDraft& group : draft_.groups) this->group(group);
    cycles();
    capacity();
    addresses();
    monitors();
    if (!draft_.truncated)
      for (const TimingProblem& problem : timing_problems(spec_, registry_)) timing(problem);
  }

 private:
  void links();
  void link_of_all_nodes(std::size_t index);
  void quorum();
  bool quorum_ping_has_use() const;
  void two_nodes();
  void lease();
  void fencing();
  void group(const GroupDraft& draft);
  void resources(const GroupDraft& draft);
  void relations(const GroupDraft& draft, const core::Group& group);
  void data(const GroupDraft& draft, const core::Group& group);
  void ladder(const core::Ladder& ladder, const Region& at);
  void cycles();
  void capacity();
  void addresses();
  void floating_address(const ResourceDraft& resource, const std::string& key, const IpPrefix& prefix);
  void monitors();
  void timing(const TimingProblem& problem);
  const Places* table_of(const TimingKey& key) const;

  // Null if it was not accepted, which has been reported.
  const core::Group* find(const GroupDraft& draft) const {
    const auto it = groups_.find(draft.keys.name);
    return it == groups_.end() ? nullptr : it->second;
  }
  const std::string& name_of(GroupId id) const { return spec_.group(id)->name; }
  bool fencing_given() const { return draft_.fencing_given; }
  // The first that says something about quorum, or the last node.
  Region quorum_place() const {
    return draft_.quorum.at.header.line > 0 ? draft_.quorum.at.header : draft_.nodes.back().at.header;
  }

  const Draft& draft_;
  const core::Spec& spec_;
  const params::Registry& registry_;
  Diagnostics& diagnostics_;
  std::map<std::string, const core::Group*> groups_;
  std::map<IpAddress, std::pair<Region, std::string>> used_;  // where, by whom
};

// ---- nodes

void Checks::links() {
  if (draft_.nodes.size() < 2) return;
  const NodeDraft& first = draft_.nodes.front();
  for (const NodeDraft& node : draft_.nodes) {
    const std::vector<IpAddress>& links = node.keys.links;
    const bool bad = node.at.unreadable.contains("links");
    if (!node.at.given("links")) {
      diagnostics_.error(node.at.header, fmt::format("node \"{}\" has no links", node.keys.name),
                         R"(links = ["its address", …])",
                         "the nodes of a cluster talk to each other over them");
    } else if (!bad && links.empty()) {
      diagnostics_.error(node.at.of("links"), fmt::format("node \"{}\" has no links", node.keys.name),
                         "at least one address");
    } else if (!bad && !first.keys.links.empty() && links.size() != first.keys.links.size()) {
      diagnostics_.error(
          node.at.of("links"),
          fmt::format("node \"{}\" has {} link{}, node \"{}\" has {}", node.keys.name, links.size(),
                      links.size() == 1 ? "" : "s", first.keys.name, first.keys.links.size()),
          "the same number on all nodes", "the n-th addresses of all nodes are one network");
    }
    for (std::size_t i = 0; i < links.size(); ++i) {
      const auto [it, added] =
          used_.try_emplace(links[i], node.at.item("links", i), fmt::format("node \"{}\"", node.keys.name));
      if (!added)
        diagnostics_.error(node.at.item("links", i),
                           fmt::format("{} is already an address of {}", links[i].text(), it->second.second),
                           "an address of its own", fmt::format("it is in line {}", it->second.first.line));
    }
  }
  for (std::size_t i = 0; i < first.keys.links.size(); ++i) link_of_all_nodes(i);
  if (first.keys.links.size() == 1)
    diagnostics_.note(first.at.of("links"), "the nodes are joined by one network only",
                      "its loss looks like the loss of all other nodes; name a second address on each node");
}

// knet takes IPv4 and IPv6 side by side, but not on one link.
void Checks::link_of_all_nodes(std::size_t index) {
  const NodeDraft& first = draft_.nodes.front();
  for (const NodeDraft& node : draft_.nodes) {
    if (index >= node.keys.links.size()) continue;
    if (node.keys.links[index].family == first.keys.links[index].family) continue;
    diagnostics_.error(
        node.at.item("links", index),
        fmt::format("link {} of node \"{}\" is IPv{}, that of node \"{}\" is IPv{}", index + 1,
                    node.keys.name, node.keys.links[index].family == IpAddress::Family::kV4 ? 4 : 6,
                    first.keys.name, first.keys.links[index].family == IpAddress::Family::kV4 ? 4 : 6),
        "one family on all nodes");
  }
}

// ---- the right to act

void Checks::quorum() {
  const core::Quorum& quorum = spec_.quorum;
  const std::size_t nodes = draft_.nodes.size();
  if (quorum.arbiter == ArbiterType::kQnetd && nodes % 2 == 1)
    diagnostics_.error(draft_.quorum.at.of("arbiter"),
                       fmt::format("qnetd decides between equal halves, and there {} {} node{}",
                                   nodes == 1 ? "is" : "are", nodes, nodes == 1 ? "" : "s"),
                       "an even number of nodes",
                       "an odd number has a majority without it: leave the arbiter out");
  if (quorum.arbiter == ArbiterType::kQnetd && nodes % 2 == 0 && !fencing_given() && !quorum.allow_split_risk)
    diagnostics_.error(draft_.quorum.at.of("arbiter"),
                       "an arbiter without fencing: the half that it chooses cannot know when the other has "
                       "stopped, and takes over nothing",
                       "[[fencing]]",
                       "an arbiter says who may act; only a fencer makes sure that the other does not");
  if (quorum.on_no_quorum == core::NoQuorum::kFreeze)
    for (const auto& [id, group] : spec_.groups)
      if (group.holds_data)
        diagnostics_.error(draft_.quorum.at.of("on_no_quorum"),
                           fmt::format("on_no_quorum = \"freeze\", and group \"{}\" holds data", group.name),
                           "\"stop\"", "a frozen group would go on writing while another node starts it");
  if (quorum.on_no_quorum == core::NoQuorum::kFreeze && nodes > 1 && !fencing_given() &&
      !quorum.allow_split_risk)
    diagnostics_.error(draft_.quorum.at.of("on_no_quorum"), "on_no_quorum = \"freeze\" without fencing",
                       "\"stop\"",
                       "the others start the groups of a node whose lease is over: they would run twice");
  if (!quorum_ping_has_use())
    diagnostics_.error(draft_.quorum.at.of("ping"), "ping without fencing", "[[fencing]], or leave it out",
                       "it tells which node may fence, and there is no fencer");
  if (nodes == 2) two_nodes();
  if (nodes > 2) lease();
}

bool Checks::quorum_ping_has_use() const {
  return draft_.quorum.keys.ping.empty() || fencing_given() || spec_.quorum.allow_split_risk;
}

void Checks::two_nodes() {
  const core::Quorum& quorum = spec_.quorum;
  const bool arbiter_unreadable = draft_.quorum.at.given("arbiter") && quorum.arbiter == ArbiterType::kNone;
  if (fencing_given() || quorum.allow_split_risk || arbiter_unreadable ||
      quorum.arbiter == ArbiterType::kQnetd)
    return;
  diagnostics_.error(
      quorum_place(),
      "two nodes without fencing: when they cannot see each other, each takes the other for dead, and both "
      "run every group",
      "[[fencing]]", "or accept the risk with allow_split_risk = true in [quorum]");
}

// What takes over waits for the end of a lease, and counts on it.
void Checks::lease() {
  const Places& times = draft_.timing_at;
  const bool arbiter_reported = draft_.quorum.at.given("arbiter");
  if (fencing_given() || !spec_.uses_lease() || arbiter_reported || times.unreadable.contains("watchdog") ||
      spec_.timing.watchdog > Duration::zero())
    return;
  diagnostics_.error(
      times.header.line > 0 ? times.of("watchdog") : quorum_place(),
      "no fencing, and no watchdog: a node that is cut off while its daemon hangs or is gone stops nothing, "
      "and the others start its groups all the same when its lease is over",
      "watchdog = \"10s\" in [timing], or [[fencing]]",
      "each server's /dev/watchdog then resets it when it cannot stop its groups (softdog, where there is no "
      "other); or accept the risk with allow_split_risk = true in [quorum]");
}

void Checks::fencing() {
  if (spec_.fencing.empty()) return;
  for (const LevelDraft& level : draft_.fencing)
    if (level.devices.empty()) return;  // reported
  for (const NodeDraft& draft : draft_.nodes) {
    const auto node =
        std::ranges::find(spec_.nodes, draft.keys.name, [](const auto& entry) { return entry.second.name; });
    if (node == spec_.nodes.end()) continue;
    const NodeId id = node->first;
    const bool covered = std::ranges::any_of(spec_.fencing, [&](const core::FenceLevel& level) {
      return std::ranges::any_of(level.devices, [&](const core::FenceDevice& device) {
        return device.targets.empty() || std::ranges::find(device.targets, id) != device.targets.end();
      });
    });
    if (!covered)
      diagnostics_.error(draft.at.header,
                         fmt::format("no fencing device is for node \"{}\"", draft.keys.name), {},
                         "name it in the `nodes` of a device, or leave `nodes` out of one that fences all");
  }
}

// ---- groups

void Checks::group(const GroupDraft& draft) {
  resources(draft);
  const core::Group* group = find(draft);
  if (!group) return;
  if (draft.keys.strict && !draft.at.given("prefer"))
    diagnostics_.error(draft.at.of("strict"),
                       fmt::format("group \"{}\" is strict and prefers no node", group->name),
                       "`prefer` with the nodes it may run on", "otherwise it could run nowhere");
  relations(draft, *group);
  data(draft, *group);
  ladder(draft.on_failure, draft.at.of("on_failure"));
}

// A final action that could never be carried out.
void Checks::ladder(const core::Ladder& ladder, const Region& at) {
  using core::FinalAction;
  if (ladder.then == FinalAction::kReset && !fencing_given())
    diagnostics_.error(at, "then = \"reset\" without fencing", "[[fencing]]",
                       "the fencer is what switches a node off");
  const bool on_the_node = ladder.then == FinalAction::kStopNode || ladder.then == FinalAction::kRestartOs;
  if (on_the_node && draft_.nodes.size() == 1)
    diagnostics_.error(at, "the last node is neither stopped nor restarted", "\"stop-group\" or \"none\"",
                       "this version restarts the operating system only where another node takes over");
}

void Checks::resources(const GroupDraft& draft) {
  std::map<std::string, Region> seen;
  for (const ResourceDraft& resource : draft.resources) {
    if (resource.keys.name.empty()) continue;
    const Region at = resource.at.of("name");
    const auto [it, added] = seen.try_emplace(resource.keys.name, at);
    if (!added)
      diagnostics_.error(
          at,
          fmt::format("there are two resources \"{}\" in group \"{}\"", resource.keys.name, draft.keys.name),
          "a name of its own", fmt::format("the other one is in line {}", it->second.line));
  }
}

void Checks::relations(const GroupDraft& draft, const core::Group& group) {
  const auto has = [](const std::vector<std::string>& list, const std::string& name) {
    return std::ranges::find(list, name) != list.end();
  };
  const struct {
    const char* key;
    const std::vector<std::string>& names;
  } lists[] = {{"apart", draft.keys.apart},
               {"near", draft.keys.near},
               {"after", draft.keys.after},
               {"after_here", draft.keys.after_here}};
  for (const auto& [key, names] : lists)
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == group.name)
        diagnostics_.error(draft.at.item(key, i),
                           fmt::format("group \"{}\" names itself in `{}`", group.name, key));

  for (const GroupId other_id : group.apart) {
    const std::string& other = name_of(other_id);
    if (other == group.name) continue;
    for (const auto& [key, names] : {lists[1], lists[3]})
      for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == other)
          diagnostics_.error(
              draft.at.item(key, i),
              fmt::format("groups \"{}\" and \"{}\" are both apart and in `{}`", group.name, other, key),
              "one of the two");
  }
  for (std::size_t i = 0; i < draft.keys.after_here.size(); ++i)
    if (has(draft.keys.after, draft.keys.after_here[i]))
      diagnostics_.error(draft.at.item("after_here", i),
                         fmt::format("\"{}\" is in `after`, too", draft.keys.after_here[i]),
                         "one of the two");
}

void Checks::data(const GroupDraft& draft, const core::Group& group) {
  for (const ResourceDraft& resource : draft.resources) {
    if (!resource.driver.type || resource.driver.type->data != params::Data::kHeld) continue;
    if (draft.keys.holds_data == false)
      diagnostics_.error(draft.at.of("holds_data"),
                         fmt::format("resource \"{}\" of group \"{}\" holds data: type {}",
                                     resource.keys.name, group.name, resource.keys.type),
                         "true, or leave it out");
  }
  if (group.holds_data && draft_.nodes.size() > 1 && !fencing_given())
    diagnostics_.error(
        draft.at.header, fmt::format("group \"{}\" holds data, and there is no fencing", group.name),
        "[[fencing]]",
        "a node that hangs or is paused can write again after another has taken over, whatever the "
        "quorum says; only fencing rules that out");
}

// A depth-first walk along `after`; a group that is met again on the way closes a cycle.
void Checks::cycles() {
  enum class Mark { kNew, kOpen, kDone };
  std::map<GroupId, Mark> marks;
  struct Step {
    const core::Group* group;
    std::size_t next = 0;
  };
  for (const auto& [start, group] : spec_.groups) {
    if (marks[start] != Mark::kNew) continue;
    std::vector<Step> path{{&group}};
    marks[start] = Mark::kOpen;
    while (!path.empty()) {
      Step& step = path.back();
      if (step.next == step.group->after.size()) {
        marks[step.group->id] = Mark::kDone;
        path.pop_back();
        continue;
      }
      const GroupId other = step.group->after[step.next++].other;
      if (other == step.group->id) continue;  // reported as naming itself
      if (marks[other] == Mark::kNew) {
        marks[other] = Mark::kOpen;
        path.push_back({spec_.group(other)});
      } else if (marks[other] == Mark::kOpen) {
        const auto from = std::ranges::find(path, other, [](const Step& s) { return s.group->id; });
        std::string names;
        for (auto it = from; it != path.end() && names.size() < 200; ++it) names += it->group->name + " → ";
        const auto draft = std::ranges::find(draft_.groups, path.back().group->name,
                                             [](const GroupDraft& d) { return d.keys.name; });
        const char* key = draft->at.given("after") ? "after" : "after_here";
        diagnostics_.error(draft->at.of(key),
                           fmt::format("groups wait for each other: {}{}", names, name_of(other)), {},
                           "none of them could ever start: take one out of `after`");
      }
    }
  }
}

void Checks::capacity() {
  for (const GroupDraft& draft : draft_.groups) {
    const core::Group* group = find(draft);
    if (!group) continue;
    for (const auto& [name, need] : group->needs) {
      std::vector<std::string> known;
      bool declared = false;
      bool fits = false;
      for (const auto& [id, node] : spec_.nodes) {
        const auto node_capacity = spec_.capacity.find(id);
        if (node_capacity == spec_.capacity.end()) continue;
        for (const auto& [other, amount] : node_capacity->second) known.push_back(other);
      }
      for (const PlaceId place : spec_.allowed(*group)) {
        const auto of_node = spec_.capacity.find(core::Spec::node_of(place));
        const auto amount = of_node == spec_.capacity.end()
                                ? std::map<std::string, std::int64_t>::const_iterator{}
                                : of_node->second.find(name);
        const bool bounded = of_node != spec_.capacity.end() && amount != of_node->second.end();
        declared = declared || bounded;
        fits = fits || !bounded || amount->second >= need;
      }
      if (!declared)
        diagnostics_.warning(
            draft.at.of("needs"),
            fmt::format("no node that group \"{}\" may run on has the capacity \"{}\"", group->name, name),
            known.empty() ? R"(say what a node has: capacity = { … })" : did_you_mean(name, known));
      else if (!fits)
        diagnostics_.error(draft.at.of("needs"),
                           fmt::format("group \"{}\" needs {} {}, which no node it may run on has",
                                       group->name, need, name));
    }
  }
}

// ---- addresses, monitors, times

// A resource brings up the addresses that it is given with a prefix.
void Checks::addresses() {
  for (const GroupDraft& group : draft_.groups)
    for (const ResourceDraft& resource : group.resources) {
      if (!resource.driver.type) continue;
      for (const params::Param& param : resource.driver.type->schema.params) {
        const auto value = resource.driver.params.find(param.name);
        if (param.type != params::Type::kPrefix || param.list || value == resource.driver.params.end())
          continue;
        if (const auto prefix = IpPrefix::parse(std::get<std::string>(value->second)))
          floating_address(resource, param.name, *prefix);
      }
    }
}

void Checks::floating_address(const ResourceDraft& resource, const std::string& key, const IpPrefix& prefix) {
  const Region at = resource.at.of(key);
  const auto [it, added] =
      used_.try_emplace(prefix.address, at, fmt::format("resource \"{}\"", resource.keys.name));
  if (!added) {
    diagnostics_.error(
        at, fmt::format("{} is already an address of {}", prefix.address.text(), it->second.second),
        "an address of its own", fmt::format("it is in line {}", it->second.first.line));
    return;
  }
  bool any = false;
  for (const NodeDraft& node : draft_.nodes)
    for (const IpAddress& link : node.keys.links) {
      any = true;
      if (prefix.contains(link)) return;
    }
  if (any)
    diagnostics_.note(
        at, fmt::format("no node has a link in the network of {}", prefix.text()),
        "right if that network is not one of `links`; the address comes up only on a node with an "
        "interface in it");
}

void Checks::monitors() {
  for (const MonitorDraft& monitor : draft_.monitors) {
    if (monitor.on_failure) ladder(*monitor.on_failure, monitor.at.of("on_failure"));
    if (!monitor.at.given("watch") && !monitor.at.given("affects") && !monitor.keys.name.empty())
      diagnostics_.note(monitor.at.header, fmt::format("monitor \"{}\" acts on no group", monitor.keys.name),
                        "name what it judges in `watch`, or whom it concerns in `affects`");
  }
}

// Null if it is not in the file.
const Places* Checks::table_of(const TimingKey& key) const {
  const auto present = [](const Places& places) { return places.header.line > 0 ? &places : nullptr; };
  return std::visit(
      Overloaded{[&](const TimingTable&) { return present(draft_.timing_at); },
                 [&](const BrakesTable&) { return present(draft_.brakes_at); },
                 [&](const ResourceAt& place) -> const Places* {
                   const auto draft = std::ranges::find(draft_.groups, spec_.group(place.group)->name,
                                                        [](const GroupDraft& d) { return d.keys.name; });
                   return &draft->resources.at(place.index).at;
                 },
                 [&](MonitorId id) -> const Places* {
                   const auto draft = std::ranges::find(draft_.monitors, spec_.monitor(id)->name,
                                                        [](const MonitorDraft& d) { return d.keys.name; });
                   return &draft->at;
                 },
                 [&](const DeviceAt& place) -> const Places* {
                   return &draft_.fencing.at(place.level).devices.at(place.index).at;
                 }},
      key.table);
}

// At the first of its keys that the file names: the others follow from the profile or have their default.
void Checks::timing(const TimingProblem& problem) {
  Region at = draft_.cluster.at.of("profile");
  bool found = false;
  for (const TimingKey& key : problem.keys) {
    const Places* table = table_of(key);
    if (table && table->unreadable.contains(key.key)) return;  // reported: its default is not what was meant
    if (!table || found) continue;
    found = table->given(key.key);
    if (found || at == draft_.cluster.at.of("profile")) at = table->of(key.key);
  }
  if (problem.severity == Severity::kError)
    diagnostics_.error(at, problem.what, {}, problem.help);
  else
    diagnostics_.warning(at, problem.what, problem.help);
}

}  // namespace

void check(const Draft& draft, const core::Spec& spec, const params::Registry& registry,
           Diagnostics& diagnostics) {
  Checks(draft, spec, registry, diagnostics).run();
}

}  // namespace komainu::config
