// The documents of the API as text for a person: pure functions.
#pragma once

#include <string>

#include "api/documents/model.h"
#include "komainu/terminal.h"

namespace komainu::cli {

// The whole cluster on one screen.
std::string render_status(const api::Status& status, const Style& style);

// Its first part: quorum, view, nodes.
std::string render_membership(const api::Status& status, const Style& style);

std::string render_alarms(const std::vector<api::AlarmView>& alarms, const Style& style);

std::string render_fence_test(const api::FenceTest& test, const Style& style);
std::string render_fence_status(const api::FenceStatus& fencing, const Style& style);

}  // namespace komainu::cli
