#include <fmt/format.h>

#include <boost/json.hpp>
#include <memory>

#include "config/diagnostic.h"
#include "config/parse.h"
#include "drivers/driver.h"
#include "komainu/commands.h"
#include "komainu/render/simulate.h"
#include "whatif/run/rehearsal.h"
#include "whatif/scenario.h"
#include "whatif/trials.h"

namespace komainu::cli {
namespace {

constexpr Duration kLongest = 2h;  // of a scenario that says no end
constexpr std::size_t kTellEvery = 20;

// Mistakes go where the command's results go for a program, and to the person otherwise.
void tell_mistakes(const Session& session, const std::vector<config::Diagnostic>& diagnostics,
                   const std::string& file, const std::string& text) {
  if (diagnostics.empty()) return;
  if (session.json) {
    for (const config::Diagnostic& diagnostic : diagnostics) {
      boost::json::object object{{"version", kSimulateVersion}, {"record", "diagnostic"}, {"file", file}};
      for (const auto& [key, value] : to_json(diagnostic)) object[key] = value;
      session.out << boost::json::serialize(object) << "\n";
    }
    return;
  }
  session.err << config::render(diagnostics, file, text,
                                session.err_style.colour ? config::Colour::kAlways : config::Colour::kNever);
}

core::SpecPtr read_cluster(const Session& session, const std::string& file) {
  const auto text = config::read_file(file);
  if (!text) {
    fail(session, Exit::kRefused, text.error().what, text.error().help);
    return nullptr;
  }
  params::Registry registry;
  drivers::declare_types(registry);
  config::Parsed parsed = config::parse(*text, registry);
  tell_mistakes(session, parsed.diagnostics, file, *text);
  if (!parsed.spec) return nullptr;
  if (const auto why = whatif::cannot_rehearse(*parsed.spec)) {
    fail(session, Exit::kRefused, fmt::format("cannot simulate {}: {}", file, why->what), why->help);
    return nullptr;
  }
  return std::make_shared<const core::Spec>(std::move(*parsed.spec));
}

std::optional<whatif::Scenario> read_scenario(const Session& session, const std::string& file,
                                              const core::Spec& spec) {
  const auto text = config::read_file(file);
  if (!text) {
    fail(session, Exit::kRefused, text.error().what,
         "`komainu help simulate` shows what a scenario looks like");
    return std::nullopt;
  }
  whatif::ParsedScenario parsed = whatif::parse_scenario(*text, spec);
  tell_mistakes(session, parsed.diagnostics, file, *text);
  return std::move(parsed.scenario);
}

void print(const Session& session, const boost::json::object& object) {
  session.out << boost::json::serialize(object) << "\n";
}

// Lines are printed as they come, so that a long scenario can be followed.
class Printer {
 public:
  Printer(const Session& session, const whatif::Rehearsal& rehearsal)
      : session_(session), rehearsal_(rehearsal) {}

  void print_new() {
    for (; printed_ < rehearsal_.lines().size(); ++printed_) {
      const whatif::Line& line = rehearsal_.lines()[printed_];
      if (session_.json)
        print(session_, line_json(rehearsal_.spec(), line));
      else
        session_.out << render_line(rehearsal_.spec(), line, session_.style);
    }
  }

 private:
  const Session& session_;
  const whatif::Rehearsal& rehearsal_;
  std::size_t printed_ = 0;
};

void print_assumptions(const Session& session, const core::Spec& spec, const whatif::Assumptions& assume) {
  if (session.json)
    print(session, assumptions_json(spec, assume));
  else
    session.out << render_assumptions(spec, assume, session.style) << "\n";
}

Exit rehearse(const Session& session, const core::SpecPtr& spec, const whatif::Scenario& scenario) {
  whatif::Rehearsal rehearsal(spec, scenario.assume);
  if (const auto begun = rehearsal.begin(scenario.initial); !begun)
    return fail(session, Exit::kRefused, begun.error().what, begun.error().help);
  print_assumptions(session, *spec, scenario.assume);
  Printer printer(session, rehearsal);
  for (const whatif::Step& step : scenario.steps) {
    rehearsal.run_until(step.at);
    rehearsal.perform(step.action);
    printer.print_new();
  }
  Rest rest = Rest::kCut;
  if (scenario.until)
    rehearsal.run_until(*scenario.until);
  else
    rest = rehearsal.run_to_rest(kLongest) ? Rest::kReached : Rest::kNotReached;
  printer.print_new();
  if (session.json)
    for (const boost::json::object& object : end_json(rehearsal, rest)) print(session, object);
  else
    session.out << "\n" << render_end(rehearsal, rest, session.style);
  return Exit::kDone;
}

Exit try_all(const Session& session, const core::SpecPtr& spec, const whatif::Scenario& setting,
             Tries tries) {
  const std::vector<whatif::Trial> trials =
      tries == Tries::kPairs ? whatif::fault_pairs(*spec) : whatif::single_faults(*spec);
  print_assumptions(session, *spec, setting.assume);
  TrialTable table(*spec);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (session.interactive && !session.json && i % kTellEvery == 0)
      session.err << fmt::format("\r{} of {} tried", i, trials.size()) << std::flush;
    const auto outcome = whatif::run_trial(spec, setting, trials[i]);
    if (!outcome) return fail(session, Exit::kRefused, outcome.error().what, outcome.error().help);
    if (session.json)
      print(session, trial_json(*spec, i + 1, trials.size(), trials[i], *outcome));
    else
      table.add(trials[i], *outcome);
  }
  if (session.interactive && !session.json) session.err << "\r" << std::flush;
  if (!session.json) session.out << table.text(session.style);
  return Exit::kDone;
}

}  // namespace

Exit simulate(const Session& session, const std::string& cluster, const std::optional<std::string>& file,
              Tries tries) {
  const core::SpecPtr spec = read_cluster(session, cluster);
  if (!spec) return Exit::kRefused;
  if (!file) return try_all(session, spec, {}, tries);
  const std::optional<whatif::Scenario> scenario = read_scenario(session, *file, *spec);
  if (!scenario) return Exit::kRefused;
  const bool has_story = !scenario->steps.empty() || scenario->until;
  if (!has_story) return try_all(session, spec, *scenario, tries);
  if (tries == Tries::kPairs)
    return fail(session, Exit::kUsage,
                fmt::format("--pairs tries every two faults, and {} says what happens", *file),
                "leave out one of them, or the steps and `until` of the scenario");
  return rehearse(session, spec, *scenario);
}

}  // namespace komainu::cli
