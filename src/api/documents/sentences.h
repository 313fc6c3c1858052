// What matters about an object, as one sentence; the same words in the API, on the terminal and in alarms.
#pragma once

#include <string>
#include <string_view>

#include "api/documents/model.h"

namespace komainu::api {

// "online on guest1", "starting on guest2", "stopped by the operator" …
std::string where(const GroupView& group);

// "web is online on guest1", "it was last seen online on guest2, which is lost"
std::string sentence(std::string_view subject, const GroupView& group);

// Does its configuration and the operator's word want it to run?
bool wanted(const GroupView& group);

// "a", "a and b", "a, b and c"
std::string list(const std::vector<std::string>& names);

}  // namespace komainu::api
