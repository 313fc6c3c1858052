#include "config/reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <set>
#include <vector>

#include "base/duration_text.h"
#include "base/nearest.h"
#include "config/sections.h"
#include "config/timing.h"

namespace komainu::config {
namespace {

using params::Kind;
using params::Param;
using params::Schema;
using params::Type;

// What a declaration cannot express: keys whose value is a table of free names.
Param numbers(std::string name, std::string text) {
  Param param;
  param.name = std::move(name);
  param.type = Type::kText;
  param.text = std::move(text);
  return param;
}

constexpr std::string_view kNumbers = "numbers by name, such as { memory = 4096, cpu = 2 }";

bool is_numbers(const Param& param) {
  return !param.problem;
}

struct Entry {
  std::string header;  // how it begins in the file
  Schema schema;
  std::vector<std::string> tables;  // further keys that are tables of their own, described in their own entry
};

std::vector<Entry> sections() {
  std::vector<Entry> entries{
      {"[cluster]", cluster_section().schema(), {}},
      {"[[node]]", node_section().schema(), {}},
      {"[quorum]", quorum_section().schema(), {"arbiter"}},
      {"arbiter = { … }", arbiter_section().schema(), {}},
      {"[[fencing]] device = [ { … } ]", device_section().schema(), {}},
      {"[timing]", timing_section().schema(), {}},
      {"[brakes]", brakes_section().schema(), {}},
      {"[[group]]", group_section().schema(), {"on_failure", "resource"}},
      {"[[group.resource]]", resource_section().schema(), {}},
      {"[[monitor]]", monitor_section().schema(), {"on_failure"}},
      {"on_failure = { … }", ladder_section().schema(), {}},
  };
  const auto add = [&](std::string_view section, Param param) {
    std::ranges::find(entries, section, [](const Entry& e) {
      return std::string_view(e.schema.name);
    })->schema.params.push_back(std::move(param));
  };
  add("node",
      numbers("capacity", "What the node has, for the `needs` of groups; what is not named is unbounded."));
  add("group", numbers("needs", "What the group takes of its node's `capacity`."));
  return entries;
}

// Words to lines of at most 100 characters behind the indent. Counts bytes: a line with other letters is a
// little shorter.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    if (column == 0 || column + 1 + word.size() > 100) {
      result += (column == 0 ? "" : "\n") + std::string(indent, ' ');
      column = 0;
    } else {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return result + '\n';
}

// Without the quotes of the file.
std::string bare(const ParamValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* duration = std::get_if<Duration>(&value);
  return text ? *text : duration ? duration_text(*duration) : params::to_text(value);
}

// The times of [timing] are the profile's.
std::string profile_defaults(const Param& param) {
  std::vector<std::string> values;
  for (const auto& [name, profile] :
       {std::pair{"fast", core::Profile::kFast}, std::pair{"lan", core::Profile::kLan},
        std::pair{"wan", core::Profile::kWan}}) {
    const Params times = timing_section().write(default_timing(profile, core::ArbiterType::kNone));
    values.push_back(fmt::format("{} {}", name, duration_text(std::get<Duration>(times.at(param.name)))));
  }
  return fmt::format("{}", fmt::join(values, ", "));
}

std::string_view type_name(const Param& param) {
  if (is_numbers(param)) return "numbers";
  switch (param.type) {
    case Type::kBool:
      return "boolean";
    case Type::kInteger:
      return "integer";
    case Type::kDuration:
      return "duration";
    case Type::kText:
      return "text";
    case Type::kChoice:
      return "choice";
    case Type::kPath:
      return "path";
    case Type::kSecretFile:
      return "secret file";
    case Type::kAddress:
      return "address";
    case Type::kPrefix:
      return "address/prefix";
  }
  return "";
}

// "duration, 50ms to 24h; default 5s"
std::string facts(const Schema& schema, const Param& param) {
  if (is_numbers(param)) return std::string(kNumbers);
  std::string result =
      param.list ? fmt::format("list of {}", type_name(param)) : std::string(type_name(param));
  if (!param.choices.empty())
    result = (param.list ? "list of " : "") + fmt::format("{}", fmt::join(param.choices, ", "));
  if (!param.unit.empty()) result += fmt::format(" ({})", param.unit);
  if (param.min && param.max)
    result += fmt::format(", {} to {}", bare(*param.min), bare(*param.max));
  else if (param.min)
    result += fmt::format(", at least {}", bare(*param.min));
  else if (param.max)
    result += fmt::format(", at most {}", bare(*param.max));
  if (param.required) return result + "; required";
  if (schema.name == timing_section().schema().name) return result + "; " + profile_defaults(param);
  if (param.default_value) result += fmt::format("; default {}", bare(*param.default_value));
  return result;
}

std::string entry_text(const Entry& entry) {
  std::string text = entry.header + "\n" + wrapped(entry.schema.text, 2);
  for (const Param& param : entry.schema.params)
    text += fmt::format("\n  {}\n{}{}", param.name, wrapped(facts(entry.schema, param), 6),
                        wrapped(param.text, 6));
  for (const std::string& table : entry.tables)
    text += fmt::format("\n  {}\n      a table; see there\n", table);
  return text;
}

struct KindText {
  Kind kind;
  const char* key;
  const char* word;
};
constexpr std::array<KindText, 3> kKinds{{{Kind::kResource, "resources", "resource"},
                                          {Kind::kMonitor, "monitors", "monitor"},
                                          {Kind::kFencer, "fencers", "fencing device"}}};

boost::json::value json_of(const ParamValue& value) {
  if (const auto* b = std::get_if<bool>(&value)) return *b;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* duration = std::get_if<Duration>(&value))
    return boost::json::value(duration_text(*duration));
  if (const auto* text = std::get_if<std::string>(&value)) return boost::json::value(*text);
  boost::json::array items;
  for (const std::string& item : std::get<std::vector<std::string>>(value)) items.emplace_back(item);
  return items;
}

