#include "channel/corosync_lab.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "channel/channel.h"

namespace komainu::channel::testing {
namespace {

constexpr std::array kKinds = {"net", "mnt", "ipc"};
constexpr std::array kPrivate = {"/run", "/dev/shm", "/var/lib/corosync", "/var/log/corosync"};

void require(bool ok, const std::string& what) {
  if (!ok) throw std::system_error(errno, std::generic_category(), what);
}

// The child of a fork: only system calls until exec, because other threads may have held locks.
[[noreturn]] void hold_namespaces(int ready) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  bool ok = unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC) == 0 &&
            mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  for (const char* directory : kPrivate) ok = ok && mount("tmpfs", directory, "tmpfs", 0, "mode=0755") == 0;
  if (!ok || write(ready, "", 1) != 1) _exit(1);
  while (true) pause();
}

}  // namespace

Namespaces::Namespaces() {
  std::array<int, 2> ready{};
  require(pipe2(ready.data(), O_CLOEXEC) == 0, "pipe");
  holder_ = fork();
  require(holder_ >= 0, "fork");
  if (holder_ == 0) hold_namespaces(ready[1]);
  close(ready[1]);
  char byte = 0;
  const bool ok = read(ready[0], &byte, 1) == 1;
  close(ready[0]);
  if (!ok) throw std::runtime_error("cannot make namespaces: is this root?");
  for (const char* kind : kKinds) {
    const std::string path = fmt::format("/proc/{}/ns/{}", holder_, kind);
    fds_.push_back(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    require(fds_.back() >= 0, path);
  }
}

Namespaces::~Namespaces() {
  kill(holder_, SIGKILL);
  waitpid(holder_, nullptr, 0);
  for (int fd : fds_) close(fd);
}

void Namespaces::enter() const {
  for (int fd : fds_)
    if (setns(fd, 0) != 0) _exit(126);
}

pid_t Namespaces::spawn(std::vector<std::string> command) const {
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const pid_t pid = fork();
  require(pid >= 0, "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    enter();
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  return pid;
}

void Namespaces::run(std::vector<std::string> command) const {
  const pid_t pid = spawn(command);
  int status = 0;
  require(waitpid(pid, &status, 0) == pid, "waitpid");
  if (status != 0)
    throw std::runtime_error(fmt::format("{} failed: status {}", fmt::join(command, " "), status));
}

void Namespaces::within(const std::function<void()>& function) const {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      require(unshare(CLONE_FS) == 0, "unshare");
      enter();
      function();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

Lab::Lab(Options options) : options_(std::move(options)) {
  for (int link = 0; link < options_.links; ++link)
    switch_.run({"ip", "link", "add", fmt::format("br{}", link), "up", "type", "bridge"});
  for (int i = 0; i < options_.servers; ++i) {
    Server& server = servers_.emplace_back(Server{std::make_unique<Namespaces>()});
    const std::string holder = std::to_string(server.namespaces->holder());
    server.namespaces->run({"ip", "link", "set", "lo", "up"});
    for (int link = 0; link < options_.links; ++link) {
      const std::string port = fmt::format("s{}l{}", i, link);
      const std::string nic = fmt::format("eth{}", link);
      switch_.run({"ip", "link", "add", port, "type", "veth", "peer", "name", nic, "netns", holder});
      switch_.run({"ip", "link", "set", port, "up", "master", fmt::format("br{}", link)});
      server.namespaces->run(
          {"ip", "address", "add", fmt::format("10.77.{}.{}/24", link, i + 1), "dev", nic});
      server.namespaces->run({"ip", "link", "set", nic, "up"});
    }
    server.namespaces->within([&] { std::ofstream("/run/corosync.conf") << configuration(); });
  }
}

Lab::~Lab() {
  for (Server& server : servers_) {
    if (server.corosync < 0) continue;
    kill(server.corosync, SIGKILL);
    waitpid(server.corosync, nullptr, 0);
  }
}

std::string Lab::configuration() const {
  std::string nodes;
  for (int i = 0; i < options_.servers; ++i) {
    nodes += fmt::format("  node {{\n    nodeid: {}\n    name: server{}\n", i + 1, i);
    for (int link = 0; link < options_.links; ++link)
      nodes += fmt::format("    ring{}_addr: 10.77.{}.{}\n", link, link, i + 1);
    nodes += "  }\n";
  }
  // As komainu configures links: knet's look every 200 ms takes a live link for dead with Corosync's default
  // of token / 2.
  std::string links;
  for (int link = 0; link < options_.links; ++link)
    links += fmt::format(
        "  interface {{\n    linknumber: {}\n    knet_ping_interval: 200\n    knet_ping_timeout: 600\n"
        "    knet_pong_count: 2\n  }}\n",
        link);
  return fmt::format(
      "totem {{\n  version: 2\n  cluster_name: lab\n  transport: knet\n  link_mode: active\n"
      "  token: 1000\n  token_coefficient: 0\n  crypto_cipher: none\n  crypto_hash: none\n{}}}\n"
      "nodelist {{\n{}}}\n"
      "quorum {{\n  provider: corosync_votequorum\n{}}}\n"
      "logging {{\n  to_stderr: no\n  to_syslog: no\n  to_logfile: yes\n  logfile: /run/corosync.log\n}}\n",
      links, nodes, options_.quorum);
}

void Lab::start_corosync(NodeId node) {
  Server& server = servers_.at(node.value);
  server.corosync = server.namespaces->spawn({"corosync", "-f", "-c", "/run/corosync.conf"});
}

void Lab::signal_corosync(NodeId node, int signal) {
  Server& server = servers_.at(node.value);
  kill(server.corosync, signal);
  if (signal == SIGKILL) {
    waitpid(server.corosync, nullptr, 0);
    server.corosync = -1;
  }
}

void Lab::set_link(NodeId node, int link, bool up) {
  switch_.run({"ip", "link", "set", fmt::format("s{}l{}", node.value, link), up ? "up" : "down"});
}

std::string Lab::corosync_log(NodeId node) const {
  std::stringstream log;
  server(node).within([&] { log << std::ifstream("/run/corosync.log").rdbuf(); });
  return log.str();
}

}  // namespace komainu::channel::testing
