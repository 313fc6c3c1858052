#include "engine/spawner/helper.h"

#include <fmt/core.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "engine/spawner/containment.h"
#include "engine/spawner/protocol.h"
#include "engine/timer_fd.h"

namespace komainu::engine::spawner {
namespace {

constexpr int kParentDied = SIGUSR1;

// Keeps the end of a stream that may be endless.
class Tail {
 public:
  explicit Tail(std::size_t limit) : limit_(limit) {}
  void append(const char* data, std::size_t size) {
    text_.append(data, size);
    if (text_.size() > limit_ + kSlack) trim();
  }
  bool truncated() const { return truncated_ || text_.size() > limit_; }
  std::string take() {
    trim();
    return std::move(text_);
  }

 private:
  static constexpr std::size_t kSlack = 8192;
  void trim() {
    if (text_.size() <= limit_) return;
    truncated_ = true;
    text_.erase(0, text_.size() - limit_);
  }

  std::size_t limit_;
  bool truncated_ = false;
  std::string text_;
};

struct Pipe {
  Fd read, write;
};

std::optional<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

// What failed between fork and exec, sent back on a pipe that a successful exec closes.
struct StartFailure {
  int error = 0;
};

// ---- in the child

struct ChildPipes {
  int input, output, errors, failure;
};

// Puts the four descriptors at 0 … 3 and closes everything else: a child that waits for a dead disk must hold
// nothing of the helper's, or nobody would notice the helper's end.
void arrange_descriptors(ChildPipes pipes) {
  // Out of the way first: a pipe may sit on a number that another one wants.
  const int input = ::fcntl(pipes.input, F_DUPFD, 10);
  const int output = ::fcntl(pipes.output, F_DUPFD, 10);
  const int errors = ::fcntl(pipes.errors, F_DUPFD, 10);
  const int failure = ::fcntl(pipes.failure, F_DUPFD, 10);
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::dup2(errors, 2);
  ::dup3(failure, 3, O_CLOEXEC);
  ::close_range(4, ~0U, 0);
}

// An agent is an ordinary process, whatever the daemon is: its own session, default signals and scheduling.
void become_ordinary(pid_t helper, const rlimit& descriptors) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != helper) ::_exit(127);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const sched_param normal{};
  ::sched_setscheduler(0, SCHED_OTHER, &normal);
  ::setpriority(PRIO_PROCESS, 0, 0);
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  const Fd score{::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)};
  [[maybe_unused]] ssize_t n = ::write(score.get(), "0", 1);
  ::umask(022);
}

[[noreturn]] void report_failure(int error) {
  const StartFailure start_failure{error};
  [[maybe_unused]] ssize_t n = ::write(3, &start_failure, sizeof start_failure);
  ::_exit(127);
}

[[noreturn]] void run_program(std::vector<char*>& argv, std::vector<char*>& environment) {
  ::environ = environment.data();
  ::execvp(argv[0], argv.data());
  report_failure(errno);
}

[[noreturn]] void complain(const std::string& text) {
  [[maybe_unused]] ssize_t n = ::write(2, text.data(), text.size());
  ::_exit(1);
}

// Reads a file to standard output: exit code 0, or 1 with the reason on standard error.
[[noreturn]] void run_read_file(const ReadFile& request) {
  const Fd file{::open(request.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) complain(errno_text());
  if (!S_ISREG(status.st_mode)) complain("not a regular file");
  if (request.secret && (status.st_uid != 0 || (status.st_mode & 077) != 0))
    complain("it holds a secret, and others than root may read it (chown root, chmod 600)");
  if (static_cast<std::uint64_t>(status.st_size) > request.max_size)
    complain(fmt::format("larger than {} bytes", request.max_size));
  char buffer[4096];
  std::uint64_t total = 0;
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0) complain(errno_text());
    if (n == 0) ::_exit(0);
    total += static_cast<std::uint64_t>(n);
    if (total > request.max_size) complain(fmt::format("larger than {} bytes", request.max_size));
    if (::write(1, buffer, static_cast<std::size_t>(n)) != n) ::_exit(1);
  }
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// ---- in the helper

struct Agent {
  enum class Stage {
    kRunning,      // until its deadline
    kTerminating,  // SIGTERM sent, until grace is over
    kKilling,      // SIGKILL sent, until patience is over
    kStuck,        // survived it, and was reported; watched until it is gone
  };

