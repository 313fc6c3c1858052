#include "engine/report/journal.h"

#include <fmt/core.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

namespace komainu::engine {

namespace {
constexpr std::size_t kMaxLine = 4096;

Fd connect_to(const char* path) {
  Fd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (socket && ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return Fd{};
  return socket;
}
}  // namespace

Journal::Journal(std::string identifier) : identifier_(std::move(identifier)) {
  // Only when systemd connected our standard error to the journal: by hand, the terminal is wanted.
  if (::getenv("JOURNAL_STREAM")) socket_ = connect_to("/run/systemd/journal/socket");
}

void Journal::write(int priority, std::string_view text) {
  std::string line(text.substr(0, kMaxLine));
  std::ranges::replace(line, '\n', ' ');
  ssize_t sent = 0;
  if (socket_) {
    const std::string entry =
        fmt::format("MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER={}\n", line, priority, identifier_);
    sent = ::send(socket_.get(), entry.data(), entry.size(), MSG_NOSIGNAL);
  } else {
    line += '\n';
    sent = ::write(STDERR_FILENO, line.data(), line.size());
  }
  if (sent < 0) ++dropped_;
}

}  // namespace komainu::engine
