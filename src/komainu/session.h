// What a command has around it: where it writes, whom it asks, and how it ends.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "api/client/client.h"
#include "base/time.h"
#include "komainu/terminal.h"

namespace komainu::cli {

// The program's exit codes; `komainu help exit-codes` and docs/command_line.md tell the same.
enum class Exit : int {
  kDone = 0,
  kRefused = 1,       // refused, or it came out otherwise than asked
  kUsage = 2,         // an unknown command, option or name
  kNotReachable = 3,  // no daemon answers here, or this user may not ask it
  kTimedOut = 4,      // not finished in time; it goes on in the background
  kNoView = 5,        // this node is in no established view of the cluster
};

struct Session {
  std::ostream& out;  // results
  std::ostream& err;  // progress and errors
  Style style;        // of `out`
  Style err_style;
  bool interactive = false;  // `out` is a terminal
  // Asks the person at the terminal; none: there is nobody.
  std::function<std::optional<std::string>(const std::string& question)> ask;

  std::string socket;
  bool json = false;
  bool wait = true;
  std::optional<Duration> timeout;  // unset: what the configuration allows the command to take

  api::Client client() const { return api::Client(socket); }
};

// Tells the person what went wrong and what to do; the exit code follows from it.
Exit fail(const Session& session, const api::Trouble& trouble);
Exit fail(const Session& session, Exit code, const std::string& what, const std::string& help = {});

}  // namespace komainu::cli