  std::uint64_t id = 0;
  std::string label;
  std::string key;  // the same for the same work
  pid_t pid = 0;    // 0: reaped, or a predecessor's
  Container container;
  Fd output_pipe, errors_pipe, failure_pipe;
  Tail output{0}, errors{0};
  bool keep_leftovers = false;
  Duration grace{0};

  Stage stage = Stage::kRunning;
  LocalTime until;  // when the stage ends by itself; none in kStuck
  bool timed_out = false;
  std::optional<int> wait_status;
  int start_error = 0;
};

class Helper {
 public:
  Helper(Fd socket, const HelperOptions& options, pid_t daemon);
  void run();

 private:
  enum class Source : std::uint64_t { kSocket, kSignals, kTimer, kOutput, kErrors, kFailure, kContainer };
  static std::uint64_t tag(std::uint64_t id, Source source) {
    return id << 3 | static_cast<std::uint64_t>(source);
  }
  void watch(int fd, std::uint32_t events, std::uint64_t id, Source source);
  void unwatch(Fd& fd);

  void dispatch(const epoll_event& event);
  void receive();
  void read_signals();
  void reap();
  void read_stream(Fd& pipe, Tail& tail, std::size_t limit);
  void advance_deadlines();
  void arm_timer();

  void start(Start request);
  std::string refusal(const std::string& key) const;
  std::optional<std::string> spawn(Agent& agent, Start& request);
  void terminate(Agent& agent);
  void kill(Agent& agent);
  void check(Agent& agent);
  void main_process_ended(Agent& agent, int status);
  void finish(Agent& agent, drivers::Exit::How how);
  void release(Agent& agent);
  void adopt_survivors();
  void shut_down();

  void tell_stuck();
  void send(const ToDaemon& message);
  void flush();

  Fd socket_;
  HelperOptions options_;
  pid_t daemon_;
  Fd epoll_, signals_, timer_, null_;
  rlimit agent_descriptors_{};
  std::optional<Containment> containment_;
  std::map<std::uint64_t, std::unique_ptr<Agent>> agents_;
  std::uint64_t next_survivor_ = std::uint64_t{1} << 60;
  std::uint64_t stuck_ = 0;
  std::deque<std::string> unsent_;  // at most one Ended for each agent
  std::vector<char> packet_ = std::vector<char>(kMaxRequest);
  bool daemon_gone_ = false;
};

// Process groups have no event for "nobody left"; look again after this.
constexpr Duration kPollInterval{20ms};

Helper::Helper(Fd socket, const HelperOptions& options, pid_t daemon)
    : socket_(std::move(socket)), options_(options), daemon_(daemon) {
  ::prctl(PR_SET_NAME, "komainu-spawner");
  [[maybe_unused]] int changed = ::chdir("/");
  ::setsid();  // a terminal's Ctrl-C is for the daemon, which needs agents to stop its groups

  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  timer_ = Fd(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  null_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));

  // All but SIGCHLD and the parent's death are held back: what is sent to the whole service is for the
  // daemon.
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGCHLD);
  ::sigaddset(&wanted, kParentDied);
  signals_ = Fd(::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
  ::prctl(PR_SET_PDEATHSIG, kParentDied);
  daemon_gone_ = ::getppid() != daemon_;

  // Five descriptors for each agent; the agents themselves get the usual limit back (select(2)).
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  agent_descriptors_ = {std::min<rlim_t>(1024, limit.rlim_max), limit.rlim_max};
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (options_.memory == HelperOptions::Memory::kLocked) ::mlockall(MCL_CURRENT | MCL_FUTURE);
}

void Helper::watch(int fd, std::uint32_t events, std::uint64_t id, Source source) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag(id, source);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

// A child between fork and exec holds copies of our descriptors, and closing ours alone would leave them in
// the epoll set.
void Helper::unwatch(Fd& fd) {
  if (!fd) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  fd = Fd();
}

void Helper::run() {
  containment_.emplace(options_.name, options_.predecessor_patience);
  // In a process group a zombie counts, so an agent's orphans must come to us to be reaped.
  if (!containment_->contained()) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  adopt_survivors();
  watch(socket_.get(), EPOLLIN | EPOLLRDHUP, 0, Source::kSocket);
  watch(signals_.get(), EPOLLIN, 0, Source::kSignals);
  watch(timer_.get(), EPOLLIN, 0, Source::kTimer);
  while (!daemon_gone_) {
    arm_timer();
    epoll_event events[64];
    const int count = ::epoll_wait(epoll_.get(), events, 64, -1);
    for (int i = 0; i < count; ++i) dispatch(events[i]);
    advance_deadlines();
  }
  shut_down();
}

