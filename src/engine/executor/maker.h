// Makes this node's drivers from their configuration. A configuration may come from a member of another
// version: a type that is not known here, or parameters that its declaration refuses, are an answer for the
// operator, never a bug.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/spec.h"
#include "drivers/driver.h"
#include "drivers/services.h"

namespace komainu::engine {

// Where types are looked up by their names; tests bring types of their own.
struct DriverTypes {
  const drivers::ResourceType* (*resource)(std::string_view) = &drivers::find_resource_type;
  const drivers::MonitorType* (*monitor)(std::string_view) = &drivers::find_monitor_type;
  const drivers::FencerType* (*fencer)(std::string_view) = &drivers::find_fencer_type;
};

class Maker {
 public:
  Maker(std::string node_name, const drivers::Services& services, DriverTypes types = {})
      : node_name_(std::move(node_name)), services_(services), types_(types) {}

  // Those of a group, in its order; an error when one cannot be made.
  Result<std::vector<std::unique_ptr<drivers::Resource>>> resources(const core::Group& group) const;
  Result<std::unique_ptr<drivers::Monitor>> monitor(const core::Spec& spec, const core::Monitor& monitor,
                                                    const drivers::Schedule& schedule) const;
  Result<std::unique_ptr<drivers::Fencer>> fencer(const core::FenceDevice& device) const;

  // What of this configuration cannot be made; unset: nothing.
  std::optional<std::string> problem(const core::Spec& spec) const;

  const std::string& node_name() const { return node_name_; }

 private:
  const std::string node_name_;
  const drivers::Services services_;
  const DriverTypes types_;
};

}  // namespace komainu::engine
