// What is wrong now, and what the operator can do about it: a function of what the status shows.
#pragma once

#include <vector>

#include "api/documents/model.h"

namespace komainu::api {

// Alarms first, then warnings; within each in the order nodes, groups, monitors. `status.alarms` is not read.
std::vector<AlarmView> alarms(const Status& status, const FenceStatus& fencing);

}  // namespace komainu::api
