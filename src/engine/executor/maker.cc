#include "engine/executor/maker.h"

#include <utility>

#include "drivers/monitors/schedule.h"
#include "engine/executor/fence_check.h"

namespace komainu::engine {

namespace {

std::unexpected<Error> unknown(const std::string& what, const std::string& type) {
  return failure(what + ": this version does not know the type '" + type + "'",
                 "install the version of komainu that the other nodes have");
}
template <class Made>
Made named(const std::string& what, Made made) {
  if (!made) made.error().what = what + ": " + made.error().what;
  return made;
}

}  // namespace

Result<std::vector<std::unique_ptr<drivers::Resource>>> Maker::resources(const core::Group& group) const {
  std::vector<std::unique_ptr<drivers::Resource>> resources;
  for (const core::Resource& resource : group.resources) {
    const std::string name = group.name + "/" + resource.name;
    const drivers::ResourceType* type = types_.resource(resource.type);
    if (!type) return unknown(name, resource.type);
    auto made = named(name, type->make(resource.params, services_, {node_name_, name}));
    if (!made) return std::unexpected(made.error());
    resources.push_back(std::move(*made));
  }
  return resources;
}

Result<std::unique_ptr<drivers::Monitor>> Maker::monitor(const core::Spec& spec, const core::Monitor& monitor,
                                                         const drivers::Schedule& schedule) const {
  if (monitor.role == core::MonitorRole::kFencing) {
    auto check = make_fence_check(spec, *this, services_.clock);
    if (!check) return std::unexpected(check.error());
    return drivers::polled(std::move(*check), schedule, services_.clock);
  }
  const drivers::MonitorType* type = types_.monitor(monitor.type);
  if (!type) return unknown(monitor.name, monitor.type);
  return named(monitor.name, type->make(monitor.params, schedule, services_, {node_name_, monitor.name}));
}

Result<std::unique_ptr<drivers::Fencer>> Maker::fencer(const core::FenceDevice& device) const {
  const std::string what = "fencing device '" + device.type + "'";
  const drivers::FencerType* type = types_.fencer(device.type);
  if (!type) return unknown(what, device.type);
  return named(what, type->make(device.params, services_, {node_name_, device.type}));
}

std::optional<std::string> Maker::problem(const core::Spec& spec) const {
  for (const auto& [id, group] : spec.groups) {
    if (auto made = resources(group); !made) return made.error().what;
  }
  for (const auto& [id, configured] : spec.monitors) {
    if (configured.role == core::MonitorRole::kArbiter) continue;  // no driver: see MonitorRunner
    if (auto made = monitor(spec, configured, {}); !made) return made.error().what;
  }
  for (const core::FenceLevel& level : spec.fencing) {
    for (const core::FenceDevice& device : level.devices) {
      if (auto made = fencer(device); !made) return made.error().what;
    }
  }
  return std::nullopt;
}

}  // namespace komainu::engine
