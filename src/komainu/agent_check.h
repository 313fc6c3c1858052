// Are the options of fence agents those that the agents know? Asked of the agents themselves, where the
// programs are installed: the configuration's own check cannot tell.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "drivers/fencing/agent_metadata.h"
#include "params/registry.h"

namespace komainu::cli {

class AgentCheck {
 public:
  // `registry` must not outlive this.
  void add_to(params::Registry& registry);
  // Agents whose options were not checked, and why: they are not installed here, or not to be run.
  const std::map<std::string, std::string>& not_asked() const { return not_asked_; }

 private:
  std::optional<Error> problem_of(const Params& values);
  const drivers::AgentMetadata* metadata_of(const std::string& agent);

  std::map<std::string, drivers::AgentMetadata> known_;
  std::map<std::string, std::string> not_asked_;
};

}  // namespace komainu::cli
