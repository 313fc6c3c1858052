// fence_lab: the lab's fence agent. It speaks the fence-agents API (options as key=value lines on standard
// input, or as --long options), so that komainu and Pacemaker fence through the very same program, and asks
// the lab's power switch over the interconnect network. It is a small program because a fence is waited for:
// it is done in the time of one TCP exchange, and it never waits beyond its timeout.
//
// Exit codes of the API: 0 done (status: on), 1 failed, 2 status: off.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kOff = 2;

constexpr std::string_view kMetadata = R"(<?xml version="1.0" ?>
<resource-agent name="fence_lab" shortdesc="Fence agent for the power switch of komainu-lab">
  <longdesc>fence_lab switches a server of komainu-lab off and on through the lab's power switch.</longdesc>
  <vendor-url></vendor-url>
  <parameters>
    <parameter name="action" unique="0" required="1">
      <getopt mixed="-o, --action=[action]"/><content type="string" default="reboot"/>
      <shortdesc lang="en">on, off, reboot, status, monitor, list, metadata</shortdesc>
    </parameter>
    <parameter name="ip" unique="0" required="1">
      <getopt mixed="-a, --ip=[ip]"/><content type="string"/>
      <shortdesc lang="en">Address of the power switch</shortdesc>
    </parameter>
    <parameter name="ipport" unique="0" required="0">
      <getopt mixed="-u, --ipport=[port]"/><content type="integer" default="7700"/>
      <shortdesc lang="en">TCP port of the power switch</shortdesc>
    </parameter>
    <parameter name="password" unique="0" required="0">
      <getopt mixed="-p, --password=[password]"/><content type="string"/>
      <shortdesc lang="en">Shared secret of the power switch</shortdesc>
    </parameter>
    <parameter name="passwd" unique="0" required="0" deprecated="1">
      <getopt mixed="-p, --password=[password]"/><content type="string"/>
      <shortdesc lang="en">Shared secret of the power switch</shortdesc>
    </parameter>
    <parameter name="plug" unique="0" required="1">
      <getopt mixed="-n, --plug=[name]"/><content type="string"/>
      <shortdesc lang="en">Name of the server</shortdesc>
    </parameter>
    <parameter name="port" unique="0" required="1" deprecated="1">
      <getopt mixed="-n, --plug=[name]"/><content type="string"/>
      <shortdesc lang="en">Name of the server</shortdesc>
    </parameter>
    <parameter name="shell_timeout" unique="0" required="0">
      <getopt mixed="--shell-timeout=[seconds]"/><content type="second" default="10"/>
      <shortdesc lang="en">How long the power switch may take to answer</shortdesc>
    </parameter>
  </parameters>
  <actions>
    <action name="on" automatic="0"/>
    <action name="off"/>
    <action name="reboot"/>
    <action name="status"/>
    <action name="monitor"/>
    <action name="list"/>
    <action name="metadata"/>
    <action name="validate-all"/>
  </actions>
</resource-agent>
)";

using Options = std::map<std::string, std::string, std::less<>>;

// Older names of the API, and the short options.
std::string canonical(std::string_view name) {
  static const std::map<std::string_view, std::string_view> kNames{{"ipaddr", "ip"},
                                                                   {"port", "plug"},
                                                                   {"passwd", "password"},
                                                                   {"option", "action"},
                                                                   {"a", "ip"},
                                                                   {"n", "plug"},
                                                                   {"p", "password"},
                                                                   {"o", "action"},
                                                                   {"u", "ipport"},
                                                                   {"shell-timeout", "shell_timeout"}};
  const auto found = kNames.find(name);
  return std::string(found == kNames.end() ? name : found->second);
}

void set_from_assignment(Options& options, std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return;
  options[canonical(text.substr(0, equals))] = text.substr(equals + 1);
}

// Unknown options are ignored, as fence agents do: a cluster manager passes options meant for others
// (nodename=…).
Options read_options(int argc, char** argv) {
  Options options;
  if (argc == 1) {
    for (std::string line; std::getline(std::cin, line);) {
      const auto begin = line.find_first_not_of(" \t");
      if (begin != std::string::npos && line[begin] != '#') set_from_assignment(options, line.substr(begin));
    }
    return options;
  }
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word.starts_with("--") && word.find('=') != std::string_view::npos) {
      set_from_assignment(options, word.substr(2));
    } else if (word.starts_with("-") && i + 1 < argc) {
      options[canonical(word.substr(word.starts_with("--") ? 2 : 1))] = argv[++i];
    }
  }
  return options;
}

int fail(const std::string& text) {
  std::cerr << "fence_lab: " << text << '\n';
  return kFailed;
}

// One request to the power switch, by a deadline.
class PowerSwitch {
 public:
  PowerSwitch(std::string address, std::string port, std::string password, std::chrono::seconds timeout)
      : address_(std::move(address)),
        port_(std::move(port)),
        password_(std::move(password)),
        deadline_(Clock::now() + timeout) {}

