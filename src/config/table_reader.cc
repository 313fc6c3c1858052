#include "config/table_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/duration_text.h"
#include "base/nearest.h"
#include "config/document.h"

namespace komainu::config {
namespace {

constexpr std::size_t kMinPrefix = 3;  // "auto" is meant to be "automatic"; "a" may be anything

// What to write instead of a value of the wrong kind, where that can be said.
std::string help_for(const toml::node& node, const params::Param& param) {
  using params::Type;
  if (const auto number = node.value_exact<std::int64_t>()) {
    if (param.type == Type::kDuration)
      return fmt::format(R"(a duration has a unit: "{0}s" or "{0}ms")", *number);
    if (param.type == Type::kText) return fmt::format(R"(texts are written in quotes: "{}")", *number);
  }
  if (const auto text = node.value_exact<std::string_view>()) {
    if (param.list)
      return fmt::format("lists are written in brackets: [{}]", params::to_text(std::string(*text)));
    if (param.type == Type::kBool && (*text == "true" || *text == "false"))
      return fmt::format("write {} without quotes", *text);
    if (param.type == Type::kInteger && !text->empty() &&
        text->find_first_not_of("0123456789") == std::string_view::npos)
      return fmt::format("write {} without quotes", *text);
  }
  if (node.is_array() && !param.list && node.as_array()->size() == 1) return "write it without the brackets";
  return {};
}

// Where the complaint does not say it already.
std::string expected_after(const Error& problem, const params::Param& param) {
  return problem.what.find("must ") == std::string::npos ? param.expected() : std::string();
}

// A value of the right TOML type for the parameter, or none.
std::optional<ParamValue> value_of(const toml::node& node, const params::Param& param) {
  using params::Type;
  switch (param.type) {
    case Type::kBool:
      if (const auto value = node.value_exact<bool>()) return *value;
      return std::nullopt;
    case Type::kInteger:
      if (const auto value = node.value_exact<std::int64_t>()) return *value;
      return std::nullopt;
    case Type::kDuration:
      if (const auto value = node.value_exact<std::string_view>())
        if (const auto duration = parse_duration(*value)) return *duration;
      return std::nullopt;
    default:
      if (auto value = node.value_exact<std::string>()) return std::move(*value);
      return std::nullopt;
  }
}

}  // namespace

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& known) {
  auto name = nearest(typed, known);
  if (!name && typed.size() >= kMinPrefix) {
    const auto longer =
        std::ranges::find_if(known, [&](const std::string& k) { return k.starts_with(typed); });
    if (longer != known.end()) name = *longer;
  }
  return name ? fmt::format("did you mean \"{}\"?", *name) : std::string();
}

