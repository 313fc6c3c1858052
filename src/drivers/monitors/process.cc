// Processes live: the main process of a unit, the one of a pid file, or enough of a name.
//
// Each is held by a pidfd, so a death is seen at once. What the kernel does not tell is looked for every
// interval: a pid file that names another process, and new processes of the name.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "drivers/monitors/schedule.h"
#include "drivers/pidfd.h"
#include "drivers/types.h"
#include "drivers/unit_state.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct ProcessParams {
  std::optional<std::string> unit;
  std::optional<std::filesystem::path> pid_file;
  std::optional<std::string> process;
  std::uint32_t count = 1;
};

// TASK_COMM_LEN of the kernel, without the zero.
constexpr std::size_t kMaxName = 15;

const params::Declaration<ProcessParams>& declaration() {
  static const auto declared =
      params::Declaration<ProcessParams>("process", "Processes live. A death is seen at once.")
          .optional("unit", &ProcessParams::unit, "The systemd unit whose main process is watched.",
                    {.check = unit_name_problem})
          .optional("pid_file", &ProcessParams::pid_file, "The file with the number of the process.")
          .optional("process", &ProcessParams::process,
                    "The name of the processes, as in /proc/PID/comm and `ps -o comm`: at most 15 bytes.",
                    {.check = [](const std::string& name) -> std::optional<Error> {
                      if (name.size() <= kMaxName) return std::nullopt;
                      return Error{"is longer than the 15 bytes that the kernel keeps",
                                   fmt::format("write \"{}\"", name.substr(0, kMaxName))};
                    }})
          .optional("count", &ProcessParams::count, "How many processes of that name there must be at least.",
                    {.min = 1, .max = 10000})
          .check([](const ProcessParams& p) -> std::optional<Error> {
            if (p.unit.has_value() + p.pid_file.has_value() + p.process.has_value() != 1)
              return Error{"exactly one of `unit`, `pid_file` and `process` is needed", {}};
            return std::nullopt;
          });
  return declared;
}

std::optional<pid_t> parse_pid(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc{} || pid <= 0 || rest.find_first_not_of(" \t\r\n") != std::string_view::npos)
    return std::nullopt;
  return pid;
}

// The name without touching the memory of the process, which may hang with it (cmdline would).
bool has_name(const char* pid, std::string_view name) {
  std::array<char, 64> buffer;
  fmt::format_to_n(buffer.data(), buffer.size() - 1, "/proc/{}/comm{}", pid, '\0');
  const Fd fd(::open(buffer.data(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  const ssize_t size = ::read(fd.get(), buffer.data(), buffer.size());
  return size > 0 && std::string_view(buffer.data(), static_cast<std::size_t>(size) - 1) == name;
}

// Deaths of any of a set of processes: an epoll instance is readable when one of its descriptors is.
class Deaths {
 public:
  Deaths() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  void add(Fd process) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, process.get(), &event) == 0)
      processes_.push_back(std::move(process));
  }
  int fd() const { return epoll_.get(); }

 private:
  std::vector<Fd> processes_;  // a closed one leaves the epoll set
  Fd epoll_;
};

class ProcessMonitor final : public ToldMonitor {
 public:
  ProcessMonitor(ProcessParams params, const Schedule& schedule, const Services& services)
      : ToldMonitor(schedule, services.clock), params_(std::move(params)), services_(services) {}

 private:
  Task<void> follow() override {
    auto follow = params_.unit ? follow_unit() : params_.pid_file ? follow_pid_file() : follow_name();
    co_await follow;
  }

