#include "komainu/agent_check.h"

#include <utility>
#include <vector>

#include "komainu/tool.h"

namespace komainu::cli {
namespace {

template <class T>
T value_or(const Params& values, const std::string& name, T otherwise) {
  const auto found = values.find(name);
  return found == values.end() ? std::move(otherwise) : std::get<T>(found->second);
}

}  // namespace

void AgentCheck::add_to(params::Registry& registry) {
  registry.also_check(params::Kind::kFencer, "agent",
                      [this](const Params& values) { return problem_of(values); });
}

std::optional<Error> AgentCheck::problem_of(const Params& values) {
  const auto* metadata = metadata_of(value_or(values, "agent", std::string{}));
  if (!metadata) return std::nullopt;
  const std::vector<std::string> ours = {"action", value_or(values, "plug_option", std::string("plug"))};
  return drivers::problem_of(*metadata, value_or(values, "options", std::vector<std::string>{}), ours,
                             values.contains("secret") ? drivers::Rest::kInSecret : drivers::Rest::kNone);
}

const drivers::AgentMetadata* AgentCheck::metadata_of(const std::string& agent) {
  if (const auto found = known_.find(agent); found != known_.end()) return &found->second;
  if (not_asked_.contains(agent)) return nullptr;
  // An agent that hangs must not hang the check (timeout(1) of coreutils).
  const auto said = output_of_tool({"timeout", "10", agent, "-o", "metadata"}, drivers::kMaxAgentMetadata);
  auto metadata = said ? drivers::parse_agent_metadata(*said) : std::unexpected(said.error());
  if (metadata) return &known_.emplace(agent, std::move(*metadata)).first->second;
  not_asked_.insert(agent);
  return nullptr;
}

}  // namespace komainu::cli
