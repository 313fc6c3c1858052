// From the names of a scenario to the objects of the configuration, and whether what it describes is possible
// at all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "config/diagnostic.h"
#include "config/table_reader.h"
#include "core/spec.h"
#include "whatif/run/action.h"
#include "whatif/scenario.h"
#include "whatif/scenario_keys.h"

namespace komainu::whatif {

// `web = "guest2"` as it was written.
struct PlacedGroup {
  std::string group;
  config::Region group_at;
  std::string node;
  config::Region node_at;
};

class Resolver {
 public:
  Resolver(const core::Spec& spec, config::Diagnostics& diagnostics);

  // Is this a resource, or a type of one?
  bool takes_time(const std::string& name, const config::Region& at);
  Initial initial(const InitialKeys& keys, const config::Places& places,
                  const std::vector<PlacedGroup>& placed);
  // None: a mistake was reported.
  std::optional<Action> action(const StepKeys& keys, const config::Places& places, std::size_t number);
  // Reports unknown names of a step that says nothing usable.
  void names(const StepKeys& keys, const config::Places& places);

 private:
  void error(const config::Region& at, std::string what, std::string expected = {}, std::string help = {});
  void unknown(const config::Region& at, std::string_view kind, const std::string& name,
               const std::vector<std::string>& known);

  std::optional<NodeId> node(const std::string& name, const config::Region& at);
  NodeSet nodes(const std::vector<std::string>& names, const config::Places& places, std::string_view key);
  std::optional<GroupId> group(const std::string& name, const config::Region& at);
  std::optional<MonitorId> monitor(const std::string& name, const config::Region& at);

  void check_placed(const Initial& initial, const std::vector<PlacedGroup>& placed);
  void check_together(GroupId group, const Initial& initial, const PlacedGroup& written);
  void check_room(const Initial& initial, const std::vector<PlacedGroup>& placed);

  bool has_its_keys(const StepKeys& keys, const config::Places& places, std::size_t number);
  void resolve_names(const StepKeys& keys, const config::Places& places, Action& action);
  void resolve_resource(const std::string& text, const config::Region& at, Action& action);
  void resolve_parts(const StepKeys& keys, const config::Places& places, Action& action);
  void check_watched(const StepKeys& keys, const config::Places& places, const Action& action);
  void check_place(const config::Places& places, const Action& action);
  void check_undone(const config::Places& places, const Action& action, std::size_t number);

  const core::Spec& spec_;
  config::Diagnostics& diagnostics_;
  std::vector<std::string> node_names_, group_names_, resource_names_, monitor_names_;
  std::vector<Action> done_;  // faults so far: what a repair can undo
  std::size_t errors_ = 0;
};

}  // namespace komainu::whatif
