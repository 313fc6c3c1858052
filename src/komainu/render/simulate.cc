#include "komainu/render/simulate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>

#include "api/documents/words.h"
#include "base/duration_text.h"
#include "core/admit/admit.h"
#include "core/judge/judge.h"
#include "core/plan/groups.h"
#include "core/plan/placement.h"

namespace komainu::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kDeedColumns = 40;

std::string seconds(Duration duration) {
  return fmt::format("{:.1f} s", static_cast<double>(duration.count()) / 1e6);
}

Colour colour_of(whatif::Symbol symbol) {
  switch (symbol) {
    case whatif::Symbol::kContinues:
      return Colour::kGreen;
    case whatif::Symbol::kStops:
      return Colour::kRed;
    default:
      return Colour::kYellow;
  }
}

json::object record(std::string_view kind) {
  return {{"version", kSimulateVersion}, {"record", kind}};
}

json::value number_or_null(const std::optional<Duration>& duration) {
  return duration ? json::value(duration->count()) : json::value(nullptr);
}
json::array strings(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

// ---- how things stand in the end

struct NodeEnd {
  std::string power;
  std::string standing;
  std::string duty;
  std::string verdict;
  std::string why;
};

NodeEnd end_of(const whatif::Rehearsal& rehearsal, NodeId id) {
  const sim::Cluster& cluster = rehearsal.cluster();
  NodeEnd end;
  end.power = !cluster.is_on(id)               ? "off"
              : cluster.is_frozen(id)          ? "frozen"
              : !cluster.corosync_runs(id)     ? "booting"
              : cluster.replica(id) == nullptr ? "on, no komainud"
                                               : "on";
  const core::State* state = rehearsal.state();
  if (!state) return end;
  const core::NodeState& known = state->nodes.at(id);
  const core::Row& row = core::judge(*state, core::Spec::place_of(id));
  end.standing = api::word(known.standing);
  end.duty = api::word(known.duty);
  end.verdict = api::word(row.verdict);
  end.why = row.text;
  return end;
}

struct GroupEnd {
  std::string state = "stopped";
  std::optional<NodeId> node;
  std::vector<std::string> why;  // it is not online
};

GroupEnd end_of(const whatif::Rehearsal& rehearsal, GroupId id) {
  GroupEnd end;
  const core::State* state = rehearsal.state();
  if (!state) {
    end.state = "unknown";
    return end;
  }
  const core::GroupState& known = state->groups.at(id);
  if (!known.at.empty()) {
    end.state = api::word(known.at.begin()->second);
    end.node = core::Spec::node_of(known.at.begin()->first);
  }
  if (known.at.size() > 1) end.state = "on several nodes";
  const core::NodeState* where = end.node ? state->node(*end.node) : nullptr;
  const bool is_lost = where && where->standing != core::Standing::kMember;
  if (is_lost) {
    const std::string name = rehearsal.spec().nodes.at(*end.node).name;
    end.why.push_back(name + " may still run it");
    if (core::is_braked(*state)) end.why.push_back("the brake holds: " + name + " is not fenced");
    return end;
  }
  if (known.online()) return end;
  if (known.given_up) {
    end.why.push_back("its recovery was given up");
  } else if (core::wish_of(rehearsal.spec().groups.at(id), known) == core::Wish::kStop) {
    end.why.push_back("an operator stopped it");
  } else {
    for (const core::Candidate& candidate : core::explain_placement(*state, id))
      end.why.push_back(core::to_text(rehearsal.spec(), candidate));
  }
  return end;
}

std::string downtime_of(const whatif::Rehearsal& rehearsal, const whatif::Service& service) {
  if (service.outages.empty()) return service.served() ? "no downtime" : "";
  std::string text = "down for " + seconds(service.downtime(rehearsal.now()));
  if (!service.served()) text += ", and still";
  return text;
}

std::string_view word_of(Rest rest) {
  static constexpr std::string_view kWords[] = {"at rest", "as long as the scenario says",
                                                "not at rest: it goes on like this"};
  return kWords[static_cast<int>(rest)];
}

}  // namespace

