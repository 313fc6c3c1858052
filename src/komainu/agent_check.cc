#include "komainu/agent_check.h"

#include <sys/stat.h>
#include <unistd.h>

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

// Checking a configuration runs what it names: of a path only what nobody but the caller, or root, can
// change.
bool may_be_run(const std::string& agent) {
  if (agent.find('/') == std::string::npos) return true;  // found by PATH
  struct stat about{};
  if (stat(agent.c_str(), &about) != 0) return true;  // running it says what is wrong
  return (about.st_uid == 0 || about.st_uid == geteuid()) && (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
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
  if (!may_be_run(agent)) {
    not_asked_.emplace(agent, "can be changed by others than root and is not run");
    return nullptr;
  }
  // An agent that hangs must not hang the check (timeout(1) of coreutils).
  const auto said = output_of_tool({"timeout", "10", agent, "-o", "metadata"}, drivers::kMaxAgentMetadata);
  auto metadata = said ? drivers::parse_agent_metadata(*said) : std::unexpected(said.error());
  if (metadata) return &known_.emplace(agent, std::move(*metadata)).first->second;
  not_asked_.emplace(agent, "is not installed here");
  return nullptr;
}

}  // namespace komainu::cli