void Helper::dispatch(const epoll_event& event) {
  const std::uint64_t id = event.data.u64 >> 3;
  const auto source = static_cast<Source>(event.data.u64 & 7);
  if (source == Source::kSocket) {
    // What was asked by a daemon that has died is not begun any more.
    if (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) daemon_gone_ = true;
    if (event.events & EPOLLOUT) flush();
    if (!daemon_gone_ && event.events & EPOLLIN) receive();
    return;
  }
  if (source == Source::kSignals) return read_signals();
  if (source == Source::kTimer) {
    std::uint64_t expirations;
    [[maybe_unused]] ssize_t n = ::read(timer_.get(), &expirations, sizeof expirations);
    return;
  }
  const auto it = agents_.find(id);
  if (it == agents_.end()) return;  // it ended in this round
  Agent& agent = *it->second;
  if (source == Source::kOutput) return read_stream(agent.output_pipe, agent.output, 65536);
  if (source == Source::kErrors) return read_stream(agent.errors_pipe, agent.errors, 65536);
  if (source == Source::kFailure) {
    StartFailure start_failure;
    if (::read(agent.failure_pipe.get(), &start_failure, sizeof start_failure) == sizeof start_failure)
      agent.start_error = start_failure.error;
    return unwatch(agent.failure_pipe);
  }
  agent.container.acknowledge();
  check(agent);
}

void Helper::receive() {
  const ssize_t size = ::recv(socket_.get(), packet_.data(), packet_.size(), MSG_DONTWAIT);
  if (size == 0) daemon_gone_ = true;
  if (size <= 0) return;
  auto message = decode_to_helper(std::string_view(packet_.data(), static_cast<std::size_t>(size)));
  if (!message) return;
  if (auto* request = std::get_if<Start>(&*message)) return start(std::move(*request));
  const auto it = agents_.find(std::get<Cancel>(*message).id);
  if (it != agents_.end() && it->second->stage == Agent::Stage::kRunning) terminate(*it->second);
}

void Helper::read_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal)
    if (signal.ssi_signo == static_cast<std::uint32_t>(kParentDied) && ::getppid() != daemon_)
      daemon_gone_ = true;
  reap();
}

void Helper::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto it =
        std::ranges::find_if(agents_, [&](const auto& entry) { return entry.second->pid == pid; });
    if (it != agents_.end()) main_process_ended(*it->second, status);
  }
}