// ---- what is assumed

std::string render_assumptions(const core::Spec& spec, const whatif::Assumptions& assume,
                               const Style& style) {
  std::string text = paint(style, Colour::kBold, "ASSUMED") +
                     fmt::format("  (another time: [assume] in a scenario)\n  boot {}, start of komainud {}",
                                 duration_text(assume.boot), duration_text(assume.daemon));
  if (!spec.fencing.empty()) text += fmt::format(", fence {}", duration_text(assume.fence));
  if (spec.quorum.arbiter != core::ArbiterType::kNone)
    text += fmt::format(", arbiter {}", duration_text(assume.arbiter));
  text += '\n';
  constexpr std::size_t kShown = 20;
  Table table;
  std::size_t shown = 0;
  for (const auto& [id, group] : spec.groups) {
    for (std::uint32_t i = 0; i < group.resources.size(); ++i) {
      if (++shown > kShown) continue;
      table.row({{printable(group.name + "/" + group.resources[i].name)},
                 {fmt::format("starts in {}", duration_text(assume.start_of(group, i)))},
                 {fmt::format("stops in {}", duration_text(assume.stop_of(group, i)))}});
    }
  }
  text += table.text(style);
  if (shown > kShown) text += fmt::format("  … and {} more resources\n", shown - kShown);
  return text;
}

json::object assumptions_json(const core::Spec& spec, const whatif::Assumptions& assume) {
  json::array resources;
  for (const auto& [id, group] : spec.groups)
    for (std::uint32_t i = 0; i < group.resources.size(); ++i)
      resources.push_back(json::object{{"name", group.name + "/" + group.resources[i].name},
                                       {"start_us", assume.start_of(group, i).count()},
                                       {"stop_us", assume.stop_of(group, i).count()}});
  json::object result = record("assumptions");
  result["cluster"] = spec.cluster;
  result["boot_us"] = assume.boot.count();
  result["daemon_us"] = assume.daemon.count();
  result["daemon_hang_us"] = assume.daemon_hang.count();
  result["fence_us"] = assume.fence.count();
  result["fence_gives_up_us"] = assume.fence_gives_up.count();
  result["network_us"] = assume.network.count();
  result["store_us"] = assume.store.count();
  result["arbiter_us"] = assume.arbiter.count();
  result["resources"] = std::move(resources);
  return result;
}

// ---- a scenario

std::string render_line(const core::Spec&, const whatif::Line& line, const Style& style) {
  const std::string cause = line.cause > 0 ? fmt::format("#{}", line.cause) : std::string();
  std::string text = printable(line.text);
  if (line.severity == core::Severity::kAlarm) text = "alarm: " + text;
  const Colour colour = line.topic <= whatif::Topic::kRequest ? Colour::kBold : colour_of(line.severity);
  return fmt::format("{:>+10.3f} s  {:<7}  {:<3}  {}\n", static_cast<double>(line.at.count()) / 1e6,
                     whatif::to_string(line.topic), cause, paint(style, colour, text));
}

json::object line_json(const core::Spec& spec, const whatif::Line& line) {
  json::object result = record("event");
  result["at_us"] = line.at.count();
  result["topic"] = whatif::to_string(line.topic);
  result["severity"] = api::word(line.severity);
  if (line.cause > 0) result["cause"] = line.cause;
  if (line.node) result["node"] = spec.nodes.at(*line.node).name;
  if (line.group) result["group"] = spec.groups.at(*line.group).name;
  if (line.monitor) result["monitor"] = spec.monitors.at(*line.monitor).name;
  result["text"] = line.text;
  return result;
}