std::string_view describe(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

Region Places::of(std::string_view key) const {
  const auto it = keys.find(key);
  return it == keys.end() ? header : it->second;
}

Region Places::item(std::string_view key, std::size_t index) const {
  const auto it = items.find(key);
  return it == items.end() || index >= it->second.size() ? of(key) : it->second[index];
}

TableReader::TableReader(const toml::table& table, const Region& header, std::string object, bool incomplete,
                         Diagnostics& diagnostics)
    : table_(table), object_(std::move(object)), incomplete_(incomplete), diagnostics_(diagnostics) {
  places_.header = header;
  for (const auto& [key, node] : table) places_.keys[std::string(key.str())] = region_of(node.source());
}

void TableReader::error(const Region& at, std::string what, std::string expected, std::string help) {
  good_ = false;
  diagnostics_.error(at, std::move(what), std::move(expected), std::move(help));
}

Params TableReader::read(const params::Schema& schema) {
  Params values;
  bool complete = true;
  for (const params::Param& param : schema.params) {
    if (std::ranges::find(known_, param.name) != known_.end())
      throw std::logic_error(schema.name + " declares `" + param.name + "`, which every such object has");
    known_.push_back(param.name);
    if (const toml::node* node = table_.get(param.name)) {
      read_key(param, *node, values);
    } else if (param.required && !incomplete_) {
      complete = false;
      error(places_.header, fmt::format("{} needs `{}`", object_, param.name), param.expected(), param.text);
    }
  }
  if (schema.problem && good_ && complete && !incomplete_)
    if (const auto problem = schema.problem(values))
      error(places_.header, fmt::format("{}: {}", object_, problem->what), {}, problem->help);
  return values;
}

void TableReader::read_key(const params::Param& param, const toml::node& node, Params& values) {
  auto value = convert(node, param);
  const auto problem = value ? param.problem(*value) : std::nullopt;
  if (value && !problem) {
    values.emplace(param.name, std::move(*value));
    return;
  }
  places_.unreadable.insert(param.name);
  if (!value) {
    Mistake& mistake = value.error();
    error(mistake.at, std::move(mistake.what), std::move(mistake.expected), std::move(mistake.help));
  } else {
    std::string help = problem->help;
    const auto* text = std::get_if<std::string>(&*value);
    if (help.empty() && text && !param.choices.empty()) help = did_you_mean(*text, param.choices);
    error(region_of(node.source()), fmt::format("`{}` of {} {}", param.name, object_, problem->what),
          expected_after(*problem, param), std::move(help));
  }
}

std::expected<ParamValue, TableReader::Mistake> TableReader::convert(const toml::node& node,
                                                                     const params::Param& param) {
  const auto wrong = [&](const toml::node& what, std::string_view which) {
    return std::unexpected(Mistake{
        region_of(what.source()),
        fmt::format("{}`{}` of {} is {}", which, param.name, object_,
                    params::Type::kDuration == param.type && what.is_string() ? "no duration"
                                                                              : describe(what.type())),
        param.expected(), help_for(what, param)});
  };
  if (!param.list) {
    if (auto value = value_of(node, param)) return std::move(*value);
    return wrong(node, "");
  }
  const toml::array* array = node.as_array();
  if (!array) return wrong(node, "");
  std::vector<std::string> texts;
  std::vector<Region>& items = places_.items[param.name];
  for (const toml::node& element : *array) {
    auto text = element.value_exact<std::string>();
    if (!text) return wrong(element, "an item of ");
    const Region here = region_of(element.source());
    if (const auto problem = param.problem(std::vector{*text})) {
      std::string help = problem->help;
      if (help.empty() && !param.choices.empty()) help = did_you_mean(*text, param.choices);
      return std::unexpected(Mistake{here, fmt::format("`{}` of {} {}", param.name, object_, problem->what),
                                     expected_after(*problem, param), std::move(help)});
    }
    items.push_back(here);
    texts.push_back(std::move(*text));
  }
  return texts;
}

const toml::table* TableReader::table(std::string_view key) {
  known_.emplace_back(key);
  const toml::node* node = table_.get(key);
  if (!node) return nullptr;
  if (const toml::table* found = node->as_table()) return found;
  error(region_of(node->source()), fmt::format("`{}` of {} is {}", key, object_, describe(node->type())),
        "a table: { key = value, … }");
  return nullptr;
}

const toml::array* TableReader::array(std::string_view key, std::string_view example) {
  known_.emplace_back(key);
  const toml::node* node = table_.get(key);
  if (!node) return nullptr;
  const toml::array* found = node->as_array();
  const auto is_table = [](const toml::node& element) { return element.is_table(); };
  if (found && std::ranges::all_of(*found, is_table)) return found;
  error(region_of(node->source()),
        fmt::format("`{}` of {} is {}", key, object_,
                    found ? "a list of other things than tables" : describe(node->type())),
        "a list of tables", std::string(example));
  return nullptr;
}

std::map<std::string, std::int64_t> TableReader::numbers(std::string_view key) {
  std::map<std::string, std::int64_t> result;
  const toml::table* found = table(key);
  if (!found) return result;
  for (const auto& [name, node] : *found) {
    const auto number = node.value_exact<std::int64_t>();
    if (number && *number >= 0) {
      result.emplace(name.str(), *number);
      continue;
    }
    error(region_of(node.source()),
          fmt::format("\"{}\" in `{}` of {} is {}", name.str(), key, object_,
                      number ? "negative" : describe(node.type())),
          "an integer of at least 0");
  }
  return result;
}

void TableReader::finish() {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (std::ranges::find(known_, name) != known_.end()) continue;
    std::string help = diagnostics_.full() ? std::string() : did_you_mean(name, known_);
    error(region_of(key.source()), fmt::format("unknown key \"{}\" in {}", name, object_),
          fmt::format("{}", fmt::join(known_, ", ")), std::move(help));
  }
}

}  // namespace komainu::config
