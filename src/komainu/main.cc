#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "api/server.h"
#include "komainu/program.h"

namespace {

komainu::cli::Style style_of(int fd) {
  const char* terminal = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org
  if (!isatty(fd)) return {};
  winsize size{};
  const bool known = ioctl(fd, TIOCGWINSZ, &size) == 0;
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return {.colour = !dumb && (no_colour == nullptr || *no_colour == '\0'), .width = known ? size.ws_col : 0U};
}

std::optional<std::string> ask(const std::string& question) {
  std::cerr << question << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) ? std::optional(answer) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // `komainu events | head` ends quietly
  std::ios::sync_with_stdio(false);
  komainu::cli::Session session{.out = std::cout,
                                .err = std::cerr,
                                .style = style_of(STDOUT_FILENO),
                                .err_style = style_of(STDERR_FILENO),
                                .interactive = isatty(STDOUT_FILENO) == 1,
                                .socket = std::string(komainu::api::kSocketPath)};
  if (isatty(STDIN_FILENO)) session.ask = ask;
  return static_cast<int>(komainu::cli::run({argv + 1, argv + argc}, session));
}
