// The tree of commands, as CLI11 holds it, and what stands in their arguments: for running, for completion
// and for "did you mean".
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "komainu/commands.h"
#include "komainu/session.h"

namespace komainu::cli {

// What an argument names, for its completion.
enum class Names : std::uint8_t { kAnything, kGroup, kNode, kMonitor, kFile };

class Language {
 public:
  explicit Language(Session& session);
  Language(const Language&) = delete;

  CLI::App& root() { return *root_; }
  const std::vector<Names>& arguments(const CLI::App* command) const;

  // The command that was parsed; unset: none was named.
  const std::function<Exit()>& chosen() const { return chosen_; }

  // The command that these words lead to, with the number of words that were its arguments.
  struct Position {
    CLI::App* command;
    std::size_t arguments = 0;
    bool wants_value = false;            // the last word is an option that takes one
    std::optional<std::string> unknown;  // a word where a command had to be, and none of that name is
  };
  Position follow(const std::vector<std::string>& words);

 private:
  CLI::App* group_of(CLI::App& parent, const std::string& name, const std::string& text);
  CLI::App* command(CLI::App& parent, const std::string& name, const std::string& text,
                    std::vector<Names> arguments, std::function<Exit()> run);
  void looking();
  void asking();
  void configuring();
  void making();
  void rehearsing();

  Session& session_;
  std::unique_ptr<CLI::App> root_;
  std::map<const CLI::App*, std::vector<Names>> arguments_;
  std::function<Exit()> chosen_;

  // Where CLI11 puts what was given.
  struct Given {
    std::string group, node, monitor, file, topic, cluster, length, why;
    std::optional<std::string> scenario, target;
    std::vector<std::string> where;  // "[to] NODE"
    std::optional<std::size_t> last;
    bool watch = false, follow = false, yes = false, full = false, no_wait = false, pairs = false;
  } given_;

  std::optional<std::string> place() const;
  void with_waiting(CLI::App* command);
};

}  // namespace komainu::cli