std::string render_end(const whatif::Rehearsal& rehearsal, Rest rest, const Style& style) {
  const core::Spec& spec = rehearsal.spec();
  std::string text = paint(style, Colour::kBold, "IN THE END") +
                     fmt::format("  ({} after {})\n", word_of(rest), seconds(rehearsal.now()));
  const bool seen = rehearsal.cluster().spokesman() != nullptr;
  if (!seen)
    text +=
        "  no node is in an established view: nothing is decided; the groups are as they were known last\n";
  Table nodes;
  for (const auto& [id, node] : spec.nodes) {
    const NodeEnd end = end_of(rehearsal, id);
    const bool good = end.power == "on" && end.verdict == "healthy";
    const std::string duty = end.duty == "active" ? "" : end.duty;
    const std::string verdict = seen ? end.verdict + ": " + end.why : "";
    nodes.row({{printable(node.name), Colour::kBold},
               {end.power},
               {duty},
               {verdict, good ? Colour::kPlain : Colour::kYellow}});
  }
  text += nodes.text(style);
  Table groups;
  for (const auto& [id, group] : spec.groups) {
    const GroupEnd end = end_of(rehearsal, id);
    const whatif::Service& service = rehearsal.services().at(id);
    const std::string where = end.node ? " on " + spec.nodes.at(*end.node).name : "";
    groups.row({{printable(group.name), Colour::kBold},
                {end.state + where, service.served() ? Colour::kGreen : Colour::kRed},
                {downtime_of(rehearsal, service)},
                {printable(fmt::format("{}", fmt::join(end.why, "; ")))}});
  }
  return text + "\n" + groups.text(style);
}

std::vector<json::object> end_json(const whatif::Rehearsal& rehearsal, Rest rest) {
  const core::Spec& spec = rehearsal.spec();
  std::vector<json::object> result;
  for (const auto& [id, node] : spec.nodes) {
    const NodeEnd end = end_of(rehearsal, id);
    json::object object = record("node");
    object["name"] = node.name;
    object["power"] = end.power;
    object["standing"] = end.standing;
    object["duty"] = end.duty;
    object["verdict"] = end.verdict;
    object["why"] = end.why;
    result.push_back(std::move(object));
  }
  for (const auto& [id, group] : spec.groups) {
    const GroupEnd end = end_of(rehearsal, id);
    const whatif::Service& service = rehearsal.services().at(id);
    json::array outages;
    for (const whatif::Outage& outage : service.outages)
      outages.push_back(json::object{{"from_us", outage.from.count()}, {"to_us", number_or_null(outage.to)}});
    json::object object = record("group");
    object["name"] = group.name;
    object["state"] = end.state;
    object["node"] = end.node ? json::value(spec.nodes.at(*end.node).name) : json::value(nullptr);
    object["served"] = service.served();
    object["downtime_us"] = service.downtime(rehearsal.now()).count();
    object["outages"] = std::move(outages);
    object["active_twice"] = service.twice;
    object["why"] = strings(end.why);
    result.push_back(std::move(object));
  }
  json::object end = record("end");
  end["at_us"] = rehearsal.now().count();
  end["at_rest"] = rest == Rest::kReached;
  end["established"] = rehearsal.cluster().spokesman() != nullptr;
  const auto& detection = rehearsal.detection();
  end["detected_by"] = detection ? json::value(detection->by) : json::value(nullptr);
  end["detected_us"] = detection ? json::value(detection->at.count()) : json::value(nullptr);
  result.push_back(std::move(end));
  return result;
}

// ---- the table

namespace {

// Sentences in lines of that many columns.
std::vector<std::string> wrapped(const std::vector<std::string>& sentences, std::size_t width) {
  std::vector<std::string> lines;
  for (const std::string& sentence : sentences) {
    const bool joins = !lines.empty() && columns(lines.back()) + 2 + columns(sentence) <= width;
    if (joins)
      lines.back() += "; " + sentence;
    else
      lines.push_back(sentence);
  }
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) lines[i] += ';';
  return lines;
}

std::string detected(const whatif::Trial& trial, const whatif::Outcome& outcome) {
  if (trial.sort == whatif::Trial::Sort::kMaintenance) return "the operator";
  if (!outcome.detection) return "not detected";
  if (outcome.detection->at < 100ms) return outcome.detection->by + " at once";
  return fmt::format("{} after {}", outcome.detection->by, seconds(outcome.detection->at));
}

