// Could this node fence each of the others now? Asks the devices, without effect. A fencer that nobody has
// used for a year is the one that fails when it is needed.
#pragma once

#include <memory>

#include "core/spec.h"
#include "drivers/monitors/schedule.h"
#include "engine/executor/maker.h"

namespace komainu::engine {

// The devices are asked this often, since some allow few sessions; those that did not answer, at every look.
inline constexpr Duration kTestFencing = 15min;

// Failed: some node cannot be fenced from here. Warning: it can, but not by all levels.
Result<std::unique_ptr<drivers::Check>> make_fence_check(const core::Spec& spec, const Maker& maker,
                                                         drivers::Clock& clock);

}  // namespace komainu::engine
