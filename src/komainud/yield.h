// `komainud --yield`: after the daemon's end, stops what it ran where nobody else would
// (engine/cluster/abandoned.h). It takes no part in the cluster and reads nothing but the store.
#pragma once

#include "komainud/options.h"

namespace komainu {

// The exit code: 1 if something could not be stopped, or is not known.
int yield(const Options& options);

}  // namespace komainu