  // What follows `ok`, or nothing; then `error` says why.
  std::optional<std::string> ask(const std::string& action, const std::string& plug) {
    const int fd = connect_by_deadline();
    if (fd < 0) return std::nullopt;
    const std::string request = action + ' ' + (plug.empty() ? "-" : plug) + ' ' + password_ + '\n';
    std::string reply;
    const bool exchanged =
        send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()) &&
        read_line(fd, reply);
    close(fd);
    if (!exchanged) {
      error = "the power switch at " + where() + " gave no answer to '" + action + "' in time";
      return std::nullopt;
    }
    if (reply == "ok" || reply.starts_with("ok ")) return reply.size() > 3 ? reply.substr(3) : std::string();
    error = "the power switch at " + where() + " says: " + reply;
    return std::nullopt;
  }

  std::string error;

 private:
  std::string where() const { return address_ + ":" + port_; }

  int left_ms() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    return left > 0 ? static_cast<int>(left) : 0;
  }

  bool wait_for(int fd, short events) const {
    pollfd poll_for{fd, events, 0};
    return poll(&poll_for, 1, left_ms()) == 1;
  }

  int connect_by_deadline() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port_.c_str())));
    if (inet_pton(AF_INET, address_.c_str(), &address.sin_addr) != 1) {
      error = "ip: '" + address_ + "' is no IPv4 address; give the power switch's, as in ip=10.77.1.250";
      return -1;
    }
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failure = 0;
    socklen_t size = sizeof failure;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      if (errno != EINPROGRESS) {
        failure = errno;
      } else if (!wait_for(fd, POLLOUT)) {
        failure = ETIMEDOUT;
      } else {
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
      }
    }
    if (failure == 0) return fd;
    error = "cannot reach the power switch at " + where() + ": " + std::strerror(failure) +
            "; is the interconnect network up?";
    close(fd);
    return -1;
  }

  bool read_line(int fd, std::string& line) const {
    char buffer[512];
    while (line.size() < 4096) {
      if (!wait_for(fd, POLLIN)) return false;
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      line.append(buffer, static_cast<std::size_t>(got));
      if (const auto end = line.find('\n'); end != std::string::npos) {
        line.resize(end);
        return true;
      }
    }
    return false;
  }

  std::string address_;
  std::string port_;
  std::string password_;
  Clock::time_point deadline_;
};

// Tells the lab how long the fence itself took: one line "BEGIN_US END_US ACTION PLUG EXIT" (CLOCK_MONOTONIC)
// in a file of the server, if the lab made the folder. What cannot be written is not worth failing a fence
// for.
void note_in_lab(const Options& options, Clock::time_point begin, int code) {
  const auto microseconds = [](Clock::time_point time) {
    return std::to_string(
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
  };
  const auto get = [&](std::string_view name) {
    const auto found = options.find(name);
    return found == options.end() ? std::string("-") : found->second;
  };
  const std::string line = microseconds(begin) + ' ' + microseconds(Clock::now()) + ' ' + get("action") +
                           ' ' + get("plug") + ' ' + std::to_string(code) + '\n';
  const int fd = open("/run/lab/fences", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = write(fd, line.data(), line.size());
  close(fd);
}

int run(const Options& options) {
  const auto get = [&](std::string_view name, const char* otherwise) {
    const auto found = options.find(name);
    return found == options.end() ? std::string(otherwise) : found->second;
  };
  const std::string action = get("action", "reboot");
  const std::string plug = get("plug", "");
  if (action == "metadata") {
    std::cout << kMetadata;
    return kDone;
  }
  if (!options.contains("ip"))
    return fail("ip is missing: the address of the power switch, as in ip=10.77.1.250");
  const int timeout_s = std::atoi(get("shell_timeout", "10").c_str());
  if (timeout_s < 1 || timeout_s > 3600) return fail("shell_timeout: a number of seconds from 1 to 3600");
  if (action == "validate-all") return kDone;

  PowerSwitch power_switch(get("ip", ""), get("ipport", "7700"), get("password", ""),
                           std::chrono::seconds(timeout_s));
  if (action == "monitor" || action == "list") {
    const auto names = power_switch.ask("list", "");
    if (!names) return fail(power_switch.error);
    std::string rest = action == "list" ? *names + ' ' : "";
    for (std::size_t end; (end = rest.find(' ')) != std::string::npos; rest.erase(0, end + 1))
      std::cout << rest.substr(0, end) << ",\n";
    return kDone;
  }
  if (plug.empty()) return fail("plug is missing: the name of the server to switch, as in plug=guest1");

  if (action == "status") {
    const auto state = power_switch.ask("status", plug);
    if (!state) return fail(power_switch.error);
    std::cout << "Status: " << (*state == "on" ? "ON" : "OFF") << '\n';
    return *state == "on" ? kDone : kOff;
  }
  const auto set_to = [&](const std::string& wanted) {
    const auto state = power_switch.ask(wanted, plug);
    if (state && *state != wanted)
      power_switch.error = plug + " is still " + *state + " after '" + wanted + "'";
    return state && *state == wanted;
  };
  if (action == "off" || action == "on") {
    if (!set_to(action)) return fail(power_switch.error);
    std::cout << "Success: Powered " << (action == "on" ? "ON" : "OFF") << '\n';
    return kDone;
  }
  if (action == "reboot") {
    if (!set_to("off")) return fail(power_switch.error);
    // The server is down, which is what the caller depends on; that it comes back is only said.
    if (!set_to("on")) std::cerr << "fence_lab: off, but not on again: " << power_switch.error << '\n';
    std::cout << "Success: Rebooted\n";
    return kDone;
  }
  return fail("no action '" + action +
              "'; there are on, off, reboot, status, monitor, list, metadata, validate-all");
}

}  // namespace

int main(int argc, char** argv) {
  const Clock::time_point begin = Clock::now();
  const Options options = read_options(argc, argv);
  const int code = run(options);
  note_in_lab(options, begin, code);
  return code;
}
