#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>

#include "api/documents/json.h"
#include "config/corosync_conf.h"
#include "config/diagnostic.h"
#include "config/parse.h"
#include "config/reference.h"
#include "config/show.h"
#include "drivers/driver.h"
#include "komainu/agent_check.h"
#include "komainu/commands.h"
#include "komainu/render/evidence.h"
#include "komainu/render/timing.h"
#include "komainu/request.h"

namespace komainu::cli {
namespace {

params::Registry driver_types() {
  params::Registry registry;
  drivers::declare_types(registry);
  return registry;
}

void tell(const Session& session, const config::Parsed& parsed, const std::string& name,
          const std::string& text) {
  if (parsed.diagnostics.empty()) return;
  session.err << config::render(parsed.diagnostics, name, text,
                                session.err_style.colour ? config::Colour::kAlways : config::Colour::kNever);
}

// By what this machine can tell, too.
config::Parsed parse_here(const Session& session, const std::string& text,
                          const core::Spec* current = nullptr) {
  params::Registry registry = driver_types();
  AgentCheck agents;
  agents.add_to(registry);
  config::Parsed parsed = config::parse(text, registry, current);
  if (!session.json)
    for (const auto& [agent, why] : agents.not_asked())
      session.err << fmt::format("note: {} {}: its options are not checked\n", printable(agent), why);
  return parsed;
}

// The configuration in the file, with its mistakes told; unset: it cannot be used.
std::optional<core::Spec> read(const Session& session, const std::string& file, std::string& text,
                               const core::Spec* current = nullptr) {
  auto content = config::read_file(file);
  if (!content) {
    fail(session, Exit::kRefused, content.error().what, content.error().help);
    return std::nullopt;
  }
  text = std::move(*content);
  config::Parsed parsed = parse_here(session, text, current);
  tell(session, parsed, file, text);
  return std::move(parsed.spec);
}

struct Active {
  core::Spec spec;
  std::string text;
};

api::Answer<Active> active(const Session& session) {
  auto document = session.client().get<api::ConfigDocument>("/v1/config");
  if (!document) return std::unexpected(std::move(document.error()));
  config::Parsed parsed = config::parse(document->text, driver_types());
  if (!parsed.spec) {
    tell(session, parsed, "the active configuration", document->text);
    return std::unexpected(api::Client::misunderstood(
        Error{"the active configuration has mistakes by the rules of this version", {}}));
  }
  parsed.spec->version = document->version;
  return Active{std::move(*parsed.spec), std::move(document->text)};
}

// Corosync reads its files again when all nodes have theirs: see docs/command_line.md.
bool changes_corosync(const core::Spec& now, const core::Spec& wanted) {
  return wanted.nodes.size() > 1 && config::corosync_conf(now) != config::corosync_conf(wanted);
}

}  // namespace

Exit check_config(const Session& session, const std::string& file) {
  auto text = config::read_file(file);
  if (!text) return fail(session, Exit::kRefused, text.error().what, text.error().help);
  const config::Parsed parsed = parse_here(session, *text);
  if (session.json) {
    boost::json::array problems;
    for (const config::Diagnostic& diagnostic : parsed.diagnostics) problems.push_back(to_json(diagnostic));
    session.out << boost::json::serialize(
                       boost::json::object{{"valid", parsed.spec.has_value()}, {"diagnostics", problems}})
                << "\n";
  } else {
    tell(session, parsed, file, *text);
    if (parsed.spec)
      session.out << fmt::format("{} is valid (nodes: {}, groups: {}, monitors: {})\n", file,
                                 parsed.spec->nodes.size(), parsed.spec->groups.size(),
                                 parsed.spec->monitors.size());
  }
  return parsed.spec ? Exit::kDone : Exit::kRefused;
}

Exit config_timing(const Session& session, const std::string& file) {
  std::string text;
  const auto spec = read(session, file, text);
  if (!spec) return Exit::kRefused;
  const params::Registry registry = driver_types();
  if (session.json)
    session.out << boost::json::serialize(timing_json(*spec, registry)) << "\n";
  else
    session.out << render_timelines(config::timelines(*spec, registry), session.style)
                << render_checks(*spec, registry, session.style);
  return Exit::kDone;
}

Exit config_evidence(const Session& session) {
  if (session.json)
    session.out << boost::json::serialize(evidence_json()) << "\n";
  else
    session.out << render_evidence(session.style);
  return Exit::kDone;
}

Exit config_reference(const Session& session, const std::string& topic) {
  const params::Registry registry = driver_types();
  if (session.json) {
    session.out << boost::json::serialize(config::reference_json(registry)) << "\n";
    return Exit::kDone;
  }
  const Result<std::string> meant = topic.empty() ? topic : config::reference_topic(registry, topic);
  if (!meant) return fail(session, Exit::kUsage, meant.error().what, meant.error().help);
  session.out << config::reference(registry, *meant);
  return Exit::kDone;
}

Exit show_config(const Session& session, bool full) {
  if (full) {
    auto now = active(session);
    if (!now) return fail(session, now.error());
    session.out << config::show(now->spec);
    return Exit::kDone;
  }
  auto document = session.client().get<api::ConfigDocument>("/v1/config");
  if (!document) return fail(session, document.error());
  session.out << (session.json ? api::to_json(*document) + "\n" : document->text);
  return Exit::kDone;
}

Exit diff_config(const Session& session, const std::string& file) {
  auto now = active(session);
  if (!now) return fail(session, now.error());
  std::string text;
  auto wanted = read(session, file, text, &now->spec);
  if (!wanted) return Exit::kRefused;
  const std::vector<std::string> changes = config::diff(now->spec, *wanted);
  if (session.json) {
    session.out << boost::json::serialize(
                       boost::json::object{{"changes", boost::json::array(changes.begin(), changes.end())}})
                << "\n";
    return Exit::kDone;
  }
  for (const std::string& change : changes) session.out << printable(change) << "\n";
  if (changes.empty())
    session.out << fmt::format("{} means the same as configuration {}\n", file, now->spec.version);
  return Exit::kDone;
}

Exit apply_config(const Session& session, const std::string& file) {
  auto now = active(session);
  if (!now) return fail(session, now.error());
  std::string text;
  auto wanted = read(session, file, text, &now->spec);
  if (!wanted) return Exit::kRefused;
  if (text == now->text) {
    session.out << fmt::format("{} is configuration {} already\n", file, now->spec.version);
    return Exit::kDone;
  }
  const std::vector<std::string> changes = config::diff(now->spec, *wanted);
  std::string intent = fmt::format("applying {} to all nodes or to none:", file);
  for (const std::string& change : changes) intent += "\n  " + printable(change);
  if (changes.empty()) intent += " it means the same as what is active";
  if (changes_corosync(now->spec, *wanted))
    intent +=
        "\n  Corosync's settings change with it: it is told to read its files again when all nodes have "
        "theirs";
  if (!session.json) session.err << intent << "\n";
  return request(session, {.target = "/v1/config/apply", .body = std::move(text), .intent = {}});
}

}  // namespace komainu::cli
