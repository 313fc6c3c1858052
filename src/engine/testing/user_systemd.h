// A real systemd manager of its own, for tests: `systemd --user` in a mount namespace, a runtime directory
// and a cgroup that nobody else has, so that it runs beside the machine's own, or where there is none. Needs
// root.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "engine/cgroup.h"
#include "engine/services/systemd.h"

namespace komainu::engine::testing {

class UserSystemd {
 public:
  UserSystemd() {
    static int count = 0;
    name_ = fmt::format("komainu-test-systemd-{}-{}", ::getpid(), ++count);
    char path[] = "/tmp/komainu-systemd-XXXXXX";
    if (::mkdtemp(path)) directory_ = path;
    std::filesystem::create_directories(directory_ + "/systemd/user");
    start();
  }
  ~UserSystemd() {
    kill();
    std::filesystem::remove_all(directory_);
  }

  // False where nothing of the kind can run: without cgroup v2 or systemd's program.
  static bool possible() {
    const std::string name = fmt::format("komainu-test-systemd-{}", ::getpid());
    auto cgroup = Cgroup::delegated(name);
    if (cgroup) ::rmdir(cgroup->path().c_str());
    return cgroup.has_value() && ::access(kProgram, X_OK) == 0;
  }

  std::vector<Systemd::Endpoint> endpoints() const {
    return {{Systemd::Endpoint::Kind::kManager, "unix:path=" + socket()}};
  }
  // Units are read when they are first asked for.
  void unit(const std::string& unit_name, const std::string& text) const {
    std::ofstream(directory_ + "/systemd/user/" + unit_name) << text;
  }
  pid_t pid() const { return pid_; }

  void start() {
    auto cgroup = Cgroup::delegated(name_);
    ASSERT_TRUE(cgroup) << cgroup.error().what;
    cgroup_ = std::move(*cgroup);
    // Where cgroup v1 is mounted beside, systemd keeps its units there, too.
    if (::access("/sys/fs/cgroup/systemd/cgroup.procs", W_OK) == 0) {
      legacy_ = "/sys/fs/cgroup/systemd/" + name_;
      ::mkdir(legacy_.c_str(), 0755);
    }
    pid_ = ::fork();
    if (pid_ == 0) become_systemd();
    ASSERT_GT(pid_, 0);
    for (const LocalTime until = boot_time() + 30s; !listens();) {
      ASSERT_LT(boot_time(), until) << "systemd --user does not come up";
      ::usleep(10'000);
    }
  }
  // As kill -9 of the manager, with all its units.
  void kill() {
    if (!cgroup_) return;
    [[maybe_unused]] auto killed = cgroup_->kill();
    ::waitpid(pid_, nullptr, 0);
    for (const LocalTime until = boot_time() + 30s; cgroup_->populated() && boot_time() < until;)
      ::usleep(1000);
    for (const std::string& child : cgroup_->children()) cgroup_->remove_child(child);
    ::rmdir(cgroup_->path().c_str());
    cgroup_.reset();
    remove_tree(legacy_);
    ::unlink(socket().c_str());
  }

 private:
  static constexpr const char* kProgram = "/lib/systemd/systemd";
  std::string socket() const { return directory_ + "/systemd/private"; }
  // The socket is there a little before anybody listens on it.
  bool listens() const {
    sockaddr_un address{.sun_family = AF_UNIX};
    socket().copy(address.sun_path, sizeof address.sun_path - 1);
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  [[noreturn]] void become_systemd() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool joined = cgroup_->adopt_self().has_value();
    if (!legacy_.empty()) std::ofstream(legacy_ + "/cgroup.procs") << "0";
    // It believes that the machine runs systemd when this folder is there.
    const bool prepared = ::unshare(CLONE_NEWNS) == 0 &&
                          ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                          ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) == 0 &&
                          ::mkdir("/run/systemd", 0755) == 0 && ::mkdir("/run/systemd/system", 0755) == 0;
    if (!joined || !prepared) ::_exit(1);
    ::clearenv();
    ::setenv("XDG_RUNTIME_DIR", directory_.c_str(), 1);
    ::setenv("HOME", directory_.c_str(), 1);
    ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    ::close_range(3, ~0U, 0);
    ::execl(kProgram, kProgram, "--user", "--unit=basic.target", "--log-target=null", nullptr);
    ::_exit(1);
  }

  static void remove_tree(const std::string& path) {
    if (path.empty() || !std::filesystem::is_directory(path)) return;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.is_directory()) remove_tree(entry.path());
    ::rmdir(path.c_str());
  }

  std::string name_;
  std::string directory_;
  std::string legacy_;
  std::optional<Cgroup> cgroup_;
  pid_t pid_ = 0;
};

}  // namespace komainu::engine::testing
