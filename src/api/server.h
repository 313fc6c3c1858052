// The HTTP/1.1 server on the daemon's Unix socket. It runs on the loop's thread, waits for nothing but its
// sockets, and everything about it is bounded (Limits). Who may talk to it is decided by the socket's file
// mode; who did is recorded with each request, by the kernel's word (SO_PEERCRED).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "api/backend.h"
#include "base/result.h"
#include "base/time.h"

namespace boost::asio {
class io_context;
}

namespace komainu::api {

inline constexpr std::string_view kSocketPath = "/run/komainu/api.sock";

struct Limits {
  std::uint32_t connections = 64;  // more wait in the kernel's queue
  std::uint32_t streams = 16;      // followers of events among them
  std::uint32_t header_bytes = 8 * 1024;
  std::uint32_t body_bytes = 1024 * 1024;
  Duration transfer{10s};  // to read one request, or to write one answer or one part of a stream
  Duration idle{60s};      // between two requests of a connection
  Duration answer{30s};    // for the cluster to answer a request
  Duration devices{70s};   // for fencing devices to answer; the backend is done before
};

struct ServerOptions {
  std::string path{kSocketPath};
  std::string group = "komainu";  // owns the socket; if it does not exist, only root may talk to the daemon
  Limits limits;
  std::function<void(const std::string&)> warn;  // for the daemon's log; must not wait
};

class Server {
 public:
  // Replaces a socket that nobody listens on. Reads /etc/passwd and /etc/group, so it comes before the loop
  // runs. `backend` and `context` outlive the server.
  static Result<Server> listen(boost::asio::io_context& context, Backend& backend, ServerOptions options);

  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;
  // Closes every connection and removes the socket.
  ~Server();

  std::uint32_t connections() const;

 private:
  struct Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace komainu::api
