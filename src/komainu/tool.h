// Runs a program of this system and waits for it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"

namespace komainu::cli {

// Found by PATH; without input. An error says how it ended and the end of what it said; `help` is what to do
// if it is not there.
Result<void> run_tool(std::vector<std::string> words, const std::string& help);

// What it writes to its standard output, of which the last `most` bytes are kept; what it complains about is
// dropped.
Result<std::string> output_of_tool(std::vector<std::string> words, std::size_t most);

}  // namespace komainu::cli