// At most `limit` bytes, so that a flood of one agent does not starve the others.
void Helper::read_stream(Fd& pipe, Tail& tail, std::size_t limit) {
  char buffer[16384];
  for (std::size_t total = 0; pipe && total < limit;) {
    const ssize_t n = ::read(pipe.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return unwatch(pipe);
    tail.append(buffer, static_cast<std::size_t>(n));
    total += static_cast<std::size_t>(n);
  }
}

// ---- the life of an agent

void Helper::start(Start request) {
  auto agent = std::make_unique<Agent>();
  agent->id = request.id;
  agent->label = request.label;
  if (const auto* program = std::get_if<RunProgram>(&request.work))
    for (const std::string& argument : program->argv) agent->key += argument + '\0';
  else
    agent->key = std::get<ReadFile>(request.work).path;

  auto refused = refusal(agent->key);
  if (refused.empty()) refused = spawn(*agent, request).value_or("");
  if (!refused.empty()) return send(Ended{.id = request.id, .not_started = std::move(refused)});
  agents_.emplace(agent->id, std::move(agent));
}

// Why no further agent may start; empty when one may.
std::string Helper::refusal(const std::string& key) const {
  for (const auto& [id, agent] : agents_)
    if (agent->stage == Agent::Stage::kStuck && agent->key == key)
      return "an earlier run of it has survived SIGKILL and still waits in the kernel, probably for a dead "
             "disk";
  if (stuck_ >= kMaxStuck)
    return fmt::format("{} agents have survived SIGKILL and wait in the kernel, probably for a dead disk",
                       stuck_);
  if (agents_.size() - stuck_ >= kMaxAgents) return fmt::format("{} agents run already", kMaxAgents);
  return {};
}

// Forks the agent; says what failed otherwise.
std::optional<std::string> Helper::spawn(Agent& agent, Start& request) {
  auto output = make_pipe(), errors = make_pipe(), start_failure = make_pipe();
  if (!output || !errors || !start_failure) return "cannot make a pipe: " + errno_text();

  auto* program = std::get_if<RunProgram>(&request.work);
  std::optional<Pipe> input;
  if (program && !program->input.empty()) {
    input = make_pipe();
    // It fits into the pipe (kMaxInput), so nobody waits for a reader.
    if (!input || ::fcntl(input->write.get(), F_SETFL, O_NONBLOCK) != 0 ||
        ::write(input->write.get(), program->input.data(), program->input.size()) !=
            static_cast<ssize_t>(program->input.size()))
      return "cannot hand over its input: " + errno_text();
    ::fcntl(input->read.get(), F_SETFL, 0);
    input->write = Fd();
  }
  auto container = containment_->make(request.label, program && program->keep_leftovers);
  if (!container) return container.error().what;

  // All that the child needs is made here: between fork and exec it allocates nothing.
  std::vector<char*> argv, environment;
  if (program) {
    argv = pointers(program->argv);
    environment = pointers(program->environment);
  }
  const pid_t helper = ::getpid();
  const pid_t pid = container->fork_into();
  if (pid == 0) {
    arrange_descriptors({input ? input->read.get() : null_.get(), output->write.get(), errors->write.get(),
                         start_failure->write.get()});
    become_ordinary(helper, agent_descriptors_);
    if (program) run_program(argv, environment);
    run_read_file(std::get<ReadFile>(request.work));
  }
  if (pid < 0) {
    const std::string reason = "cannot fork: " + errno_text();
    container->gone();
    return reason;
  }

  agent.pid = pid;
  agent.container = std::move(*container);
  agent.keep_leftovers = program && program->keep_leftovers;
  agent.grace = request.grace;
  const auto limit = std::min<std::size_t>(request.max_output, program ? kMaxOutput : kMaxFile);
  agent.output = Tail(limit);
  agent.errors = Tail(program ? limit : 1024);
  agent.until = boot_time() + request.timeout;
  agent.output_pipe = std::move(output->read);
  agent.errors_pipe = std::move(errors->read);
  agent.failure_pipe = std::move(start_failure->read);
  watch(agent.output_pipe.get(), EPOLLIN, agent.id, Source::kOutput);
  watch(agent.errors_pipe.get(), EPOLLIN, agent.id, Source::kErrors);
  watch(agent.failure_pipe.get(), EPOLLIN, agent.id, Source::kFailure);
  if (agent.container.events() >= 0) watch(agent.container.events(), EPOLLPRI, agent.id, Source::kContainer);
  return std::nullopt;
}

void Helper::terminate(Agent& agent) {
  agent.stage = Agent::Stage::kTerminating;
  agent.until = boot_time() + agent.grace;
  agent.container.terminate();
}

void Helper::kill(Agent& agent) {
  agent.stage = Agent::Stage::kKilling;
  agent.until = boot_time() + options_.kill_patience;
  agent.container.kill();
}

void Helper::main_process_ended(Agent& agent, int status) {
  agent.pid = 0;
  agent.wait_status = status;
  if (agent.stage == Agent::Stage::kRunning) {
    const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (well && agent.keep_leftovers && agent.container.keep()) {
      agent.container.gone();
      return finish(agent, drivers::Exit::How::kExited);
    }
    // Whatever it leaves behind must not outlive it.
    kill(agent);
  }
  check(agent);
}

// Has it ended, with everything it started?
void Helper::check(Agent& agent) {
  if (agent.pid != 0 || !agent.container.gone()) return;
  if (agent.stage == Agent::Stage::kStuck) return release(agent);
  const int status = agent.wait_status.value_or(0);
  if (agent.timed_out) return finish(agent, drivers::Exit::How::kTimedOut);
  finish(agent, WIFSIGNALED(status) ? drivers::Exit::How::kSignaled : drivers::Exit::How::kExited);
}

// Reports it. A stuck one stays on the books, without its pipes; all others are forgotten.
void Helper::finish(Agent& agent, drivers::Exit::How how) {
  read_stream(agent.output_pipe, agent.output, kMaxFile);
  read_stream(agent.errors_pipe, agent.errors, kMaxFile);
  StartFailure start_failure;
  if (agent.failure_pipe &&
      ::read(agent.failure_pipe.get(), &start_failure, sizeof start_failure) == sizeof start_failure)
    agent.start_error = start_failure.error;

  Ended ended{.id = agent.id, .how = how};
  const int status = agent.wait_status.value_or(0);
  if (how == drivers::Exit::How::kExited) ended.code = WEXITSTATUS(status);
  if (how == drivers::Exit::How::kSignaled) ended.code = WTERMSIG(status);
  if (agent.start_error != 0) ended.not_started = errno_text(agent.start_error);
  ended.truncated = agent.output.truncated() || agent.errors.truncated();
  ended.output = agent.output.take();
  ended.errors = agent.errors.take();
  unwatch(agent.output_pipe);
  unwatch(agent.errors_pipe);
  unwatch(agent.failure_pipe);
  if (how == drivers::Exit::How::kStuck) {
    agent.stage = Agent::Stage::kStuck;
    ++stuck_;
    tell_stuck();
  }
  send(ended);
  if (how != drivers::Exit::How::kStuck) release(agent);
}

void Helper::release(Agent& agent) {
  const bool was_stuck = agent.stage == Agent::Stage::kStuck;
  if (agent.container.events() >= 0)
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, agent.container.events(), nullptr);
  agents_.erase(agent.id);
  if (!was_stuck) return;
  --stuck_;
  tell_stuck();
}

