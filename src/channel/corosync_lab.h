// Real Corosync on several "servers" of this machine, for tests; needs root.
//
//   test process ─┬─ switch:   network namespace with one bridge for each link
//                 ├─ server 0: network, mount and IPC namespace; /run, /dev/shm, /var/lib/corosync of its
//                 own; │            eth0 (10.77.0.1), eth1 (10.77.1.1) on the bridges; corosync └─ server 1:
//                 …
//
// Namespaces have no names and every process dies with the test's, so that nothing is left behind however it
// ends and any number of labs fit side by side.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/id.h"

namespace komainu::channel::testing {

// Network, mount and IPC namespaces, held by a process that only waits.
class Namespaces {
 public:
  Namespaces();
  ~Namespaces();
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  pid_t holder() const { return holder_; }
  // Takes the calling thread (or a child that has just been forked) into them, for good.
  void enter() const;
  // Runs a program inside and waits for it; throws if it fails.
  void run(std::vector<std::string> command) const;
  pid_t spawn(std::vector<std::string> command) const;
  // Runs a function on a thread inside, and waits for it. Threads that it makes stay inside.
  void within(const std::function<void()>& function) const;

 private:
  pid_t holder_ = -1;
  std::vector<int> fds_;
};

class Lab {
 public:
  struct Options {
    int servers = 3;
    int links = 1;
    std::string quorum;  // more lines for corosync.conf's section
  };
  explicit Lab(Options options);
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  const Namespaces& server(NodeId node) const { return *servers_.at(node.value).namespaces; }

  void start_corosync(NodeId node);
  // SIGKILL also waits until it is gone.
  void signal_corosync(NodeId node, int signal);
  void set_link(NodeId node, int link, bool up);
  std::string corosync_log(NodeId node) const;

 private:
  struct Server {
    std::unique_ptr<Namespaces> namespaces;
    pid_t corosync = -1;
  };
  std::string configuration() const;

  Options options_;
  Namespaces switch_;
  std::vector<Server> servers_;
};

}  // namespace komainu::channel::testing
