// Events and explanations as text for a person: pure functions, except for the local time zone.
#pragma once

#include <string>
#include <string_view>

#include "api/documents/model.h"
#include "komainu/terminal.h"

namespace komainu::cli {

// One line, with its line feed.
std::string render_event(const api::EventView& event, const Style& style);

// From the first symptom to the end, with times relative to the symptom; and why the group is where it is.
std::string render_explanation(const api::Explanation& explanation, const Style& style);

// "0.42 s", "3 min 5 s"
std::string elapsed(Duration duration);

}  // namespace komainu::cli
