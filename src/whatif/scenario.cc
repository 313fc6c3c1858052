#include "whatif/scenario.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/duration_text.h"
#include "config/document.h"
#include "config/table_reader.h"
#include "whatif/resolve.h"
#include "whatif/scenario_keys.h"

namespace komainu::whatif {
namespace {

using config::Diagnostics;
using config::Places;
using config::Region;
using config::TableReader;

class ScenarioReader {
 public:
  ScenarioReader(const config::Document& document, const core::Spec& spec, Diagnostics& diagnostics)
      : document_(document), resolver_(spec, diagnostics), diagnostics_(diagnostics) {}

  Scenario run();

 private:
  TableReader open(const toml::table& table, std::string object) {
    return {table, config::region_of(table.source()), std::move(object), document_.incomplete, diagnostics_};
  }

  Assumptions assume(const toml::table& table);
  std::map<std::string, Duration> times(TableReader& reader, const char* key);
  Initial initial(const toml::table& table);
  std::optional<Step> step(const toml::table& table, std::size_t number);

  const config::Document& document_;
  Resolver resolver_;
  Diagnostics& diagnostics_;
  std::optional<Duration> last_;
};

Assumptions ScenarioReader::assume(const toml::table& table) {
  TableReader reader = open(table, "[assume]");
  Assumptions result = assume_section().read_partial(reader.read(assume_section().schema()));
  result.start = times(reader, "start");
  result.stop = times(reader, "stop");
  reader.finish();
  return result;
}

// Durations by resource type or resource.
std::map<std::string, Duration> ScenarioReader::times(TableReader& reader, const char* key) {
  std::map<std::string, Duration> result;
  const toml::table* table = reader.table(key);
  if (!table) return result;
  for (const auto& [name, node] : *table) {
    const auto text = node.value_exact<std::string_view>();
    const auto duration = text ? parse_duration(*text) : std::nullopt;
    const Region value = config::region_of(node.source());
    if (!duration || *duration > 1h) {
      diagnostics_.error(value, fmt::format("\"{}\" in `{}` of [assume] is no duration", name.str(), key),
                         "a duration of at most 1h such as \"5s\" or \"250ms\"");
    } else if (resolver_.takes_time(std::string(name.str()), config::region_of(name.source()))) {
      result.emplace(name.str(), *duration);
    }
  }
  return result;
}

Initial ScenarioReader::initial(const toml::table& table) {
  TableReader reader = open(table, "[initial]");
  const InitialKeys keys = initial_section().read_partial(reader.read(initial_section().schema()));
  std::vector<PlacedGroup> placed;
  if (const toml::table* groups = reader.table("groups")) {
    for (const auto& [name, node] : *groups) {
      const Region value = config::region_of(node.source());
      if (const auto text = node.value_exact<std::string>())
        placed.push_back({std::string(name.str()), config::region_of(name.source()), *text, value});
      else
        diagnostics_.error(
            value,
            fmt::format("\"{}\" in `groups` of [initial] is {}", name.str(), config::describe(node.type())),
            "the name of a node");
    }
  }
  reader.finish();
  return resolver_.initial(keys, reader.places(), placed);
}

std::optional<Step> ScenarioReader::step(const toml::table& table, std::size_t number) {
  TableReader reader = open(table, fmt::format("step {}", number));
  const StepKeys keys = step_section().read_partial(reader.read(step_section().schema()));
  reader.finish();
  const Places& places = reader.places();
  const auto usable = [&](const char* key) { return places.given(key) && !places.unreadable.contains(key); };
  if (usable("at")) {
    if (last_ && keys.at < *last_)
      diagnostics_.error(
          places.of("at"),
          fmt::format("step {} is at {}, before the one above it", number, duration_text(keys.at)),
          fmt::format("a time of at least {}", duration_text(*last_)),
          "steps are written in the order of their times");
    else
      last_ = keys.at;
  }
  if (!usable("do")) {
    resolver_.names(keys, places);
    return std::nullopt;
  }
  auto action = resolver_.action(keys, places, number);
  return action ? std::optional(Step{keys.at, std::move(*action)}) : std::nullopt;
}

Scenario ScenarioReader::run() {
  TableReader file = open(document_.root, "this scenario");
  Scenario scenario;
  const ScenarioKeys keys = scenario_section().read_partial(file.read(scenario_section().schema()));
  scenario.until = keys.until;
  if (const toml::table* found = file.table("assume")) scenario.assume = assume(*found);
  if (const toml::table* found = file.table("initial")) scenario.initial = initial(*found);
  if (const toml::array* steps = file.array("step", "begin each with the line [[step]]")) {
    for (std::size_t i = 0; i < std::min(steps->size(), kMaxSteps); ++i)
      if (auto next = step(*steps->get(i)->as_table(), i + 1)) scenario.steps.push_back(std::move(*next));
    if (steps->size() > kMaxSteps)
      diagnostics_.error(config::region_of(steps->get(kMaxSteps)->source()),
                         fmt::format("more than {} steps", kMaxSteps));
  }
  file.finish();
  if (scenario.until && last_ && *last_ > *scenario.until)
    diagnostics_.error(file.places().of("until"),
                       fmt::format("`until` is {}, before the last step", duration_text(*scenario.until)),
                       fmt::format("a time of at least {}", duration_text(*last_)));
  return scenario;
}

}  // namespace

ParsedScenario parse_scenario(std::string_view text, const core::Spec& spec) {
  Diagnostics diagnostics(text);
  ParsedScenario result;
  if (const auto document = config::read_document(text, diagnostics)) {
    Scenario scenario = ScenarioReader(*document, spec, diagnostics).run();
    if (!diagnostics.has_errors()) result.scenario = std::move(scenario);
  }
  result.diagnostics = diagnostics.take();
  return result;
}

std::string scenario_reference() {
  std::string text;
  const auto section = [&](const char* header, const params::Schema& schema) {
    text += fmt::format("{}\n", header);
    for (const params::Param& param : schema.params) {
      text += fmt::format("  {:<15}  {}", param.name, param.text);
      if (param.default_value && !param.list)
        text += fmt::format(" ({})", params::to_text(*param.default_value));
      text += '\n';
    }
    text += '\n';
  };
  section("top of the file", scenario_section().schema());
  section("[assume]", assume_section().schema());
  text += "  start, stop      Durations by resource type, or by resource as \"group/resource\".\n\n";
  section("[initial]", initial_section().schema());
  text += "  groups           Where groups run: { web = \"guest2\" }.\n\n";
  section("[[step]]", step_section().schema());
  text += "`do` is one of:\n";
  for (const KindRow& row : kinds()) {
    std::vector<std::string> keys = row.required.names();
    for (const std::string& key : row.allowed.names()) keys.push_back("[" + key + "]");
    text +=
        fmt::format("  {:<15}  {:<22}  {}\n", row.word, fmt::format("{}", fmt::join(keys, " ")), row.text);
  }
  return text;
}

}  // namespace komainu::whatif
