#include "config/show.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "config/sections.h"
#include "params/schema.h"

namespace komainu::config {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;  // key, value as TOML

// A table of the file: how it begins, how people call it, and what stands in it.
struct Object {
  std::string header;  // "[[group]]"
  std::string name;    // `group "web"`; unique
  Lines lines;
};

bool is_bare_key(std::string_view key) {
  return !key.empty() &&
         key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
             std::string_view::npos;
}

// In the order of their declaration.
Lines lines_of(const params::Schema& schema, const Params& values) {
  Lines lines;
  for (const params::Param& param : schema.params)
    if (const auto it = values.find(param.name); it != values.end())
      lines.emplace_back(param.name, params::to_text(it->second));
  return lines;
}
template <class Keys>
Lines lines_of(const params::Declaration<Keys>& declaration, const Keys& keys) {
  return lines_of(declaration.schema(), declaration.write(keys));
}
void add_params(Lines& lines, const Params& values) {
  for (const auto& [name, value] : values) lines.emplace_back(name, params::to_text(value));
}

std::string inline_table(const Lines& lines) {
  std::vector<std::string> pairs;
  for (const auto& [key, value] : lines) pairs.push_back(fmt::format("{} = {}", key, value));
  return fmt::format("{{ {} }}", fmt::join(pairs, ", "));
}
std::string inline_table(const std::map<std::string, std::int64_t>& numbers) {
  Lines lines;
  for (const auto& [name, number] : numbers)
    lines.emplace_back(is_bare_key(name) ? name : params::to_text(name), fmt::format("{}", number));
  return inline_table(lines);
}

class Shower {
 public:
  explicit Shower(const core::Spec& spec) : spec_(spec) {}

  std::vector<Object> run() {
    cluster();
    for (const auto& [id, node] : spec_.nodes) this->node(node);
    quorum();
    for (std::size_t i = 0; i < spec_.fencing.size(); ++i) level(i);
    objects_.push_back({"[timing]", "[timing]", lines_of(timing_section(), spec_.timing)});
    objects_.push_back({"[brakes]", "[brakes]", lines_of(brakes_section(), spec_.brakes)});
    for (const auto& [id, group] : spec_.groups) this->group(group);
    for (const auto& [id, monitor] : spec_.monitors)
      if (monitor.role == core::MonitorRole::kDeclared) this->monitor(monitor);
    return std::move(objects_);
  }

 private:
  void cluster() {
    ClusterKeys keys{.name = spec_.cluster, .profile = spec_.profile, .alert = {}, .watchdog = {}, .key = {}};
    if (!spec_.alert_command.empty()) keys.alert = spec_.alert_command;
    if (!spec_.key.empty()) keys.key = spec_.key;
    objects_.push_back({"[cluster]", "[cluster]", lines_of(cluster_section(), keys)});
  }

  void node(const core::Node& node) {
    NodeKeys keys{.name = node.name, .id = node.id.value + 1, .links = {}, .watchdog = {}};
    if (node.watchdog != core::Node{}.watchdog) keys.watchdog = node.watchdog;
    for (const std::string& link : node.links)
      if (const auto address = IpAddress::parse(link)) keys.links.push_back(*address);
    Lines lines = lines_of(node_section(), keys);
    if (const auto it = spec_.capacity.find(node.id); it != spec_.capacity.end())
      lines.emplace_back("capacity", inline_table(it->second));
    objects_.push_back({"[[node]]", fmt::format("node \"{}\"", node.name), std::move(lines)});
  }

  void quorum() {
    const core::Quorum& quorum = spec_.quorum;
    Lines lines = lines_of(quorum_section(), {quorum.on_no_quorum, quorum.allow_split_risk, ping_targets()});
    if (quorum.arbiter != core::ArbiterType::kNone) {
      ArbiterKeys keys{.type = quorum.arbiter, .address = {}};
      if (!quorum.arbiter_address.empty()) keys.address = quorum.arbiter_address;
      Lines arbiter = lines_of(arbiter_section(), keys);
      lines.emplace_back("arbiter", inline_table(arbiter));
    }
    objects_.push_back({"[quorum]", "[quorum]", std::move(lines)});
  }

  std::vector<IpAddress> ping_targets() const {
    std::vector<IpAddress> targets;
    const core::Monitor* ping = spec_.monitor(core::MonitorRole::kMayFence);
    if (!ping) return targets;
    for (const std::string& target : std::get<std::vector<std::string>>(ping->params.at("targets")))
      if (const auto address = IpAddress::parse(target)) targets.push_back(*address);
    return targets;
  }

  void level(std::size_t index) {
    std::vector<std::string> devices;
    for (const core::FenceDevice& device : spec_.fencing[index].devices) {
      DeviceKeys keys{.type = device.type, .nodes = {}};
      for (const NodeId target : device.targets) keys.nodes.push_back(spec_.node(target)->name);
      Lines lines = lines_of(device_section(), keys);
      add_params(lines, device.params);
      devices.push_back("  " + inline_table(lines));
    }
    objects_.push_back({"[[fencing]]",
                        fmt::format("fencing level {}", index + 1),
                        {{"device", fmt::format("[\n{},\n]", fmt::join(devices, ",\n"))}}});
  }

  std::vector<std::string> names(const std::vector<GroupId>& ids) const {
    std::vector<std::string> result;
    for (const GroupId id : ids) result.push_back(spec_.group(id)->name);
    return result;
  }

