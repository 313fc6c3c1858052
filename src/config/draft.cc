#include "config/draft.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace komainu::config {
namespace {

// Bounds of a file that komainu can work with; far above what fits its purpose.
constexpr std::size_t kMaxGroups = 8192;
constexpr std::size_t kMaxResources = 64;  // of a group
constexpr std::size_t kMaxMonitors = 8192;
constexpr std::size_t kMaxLevels = 8;
constexpr std::size_t kMaxDevices = 2 * kMaxNodes;  // of a level

class DraftReader {
 public:
  DraftReader(const Document& document, const params::Registry& registry, Diagnostics& diagnostics)
      : document_(document), registry_(registry), diagnostics_(diagnostics) {}

  Draft run();

 private:
  TableReader open(const toml::table& table, std::string object) {
    return {table, region_of(table.source()), std::move(object), document_.incomplete, diagnostics_};
  }

  // `group "orders"`, or `[[group]]` if it has no usable name.
  static std::string label(const toml::table& table, std::string_view kind, std::string_view within = {}) {
    const auto name = table["name"].value_exact<std::string_view>();
    if (!name || name->empty()) return fmt::format("this {}", kind);
    return fmt::format("{} \"{}{}\"", kind, within, *name);
  }

  template <class Keys>
  Section<Keys> section(const toml::table* table, const params::Declaration<Keys>& declaration,
                        std::string object) {
    if (!table) return {};
    TableReader reader = open(*table, std::move(object));
    Section<Keys> result{declaration.read_partial(reader.read(declaration.schema())), {}};
    reader.finish();
    result.at = reader.places();
    return result;
  }

  // The driver's own keys, and the end of the table.
  DriverDraft driver(TableReader& reader, params::Kind kind, std::string_view kind_name,
                     const std::string& type);

  // Calls `read` with the tables of the list; those beyond `max` are reported and not read.
  template <class Read>
  void each(const toml::array* array, std::size_t max, std::string_view what, const Read& read);
  core::Ladder ladder(const toml::table& table, const std::string& object) {
    return section(&table, ladder_section(), "`on_failure` of " + object).keys;
  }
  Section<QuorumKeys> quorum(const toml::table& table, ArbiterKeys& arbiter);
  NodeDraft node(const toml::table& table);
  LevelDraft level(const toml::table& table);
  GroupDraft group(const toml::table& table);
  ResourceDraft resource(const toml::table& table, const std::string& group);
  MonitorDraft monitor(const toml::table& table);

