#include "komainu/render/timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

namespace komainu::cli {
namespace {

using config::Relation;
using config::TimingCheck;

constexpr std::int64_t kBarWidth = 40;

std::string exact_seconds(Duration duration) {
  return fmt::format("{}.{:03} s", duration / 1s, duration % 1s / 1ms);
}

// Where the phase lies within the whole; what takes time, but is too short to see, is one block wide.
std::string bar(Duration from, Duration length, Duration sum) {
  if (length == Duration{0}) return "";
  const std::int64_t first = std::min(from * kBarWidth / sum, kBarWidth - 1);
  const std::int64_t last = std::max(first + 1, (from + length) * kBarWidth / sum);
  std::string text(static_cast<std::size_t>(first), ' ');
  for (std::int64_t i = first; i < last; ++i) text += "█";
  return text;
}

std::string right_aligned(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, columns(text)), ' ') + text;
}

std::string_view sign(Relation relation) {
  return relation == Relation::kLonger ? ">" : "≥";
}

// The one with the least to spare.
std::vector<TimingCheck> tightest(const std::vector<TimingCheck>& checks) {
  std::vector<TimingCheck> result;
  for (const TimingCheck& check : checks) {
    if (result.empty() || result.back().rule != check.rule)
      result.push_back(check);
    else if (check.left - check.right < result.back().left - result.back().right)
      result.back() = check;
  }
  return result;
}

}  // namespace

std::string render_timelines(const std::vector<config::Timeline>& timelines, const Style& style) {
  std::size_t width = 0;
  for (const config::Timeline& line : timelines) width = std::max(width, exact_seconds(line.sum()).size());
  std::string text;
  for (const config::Timeline& line : timelines) {
    const Duration sum = line.sum();
    text += paint(style, Colour::kBold, printable(line.title)) + "\n";
    Table table;
    Duration from{0};
    for (const config::Phase& phase : line.phases) {
      table.row({{printable(phase.name)},
                 {right_aligned(exact_seconds(phase.length), width)},
                 {bar(from, phase.length, sum), Colour::kYellow}});
      from += phase.length;
    }
    table.row({{"at worst"}, {right_aligned(exact_seconds(sum), width), Colour::kBold}, {""}});
    text += table.text(style) + "\n";
  }
  return text;
}

std::string render_checks(const core::Spec& spec, const params::Registry& registry, const Style& style) {
  Table table;
  for (const TimingCheck& check : tightest(config::timing_checks(spec, registry)))
    table.row({{std::string(check.rule->name)},
               {check.holds ? "holds" : "BROKEN", check.holds ? Colour::kGreen : Colour::kRed},
               {printable(fmt::format("{} {} {}", left_text(spec, registry, check),
                                      sign(check.rule->relation), right_text(spec, registry, check)))}});
  if (table.empty()) return "";
  return paint(style, Colour::kBold, "what holds between these times") + "\n" + table.text(style);
}

boost::json::object timing_json(const core::Spec& spec, const params::Registry& registry) {
  boost::json::array lines;
  for (const config::Timeline& line : config::timelines(spec, registry)) {
    boost::json::array phases;
    Duration from{0};
    for (const config::Phase& phase : line.phases) {
      phases.push_back(boost::json::object{
          {"name", phase.name}, {"from_us", from.count()}, {"length_us", phase.length.count()}});
      from += phase.length;
    }
    lines.push_back(boost::json::object{
        {"name", line.name}, {"title", line.title}, {"sum_us", from.count()}, {"phases", phases}});
  }
  boost::json::array checks;
  for (const TimingCheck& check : config::timing_checks(spec, registry))
    checks.push_back(boost::json::object{
        {"name", check.rule->name},
        {"object", config::name_of(spec, check.subject)},
        {"left", left_text(spec, registry, check)},
        {"left_us", check.left.count()},
        {"relation", check.rule->relation == Relation::kLonger ? ">" : ">="},
        {"right", right_text(spec, registry, check)},
        {"right_us", check.right.count()},
        {"holds", check.holds},
        {"severity", check.rule->severity == config::Severity::kError ? "error" : "warning"},
        {"reason", check.rule->reason}});
  return {{"timelines", lines}, {"checks", checks}};
}

}  // namespace komainu::cli
