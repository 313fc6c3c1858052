// What no key can tell by itself: whether the objects of a configuration fit together, and whether it is
// safe.
#pragma once

#include "config/diagnostic.h"
#include "config/draft.h"
#include "core/spec.h"
#include "params/registry.h"

namespace komainu::config {

// `spec` is what resolve() made of the draft; the draft says where things stand.
void check(const Draft& draft, const core::Spec& spec, const params::Registry& registry,
           Diagnostics& diagnostics);

}  // namespace komainu::config
