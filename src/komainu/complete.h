// What may stand where the cursor is: for the shells' completion.
#pragma once

#include <string>
#include <vector>

#include "komainu/language.h"

namespace komainu::cli {

// One candidate a line, with a tab and its text where it has one; "@files" asks the shell for file names. The
// last word is the one being typed. Names are asked from the daemon, which has half a second for it.
std::string candidates(Language& language, const Session& session, std::vector<std::string> words);

}  // namespace komainu::cli
