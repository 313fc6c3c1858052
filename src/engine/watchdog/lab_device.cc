#include "engine/watchdog/lab_device.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <charconv>
#include <chrono>
#include <string_view>

namespace komainu::engine {
namespace {

// The switch answers at once; a machine without one is found out while nothing runs.
constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};
// What a switch is armed with before anybody asks for a timeout, as the kernel's drivers are.
constexpr Duration kFirst = 60s;

bool in_a_lab(const std::string& container_file) {
  const std::string text = read_kernel_file(AT_FDCWD, container_file.c_str(), 64);
  return text.substr(0, text.find('\n')) == LabWatchdog::kContainer;
}

}  // namespace

Result<std::unique_ptr<WatchdogDevice>> LabWatchdog::open(const std::string& path,
                                                          const std::string& container_file) {
  if (!in_a_lab(container_file))
    return failure("the watchdog lab:" + path + " is a switch of komainu's lab, and this machine is in none",
                   "name the machine's own device, such as \"/dev/watchdog\"");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return failure("the path of the watchdog lab:" + path + " is too long");
  path.copy(address.sun_path, path.size());
  Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failure("cannot open the watchdog lab:" + path + ": " + errno_text());
  std::unique_ptr<LabWatchdog> device(new LabWatchdog(std::move(socket), path));
  device->timeout_ = kFirst;
  return device;
}

Result<void> LabWatchdog::say(std::string_view line) {
  const ssize_t sent = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(line.size())) return {};
  return failure("cannot feed the watchdog lab:" + path_ + ": " + errno_text());
}

Result<void> LabWatchdog::set_timeout(Duration timeout) {
  const auto asked = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  if (Result<void> said = say(fmt::format("timeout {}\n", asked)); !said) return said;
  char reply[64];
  const ssize_t size = ::recv(socket_.get(), reply, sizeof reply, 0);
  const std::string_view text(reply, size > 0 ? static_cast<std::size_t>(size) : 0);
  std::int64_t milliseconds = 0;
  if (text.starts_with("ok ")) std::from_chars(text.data() + 3, text.data() + text.size(), milliseconds);
  if (milliseconds <= 0)
    return failure("the watchdog lab:" + path_ + " does not take a timeout: " +
                   (text.empty() ? "no answer" : std::string(text.substr(0, text.find('\n')))));
  timeout_ = std::chrono::milliseconds(milliseconds);
  return {};
}

Result<void> LabWatchdog::disarm() {
  Result<void> said = say("disarm\n");
  socket_ = Fd{};
  return said;
}

}  // namespace komainu::engine
