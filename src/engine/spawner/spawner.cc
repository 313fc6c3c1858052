#include "engine/spawner/spawner.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>

namespace komainu::engine {
namespace {

using drivers::Exit;
using drivers::Task;
using spawner::Ended;

// Beyond what the helper was told to bound, before it counts as hung.
constexpr Duration kHelperPatience{5s};
// For the helper's own end by SIGKILL.
constexpr Duration kKillPatience{1s};

Result<void> enlarge_buffers(int socket) {
  const int size = 2 * static_cast<int>(spawner::kMaxAnswer);
  // FORCE needs CAP_NET_ADMIN; without it the system's limit holds, which may do.
  if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) == 0 ||
      ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0)
    return {};
  return failure("cannot enlarge the spawner's socket buffer: " + errno_text());
}

[[noreturn]] void become_helper(int socket, const Spawner::Options& options, pid_t daemon) {
  // Nothing of the daemon's but the socket and standard error.
  constexpr int kSocket = 3;
  if (socket != kSocket) ::dup3(socket, kSocket, O_CLOEXEC);
  ::close_range(kSocket + 1, ~0U, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, 0);
  ::dup2(null, 1);
  ::close(null);
  spawner::run_helper(Fd(kSocket), options, daemon);
  ::_exit(0);
}

// The small environment of every agent; a command adds to it.
std::vector<std::string> environment_of(const drivers::Command& command) {
  std::map<std::string, std::string> variables{
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"LANG", "C.UTF-8"},
      {"HOME", "/"},
  };
  for (const auto& [name, value] : command.environment) variables[name] = value;
  std::vector<std::string> texts;
  for (const auto& [name, value] : variables) texts.push_back(name + '=' + value);
  return texts;
}

}  // namespace

bool may_act(std::string_view label) {
  return std::ranges::none_of(std::array{"monitor", "read", "resolve", "alert"},
                              [&](std::string_view looks) { return label.starts_with(looks); });
}

Result<std::unique_ptr<Spawner>> Spawner::fork(const Options& options) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return failure("cannot make the spawner's socket: " + errno_text());
  Fd ours(ends[0]), helpers(ends[1]);
  for (int end : ends)
    if (auto enlarged = enlarge_buffers(end); !enlarged) return std::unexpected(enlarged.error());
  const pid_t daemon = ::getpid();
  const pid_t helper = ::fork();
  if (helper < 0) return failure("cannot fork the spawner: " + errno_text());
  if (helper == 0) become_helper(helpers.get(), options, daemon);
  return std::unique_ptr<Spawner>(new Spawner(std::move(ours), helper, options));
}

Spawner::Spawner(Fd socket, pid_t helper, const Options& options)
    : socket_(std::move(socket)),
      helper_(helper),
      start_patience_(options.predecessor_patience),
      kill_patience_(options.kill_patience) {}

Spawner::~Spawner() {
  if (loop_) loop_->socket.release();
  loop_.reset();
  socket_ = Fd();
  const Fd exit(static_cast<int>(::syscall(SYS_pidfd_open, helper_, 0)));
  const auto ends_within = [&](Duration patience) {
    pollfd ended{exit.get(), POLLIN, 0};
    return exit && ::poll(&ended, 1, static_cast<int>(patience.count() / 1000)) == 1;
  };
  if (!ends_within(kill_patience_ + kHelperPatience)) {
    ::kill(helper_, SIGKILL);
    ends_within(kKillPatience);
  }
  ::waitpid(helper_, nullptr, WNOHANG);  // who survived even that is init's when we are gone
}

void Spawner::attach(boost::asio::io_context& loop, OnReady on_ready, OnLost on_lost) {
  on_ready_ = std::move(on_ready);
  on_lost_ = std::move(on_lost);
  loop_.emplace(boost::asio::posix::stream_descriptor(loop, socket_.get()), boost::asio::steady_timer(loop));
  await_packets();
  flush();
  if (!pending_.empty()) watch_for_overdue();
}

// ---- requests

// Copies: the lazy coroutine begins after a temporary command would be gone.
Task<Result<Exit>> Spawner::run(const drivers::Command& command) {
  return run_program(command);
}

Task<Result<Exit>> Spawner::run_program(drivers::Command command) {
  if (command.argv.empty()) co_return failure(fmt::format("{}: an empty command", command.label));
  if (command.input.size() > spawner::kMaxInput)
    co_return failure(fmt::format("{}: input of {} bytes; {} are the most", command.label,
                                  command.input.size(), spawner::kMaxInput));
  spawner::Start request{.label = command.label,
                         .work = spawner::RunProgram{command.argv, environment_of(command), command.input,
                                                     command.leftovers == drivers::Command::Leftovers::kKeep},
                         .timeout = command.timeout.value_or(spawner::kNoTimeout),
                         .grace = command.grace,
                         .max_output = command.max_output};
  auto performing = perform(std::move(request));
  Result<Ended> ended = co_await performing;
  if (!ended)
    co_return failure(
        fmt::format("{}: cannot run {}: {}", command.label, command.argv[0], ended.error().what),
        ended.error().help);
  co_return Exit{.how = ended->how,
                 .code = static_cast<int>(ended->code),
                 .output = std::move(ended->output),
                 .errors = std::move(ended->errors),
                 .truncated = ended->truncated};
}

