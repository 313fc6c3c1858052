// What a seed makes of a cluster: how many nodes, who decides when they part, what guards against running
// twice, and groups that use everything a configuration can say.
#pragma once

#include <cstdint>
#include <string>

#include "core/spec.h"
#include "sim/cluster.h"
#include "sim/random.h"

namespace komainu::sim {

struct Shape {
  enum class Guard : std::uint8_t {
    kFencer,
    kLease,      // and a watchdog; pauses are shorter than max_pause
    kSplitRisk,  // the operator accepts that a group runs twice: rule 1 is not judged
  };
  core::SpecPtr spec;
  Guard guard = Guard::kFencer;
  Cluster::Options options;
};

Shape draw_shape(Random& random, std::uint64_t seed);
// For a report: "3 nodes, majority, fencer, 6 groups".
std::string describe(const Shape& shape);

// The same configuration with one change that an operator could make online.
core::SpecPtr changed(const core::Spec& spec, Random& random);

}  // namespace komainu::sim
