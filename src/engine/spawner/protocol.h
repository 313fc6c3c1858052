// What the daemon and the spawner's helper process say to each other, one packet each, over a SOCK_SEQPACKET
// pair. Both ends are the same program, so there are no versions; a packet that cannot be read is a bug.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "base/time.h"
#include "drivers/services.h"

namespace komainu::engine::spawner {

// Of a request, arguments, environment and input together; more is refused by the daemon's end.
inline constexpr std::size_t kMaxRequest = 96 * 1024;
// Of input: it is written into a pipe (64 KiB by default, pipe(7)) before the program runs.
inline constexpr std::size_t kMaxInput = 32 * 1024;
// Of each of the two streams; a request for more gets this.
inline constexpr std::size_t kMaxOutput = 64 * 1024;
// Of a file that is read; it travels in one packet, for which a socket buffer of twice the size is asked.
inline constexpr std::size_t kMaxFile = 256 * 1024;
inline constexpr std::size_t kMaxAnswer = kMaxFile + kMaxOutput + 4096;

// Agents that run at once, and those among them that survived SIGKILL. Beyond either, requests are refused.
inline constexpr std::size_t kMaxAgents = 192;
inline constexpr std::size_t kMaxStuck = 48;

// Until it is cancelled; a hundred years, so that it can be added to the time.
inline constexpr Duration kNoTimeout = std::chrono::hours(24 * 365 * 100);

struct RunProgram {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=value"
  std::string input;
  bool keep_leftovers = false;
  auto fields() { return std::tie(argv, environment, input, keep_leftovers); }
};

struct ReadFile {
  std::string path;
  std::uint64_t max_size = 0;
  bool secret = false;
  auto fields() { return std::tie(path, max_size, secret); }
};

struct Start {
  std::uint64_t id = 0;
  std::string label;
  std::variant<RunProgram, ReadFile> work;
  Duration timeout = kNoTimeout;
  Duration grace{0};
  std::uint64_t max_output = 0;
  auto fields() { return std::tie(id, label, work, timeout, grace, max_output); }
};

// SIGTERM, grace, SIGKILL; Ended follows. Nothing happens when it has ended.
struct Cancel {
  std::uint64_t id = 0;
  auto fields() { return std::tie(id); }
};

using ToHelper = std::variant<Start, Cancel>;

// The predecessor's agents have been killed; requests are served from now on.
struct Ready {
  std::string containment;         // how agents are contained, for the log
  bool contained = false;          // in cgroups
  std::vector<std::string> stuck;  // the predecessor's agents that survived SIGKILL; Stuck tells their end
  auto fields() { return std::tie(containment, contained, stuck); }
};

// Exactly one for each Start. Nothing of it is left, unless `how` is kStuck or its leftovers are kept.
struct Ended {
  std::uint64_t id = 0;
  std::string not_started;  // why; nothing below holds then
  drivers::Exit::How how = drivers::Exit::How::kExited;
  std::int64_t code = 0;
  std::string output;
  std::string errors;
  bool truncated = false;
  auto fields() { return std::tie(id, not_started, how, code, output, errors, truncated); }
};

// The agents that are stuck in the kernel now, the predecessor's among them; sent when they change.
struct Stuck {
  std::vector<std::string> labels;
  auto fields() { return std::tie(labels); }
};

using ToDaemon = std::variant<Ready, Ended, Stuck>;

std::string encode(ToHelper message);
std::string encode(ToDaemon message);
std::optional<ToHelper> decode_to_helper(std::string_view packet);
std::optional<ToDaemon> decode_to_daemon(std::string_view packet);

}  // namespace komainu::engine::spawner
