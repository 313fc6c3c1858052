#include "engine/cgroup.h"

#include <dirent.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <memory>
#include <optional>
#include <sstream>

namespace komainu::engine {
namespace {

// "/system.slice/komainud.service" from the line "0::/system.slice/komainud.service" of /proc/self/cgroup.
std::optional<std::string> own_path() {
  std::istringstream lines(read_kernel_file(AT_FDCWD, "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("0::")) return line.substr(3);
  return std::nullopt;
}

struct MountPoint {
  std::string root;  // the directory of the hierarchy that is mounted there
  std::string path;
};

// The fourth and fifth field of a line of /proc/self/mountinfo, see proc(5).
std::optional<MountPoint> cgroup2_mount() {
  std::istringstream lines(read_kernel_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 20));
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string id, parent, device;
    MountPoint mount;
    if (fields >> id >> parent >> device >> mount.root >> mount.path) return mount;
  }
  return std::nullopt;
}

Result<void> write_text(int directory, const char* file, std::string_view text) {
  Fd fd{::openat(directory, file, O_WRONLY | O_CLOEXEC)};
  if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return failure(fmt::format("cannot write '{}' to {}: {}", text, file, errno_text()));
}

}  // namespace

Result<Cgroup> Cgroup::delegated(std::string_view name) {
  auto mount = cgroup2_mount();
  if (!mount) return failure("no cgroup v2 hierarchy is mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
  auto own = own_path();
  if (!own) return failure("/proc/self/cgroup names no cgroup v2");
  // Where systemd puts what it runs beside the main process of a unit to which it delegates.
  if (own->ends_with("/.control")) own->resize(own->size() - std::string_view("/.control").size());
  if (mount->root != "/" && own->starts_with(mount->root)) own->erase(0, mount->root.size());
  std::string path = own->size() <= 1 ? mount->path : mount->path + *own;
  Fd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return failure(fmt::format("cannot open the cgroup {}: {}", path, errno_text()));
  auto here = Cgroup(std::move(path), std::move(directory)).child(name);
  if (!here) return here;
  if (::faccessat(here->descriptor(), "cgroup.kill", W_OK, 0) != 0)
    return failure(fmt::format("{}/cgroup.kill: {}", here->path(), errno_text()),
                   "Linux 5.14 or later has it");
  return here;
}

Result<Cgroup> Cgroup::child(std::string_view name) const {
  const std::string child_name(name);
  if (::mkdirat(directory_.get(), child_name.c_str(), 0755) != 0 && errno != EEXIST)
    return failure(fmt::format("cannot make the cgroup {}/{}: {}", path_, name, errno_text()));
  return open_child(name);
}

Result<Cgroup> Cgroup::open_child(std::string_view name) const {
  std::string path = path_ + '/' + std::string(name);
  Fd fd{::openat(directory_.get(), std::string(name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return failure(fmt::format("cannot open the cgroup {}: {}", path, errno_text()));
  return Cgroup(std::move(path), std::move(fd));
}

std::vector<std::string> Cgroup::children() const {
  std::vector<std::string> names;
  // A descriptor of its own: the position in a directory belongs to the open file.
  const int fd = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(fd < 0 ? nullptr : ::fdopendir(fd), ::closedir);
  if (!stream) return names;
  while (dirent* entry = ::readdir(stream.get()))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

bool Cgroup::remove_child(const std::string& name) const {
  if (::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  auto child = open_child(name);
  if (!child || child->populated()) return false;
  for (const std::string& below : child->children())
    if (!child->remove_child(below)) return false;
  return ::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR) == 0;
}

Result<void> Cgroup::adopt_self() const {
  return write_text(directory_.get(), "cgroup.procs", "0");
}

Result<void> Cgroup::kill() const {
  return write_text(directory_.get(), "cgroup.kill", "1");
}

void Cgroup::signal(int number) const {
  std::istringstream pids(read_kernel_file(directory_.get(), "cgroup.procs", 1 << 20));
  // A process of another PID namespace is listed as 0, which kill(2) would take for our own group.
  for (pid_t pid = 0; pids >> pid;)
    if (pid > 0) ::kill(pid, number);
  for (const std::string& name : children())
    if (auto below = open_child(name)) below->signal(number);
}

bool Cgroup::populated() const {
  return read_kernel_file(directory_.get(), "cgroup.events").find("populated 1") != std::string::npos;
}

Result<Fd> Cgroup::watch() const {
  Fd fd{::openat(directory_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC)};
  if (!fd) return failure(fmt::format("cannot watch the cgroup {}: {}", path_, errno_text()));
  acknowledge(fd);
  return fd;
}

void Cgroup::acknowledge(const Fd& watched) {
  char buffer[128];
  [[maybe_unused]] ssize_t n = ::pread(watched.get(), buffer, sizeof buffer, 0);
}

Result<void> Cgroup::mark(const char* name) const {
  if (::fsetxattr(directory_.get(), fmt::format("user.{}", name).c_str(), "1", 1, 0) == 0) return {};
  return failure(fmt::format("cannot mark the cgroup {}: {}", path_, errno_text()));
}

bool Cgroup::marked(const char* name) const {
  return ::fgetxattr(directory_.get(), fmt::format("user.{}", name).c_str(), nullptr, 0) >= 0;
}

}  // namespace komainu::engine