// ---- time

void Helper::advance_deadlines() {
  const LocalTime now = boot_time();
  std::vector<std::uint64_t> ids;  // an agent may be released on the way
  for (const auto& [id, agent] : agents_) ids.push_back(id);
  for (std::uint64_t id : ids) {
    Agent& agent = *agents_.at(id);
    // Without cgroups nothing tells when the last process of the group is gone.
    if (agent.pid == 0 && agent.container.events() < 0) {
      check(agent);
      if (!agents_.contains(id)) continue;
    }
    if (agent.stage == Agent::Stage::kStuck || now < agent.until) continue;
    if (agent.stage == Agent::Stage::kRunning) {
      agent.timed_out = true;
      terminate(agent);
    } else if (agent.stage == Agent::Stage::kTerminating) {
      kill(agent);
    } else {
      finish(agent, drivers::Exit::How::kStuck);
    }
  }
}

void Helper::arm_timer() {
  std::optional<LocalTime> next;
  auto sooner = [&](LocalTime time) { next = next ? std::min(*next, time) : time; };
  for (const auto& [id, agent] : agents_) {
    if (agent->stage != Agent::Stage::kStuck) sooner(agent->until);
    if (agent->pid == 0 && agent->container.events() < 0) sooner(boot_time() + kPollInterval);
  }
  arm_timer_fd(timer_.get(), next);
}

// ---- beginning and end

void Helper::adopt_survivors() {
  Ready ready{containment_->description(), containment_->contained(), {}};
  for (auto& survivor : containment_->take_survivors()) {
    ready.stuck.push_back(survivor.label);
    auto agent = std::make_unique<Agent>();
    agent->id = next_survivor_++;
    agent->label = survivor.label;
    agent->container = std::move(survivor.container);
    agent->stage = Agent::Stage::kStuck;
    if (agent->container.events() >= 0)
      watch(agent->container.events(), EPOLLPRI, agent->id, Source::kContainer);
    agents_.emplace(agent->id, std::move(agent));
    ++stuck_;
  }
  send(ready);
}

// The daemon is gone: its unfinished agents go, too. Stuck ones are left to the successor.
void Helper::shut_down() {
  for (auto& [id, agent] : agents_)
    if (agent->stage != Agent::Stage::kStuck) kill(*agent);
  const LocalTime until = boot_time() + options_.kill_patience;
  auto all_gone = [&] {
    return std::ranges::all_of(agents_, [](const auto& entry) {
      return entry.second->stage == Agent::Stage::kStuck || entry.second->container.gone();
    });
  };
  for (;;) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (all_gone() || boot_time() >= until) return;
    ::poll(nullptr, 0, 10);
  }
}

// ---- to the daemon

void Helper::tell_stuck() {
  Stuck stuck;
  for (const auto& [id, agent] : agents_)
    if (agent->stage == Agent::Stage::kStuck) stuck.labels.push_back(agent->label);
  send(stuck);
}

void Helper::send(const ToDaemon& message) {
  unsent_.push_back(encode(message));
  if (unsent_.size() == 1) flush();
}

void Helper::flush() {
  while (!unsent_.empty()) {
    const std::string& packet = unsent_.front();
    if (::send(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != ENOBUFS) daemon_gone_ = true;
      break;
    }
    unsent_.pop_front();
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | (unsent_.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
  event.data.u64 = tag(0, Source::kSocket);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_.get(), &event);
}

}  // namespace

void run_helper(Fd socket, const HelperOptions& options, pid_t daemon) {
  Helper(std::move(socket), options, daemon).run();
}

}  // namespace komainu::engine::spawner
