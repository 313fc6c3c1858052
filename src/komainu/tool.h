// Runs a program of this system and waits for it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace komainu::cli {

// Found by PATH; without input. An error says how it ended and the end of what it said; `help` is what to do
// if it is not there.
Result<void> run_tool(std::vector<std::string> words, const std::string& help);

}  // namespace komainu::cli
