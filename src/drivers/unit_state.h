// What the states of a systemd unit mean to komainu (systemd(1), "UNITS").
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "drivers/services.h"

namespace komainu::drivers {

bool is_up(const UnitState& state);  // active, or reloading
// Inactive, failed, or not there at all, and nothing is queued that would start it.
bool is_down(const UnitState& state);

// "failed (exit-code)", "activating (auto-restart)", "inactive, and a job of it is queued", "not installed".
std::string describe(const UnitState& state);

// The main process of an active unit after `dead` was its main process; 0: there is none, or systemd does not
// say so within a second. A service may hand over before its old process ends (an upgrade of nginx does).
Task<pid_t> successor(const Services& services, const std::string& unit, pid_t dead);

// What is wrong with a unit's name; for declarations.
std::optional<Error> unit_name_problem(const std::string& name);

}  // namespace komainu::drivers
