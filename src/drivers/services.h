// What a driver may ask of the world. src/engine implements it on the one loop; tests give what they need.
//
// Nothing here blocks, and everything has a bound: whoever awaits a Task bounds it with within() below, or is
// itself bounded that way. A cancelled Task ends when what it began is over (task.h), or after a bound of the
// service's own; a service then does not forget it, and tells whoever asks next. Arguments are values where a
// temporary would be gone before the lazy Task begins; a Command is named and kept by its caller.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/fd.h"
#include "drivers/task.h"

namespace komainu::drivers {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual LocalTime now() const = 0;
  // Zero lets everything else that is ready run first.
  virtual Task<void> sleep(Duration duration) = 0;
};

// Readiness of a descriptor that the caller owns and has made non-blocking: sockets, pidfds. The caller does
// the system calls. At most one waits for each descriptor and direction.
class Readiness {
 public:
  virtual ~Readiness() = default;
  virtual Task<void> readable(int fd) = 0;
  virtual Task<void> writable(int fd) = 0;
};

// ---- child processes

struct Command {
  std::string label;              // for the log and the cgroup's name: "resource orders/web"
  std::vector<std::string> argv;  // argv[0] is a path, or a name looked up in the fixed PATH of agents
  std::map<std::string, std::string> environment;  // added to the fixed, small environment of agents
  std::string input;  // written to standard input, then closed; where secrets go, never into argv
  // Then SIGTERM to the whole cgroup, as when it is cancelled. Unset: the caller bounds it.
  std::optional<Duration> timeout;
  Duration grace{2s};                  // … and then SIGKILL to the whole cgroup
  std::size_t max_output = 16 * 1024;  // kept of each of the two streams; the rest is read and dropped
  // What the program leaves running when it ends well: killed, or moved to a scope of its own, where it lives
  // on like a service (what a start command starts).
  enum class Leftovers : std::uint8_t { kKill, kKeep } leftovers = Leftovers::kKill;
};

struct Exit {
  enum class How : std::uint8_t {
    kExited,    // `code` is its exit code
    kSignaled,  // `code` is the signal
    kTimedOut,  // and was killed
    kStuck,     // and survived SIGKILL: it waits for a dead disk or the like
  };
  How how = How::kExited;
  int code = 0;
  std::string output;
  std::string errors;
  bool truncated = false;
};

class Spawner {
 public:
  virtual ~Spawner() = default;
  // An error means that it could not be started (no such program, no free slot). Cancelled: its cgroup is
  // killed and awaited, for no longer than `grace` and a bound of the spawner's own.
  virtual Task<Result<Exit>> run(const Command& command) = 0;
  // Their labels: they survived SIGKILL, and each may still do what it was run for, at any time.
  virtual const std::vector<std::string>& stuck_agents() const = 0;
};

class Files {
 public:
  virtual ~Files() = default;
  enum class Secrecy : std::uint8_t {
    kNormal,
    kSecret,  // an error unless it belongs to root and nobody else may read it
  };
  // Reads a file away from the loop. More than `max_size` bytes are an error.
  virtual Task<Result<std::string>> read(std::string path, std::size_t max_size, Secrecy secrecy) = 0;
};

// ---- systemd, over D-Bus

struct UnitState {
  std::string load_state;    // "loaded", "not-found", "masked", …
  std::string active_state;  // "active", "reloading", "inactive", "failed", "activating", "deactivating"
  std::string sub_state;     // "running", "exited", "dead", …
  std::string result;        // of a service: "success", "exit-code", "signal", "timeout", …
  std::string invocation_id;
  pid_t main_pid = 0;
  bool has_job = false;  // a job of it waits or runs: an inactive unit is about to start
  bool operator==(const UnitState&) const = default;
};

