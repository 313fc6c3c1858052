// komainu-witness: judges a cluster from outside. As a client it asks the service every interval; as an
// observer it looks every interval into every server for the addresses and the services. It believes nothing
// that the cluster says about itself. Commands come as lines on standard input, each answered with one line
// of JSON:
//
//   mark          {"mark_us": T}                      a point in time to ask from
//   since T       what the client saw and what was active since T (report.h); `since 0` is the whole run
//   now           who answers and where everything is active at this moment
//   quit
//
// It ends when its standard input ends, so it never outlives the lab that started it.
#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "activity.h"
#include "availability.h"
#include "client.h"
#include "namespaces.h"
#include "observer.h"
#include "report.h"

namespace komainu::witness {
namespace {

struct Arguments {
  std::string client_netns;
  std::string target;
  std::uint16_t port = 80;
  std::vector<std::string> addresses;
  std::vector<std::string> services;
  std::vector<std::string> servers;  // name,netns,cgroup
  int interval_ms = 10;
  int timeout_ms = 50;
};

void require_plain(const std::string& name) {
  for (const unsigned char c : name) {
    if (std::isalnum(c) || std::string_view("-_.:@/").find(static_cast<char>(c)) != std::string_view::npos)
      continue;
    errno = EINVAL;
    give_up("'" + name + "' must be letters, digits and -_.:@/");
  }
}

ServerArgument parse_server(const std::string& text) {
  const auto first = text.find(',');
  const auto second = text.find(',', first + 1);
  if (first == std::string::npos || second == std::string::npos) {
    errno = EINVAL;
    give_up("--server '" + text + "' must be NAME,NETNS,CGROUP");
  }
  return {text.substr(0, first), text.substr(first + 1, second - first - 1), text.substr(second + 1)};
}

class Sampler {
 public:
  Sampler(const Arguments& arguments, std::vector<ServerArgument> servers) : services_(arguments.services) {
    for (const std::string& text : arguments.addresses) addresses_.push_back(parse_address(text));
    for (const ServerArgument& server : servers) observers_.emplace_back(server);
  }

  // Where each thing is active. Servers are looked at one after the other, so a move between two looks could
  // appear twice: whatever is seen on two servers is looked at once more, and counts where both looks saw it.
  std::vector<ServerSet> sample() {
    std::vector<ServerSet> where = look();
    const auto twice = [](ServerSet set) { return std::popcount(set) > 1; };
    if (std::ranges::any_of(where, twice)) {
      const std::vector<ServerSet> again = look();
      for (std::size_t what = 0; what < where.size(); ++what)
        if (twice(where[what])) where[what] &= again[what];
    }
    return where;
  }

 private:
  std::vector<ServerSet> look() {
    std::vector<ServerSet> where(addresses_.size() + services_.size());
    for (std::size_t server = 0; server < observers_.size(); ++server) {
      Observer& observer = observers_[server];
      if (!observer.powered()) continue;
      const ServerSet bit = ServerSet{1} << server;
      const std::vector<Address>& held = observer.addresses();
      for (std::size_t n = 0; n < addresses_.size(); ++n)
        if (std::ranges::find(held, addresses_[n]) != held.end()) where[n] |= bit;
      for (std::size_t n = 0; n < services_.size(); ++n)
        if (observer.runs(services_[n])) where[addresses_.size() + n] |= bit;
    }
    return where;
  }

