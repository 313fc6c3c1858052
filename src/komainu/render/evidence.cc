#include "komainu/render/evidence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <span>
#include <vector>

#include "core/judge/judge.h"

namespace komainu::cli {
namespace {

using core::AnyOf;
using core::Row;
using core::Verdict;

// The words for each kind of evidence, in the order of its enumerators.
constexpr std::string_view kStandings[core::kStandings] = {"unknown", "lost", "member", "left", "settled"};
constexpr std::string_view kDaemons[core::kDaemons] = {"answers", "leaves", "silent"};
constexpr std::string_view kRings[core::kRings] = {"absent", "present"};
constexpr std::string_view kFencings[core::kFencings] = {"none", "open"};
constexpr std::string_view kReaches[core::kReaches] = {"everything", "less than others",
                                                       "nothing that others reach"};
constexpr std::string_view kWatches[core::kWatches] = {"fine", "warning", "failed everywhere",
                                                       "failed here only"};
constexpr std::string_view kLinks[core::kLinks] = {"up", "some down"};
constexpr std::string_view kPasts[core::kPasts] = {"steady", "lost again and again"};

struct Condition {
  std::string_view evidence;
  std::vector<std::string_view> any_of;
};

template <class E>
void add(std::vector<Condition>& conditions, std::string_view evidence, const AnyOf<E>& allowed,
         std::span<const std::string_view> words) {
  if (allowed.is_whatever()) return;
  Condition condition{evidence, {}};
  for (std::size_t i = 0; i < words.size(); ++i)
    if (allowed.contains(static_cast<E>(i))) condition.any_of.push_back(words[i]);
  conditions.push_back(std::move(condition));
}

std::vector<Condition> conditions_of(const Row& row) {
  std::vector<Condition> conditions;
  add(conditions, "node", row.standing, kStandings);
  add(conditions, "daemon", row.daemon, kDaemons);
  add(conditions, "corosync", row.ring, kRings);
  add(conditions, "fence", row.fencing, kFencings);
  add(conditions, "reaches", row.reach, kReaches);
  add(conditions, "monitors", row.watch, kWatches);
  add(conditions, "links", row.links, kLinks);
  add(conditions, "past", row.past, kPasts);
  return conditions;
}

std::string in_words(const Row& row) {
  std::vector<std::string> parts;
  for (const Condition& condition : conditions_of(row))
    parts.push_back(fmt::format("{} {}", condition.evidence, fmt::join(condition.any_of, " or ")));
  return parts.empty() ? "otherwise" : fmt::format("{}", fmt::join(parts, ", "));
}

Colour colour_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHealthy:
      return Colour::kGreen;
    case Verdict::kDegraded:
      return Colour::kYellow;
    case Verdict::kIsolated:
    case Verdict::kStalled:
    case Verdict::kUnknown:
    case Verdict::kSurelyDown:
      return Colour::kRed;
  }
  return Colour::kPlain;
}

}  // namespace

std::string render_evidence(const Style& style) {
  Table table;
  table.row({{"VERDICT", Colour::kBold}, {"WHEN", Colour::kBold}, {"AS STATUS SAYS IT", Colour::kBold}});
  for (const Row& row : core::evidence_table())
    table.row({{std::string(to_string(row.verdict)), colour_of(row.verdict)},
               {in_words(row)},
               {std::string(row.text)}});
  return table.text(style, "");
}

boost::json::object evidence_json() {
  boost::json::array rows;
  for (const Row& row : core::evidence_table()) {
    boost::json::object when;
    for (const Condition& condition : conditions_of(row))
      when[condition.evidence] = boost::json::array(condition.any_of.begin(), condition.any_of.end());
    rows.push_back(
        boost::json::object{{"verdict", to_string(row.verdict)}, {"text", row.text}, {"when", when}});
  }
  return {{"rows", rows}};
}

}  // namespace komainu::cli
