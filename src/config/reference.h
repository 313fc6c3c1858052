// `komainu config reference`: every section, every key and every driver type, from their declarations.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "params/registry.h"

namespace komainu::config {

// All of it; or, with a topic, the section ("monitor") or the driver types of that name ("http"). Empty if
// there is no such topic.
std::string reference(const params::Registry& registry, std::string_view topic = {});

// The topic that a person means: a name as it is, its singular or plural ("monitors", "brake"), one of its
// parts ("resource" of "group.resource"), or a beginning that is that of no other.
Result<std::string> reference_topic(const params::Registry& registry, std::string_view typed);

// {"sections": [{"name", "text", "keys": [{"name", "type", "list", "required", "default", "min", "max",
//   "choices", "unit", "text"}]}], "resources": […], "monitors": […], "fencers": […]}
boost::json::object reference_json(const params::Registry& registry);

}  // namespace komainu::config