  Task<void> follow_unit() {
    const std::unique_ptr<UnitWatch> watch = services_.systemd.watch_unit(*params_.unit);
    pid_t main_pid = 0;
    while (true) {
      auto either = race(watch->next(), death_of_main(main_pid));
      const auto event = co_await either;
      if (event.index() == 1) {
        auto succession = successor(services_, *params_.unit, main_pid);
        const pid_t next = co_await succession;
        if (next == 0)
          told({Health::kFailed,
                fmt::format("the main process of {} (pid {}) has died", *params_.unit, main_pid)});
        main_pid = next;
        continue;
      }
      const Result<UnitState>& state = std::get<0>(event);
      if (!state) {
        told({Health::kWarning, state.error().what});
        auto pause = services_.clock.sleep(schedule_.interval);
        co_await pause;
        continue;
      }
      main_pid = state->main_pid;
      const auto process = open_process(main_pid);
      if (process && !has_died(*process))
        told({});
      else if (main_pid == 0)
        told({Health::kFailed,
              fmt::format("{} has no main process: it is {}", *params_.unit, describe(*state))});
    }
  }
  Task<void> death_of_main(pid_t pid) {
    auto end = pid > 0 ? death_of(services_.readiness, pid) : forever();
    co_await end;
  }

  Task<void> follow_pid_file() {
    const std::string path = params_.pid_file->string();
    while (true) {
      auto read =
          within(services_.clock, schedule_.timeout, services_.files.read(path, 64, Files::Secrecy::kNormal));
      const auto text = co_await read;
      pid_t pid = 0;
      if (!text) {
        told({schedule_.on_timeout == Schedule::OnTimeout::kFailed ? Health::kFailed : Health::kWarning,
              fmt::format("{} cannot be read in time", path)});
      } else if (!*text) {
        told({Health::kFailed, text->error().what});
      } else if (const auto found = parse_pid(**text); !found) {
        told({Health::kFailed, fmt::format("{} holds no process number", path)});
      } else if (const auto process = open_process(*found); !process || has_died(*process)) {
        told({Health::kFailed, fmt::format("the process of {} (pid {}) does not live", path, *found)});
      } else {
        pid = *found;
        told({});
      }
      auto pause = within(services_.clock, schedule_.interval, death_of_main(pid));
      co_await pause;
    }
  }
  Task<void> follow_name() {
    while (true) {
      const LocalTime begun = services_.clock.now();
      Deaths deaths;
      std::uint32_t count = 0;
      const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
      for (std::uint32_t looked = 1; proc; ++looked) {
        const dirent* entry = ::readdir(proc.get());
        if (!entry) break;
        if (looked % kLooksAtOnce == 0) {
          auto others = services_.clock.sleep(Duration{0});
          co_await others;
        }
        const auto pid = parse_pid(entry->d_name);
        if (!pid || !has_name(entry->d_name, *params_.process)) continue;
        auto process = open_process(*pid);
        if (!process || has_died(*process)) continue;  // a zombie still has its name
        ++count;
        if (count <= kMaxWatched) deaths.add(std::move(*process));
      }
      if (count >= params_.count)
        told({});
      else
        told({Health::kFailed, fmt::format("{} of the {} processes of {} that are needed", count,
                                           params_.count, *params_.process)});
      auto pause = within(services_.clock, schedule_.interval, services_.readiness.readable(deaths.fd()));
      const auto died = co_await pause;
      if (died) {
        const Duration rest = begun + kBetweenLooks - services_.clock.now();
        auto breath = services_.clock.sleep(std::max(Duration{0}, rest));
        co_await breath;
      }
    }
  }

  static constexpr std::uint32_t kLooksAtOnce = 64;
  static constexpr std::uint32_t kMaxWatched = 256;  // more of one name are counted every interval only
  static constexpr Duration kBetweenLooks{100ms};    // at least, when processes of the name die in masses

  ProcessParams params_;
  Services services_;
};

Result<std::unique_ptr<Monitor>> make(const Params& values, const Schedule& schedule,
                                      const Services& services, const Identity&) {
  Result<ProcessParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return std::make_unique<ProcessMonitor>(std::move(*params), schedule, services);
}

}  // namespace

const MonitorType& process() {
  static const MonitorType type{declaration().schema(), &make, params::Pace::kEvents};
  return type;
}

}  // namespace komainu::drivers
