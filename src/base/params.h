// The values of a driver's parameters by name, validated against the driver's declaration (src/params): what
// the configuration hands over and the stream carries. Paths, addresses and choices are text.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"

namespace komainu {

using ParamValue = std::variant<bool, std::int64_t, Duration, std::string, std::vector<std::string>>;
using Params = std::map<std::string, ParamValue>;

}  // namespace komainu
