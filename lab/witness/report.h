// The witness's answers, as one line of JSON each. Times are microseconds of CLOCK_MONOTONIC.
#pragma once

#include <string>
#include <vector>

#include "activity.h"
#include "availability.h"
#include "time.h"

namespace komainu::witness {

struct Names {
  std::vector<std::string> servers;
  std::vector<std::string> things;  // what is watched: addresses, then services
};

std::string report_since(Time mark, Time now, const Names& names, const History& history,
                         const Activity& activity);
std::string report_now(Time now, const Names& names, const History& history, const Activity& activity);

}  // namespace komainu::witness
