#include "drivers/types.h"

#include <vector>

namespace komainu::drivers {
namespace {

const std::vector<const ResourceType*>& resource_types() {
  static const std::vector types{&command_resource(), &floating_ip(), &systemd()};
  return types;
}
const std::vector<const MonitorType*>& monitor_types() {
  static const std::vector types{&command_monitor(), &ftp(),  &http(),    &https(), &imap(),
                                 &nic_link(),        &ping(), &process(), &redis(), &smtp(),
                                 &systemd_unit(),    &tcp()};
  return types;
}
const std::vector<const FencerType*>& fencer_types() {
  static const std::vector types{&agent()};
  return types;
}

template <class Type>
const Type* find(const std::vector<const Type*>& types, std::string_view name) {
  for (const Type* type : types)
    if (type->schema.name == name) return type;
  return nullptr;
}

}  // namespace

const ResourceType* find_resource_type(std::string_view name) {
  return find(resource_types(), name);
}
const MonitorType* find_monitor_type(std::string_view name) {
  return find(monitor_types(), name);
}
const FencerType* find_fencer_type(std::string_view name) {
  return find(fencer_types(), name);
}

void declare_types(params::Registry& registry) {
  for (const ResourceType* type : resource_types())
    registry.add(params::Kind::kResource, type->schema, type->data, params::Pace::kPolled, type->takes);
  for (const MonitorType* type : monitor_types())
    registry.add(params::Kind::kMonitor, type->schema, params::Data::kNone, type->pace);
  for (const FencerType* type : fencer_types())
    registry.add(params::Kind::kFencer, type->schema, params::Data::kNone, params::Pace::kPolled,
                 type->longest_off);
}

}  // namespace komainu::drivers