  void group(const core::Group& group) {
    GroupKeys keys;
    keys.name = group.name;
    for (const PlaceId place : group.prefer)
      keys.prefer.push_back(spec_.node(core::Spec::node_of(place))->name);
    keys.strict = group.strictness == core::Strictness::kPreferredOnly;
    keys.failback = group.failback;
    keys.autostart = group.autostart;
    keys.priority = group.priority;
    for (const core::Dependency& other : group.after)
      (other.where == core::Dependency::Where::kSamePlace ? keys.after_here : keys.after)
          .push_back(spec_.group(other.other)->name);
    keys.apart = names(group.apart);
    keys.near = names(group.near);
    if (group.holds_data) keys.holds_data = true;
    Lines lines = lines_of(group_section(), keys);
    if (!group.needs.empty()) lines.emplace_back("needs", inline_table(group.needs));
    lines.emplace_back("on_failure", inline_table(lines_of(ladder_section(), group.on_failure)));
    objects_.push_back({"[[group]]", fmt::format("group \"{}\"", group.name), std::move(lines)});
    for (const core::Resource& resource : group.resources) {
      Lines resource_lines = lines_of(resource_section(), {.name = resource.name,
                                                           .type = resource.type,
                                                           .start_timeout = resource.start_timeout,
                                                           .stop_timeout = resource.stop_timeout});
      add_params(resource_lines, resource.params);
      objects_.push_back({"[[group.resource]]", fmt::format("resource \"{}/{}\"", group.name, resource.name),
                          std::move(resource_lines)});
    }
  }

  void monitor(const core::Monitor& monitor) {
    MonitorKeys keys;
    keys.name = monitor.name;
    keys.type = monitor.type;
    if (monitor.group) {
      const core::Group& group = *spec_.group(*monitor.group);
      keys.watch = group.name + "/" + group.resources.at(monitor.resource).name;
    }
    keys.affects = names(monitor.affects);
    keys.interval = monitor.interval;
    keys.timeout = monitor.timeout;
    keys.retries = monitor.retries;
    keys.start_delay = monitor.start_delay;
    keys.timeout_is_failure = monitor.timeout_is_failure;
    keys.quiet_until_healthy = monitor.quiet_until_healthy;
    keys.common_mode_wait = monitor.common_mode_wait;
    Lines lines = lines_of(monitor_section(), keys);
    if (monitor.on_failure)
      lines.emplace_back("on_failure", inline_table(lines_of(ladder_section(), *monitor.on_failure)));
    add_params(lines, monitor.params);
    objects_.push_back({"[[monitor]]", fmt::format("monitor \"{}\"", monitor.name), std::move(lines)});
  }

  const core::Spec& spec_;
  std::vector<Object> objects_;
};

// What changed within one object.
void compare(const Object& before, const Object& after, std::vector<std::string>& changes) {
  const auto value = [](const Lines& lines, const std::string& key) {
    const auto it = std::ranges::find(lines, key, &Lines::value_type::first);
    return it == lines.end() ? nullptr : &it->second;
  };
  for (const auto& [key, now] : after.lines) {
    const std::string* was = value(before.lines, key);
    if (!was)
      changes.push_back(fmt::format("{}: {} is {}, and was not set", after.name, key, now));
    else if (*was != now)
      changes.push_back(fmt::format("{}: {} was {}, is {}", after.name, key, *was, now));
  }
  for (const auto& [key, was] : before.lines)
    if (!value(after.lines, key))
      changes.push_back(fmt::format("{}: {} was {}, and is not set", after.name, key, was));
}

std::vector<std::string> resource_order(const core::Group& group, const core::Group& other) {
  std::vector<std::string> names;
  for (const core::Resource& resource : group.resources)
    if (std::ranges::find(other.resources, resource.name, &core::Resource::name) != other.resources.end())
      names.push_back(resource.name);
  return names;
}

void compare_order(const core::Spec& before, const core::Spec& after, std::vector<std::string>& changes) {
  for (const auto& [id, now] : after.groups) {
    const core::Group* was = before.group(id);
    if (!was || was->name != now.name) continue;
    const std::vector<std::string> old_order = resource_order(*was, now);
    const std::vector<std::string> new_order = resource_order(now, *was);
    if (old_order != new_order)
      changes.push_back(
          fmt::format("group \"{}\": its resources started in the order {}, start in the order {}", now.name,
                      fmt::join(old_order, ", "), fmt::join(new_order, ", ")));
  }
}

}  // namespace

std::string show(const core::Spec& spec) {
  std::string text;
  for (const Object& object : Shower(spec).run()) {
    const std::string indent = object.header == "[[group.resource]]" ? "  " : "";
    std::size_t width = 0;
    for (const auto& [key, value] : object.lines) width = std::max(width, key.size());
    text += fmt::format("{}{}{}\n", text.empty() ? "" : "\n", indent, object.header);
    for (const auto& [key, value] : object.lines)
      text += fmt::format("{}{:<{}} = {}\n", indent, key, width, value);
  }
  return text;
}

std::vector<std::string> diff(const core::Spec& before, const core::Spec& after) {
  const std::vector<Object> old_objects = Shower(before).run();
  const std::vector<Object> new_objects = Shower(after).run();
  std::map<std::string, const Object*> old_by_name;
  for (const Object& object : old_objects) old_by_name.emplace(object.name, &object);
  std::vector<std::string> changes;
  for (const Object& object : new_objects) {
    const auto it = old_by_name.find(object.name);
    if (it == old_by_name.end()) {
      changes.push_back(object.name + " is new");
    } else {
      compare(*it->second, object, changes);
      old_by_name.erase(it);
    }
  }
  for (const Object& object : old_objects)
    if (old_by_name.contains(object.name)) changes.push_back(object.name + " is removed");
  compare_order(before, after, changes);
  return changes;
}

}  // namespace komainu::config
