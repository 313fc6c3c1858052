// TCP on readiness: connect, send, receive. The caller bounds the time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "drivers/fd.h"
#include "drivers/services.h"

namespace komainu::drivers {

// The addresses of a host name, as the system resolves it: /etc/hosts, then DNS, in a child process, since
// the resolver blocks. An address is its own answer, at once.
Task<Result<std::vector<IpAddress>>> resolve(Spawner& spawner, std::string host);

Task<Result<Fd>> connect_tcp(Readiness& readiness, IpAddress address, std::uint16_t port);
// To the first address of the host that answers.
Task<Result<Fd>> connect_tcp(const Services& services, std::string host, std::uint16_t port);

Task<Result<void>> send_all(Readiness& readiness, int fd, std::string_view bytes);
// What has come, at most the buffer's size; 0: the peer has closed.
Task<Result<std::size_t>> receive_some(Readiness& readiness, int fd, std::span<char> buffer);

}  // namespace komainu::drivers
