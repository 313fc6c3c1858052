#include "sim/workload.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace komainu::sim {
namespace {

constexpr std::string_view kDefault =
#include "default_workloads.inc"
    ;

struct Mistake {
  std::string text;
};

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  Workloads read(const toml::table& root) const {
    only(root, {"schedule", "workload"});
    Workloads result;
    const toml::table& schedule = table(root, "schedule");
    only(schedule, {"length", "faults", "storms", "storm"});
    result.length = duration(*need(schedule, "length"));
    std::tie(result.fewest_faults, result.most_faults) = counts(schedule, "faults");
    std::tie(result.fewest_storms, result.most_storms) = counts(schedule, "storms");
    result.storm = duration(*need(schedule, "storm"));
    const toml::node* list = need(root, "workload");
    if (!list->is_array()) complain(*list, "expected [[workload]] tables");
    for (const toml::node& node : *list->as_array()) {
      if (!node.is_table()) complain(node, "expected a [[workload]] table");
      result.all.push_back(workload(*node.as_table()));
    }
    if (result.fewest_storms == 0) complain(schedule, "expected at least one storm");
    return result;
  }

 private:
  [[noreturn]] void complain(const toml::node& node, const std::string& what) const {
    const auto& at = node.source().begin;
    throw Mistake{fmt::format("{}:{}:{}: {}", file_, at.line, at.column, what)};
  }
  void only(const toml::table& table, std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : table) {
      if (std::ranges::find(known, key.str()) == known.end())
        complain(value,
                 fmt::format("'{}' is not known here; there are: {}", key.str(), fmt::join(known, ", ")));
    }
  }
  const toml::node* need(const toml::table& table, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (!node) complain(table, fmt::format("'{}' is missing", key));
    return node;
  }
  const toml::table& table(const toml::table& in, std::string_view key) const {
    const toml::node* node = need(in, key);
    if (!node->is_table()) complain(*node, fmt::format("expected a table [{}]", key));
    return *node->as_table();
  }
  Duration duration(const toml::node& node) const {
    const auto text = node.value<std::string_view>();
    std::int64_t number = 0;
    if (text) {
      const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
      const std::string_view unit = text->substr(static_cast<std::size_t>(end - text->data()));
      if (error == std::errc{} && number >= 0) {
        if (unit == "ms") return std::chrono::milliseconds(number);
        if (unit == "s") return std::chrono::seconds(number);
        if (unit == "min") return std::chrono::minutes(number);
      }
    }
    complain(node, "expected a duration like \"250ms\", \"5s\" or \"10min\"");
  }
  const toml::array& pair(const toml::table& in, std::string_view key) const {
    const toml::node* node = need(in, key);
    if (!node->is_array() || node->as_array()->size() != 2)
      complain(*node, fmt::format("expected {} = [least, most]", key));
    return *node->as_array();
  }
  std::pair<std::uint32_t, std::uint32_t> counts(const toml::table& in, std::string_view key) const {
    const toml::array& both = pair(in, key);
    const auto least = both[0].value<std::int64_t>();
    const auto most = both[1].value<std::int64_t>();
    if (!least || !most || *least < 0 || *most < *least || *most > 1'000)
      complain(both, "expected two numbers from 0 to 1000, the smaller one first");
    return {static_cast<std::uint32_t>(*least), static_cast<std::uint32_t>(*most)};
  }
  Workload workload(const toml::table& in) const {
    only(in, {"name", "faults", "when", "weight", "lasts"});
    Workload result;
    result.name = need(in, "name")->value_or(std::string());
    const toml::node* faults = need(in, "faults");
    if (!faults->is_array() || faults->as_array()->empty()) complain(*faults, "expected a list of faults");
    for (const toml::node& node : *faults->as_array()) {
      const auto kind = fault_named(node.value_or(std::string_view()));
      if (!kind) complain(node, "there is no such fault; there are: " + all_faults());
      result.faults.push_back(*kind);
    }
    if (const toml::node* when = in.get("when")) result.when = moment(*when);
    const auto weight = need(in, "weight")->value<std::int64_t>();
    if (!weight || *weight < 1 || *weight > 1'000) complain(in, "expected a weight from 1 to 1000");
    result.weight = static_cast<std::uint32_t>(*weight);
    const toml::array& lasts = pair(in, "lasts");
    result.lasts = {duration(lasts[0]), duration(lasts[1])};
    if (result.lasts.most < result.lasts.least) complain(lasts, "expected the shorter time first");
    return result;
  }
  Moment moment(const toml::node& node) const {
    const auto found = std::ranges::find(kMomentNames, node.value_or(std::string_view()));
    if (found == kMomentNames.end())
      complain(node, fmt::format("there is no such moment; there are: {}", fmt::join(kMomentNames, ", ")));
    return static_cast<Moment>(found - kMomentNames.begin());
  }
  static std::string all_faults() {
    std::string names;
    for (std::size_t kind = 0; kind < kFaultKinds; ++kind) {
      names += names.empty() ? "" : ", ";
      names += name_of(static_cast<FaultKind>(kind));
    }
    return names;
  }

  std::string file_;
};

// Each schedule leaves some workloads out: what all have, hides what some would show (swarm testing, Groce et
// al., ISSTA 2012).
std::vector<const Workload*> swarm(const Workloads& workloads, Random& random) {
  std::vector<const Workload*> drawn;
  for (const Workload& workload : workloads.all) {
    const bool left_out = random.one_in(4);
    for (std::uint32_t i = 0; !left_out && i < workload.weight; ++i) drawn.push_back(&workload);
  }
  if (drawn.empty()) {
    for (const Workload& workload : workloads.all) drawn.push_back(&workload);
  }
  return drawn;
}

}  // namespace

