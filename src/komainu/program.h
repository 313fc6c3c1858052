// The language of the command line: which commands there are, what they are called with, and their help.
#pragma once

#include <string>
#include <vector>

#include "komainu/session.h"

namespace komainu::cli {

// `arguments` without the program's name. Returns when the command has ended.
Exit run(const std::vector<std::string>& arguments, Session& session);

}  // namespace komainu::cli