Task<Result<std::string>> Spawner::read(std::string path, std::size_t max_size, Secrecy secrecy) {
  const std::size_t limit = std::min(max_size, spawner::kMaxFile);
  spawner::Start request{.label = "read " + path,
                         .work = spawner::ReadFile{path, limit, secrecy == Secrecy::kSecret},
                         .grace = 0us,
                         .max_output = limit};
  auto performing = perform(std::move(request));
  Result<Ended> ended = co_await performing;
  const auto cannot = [&](const std::string& reason) {
    return failure(fmt::format("cannot read {}: {}", path, reason));
  };
  if (!ended) co_return cannot(ended.error().what);
  switch (ended->how) {
    case Exit::How::kExited:
      if (ended->code != 0) co_return cannot(ended->errors);
      co_return std::move(ended->output);
    case Exit::How::kSignaled:
      co_return cannot(fmt::format("the reading process was killed by signal {}", ended->code));
    case Exit::How::kTimedOut:
    case Exit::How::kStuck:
      break;
  }
  co_return cannot("its disk does not answer");
}

Task<Result<Ended>> Spawner::perform(spawner::Start request) {
  if (!lost_.empty()) co_return failure(lost_);
  if (pending_.size() >= 2 * spawner::kMaxAgents)
    co_return failure(fmt::format("{} requests wait for the spawner already", pending_.size()));
  const std::uint64_t id = request.id = ++last_id_;
  const Duration bound = start_patience_ + request.timeout + request.grace + kill_patience_ + kHelperPatience;
  std::string packet = spawner::encode(spawner::ToHelper(std::move(request)));
  if (packet.size() > spawner::kMaxRequest)
    co_return failure(fmt::format("its arguments, environment and input are {} bytes; {} are the most",
                                  packet.size(), spawner::kMaxRequest));

  Operation operation([this, id] { send(spawner::Cancel{id}); });
  pending_[id] = Pending{&operation, boot_time() + bound};
  unsent_.push_back(std::move(packet));
  flush();
  if (pending_.size() == 1) watch_for_overdue();
  Result<Ended> ended = co_await operation;
  if (ended && !ended->not_started.empty()) co_return failure(ended->not_started);
  co_return ended;
}

// ---- the helper's end

void Spawner::send(spawner::ToHelper message) {
  unsent_.push_back(spawner::encode(std::move(message)));
  flush();
}

void Spawner::flush() {
  if (!loop_ || !lost_.empty()) return;
  while (!unsent_.empty()) {
    const std::string& packet = unsent_.front();
    if (::send(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      if (errno == EINTR) continue;
      if ((errno == EAGAIN || errno == ENOBUFS) && !std::exchange(awaiting_room_, true))
        loop_->socket.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                                 [this](boost::system::error_code error) {
                                   awaiting_room_ = false;
                                   if (!error) flush();
                                 });
      return;  // any other error is seen as the end of the stream
    }
    unsent_.pop_front();
  }
}

void Spawner::await_packets() {
  loop_->socket.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](boost::system::error_code error) {
                             if (error) return;
                             receive();
                             if (lost_.empty()) await_packets();
                           });
}

void Spawner::receive() {
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), packet_.data(), packet_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return lose("the spawner has died");
    auto message =
        spawner::decode_to_daemon(std::string_view(packet_.data(), static_cast<std::size_t>(size)));
    if (!message) return lose("the spawner does not make sense");
    handle(std::move(*message));
    if (!lost_.empty()) return;
  }
}

void Spawner::handle(spawner::ToDaemon message) {
  if (const auto* ready = std::get_if<spawner::Ready>(&message)) {
    start_patience_ = 0us;
    stuck_ = ready->stuck;
    return on_ready_(*ready);
  }
  if (auto* stuck = std::get_if<spawner::Stuck>(&message)) {
    stuck_ = std::move(stuck->labels);
    return;
  }
  auto& ended = std::get<Ended>(message);
  const auto it = pending_.find(ended.id);
  if (it == pending_.end()) return;
  Operation* operation = it->second.operation;
  pending_.erase(it);
  operation->complete(std::move(ended));
}

void Spawner::watch_for_overdue() {
  if (!loop_) return;
  loop_->overdue.expires_after(1s);
  loop_->overdue.async_wait([this](boost::system::error_code error) {
    if (error || !lost_.empty()) return;
    const LocalTime now = boot_time();
    if (std::ranges::any_of(pending_, [now](const auto& entry) { return entry.second.overdue < now; })) {
      ::kill(helper_, SIGKILL);
      return lose("the spawner does not answer");
    }
    if (!pending_.empty()) watch_for_overdue();
  });
}

void Spawner::lose(const std::string& why) {
  lost_ = why;
  unsent_.clear();
  while (!pending_.empty()) {
    Operation* operation = pending_.begin()->second.operation;
    pending_.erase(pending_.begin());
    operation->complete(failure(why));
  }
  on_lost_(why);
}

}  // namespace komainu::engine