  const Document& document_;
  const params::Registry& registry_;
  Diagnostics& diagnostics_;
  bool truncated_ = false;
};

template <class Read>
void DraftReader::each(const toml::array* array, std::size_t max, std::string_view what, const Read& read) {
  if (!array) return;
  for (std::size_t i = 0; i < std::min(array->size(), max); ++i) read(*array->get(i)->as_table());
  if (array->size() <= max) return;
  truncated_ = true;
  diagnostics_.error(region_of(array->get(max)->source()), fmt::format("more than {} {}", max, what));
}

DriverDraft DraftReader::driver(TableReader& reader, params::Kind kind, std::string_view kind_name,
                                const std::string& type) {
  if (type.empty()) return {};  // reported
  DriverDraft result;
  result.type = registry_.find(kind, type);
  if (!result.type) {
    const std::vector<std::string> names = registry_.names(kind);
    diagnostics_.error(reader.places().of("type"), fmt::format("there is no {} type \"{}\"", kind_name, type),
                       fmt::format("one of {}", fmt::join(names, ", ")), did_you_mean(type, names));
    return result;
  }
  result.params = reader.read(result.type->schema);
  reader.finish();
  return result;
}

Section<QuorumKeys> DraftReader::quorum(const toml::table& table, ArbiterKeys& arbiter) {
  TableReader reader = open(table, "[quorum]");
  Section<QuorumKeys> result{quorum_section().read_partial(reader.read(quorum_section().schema())), {}};
  if (const toml::table* found = reader.table("arbiter"))
    arbiter = section(found, arbiter_section(), "`arbiter`").keys;
  reader.finish();
  result.at = reader.places();
  return result;
}

NodeDraft DraftReader::node(const toml::table& table) {
  TableReader reader = open(table, label(table, "node"));
  NodeDraft result;
  result.keys = node_section().read_partial(reader.read(node_section().schema()));
  result.capacity = reader.numbers("capacity");
  reader.finish();
  result.at = reader.places();
  return result;
}

LevelDraft DraftReader::level(const toml::table& table) {
  TableReader reader = open(table, "[[fencing]]");
  LevelDraft result;
  result.header = reader.places().header;
  const toml::array* devices = reader.array("device", R"(device = [ { type = "…", … } ])");
  reader.finish();
  if ((!devices || devices->empty()) && reader.good() && !document_.incomplete)
    diagnostics_.error(result.header, "this fencing level has no device",
                       R"(device = [ { type = "…", … } ])");
  each(devices, kMaxDevices, "devices in one level", [&](const toml::table& element) {
    TableReader device = open(element, "this fencing device");
    DeviceDraft draft;
    draft.keys = device_section().read_partial(device.read(device_section().schema()));
    draft.driver = driver(device, params::Kind::kFencer, "fencing device", draft.keys.type);
    draft.at = device.places();
    result.devices.push_back(std::move(draft));
  });
  return result;
}

ResourceDraft DraftReader::resource(const toml::table& table, const std::string& group) {
  TableReader reader = open(table, label(table, "resource", group + "/"));
  ResourceDraft result;
  result.keys = resource_section().read_partial(reader.read(resource_section().schema()));
  result.driver = driver(reader, params::Kind::kResource, "resource", result.keys.type);
  result.at = reader.places();
  return result;
}

GroupDraft DraftReader::group(const toml::table& table) {
  const std::string object = label(table, "group");
  TableReader reader = open(table, object);
  GroupDraft result;
  result.keys = group_section().read_partial(reader.read(group_section().schema()));
  result.needs = reader.numbers("needs");
  if (const toml::table* found = reader.table("on_failure")) result.on_failure = ladder(*found, object);
  const toml::array* resources = reader.array("resource", "begin each with the line [[group.resource]]");
  reader.finish();
  result.at = reader.places();
  if ((!resources || resources->empty()) && reader.good() && !document_.incomplete)
    diagnostics_.error(result.at.header, object + " has no resource", "a [[group.resource]] after it",
                       "a group is what its resources are");
  each(resources, kMaxResources, "resources in one group",
       [&](const toml::table& element) { result.resources.push_back(resource(element, result.keys.name)); });
  return result;
}

MonitorDraft DraftReader::monitor(const toml::table& table) {
  const std::string object = label(table, "monitor");
  TableReader reader = open(table, object);
  MonitorDraft result;
  result.keys = monitor_section().read_partial(reader.read(monitor_section().schema()));
  if (const toml::table* found = reader.table("on_failure")) result.on_failure = ladder(*found, object);
  result.driver = driver(reader, params::Kind::kMonitor, "monitor", result.keys.type);
  result.at = reader.places();
  return result;
}

Draft DraftReader::run() {
  TableReader file = open(document_.root, "this file");
  Draft draft;
  draft.cluster = section(file.table("cluster"), cluster_section(), "[cluster]");
  if (const toml::table* found = file.table("quorum")) draft.quorum = quorum(*found, draft.arbiter);
  if (const toml::table* found = file.table("timing")) {
    TableReader reader = open(*found, "[timing]");
    draft.timing = reader.read(timing_section().schema());
    reader.finish();
    draft.timing_at = reader.places();
  }
  auto brakes = section(file.table("brakes"), brakes_section(), "[brakes]");
  draft.brakes = brakes.keys;
  draft.brakes_at = std::move(brakes.at);
  const auto tables = [&](const char* key) {
    return file.array(key, fmt::format("begin each with the line [[{}]]", key));
  };
  const toml::array* nodes = tables("node");
  each(nodes, kMaxNodes, "nodes", [&](const toml::table& table) { draft.nodes.push_back(node(table)); });
  each(tables("fencing"), kMaxLevels, "fencing levels",
       [&](const toml::table& table) { draft.fencing.push_back(level(table)); });
  each(tables("group"), kMaxGroups, "groups",
       [&](const toml::table& table) { draft.groups.push_back(group(table)); });
  each(tables("monitor"), kMaxMonitors, "monitors",
       [&](const toml::table& table) { draft.monitors.push_back(monitor(table)); });
  draft.truncated = truncated_;
  draft.fencing_given = document_.root.contains("fencing");
  file.finish();
  if (!document_.incomplete && file.good()) {
    const std::string example = "[cluster] with a name, and a [[node]] for each server";
    if (!document_.root.contains("cluster")) diagnostics_.error({}, "there is no [cluster] section", example);
    if (draft.nodes.empty()) diagnostics_.error({}, "there is no [[node]]", example);
  }
  return draft;
}

}  // namespace

Draft read_draft(const Document& document, const params::Registry& registry, Diagnostics& diagnostics) {
  return DraftReader(document, registry, diagnostics).run();
}

}  // namespace komainu::config