// The state of one unit, followed by the signals of its properties (PropertiesChanged, and the manager's own
// when it is reloaded or a unit is loaded or unloaded).
class UnitWatch {
 public:
  virtual ~UnitWatch() = default;
  // The first call gives the present state; each later one waits until the state is another than the one
  // given last. Changes in between may be merged. An error when systemd or D-Bus is gone.
  virtual Task<Result<UnitState>> next() = 0;
};

class Systemd {
 public:
  virtual ~Systemd() = default;
  // Queue a job (mode "replace") and wait for its result: an error unless it is "done", which names the
  // result and the unit's state. Cancelled: the job is cancelled, and systemd's word for it awaited. When
  // systemd keeps silent beyond a bound, it does all that was asked of it before it answers unit_state().
  virtual Task<Result<void>> start_unit(std::string unit) = 0;
  virtual Task<Result<void>> stop_unit(std::string unit) = 0;
  // Forgets the failed state and the start rate limit, so that the next start is not refused. No error when
  // nothing had failed.
  virtual Task<Result<void>> reset_failed(std::string unit) = 0;
  virtual Task<Result<UnitState>> unit_state(std::string unit) = 0;
  virtual std::unique_ptr<UnitWatch> watch_unit(const std::string& unit) = 0;
};

// ---- links and addresses, over rtnetlink

struct Link {
  int index = 0;
  std::string name;
  MacAddress mac;
  bool up = false;       // IFF_UP: the administrator wants it
  bool carrier = false;  // IFLA_CARRIER
  bool loopback = false;
  std::uint8_t operstate = 0;  // IF_OPER_* of RFC 2863, <linux/if.h>
  bool operator==(const Link&) const = default;
};

struct LinkAddress {
  int link = 0;  // Link::index
  IpPrefix prefix;
  bool tentative = false;  // IPv6: duplicate address detection has not ended
  bool duplicate = false;  // IPv6: … and found another owner
  bool operator==(const LinkAddress&) const = default;
};

// The kernel's tables of links and addresses, kept up to date by its events (and read again when events were
// lost).
class Netlink {
 public:
  virtual ~Netlink() = default;
  virtual const std::vector<Link>& links() const = 0;
  virtual const std::vector<LinkAddress>& addresses() const = 0;
  // Resumes after the next change of either table, or when settled() may have become true. Nothing is missed
  // between looking at the tables and awaiting this, as one thread does both.
  virtual Task<void> changed() = 0;
  // The tables are all there is to say about this address. False while a change of it has not been seen
  // through (whoever asked for it may have given up), and while events that were lost are being made up for:
  // an address that the tables do not show may be there, or come up in a moment.
  virtual bool settled(const IpAddress& address) const = 0;

  // Adds with the given prefix length, IPv6 with IFA_F_NODAD. No error when it is there already. The kernel's
  // answer is awaited, and the tables show the change when this returns. Cancelled: the answer is awaited for
  // a bounded time; settled() tells whether it has come.
  virtual Task<Result<void>> add_address(int link, IpPrefix address) = 0;
  // No error when it is not there.
  virtual Task<Result<void>> remove_address(int link, IpPrefix address) = 0;
};

// ---- log

class Log {
 public:
  virtual ~Log() = default;
  // Never blocks: dropped and counted when the journal does not keep up. Secrets never come here.
  virtual void info(std::string_view text) = 0;
  virtual void warning(std::string_view text) = 0;
};

struct Services {
  Clock& clock;
  Readiness& readiness;
  Spawner& spawner;
  Files& files;
  Systemd& systemd;
  Netlink& netlink;
  Log& log;
};

// The result of `task`, or nothing when `duration` is over first: then the task is cancelled and awaited.
template <class T>
Task<std::optional<detail::Unit<T>>> within(Clock& clock, Duration duration, Task<T> task) {
  auto both = race(std::move(task), clock.sleep(duration));
  auto first = co_await both;
  if (first.index() == 1) co_return std::nullopt;
  co_return std::get<0>(std::move(first));
}

}  // namespace komainu::drivers