  std::vector<Address> addresses_;
  std::vector<std::string> services_;
  std::vector<Observer> observers_;
};

// Epoll tags of what is no request of the client.
constexpr std::uint64_t kTick = ~std::uint64_t{0};
constexpr std::uint64_t kInput = kTick - 1;

void watch(int epoll, int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll");
}

int ticks_every(Duration interval) {
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(interval).count();
  const timespec period{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  const itimerspec setting{period, period};
  if (timer < 0 || timerfd_settime(timer, 0, &setting, nullptr) != 0) give_up("timer");
  return timer;
}

class Witness {
 public:
  Witness(const Arguments& arguments, const std::vector<ServerArgument>& servers, int epoll)
      : names_(names_of(arguments, servers)),
        activity_(names_.things.size(), std::chrono::milliseconds(arguments.interval_ms)),
        sampler_(arguments, servers),
        client_({arguments.client_netns, parse_address(arguments.target), arguments.port,
                 std::chrono::milliseconds(arguments.timeout_ms)},
                names_.servers, epoll, history_) {}

  void tick() {
    client_.expire(now());
    client_.send_request(now());
    const std::vector<ServerSet> where = sampler_.sample();
    activity_.sample(now(), where);
  }

  void ready(std::size_t slot) { client_.ready(slot, now()); }

  // The answer to one command; nothing: it was `quit`.
  std::optional<std::string> answer(const std::string& command) const {
    if (command == "quit") return std::nullopt;
    if (command == "mark") return fmt::format(R"({{"mark_us":{}}})", now().time_since_epoch().count());
    if (command == "now") return report_now(now(), names_, history_, activity_);
    long long mark = 0;
    const std::string_view number = command.starts_with("since ") ? std::string_view(command).substr(6) : "";
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), mark);
    if (error == std::errc() && end == number.data() + number.size() && !number.empty())
      return report_since(Time(Duration(mark)), now(), names_, history_, activity_);
    return R"({"error":"unknown command; there are mark, since T, now, quit"})";
  }

 private:
  static Names names_of(const Arguments& arguments, const std::vector<ServerArgument>& servers) {
    Names names;
    for (const ServerArgument& server : servers) names.servers.push_back(server.name);
    names.things = arguments.addresses;
    names.things.insert(names.things.end(), arguments.services.begin(), arguments.services.end());
    for (const auto& list : {names.servers, names.things})
      for (const std::string& name : list) require_plain(name);
    return names;
  }

  Names names_;
  History history_;
  Activity activity_;
  Sampler sampler_;
  Client client_;
};

// Reads what is there and answers every whole line; false: time to end.
bool serve_input(const Witness& witness, std::string& pending) {
  char buffer[4096];
  const ssize_t length = read(STDIN_FILENO, buffer, sizeof buffer);
  if (length <= 0) return false;
  pending.append(buffer, static_cast<std::size_t>(length));
  for (std::size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
    const auto answer = witness.answer(pending.substr(0, end));
    if (!answer) return false;
    std::puts(answer->c_str());
    std::fflush(stdout);
  }
  return true;
}

int run(const Arguments& arguments) {
  std::vector<ServerArgument> servers;
  for (const std::string& text : arguments.servers) servers.push_back(parse_server(text));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) give_up("epoll");
  Witness witness(arguments, servers, epoll);
  // From here on every socket this program opens is the client's.
  const InsideNetns client(arguments.client_netns);
  const int timer = ticks_every(std::chrono::milliseconds(arguments.interval_ms));
  watch(epoll, timer, kTick);
  watch(epoll, STDIN_FILENO, kInput);
  std::string pending;
  for (;;) {
    epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, -1);
    if (count < 0 && errno != EINTR) give_up("epoll");
    bool ticked = false;
    // Replies first: a reply that is already here must not lose against a timeout that is only now noticed.
    for (int n = 0; n < count; ++n) {
      const std::uint64_t tag = events[n].data.u64;
      if (tag == kTick)
        ticked = true;
      else if (tag == kInput) {
        if (!serve_input(witness, pending)) return 0;
      } else
        witness.ready(tag);
    }
    if (ticked) {
      std::uint64_t expirations = 0;
      if (read(timer, &expirations, sizeof expirations) > 0) witness.tick();
    }
  }
}

}  // namespace
}  // namespace komainu::witness

int main(int argc, char** argv) {
  komainu::witness::Arguments arguments;
  CLI::App app(
      "Judges a cluster from outside: asks its service and looks into its servers, every few milliseconds.");
  app.add_option("--client-netns", arguments.client_netns, "network namespace of the client")->required();
  app.add_option("--target", arguments.target, "address of the service")->required();
  app.add_option("--port", arguments.port, "port of the service")->capture_default_str();
  app.add_option("--address", arguments.addresses, "an address that may be on one server at a time");
  app.add_option("--service", arguments.services, "a systemd unit that may run on one server at a time");
  app.add_option("--server", arguments.servers, "NAME,NETNS,CGROUP of a server")->required();
  app.add_option("--interval-ms", arguments.interval_ms, "between requests and samples")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--timeout-ms", arguments.timeout_ms, "of one request")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  return komainu::witness::run(arguments);
}
