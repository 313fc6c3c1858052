// A TCP server for tests, on 127.0.0.1, in a thread of its own: one connection after the other.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "drivers/fd.h"

namespace komainu::drivers::testing {

class TcpServer {
 public:
  // `serve` gets the connection; it is closed afterwards. Its blocking calls must not outlive the client's
  // end.
  explicit TcpServer(std::function<void(int fd)> serve) {
    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 8) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0)
      throw std::runtime_error("cannot listen on 127.0.0.1");
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, serve = std::move(serve)] {
      while (true) {
        const Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) return;
        serve(connection.get());
      }
    });
  }
  ~TcpServer() { ::shutdown(listener_.get(), SHUT_RDWR); }

  std::uint16_t port() const { return port_; }

  // Reads the head of an HTTP request, and answers with `reply`.
  static std::function<void(int)> http(std::string reply, std::string* request = nullptr) {
    return [reply = std::move(reply), request](int fd) {
      std::string head;
      char buffer[1024];
      while (head.find("\r\n\r\n") == std::string::npos) {
        const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
        if (size <= 0) return;
        head.append(buffer, static_cast<std::size_t>(size));
      }
      if (request) *request = head;
      (void)!::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
    };
  }
  // Takes the connection and never says anything.
  static void hang(int fd) {
    pollfd entry{fd, POLLRDHUP, 0};
    ::poll(&entry, 1, -1);
  }

 private:
  Fd listener_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace komainu::drivers::testing
