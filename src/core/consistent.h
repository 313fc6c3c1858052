// Does a value that came from outside (a snapshot, a store, a record) fit together? The decoder has checked
// that every number is in range; the rest of the core looks objects up without asking whether they are there.
#pragma once

#include <string>

#include "core/spec.h"
#include "core/state.h"

namespace komainu::core {

// Empty: it does. Otherwise what is wrong with it.
std::string inconsistency(const Spec& spec);
std::string inconsistency(const State& state);

}  // namespace komainu::core
