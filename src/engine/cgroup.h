// A directory of the cgroup v2 hierarchy: the only container of processes that none of them can leave, and
// that can be killed and watched as a whole. See the kernel's Documentation/admin-guide/cgroup-v2.rst.
//
// No controller is ever enabled, so processes may sit in inner directories, too, and systemd can start a new
// daemon in a unit's cgroup that still holds applications.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/posix.h"

namespace komainu::engine {

class Cgroup {
 public:
  // Made below this process's own cgroup, which systemd delegates to us (`Delegate=yes`).
  static Result<Cgroup> delegated(std::string_view name);

  // Makes the child directory, or takes the one that is there.
  Result<Cgroup> child(std::string_view name) const;
  Result<Cgroup> open_child(std::string_view name) const;
  std::vector<std::string> children() const;
  // Removes the child and all below it. False while a process lives in it.
  bool remove_child(const std::string& name) const;

  Result<void> adopt_self() const;
  // SIGKILL to every process in it and below it, forks in flight included.
  Result<void> kill() const;
  // A courtesy to those that are there now; who forks meanwhile may escape it.
  void signal(int number) const;
  // Does a process live in it or below it? Zombies do not count.
  bool populated() const;
  // A descriptor that polls as EPOLLPRI when populated() changed since `acknowledge`d last.
  Result<Fd> watch() const;
  static void acknowledge(const Fd& watched);

  // A mark that stays with the directory until it is removed (extended attribute `user.NAME`).
  Result<void> mark(const char* name) const;
  bool marked(const char* name) const;

  const std::string& path() const { return path_; }
  int descriptor() const { return directory_.get(); }

 private:
  Cgroup(std::string path, Fd directory) : path_(std::move(path)), directory_(std::move(directory)) {}

  std::string path_;
  Fd directory_;
};

}  // namespace komainu::engine
