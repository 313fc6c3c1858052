// A network namespace for a test. It is held by a child process that dies with the test, so nothing is left
// behind however the test ends. Needs root.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "drivers/fd.h"
#include "drivers/services.h"

namespace komainu::drivers::testing {

class NetNamespace {
 public:
  NetNamespace() {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("cannot make a pipe");
    holder_ = ::fork();
    if (holder_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const char made = ::unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
      (void)!::write(ready[1], &made, 1);
      while (true) ::pause();
    }
    char made = 'n';
    (void)!::read(ready[0], &made, 1);
    ::close(ready[0]);
    ::close(ready[1]);
    if (made != 'y') {
      destroy();
      throw std::runtime_error("cannot make a network namespace: this test needs root");
    }
    run("ip link set lo up");
  }
  NetNamespace(const NetNamespace&) = delete;
  ~NetNamespace() { destroy(); }

  pid_t pid() const { return holder_; }

  // Runs a command inside; throws when it fails.
  void run(const std::string& command) const {
    if (std::system(fmt::format("nsenter -t {} -n {}", holder_, command).c_str()) != 0)
      throw std::runtime_error("failed: " + command);
  }
  std::string output(const std::string& command) const {
    std::string text;
    FILE* pipe = ::popen(fmt::format("nsenter -t {} -n {}", holder_, command).c_str(), "r");
    char buffer[4096];
    for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      text.append(buffer, size);
    ::pclose(pipe);
    return text;
  }

  // A cable between two namespaces: `here` in this one, `there` in the other.
  void join(const std::string& here, const NetNamespace& other, const std::string& there) const {
    run(fmt::format("ip link add {} type veth peer name {} netns {}", here, there, other.pid()));
    run(fmt::format("ip link set {} up", here));
    other.run(fmt::format("ip link set {} up", there));
  }

  // While it lives, this thread is inside.
  class Inside {
   public:
    explicit Inside(const NetNamespace& where)
        : outside_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
      const Fd inside(::open(fmt::format("/proc/{}/ns/net", where.pid()).c_str(), O_RDONLY | O_CLOEXEC));
      if (::setns(inside.get(), CLONE_NEWNET) != 0)
        throw std::runtime_error("cannot enter a network namespace");
    }
    Inside(const Inside&) = delete;
    ~Inside() { (void)::setns(outside_.get(), CLONE_NEWNET); }

   private:
    Fd outside_;
  };

 private:
  void destroy() {
    ::kill(holder_, SIGKILL);
    ::waitpid(holder_, nullptr, 0);
  }

  pid_t holder_ = 0;
};

// The link as it is in this thread's namespace; up, with a carrier.
inline Link real_link(const std::string& name) {
  ifreq request{};
  std::copy_n(name.begin(), std::min(name.size(), sizeof request.ifr_name - 1), request.ifr_name);
  const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (::ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0) throw std::runtime_error("no link " + name);
  Link link{
      .index = static_cast<int>(::if_nametoindex(name.c_str())), .name = name, .up = true, .carrier = true};
  std::copy_n(request.ifr_hwaddr.sa_data, 6, link.mac.bytes.begin());
  return link;
}

}  // namespace komainu::drivers::testing
