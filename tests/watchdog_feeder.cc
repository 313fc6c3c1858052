// The daemon's feeder and device code in a program of its own: what a tiny guest without systemd and Corosync
// runs on a real watchdog. Says on standard output what it does.
//
//   komainu-watchdog-test DEVICE TIMEOUT_S FEED_S end|hold
//
// Arms DEVICE, feeds it for FEED_S, and then either ends in order or lives on without feeding. Exit 1: the
// device was refused.
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "base/duration_text.h"
#include "engine/posix.h"
#include "engine/watchdog/feeder.h"

using namespace komainu;

namespace {

class Console final : public drivers::Log {
 public:
  void info(std::string_view text) override { say(text); }
  void warning(std::string_view text) override { say(text); }
  static void say(std::string_view text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: komainu-watchdog-test DEVICE TIMEOUT_S FEED_S end|hold\n");
    return 2;
  }
  const Duration timeout = std::chrono::seconds(std::atoi(argv[2]));
  const LocalTime until = engine::boot_time() + std::chrono::seconds(std::atoi(argv[3]));
  const bool ends = std::string_view(argv[4]) == "end";

  Console console;
  bool refused = false;
  engine::WatchdogFeeder feeder({.open = [&] { return engine::open_watchdog(argv[1]); },
                                 .idle = [&] { return ends; },
                                 .tell =
                                     [](std::optional<Duration> read_back) {
                                       Console::say(read_back ? "read back " + duration_text(*read_back)
                                                              : "not armed");
                                     },
                                 .alarm =
                                     [&](const Error& error) {
                                       refused = !error.what.starts_with("the watchdog is not fed");
                                       Console::say(error.what);
                                     },
                                 .log = console});
  feeder.require([&](LocalTime now) {
    return now < until ? std::nullopt : std::optional<std::string>("its time is over");
  });
  feeder.want(timeout);
  for (LocalTime now = engine::boot_time(); !ends || now < until; now = engine::boot_time()) {
    const Duration next = feeder.beat(now);
    if (refused) return 1;
    std::this_thread::sleep_for(next);
  }
  feeder.end();
  return 0;
}
