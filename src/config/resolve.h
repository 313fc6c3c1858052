// From names to ids: the Spec that a Draft describes. References to what does not exist, and names that are
// given twice, are reported here.
#pragma once

#include "config/diagnostic.h"
#include "config/draft.h"
#include "core/spec.h"

namespace komainu::config {

core::Spec resolve(const Draft& draft, const core::Spec* current, Diagnostics& diagnostics);

}  // namespace komainu::config