boost::json::object schema_json(const Schema& schema) {
  boost::json::array keys;
  for (const Param& param : schema.params) {
    boost::json::object key{{"name", param.name},         {"type", type_name(param)}, {"list", param.list},
                            {"required", param.required}, {"unit", param.unit},       {"text", param.text}};
    for (const auto& [name, value] : {std::pair{"default", &param.default_value},
                                      std::pair{"min", &param.min}, std::pair{"max", &param.max}})
      key[name] = *value ? json_of(**value) : boost::json::value(nullptr);
    boost::json::array choices;
    for (const std::string& choice : param.choices) choices.emplace_back(choice);
    key["choices"] = std::move(choices);
    keys.push_back(std::move(key));
  }
  return {{"name", schema.name}, {"text", schema.text}, {"keys", std::move(keys)}};
}

}  // namespace

std::string reference(const params::Registry& registry, std::string_view topic) {
  std::string text;
  const auto add = [&](const Entry& entry) {
    if (topic.empty() || topic == entry.schema.name) text += (text.empty() ? "" : "\n") + entry_text(entry);
  };
  for (const Entry& entry : sections()) add(entry);
  for (const auto& [kind, key, word] : kKinds)
    for (const std::string& name : registry.names(kind))
      add({fmt::format("type = \"{}\" ({})", name, word), registry.find(kind, name)->schema, {}});
  return text;
}

Result<std::string> reference_topic(const params::Registry& registry, std::string_view typed) {
  std::set<std::string> topics;
  for (const Entry& entry : sections()) topics.emplace(entry.schema.name);
  for (const KindText& kind : kKinds)
    for (const std::string& name : registry.names(kind.kind)) topics.insert(name);
  if (topics.contains(std::string(typed))) return std::string(typed);
  std::map<std::string, std::string, std::less<>> meant;  // by what it may be called
  for (const std::string& topic : topics) {
    const std::size_t dot = topic.find('.');
    meant.emplace(topic.substr(dot == std::string::npos ? 0 : dot + 1), topic);
    if (dot != std::string::npos) meant.emplace(topic.substr(0, dot), topic);
  }
  for (const std::string& topic : topics) meant.insert_or_assign(topic, topic);
  std::set<std::string> begins;
  for (const auto& [name, topic] : meant) {
    if (name == typed || name + 's' == typed || name == std::string(typed) + 's') return topic;
    // "group" begins "group.resource", too, which is called by its last part.
    if (name.starts_with(typed) && !name.contains('.')) begins.insert(topic);
  }
  if (begins.size() == 1) return *begins.begin();
  if (begins.size() > 1)
    return failure(fmt::format("'{}' is the beginning of {}", typed, fmt::join(begins, ", ")),
                   "name one of them");
  std::vector<std::string> names;
  for (const auto& [name, topic] : meant) names.push_back(name);
  const std::optional<std::string> close = nearest(typed, names);
  return failure(
      fmt::format("the configuration has no section and no type '{}'", typed),
      close ? fmt::format("did you mean '{}'?", *close) : "`komainu config reference` shows all of them");
}

boost::json::object reference_json(const params::Registry& registry) {
  boost::json::object result;
  boost::json::array entries;
  for (const Entry& entry : sections()) entries.push_back(schema_json(entry.schema));
  result["sections"] = std::move(entries);
  for (const auto& [kind, key, word] : kKinds) {
    boost::json::array types;
    for (const std::string& name : registry.names(kind)) {
      boost::json::object type = schema_json(registry.find(kind, name)->schema);
      if (kind == Kind::kResource)
        type["holds_data"] = registry.find(kind, name)->data == params::Data::kHeld;
      types.push_back(std::move(type));
    }
    result[key] = std::move(types);
  }
  return result;
}

}  // namespace komainu::config
