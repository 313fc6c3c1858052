// What is wrong now, and what the operator can do about it: a function of what the status shows.
#pragma once

#include <vector>

#include "api/documents/model.h"

namespace komainu::api {

// Alarms first, then warnings; within each in the order nodes, groups, monitors. `status.alarms` is not read.
// Outside a view only about this node: of the others it is not known what is wrong now.
std::vector<AlarmView> alarms(const Status& status, const FenceStatus& fencing, core::NoQuorum on_no_quorum);

}  // namespace komainu::api
