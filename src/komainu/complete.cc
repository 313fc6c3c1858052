#include "komainu/complete.h"

#include <fmt/format.h>

#include <set>

namespace komainu::cli {
namespace {

constexpr Duration kPatience = 500ms;

struct Candidates {
  std::string typed;
  std::string text;

  void add(const std::string& name, const std::string& what = {}) {
    if (!name.starts_with(typed)) return;
    text += what.empty() ? name + "\n" : fmt::format("{}\t{}\n", name, what.substr(0, what.find('\n')));
  }
  void add_all(const std::vector<std::string>& names) {
    for (const std::string& name : names) add(printable(name));
  }
};

// Those of the command, and those that every command has.
void options(Candidates& found, const CLI::App* command) {
  std::set<std::string> known;
  for (; command != nullptr; command = command->get_parent())
    for (const CLI::Option* option : command->get_options())
      for (const std::string& name : option->get_lnames())
        if (known.insert(name).second) found.add("--" + name, option->get_description());
}

void names(Candidates& found, const Session& session, Names kind) {
  if (kind == Names::kFile) {
    found.text += "@files\n";
    return;
  }
  if (kind == Names::kAnything) return;
  auto body = session.client().exchange("GET", "/v1/names", {}, kPatience);
  if (!body) return;
  auto known = api::from_json<api::Names>(*body);
  if (!known) return;
  found.add_all(kind == Names::kGroup  ? known->groups
                : kind == Names::kNode ? known->nodes
                                       : known->monitors);
}

}  // namespace

std::string candidates(Language& language, const Session& session, std::vector<std::string> words) {
  Candidates found;
  if (!words.empty()) {
    found.typed = std::move(words.back());
    words.pop_back();
  }
  const bool help = !words.empty() && words.front() == "help";
  if (help) words.erase(words.begin());
  const Language::Position at = language.follow(words);
  if (at.unknown || at.wants_value) return {};
  if (help || at.command == &language.root()) found.add("help", "What a command does");
  if (help && at.command == &language.root()) found.add("exit-codes", "What the exit codes mean");
  if (found.typed.starts_with('-')) {
    options(found, at.command);
    return found.text;
  }
  for (const CLI::App* next : at.command->get_subcommands([](const CLI::App*) { return true; }))
    if (!next->get_group().empty()) found.add(next->get_name(), next->get_description());
  const std::vector<Names>& arguments = language.arguments(at.command);
  if (!help && at.arguments < arguments.size()) names(found, session, arguments[at.arguments]);
  return found.text;
}

}  // namespace komainu::cli
