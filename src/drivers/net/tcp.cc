#include "drivers/net/tcp.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>

#include "drivers/agent_text.h"
#include "drivers/net/socket_address.h"

namespace komainu::drivers {
namespace {

std::string endpoint(const IpAddress& address, std::uint16_t port) {
  return address.family == IpAddress::Family::kV4 ? fmt::format("{}:{}", address.text(), port)
                                                  : fmt::format("[{}]:{}", address.text(), port);
}

}  // namespace

Task<Result<std::vector<IpAddress>>> resolve(Spawner& spawner, std::string host) {
  if (const auto address = IpAddress::parse(host)) co_return std::vector{*address};
  Command command;
  command.label = "resolve " + host;
  command.argv = {"/usr/bin/getent", "ahosts", "--", host};
  auto run = spawner.run(command);
  const Result<Exit> exit = co_await run;
  if (!exit) co_return std::unexpected(exit.error());
  std::vector<IpAddress> found;
  for (const auto line : std::views::split(exit->output, '\n')) {  // "192.0.2.7  STREAM host"
    const std::string_view text(line.begin(), line.end());
    const auto address = IpAddress::parse(text.substr(0, text.find(' ')));
    if (address && std::ranges::find(found, *address) == found.end()) found.push_back(*address);
  }
  if (found.empty())
    co_return failure(fmt::format("the host name {} is not known ({})", host, describe(*exit)),
                      "check DNS and /etc/hosts, or name the address");
  co_return found;
}

Task<Result<Fd>> connect_tcp(Readiness& readiness, IpAddress address, std::uint16_t port) {
  const SocketAddress to(address, port);
  const auto failed = [&](int error) {
    return failure(fmt::format("{}: {}", endpoint(address, port), std::strerror(error)));
  };
  Fd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) co_return failed(errno);
  if (::connect(fd.get(), to.get(), to.size) != 0) {
    if (errno != EINPROGRESS) co_return failed(errno);
    auto connected = readiness.writable(fd.get());
    co_await connected;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) co_return failed(error);
  }
  co_return std::move(fd);
}

Task<Result<Fd>> connect_tcp(const Services& services, std::string host, std::uint16_t port) {
  auto look_up = resolve(services.spawner, host);
  const Result<std::vector<IpAddress>> addresses = co_await look_up;
  if (!addresses) co_return std::unexpected(addresses.error());
  Result<Fd> connected = failure("no address");
  for (const IpAddress& address : *addresses) {
    auto connect = connect_tcp(services.readiness, address, port);
    connected = co_await connect;
    if (connected) break;
  }
  co_return connected;
}

Task<Result<void>> send_all(Readiness& readiness, int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      auto writable = readiness.writable(fd);
      co_await writable;
    } else if (errno != EINTR) {
      co_return failure(fmt::format("cannot send: {}", std::strerror(errno)));
    }
  }
  co_return Result<void>{};
}

Task<Result<std::size_t>> receive_some(Readiness& readiness, int fd, std::span<char> buffer) {
  while (true) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size >= 0) co_return static_cast<std::size_t>(size);
    if (errno == EAGAIN) {
      auto readable = readiness.readable(fd);
      co_await readable;
    } else if (errno != EINTR) {
      co_return failure(fmt::format("cannot receive: {}", std::strerror(errno)));
    }
  }
}

}  // namespace komainu::drivers
