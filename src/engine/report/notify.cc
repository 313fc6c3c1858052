#include "engine/report/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>
#include <string>

namespace komainu::engine {

Notify::Notify() {
  const char* path = ::getenv("NOTIFY_SOCKET");
  if (!path || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  socket_ = Fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) socket_ = Fd{};
  if (const char* text = ::getenv("WATCHDOG_USEC")) {
    std::int64_t microseconds = 0;
    std::from_chars(text, text + std::strlen(text), microseconds);
    if (microseconds > 0) watchdog_ = Duration{microseconds / 2};
  }
}

void Notify::status(std::string_view text) {
  send("STATUS=" + std::string(text));
}

void Notify::extend_timeout(Duration by) {
  send("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count()));
}

void Notify::send(std::string_view text) {
  if (socket_) ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

}  // namespace komainu::engine