std::string downtime(const whatif::Outcome& outcome) {
  if (!outcome.downtime) return "until repaired";
  return *outcome.downtime == Duration::zero() ? "none" : seconds(*outcome.downtime);
}

std::string consequence(const whatif::Trial& trial, const whatif::Outcome& outcome) {
  const bool alarmed = outcome.detection && trial.sort == whatif::Trial::Sort::kFault;
  return alarmed ? "a warning; nothing moves" : "nothing";
}

}  // namespace

void TrialTable::add(const whatif::Trial& trial, const whatif::Outcome& outcome) {
  ++counts_[static_cast<int>(outcome.symbol)];
  Table& table = trial.sort == whatif::Trial::Sort::kFault ? faults_ : maintenance_;
  std::vector<std::string> deeds = outcome.deeds;
  if (deeds.empty()) deeds.push_back(consequence(trial, outcome));
  if (outcome.twice) deeds.emplace_back("ACTIVE ON TWO NODES AT ONCE");
  for (const whatif::GroupOutcome& group : outcome.groups)
    if (group.down) deeds.push_back(spec_.groups.at(group.group).name + " stays down");
  const std::vector<std::string> lines = wrapped(deeds, kDeedColumns);
  table.row({{printable(trial.text)},
             {printable(detected(trial, outcome))},
             {printable(lines.front())},
             {downtime(outcome)},
             {std::string(whatif::to_string(outcome.symbol)), colour_of(outcome.symbol)}});
  for (std::size_t i = 1; i < lines.size(); ++i) table.row({{""}, {""}, {printable(lines[i])}});
}

std::string TrialTable::text(const Style& style) const {
  const auto titled = [&](const char* title, const Table& rows) {
    Table table;
    table.row({{title, Colour::kBold},
               {"DETECTED BY", Colour::kBold},
               {"WHAT HAPPENS", Colour::kBold},
               {"DOWNTIME", Colour::kBold}});
    table.append(rows);
    return table.text(style);
  };
  std::string text = titled("FAULT", faults_);
  if (!maintenance_.empty()) text += "\n" + titled("MAINTENANCE", maintenance_);
  text += fmt::format(
      "\n  ◎ {}  goes on, without waiting for a boot    ○ {}  goes on after a boot\n"
      "  △ {}  goes on; not detected, or shared by all nodes    × {}  stops until it is repaired\n",
      counts_[0], counts_[1], counts_[2], counts_[3]);
  return text;
}

json::object trial_json(const core::Spec& spec, std::size_t number, std::size_t of,
                        const whatif::Trial& trial, const whatif::Outcome& outcome) {
  json::object result = record("trial");
  result["number"] = number;
  result["of"] = of;
  result["sort"] = trial.sort == whatif::Trial::Sort::kFault ? "fault" : "maintenance";
  result["text"] = trial.text;
  json::array actions;
  for (const whatif::Step& step : trial.steps)
    actions.push_back(json::object{{"at_us", step.at.count()},
                                   {"do", whatif::row_of(step.action.kind).word},
                                   {"text", whatif::describe(spec, step.action)}});
  result["actions"] = std::move(actions);
  result["detected_by"] = outcome.detection ? json::value(outcome.detection->by) : json::value(nullptr);
  result["detected_us"] =
      outcome.detection ? json::value(outcome.detection->at.count()) : json::value(nullptr);
  result["deeds"] = strings(outcome.deeds);
  result["downtime_us"] = number_or_null(outcome.downtime);
  result["symbol"] = whatif::to_string(outcome.symbol);
  result["outcome"] = whatif::word_of(outcome.symbol);
  result["active_twice"] = outcome.twice;
  json::array groups;
  for (const whatif::GroupOutcome& group : outcome.groups)
    groups.push_back(
        json::object{{"name", spec.groups.at(group.group).name},
                     {"downtime_us", group.downtime.count()},
                     {"served_by", group.served_by ? json::value(spec.nodes.at(*group.served_by).name)
                                                   : json::value(nullptr)},
                     {"stays_down", group.down}});
  result["groups"] = std::move(groups);
  return result;
}

}  // namespace komainu::cli
