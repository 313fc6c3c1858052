// What a fence agent says of its own options (`action=metadata`; ClusterLabs fence-agents, FenceAgentAPI.md),
// and what is wrong with the options it is to be given by that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace komainu::drivers {

struct AgentOption {
  std::string name;
  std::string type;                  // "string", "boolean", "integer", "second", "select", …
  std::vector<std::string> choices;  // of a "select"
  std::string obsoletes;             // an older name that means the same; empty: there is none
  bool required = false;
  bool deprecated = false;
};

struct AgentMetadata {
  std::string agent;
  std::vector<AgentOption> options;
};

inline constexpr std::size_t kMaxAgentMetadata = std::size_t{1} << 20;

// An error says what is not as it should be in the agent's XML.
Result<AgentMetadata> parse_agent_metadata(const std::string& xml);

enum class Rest : std::uint8_t {
  kNone,
  kInSecret,  // further options stand in a file that is not looked at: none is missed
};

// `options` are "name=value"; `given` are names that komainu gives the agent beside them (the action, the
// plug). The error continues "`options` …".
std::optional<Error> problem_of(const AgentMetadata& metadata, const std::vector<std::string>& options,
                                const std::vector<std::string>& given, Rest rest);

}  // namespace komainu::drivers
