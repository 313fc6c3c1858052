#include "drivers/fencing/agent_metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <charconv>
#include <sstream>

#include "base/nearest.h"

namespace komainu::drivers {
namespace {

using Tree = boost::property_tree::ptree;

bool is_set(const Tree& node, const char* attribute) {
  return node.get(std::string("<xmlattr>.") + attribute, "0") == "1";
}

AgentOption option_of(const Tree& node) {
  AgentOption option;
  option.name = node.get<std::string>("<xmlattr>.name");
  option.obsoletes = node.get("<xmlattr>.obsoletes", "");
  option.required = is_set(node, "required");
  option.deprecated = is_set(node, "deprecated");
  option.type = node.get("content.<xmlattr>.type", "string");
  if (const auto content = node.get_child_optional("content"))
    for (const auto& [tag, choice] : *content)
      if (tag == "option") option.choices.push_back(choice.get("<xmlattr>.value", ""));
  return option;
}

const AgentOption* find(const AgentMetadata& metadata, std::string_view name) {
  const auto found = std::ranges::find(metadata.options, name, &AgentOption::name);
  return found == metadata.options.end() ? nullptr : &*found;
}

// Which of its forms the agents take: fencing.py of fence-agents reads them so.
bool is_boolean(std::string_view value) {
  static constexpr std::string_view kForms[] = {"1", "0", "true", "false", "yes", "no", "on", "off"};
  return std::ranges::any_of(kForms,
                             [&](std::string_view form) { return boost::algorithm::iequals(form, value); });
}
bool is_number(std::string_view value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc{} && end == value.data() + value.size();
}

std::optional<std::string> expected_instead(const AgentOption& option, std::string_view value) {
  if (option.type == "boolean" && !is_boolean(value)) return "1 or 0";
  const bool number = option.type == "integer" || option.type == "second";
  if (number && !is_number(value)) return option.type == "second" ? "a number of seconds" : "a number";
  const bool chosen = std::ranges::any_of(
      option.choices, [&](const std::string& choice) { return boost::algorithm::iequals(choice, value); });
  if (option.type == "select" && !option.choices.empty() && !chosen)
    return fmt::format("one of {}", fmt::join(option.choices, ", "));
  return std::nullopt;
}

std::optional<Error> unknown_name(const AgentMetadata& metadata, std::string_view name) {
  std::vector<std::string> names;
  for (const AgentOption& option : metadata.options)
    if (!option.deprecated) names.push_back(option.name);
  const auto near = nearest(name, names);
  return Error{fmt::format("has \"{}\", which {} does not know", name, metadata.agent),
               near ? fmt::format("did you mean \"{}\"?", *near)
                    : fmt::format("`{} -o metadata` lists its options", metadata.agent)};
}

}  // namespace

Result<AgentMetadata> parse_agent_metadata(const std::string& xml) {
  if (xml.size() > kMaxAgentMetadata)
    return failure(fmt::format("its metadata is longer than {} bytes", kMaxAgentMetadata));
  try {
    std::istringstream stream(xml);
    Tree tree;
    boost::property_tree::read_xml(stream, tree);
    const Tree& root = tree.get_child("resource-agent");
    AgentMetadata metadata;
    metadata.agent = root.get("<xmlattr>.name", "the agent");
    for (const auto& [tag, node] : root.get_child("parameters"))
      if (tag == "parameter") metadata.options.push_back(option_of(node));
    return metadata;
  } catch (const boost::property_tree::ptree_error& error) {
    return failure(fmt::format("its metadata is not what fence agents say: {}", error.what()));
  }
}

std::optional<Error> problem_of(const AgentMetadata& metadata, const std::vector<std::string>& options,
                                const std::vector<std::string>& given, Rest rest) {
  std::vector<std::string> names = given;
  for (const std::string& item : options) {
    const std::string name = item.substr(0, item.find('='));
    const std::string value = item.substr(std::min(name.size() + 1, item.size()));
    const AgentOption* option = find(metadata, name);
    if (!option) return unknown_name(metadata, name);
    if (const auto expected = expected_instead(*option, value))
      return Error{fmt::format("has {}=\"{}\"; {} expects {}", name, value, metadata.agent, *expected), {}};
    names.push_back(name);
  }
  if (rest == Rest::kInSecret) return std::nullopt;
  for (const AgentOption& option : metadata.options) {
    const auto has = [&](const std::string& name) { return std::ranges::count(names, name) > 0; };
    if (!option.required || option.deprecated || has(option.name)) continue;
    if (!option.obsoletes.empty() && has(option.obsoletes)) continue;
    return Error{fmt::format("lacks {}, which {} needs", option.name, metadata.agent),
                 fmt::format("add \"{}=…\"", option.name)};
  }
  return std::nullopt;
}

}  // namespace komainu::drivers
