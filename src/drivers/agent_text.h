// What programs say, made fit for evidence and logs.
#pragma once

#include <string>
#include <string_view>

#include "drivers/services.h"

namespace komainu::drivers {

// The first line with something in it, at most 160 bytes, control characters and invalid UTF-8 as '?'.
std::string first_line(std::string_view text);

// How a program ended, with the first line it wrote on standard error, or else on standard output:
// "exit code 1: no such device", "killed by signal 9", "no end within its timeout".
std::string describe(const Exit& exit);

// A program and its arguments as one would type them: `/usr/bin/app --once`.
std::string command_line(const std::vector<std::string>& argv);

}  // namespace komainu::drivers
