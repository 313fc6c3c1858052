#include "engine/spawner/containment.h"

#include <fmt/core.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace komainu::engine::spawner {
namespace {

constexpr const char* kKept = "komainu.kept";

// "resource orders/web" as a part of a file name; what it cannot hold becomes '_'.
std::string file_name(const std::string& label) {
  std::string name = label.substr(0, 80);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '@' && c != '.') c = '_';
  return name;
}

// The label behind "PID-ID.".
std::string label_of(const std::string& name) {
  const auto dot = name.find('.');
  return dot == std::string::npos ? name : name.substr(dot + 1);
}

// Waits until nothing lives in `cgroup`; false when the time is over.
bool await_empty(const Cgroup& cgroup, LocalTime until) {
  auto watched = cgroup.watch();
  if (!watched) return !cgroup.populated();
  for (;;) {
    Cgroup::acknowledge(*watched);
    if (!cgroup.populated()) return true;
    const Duration left = until - boot_time();
    if (left <= 0us) return false;
    pollfd event{watched->get(), POLLPRI, 0};
    // Waking up now and then costs nothing, and does not depend on the notification.
    ::poll(&event, 1, static_cast<int>(std::min<std::int64_t>(left.count() / 1000 + 1, 100)));
  }
}

}  // namespace

bool OnlyOne::take() {
  if (taken_) return true;
  if (!socket_) socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = name_.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  taken_ = ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
  return taken_;
}

pid_t Container::fork_into() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  if (cgroup_) {
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup_->cgroup.descriptor());
  }
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
  if (pid > 0) group_ = pid;
  return pid;
}

void Container::terminate() {
  if (cgroup_)
    cgroup_->cgroup.signal(SIGTERM);
  else if (group_ > 0)
    ::kill(-group_, SIGTERM);
}

void Container::kill() {
  if (cgroup_ && cgroup_->cgroup.kill()) return;
  if (group_ > 0) ::kill(-group_, SIGKILL);
}

bool Container::gone() {
  if (predecessor_) return predecessor_->take();
  if (!cgroup_) return group_ <= 0 || (::kill(-group_, 0) != 0 && errno == ESRCH);
  return cgroup_->parent->remove_child(cgroup_->name);
}

Result<void> Container::keep() {
  if (!cgroup_) return {};
  return cgroup_->cgroup.mark(kKept);
}

Containment::Containment(const std::string& name, Duration patience) : only_one_(name) {
  auto directories = open_directories(name);
  if (!directories) {
    description_ =
        fmt::format("agents run in process groups: {}; a process that calls setsid() survives a kill",
                    directories.error().what);
    await_predecessor(patience);
    return;
  }
  directories_ = std::move(*directories);
  description_ = fmt::format("agents run in cgroups below {}", directories_->agents.path());
  replace_predecessor(patience);
}

Result<Containment::Directories> Containment::open_directories(const std::string& name) {
  auto base = Cgroup::delegated(name);
  if (!base) return std::unexpected(base.error());
  auto spawner = base->child("spawner");
  if (!spawner) return std::unexpected(spawner.error());
  auto agents = base->child("agents");
  if (!agents) return std::unexpected(agents.error());
  auto applications = base->child("applications");
  if (!applications) return std::unexpected(applications.error());
  return Directories{std::move(*spawner), std::move(*agents), std::move(*applications)};
}

void Containment::replace_predecessor(Duration patience) {
  const LocalTime until = boot_time() + patience;
  // First the helper, which could start more.
  [[maybe_unused]] auto killed = directories_->spawner.kill();
  await_empty(directories_->spawner, until);
  for (const std::string& name : directories_->spawner.children()) directories_->spawner.remove_child(name);
  // A new directory: Linux 6.13 and later kill at birth what is cloned out of a cgroup that was killed once
  // into one that was not (they compare the two cgroups' counts of kills).
  if (auto ours = directories_->spawner.child(std::to_string(::getpid()))) [[maybe_unused]]
    auto joined = ours->adopt_self();

  auto unfinished = [&](const Cgroup& parent, auto&& action) {
    for (const std::string& name : parent.children())
      if (auto agent = parent.open_child(name); agent && !agent->marked(kKept)) action(parent, name, *agent);
  };
  auto for_both = [&](auto&& action) {
    unfinished(directories_->agents, action);
    unfinished(directories_->applications, action);
  };
  for_both(
      [](const Cgroup&, const std::string&, Cgroup& agent) { [[maybe_unused]] auto sent = agent.kill(); });
  for_both([&](const Cgroup& parent, const std::string& name, Cgroup& agent) {
    if (await_empty(agent, until) && parent.remove_child(name)) return;
    Survivor survivor{label_of(name), {}};
    if (auto watched = agent.watch()) survivor.container.events_ = std::move(*watched);
    survivor.container.cgroup_ = Container::InCgroup{&parent, name, std::move(agent)};
    survivors_.push_back(std::move(survivor));
  });
  sweep_applications();
}

void Containment::await_predecessor(Duration patience) {
  const LocalTime until = boot_time() + patience;
  while (!only_one_.take()) {
    if (boot_time() >= until) {
      Survivor survivor{"the spawner of an earlier daemon", {}};
      survivor.container.predecessor_ = &only_one_;
      survivors_.push_back(std::move(survivor));
      return;
    }
    ::poll(nullptr, 0, 10);
  }
}

// Removes the containers of applications that have ended.
void Containment::sweep_applications() {
  for (const std::string& name : directories_->applications.children())
    if (auto kept = directories_->applications.open_child(name); kept && kept->marked(kKept))
      directories_->applications.remove_child(name);
}

Result<Container> Containment::make(const std::string& label, bool application) {
  Container container;
  if (!directories_) return container;
  if (application) sweep_applications();
  const Cgroup& parent = application ? directories_->applications : directories_->agents;
  // The pid keeps the names of two helpers apart, of which one has left a survivor.
  std::string name = fmt::format("{}-{}.{}", ::getpid(), ++made_, file_name(label));
  auto cgroup = parent.child(name);
  if (!cgroup) return std::unexpected(cgroup.error());
  auto watched = cgroup->watch();
  if (!watched) return std::unexpected(watched.error());
  container.events_ = std::move(*watched);
  container.cgroup_ = Container::InCgroup{&parent, std::move(name), std::move(*cgroup)};
  return container;
}

}  // namespace komainu::engine::spawner