std::expected<Workloads, std::string> parse_workloads(std::string_view text, const std::string& name) {
  try {
    return Reader(name).read(toml::parse(text, name));
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    return std::unexpected(fmt::format("{}:{}:{}: {}", name, at.line, at.column, error.description()));
  } catch (const Mistake& mistake) {
    return std::unexpected(mistake.text);
  }
}

const Workloads& default_workloads() {
  static const Workloads workloads = parse_workloads(kDefault, "default.toml").value();
  return workloads;
}

std::vector<Fault> draw_faults(const Workloads& workloads, Random& random, std::uint32_t aggressiveness,
                               Duration begin) {
  const auto between = [&](std::uint32_t least, std::uint32_t most) {
    return least + random.below(most - least + 1);
  };
  const std::vector<const Workload*> drawn = swarm(workloads, random);
  std::vector<Duration> storms(between(workloads.fewest_storms, workloads.most_storms));
  const Duration end = std::max(workloads.length - 30s, begin);
  for (Duration& storm : storms) storm = random.within({begin, end});
  const std::uint32_t count = between(workloads.fewest_faults, workloads.most_faults) * aggressiveness / 100;
  std::vector<Fault> faults(count);
  for (Fault& fault : faults) {
    const Workload& workload = *drawn[random.below(static_cast<std::uint32_t>(drawn.size()))];
    fault.kind = workload.faults[random.below(static_cast<std::uint32_t>(workload.faults.size()))];
    fault.when = workload.when;
    fault.at = storms[random.below(static_cast<std::uint32_t>(storms.size()))] +
               random.within({Duration{0}, workloads.storm});
    // Short ones are as frequent as long ones.
    Span lasts = workload.lasts;
    for (int halves = static_cast<int>(random.below(5)); halves > 0; --halves)
      lasts.most = std::max(lasts.least, lasts.most / 2);
    fault.lasts = random.within(lasts);
    for (std::uint32_t& choice : fault.choice) choice = random.below(1'000'000);
  }
  std::ranges::stable_sort(faults, {}, &Fault::at);
  return faults;
}

}  // namespace komainu::sim
