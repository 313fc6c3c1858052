#include "komainu/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/status.h"
#include "base/nearest.h"
#include "komainu/complete.h"
#include "komainu/language.h"

namespace komainu::cli {
namespace {

constexpr std::string_view kExitCodes = R"(Exit codes of komainu:

  0  done
  1  refused, or it came out otherwise than asked: the message says why
  2  an unknown command, option or name; or a question was not answered
  3  no daemon answers on this node, or this user may not ask it
  4  not finished in time; it goes on, and `komainu status` shows what comes of it
  5  this node is in no established view of the cluster (no quorum, or joining)

`komainu config check` exits with 1 if the file has mistakes, `komainu simulate` if one of its files has
or cannot be simulated: what comes of a fault does not change the exit code. `komainu replay` exits with 1
if the record is damaged or was decided otherwise.
)";

std::vector<std::string> commands_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* next : app->get_subcommands([](const CLI::App*) { return true; }))
    if (!next->get_group().empty()) names.push_back(next->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App* app) {
  std::set<std::string> names;
  for (; app != nullptr; app = app->get_parent())
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) names.insert("--" + name);
  return {names.begin(), names.end()};
}

// "group move"; empty for the program itself.
std::string path_of(const CLI::App* app) {
  if (app->get_parent() == nullptr) return {};
  const std::string above = path_of(app->get_parent());
  return above.empty() ? app->get_name() : above + " " + app->get_name();
}

std::string did_you_mean(const std::string& typed, const std::vector<std::string>& known) {
  if (auto meant = nearest(typed, known)) return fmt::format("did you mean '{}'?", *meant);
  return known.size() <= 12 ? fmt::format("known are {}", fmt::join(known, ", ")) : "";
}

// "move" alone: 'group move' was meant.
std::string did_you_mean_below(const std::string& typed, const CLI::App* app) {
  for (const CLI::App* group : app->get_subcommands([](const CLI::App*) { return true; }))
    for (const std::string& name : commands_of(group))
      if (name == typed) return fmt::format("did you mean '{}'?", path_of(group) + " " + name);
  return did_you_mean(typed, commands_of(app));
}

std::string help_of(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  const std::string above = parent ? path_of(parent) : "";
  return app->help(!parent ? "" : above.empty() ? "komainu" : "komainu " + above);
}

// CLI11 knows that something is wrong; this knows what was probably meant.
Exit misunderstood(const Session& session, Language& language, const std::vector<std::string>& words,
                   const CLI::ParseError& error) {
  const Language::Position at = language.follow(words);
  const std::string path = path_of(at.command);
  const std::vector<std::string> options = options_of(at.command);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (name.starts_with("--") && name != "--" && std::ranges::find(options, name) == options.end())
      return fail(session, Exit::kUsage,
                  fmt::format("{} has no option {}", path.empty() ? "komainu" : path, name),
                  did_you_mean(name, options));
  }
  if (at.unknown)
    return fail(session, Exit::kUsage,
                fmt::format("'{}{}{}' is no command", path, path.empty() ? "" : " ", *at.unknown),
                did_you_mean_below(*at.unknown, at.command));
  if (at.command->get_require_subcommand_min() > 0) {
    session.err << help_of(at.command);
    return Exit::kUsage;
  }
  return fail(session, Exit::kUsage, fmt::format("{}: {}", path, error.what()),
              fmt::format("`komainu help {}` explains it", path));
}

Exit help(const Session& session, Language& language, const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"exit-codes"}) {
    session.out << kExitCodes;
    return Exit::kDone;
  }
  const Language::Position at = language.follow(words);
  if (at.unknown) {
    std::vector<std::string> known = commands_of(at.command);
    known.push_back("exit-codes");
    return fail(session, Exit::kUsage, fmt::format("there is no help about '{}'", *at.unknown),
                did_you_mean(*at.unknown, known));
  }
  session.out << help_of(at.command);
  return Exit::kDone;
}

}  // namespace

Exit run(const std::vector<std::string>& arguments, Session& session) {
  Language language(session);
  CLI::App& root = language.root();
  root.set_version_flag("--version", fmt::format("komainu {}", api::version()),
                        "The version of this program");

  // Words for these two are not parsed: they need not make a whole command.
  if (!arguments.empty() && arguments[0] == "complete") {
    std::vector<std::string> words(arguments.begin() + 1, arguments.end());
    if (!words.empty() && words[0] == "--") words.erase(words.begin());
    session.out << candidates(language, session, std::move(words));
    return Exit::kDone;
  }
  if (!arguments.empty() && arguments[0] == "help")
    return help(session, language, {arguments.begin() + 1, arguments.end()});

  try {
    root.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    std::vector<std::string> words;
    for (const std::string& word : arguments)
      if (!word.starts_with('-')) words.push_back(word);
    return help(session, language, words);
  } catch (const CLI::CallForVersion& version) {
    session.out << version.what() << "\n";
    return Exit::kDone;
  } catch (const CLI::ParseError& error) {
    return misunderstood(session, language, arguments, error);
  }
  return language.chosen()();
}

}  // namespace komainu::cli
