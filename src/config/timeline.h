// How long each kind of failover takes at worst by a configuration's own times, phase by phase.
//
// Worst means: every agent uses its whole time limit. What is usual is far less, and is measured by the demo.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "core/spec.h"
#include "params/registry.h"

namespace komainu::config {

struct Phase {
  std::string name;  // "token", `stop of "web"`
  Duration length{0};
};

struct Timeline {
  std::string name;           // of the kind, for programs: "node-lost"
  std::string title;          // `a node loses power; group "web" starts on another`
  std::vector<Phase> phases;  // one after the other

  Duration sum() const;
};

// Those that can happen in this cluster, each for the group or monitor with which it takes longest.
std::vector<Timeline> timelines(const core::Spec& spec, const params::Registry& registry);

}  // namespace komainu::config
