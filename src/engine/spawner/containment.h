// Where agents live, so that all of an agent can be killed and awaited: a cgroup each, or, where the system
// has no cgroup v2, a process group each, which a process can leave.
//
//   …/komainud.service                   the daemon; systemd puts it there
//       └── komainu
//           ├── spawner/PID              the helper process
//           ├── agents/PID-N.LABEL       one for each agent
//           └── applications/PID-N.LABEL agents whose leftovers may live on: *kept* once they are marked
//
// A helper that starts kills its predecessor, and then everything but what is kept.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "engine/cgroup.h"

namespace komainu::engine::spawner {

// The name that only one helper can have: an abstract socket (unix(7)). For where there are no cgroups, and
// nobody but a helper knows its agents: it kills them when its daemon has died, and then lets go of the name.
class OnlyOne {
 public:
  explicit OnlyOne(const std::string& name) : name_("komainu-spawner/" + name) {}
  // True once the name is ours.
  bool take();

 private:
  std::string name_;
  Fd socket_;
  bool taken_ = false;
};

// One agent's container. Empty until the agent is born into it.
class Container {
 public:
  // Forks; the child is in the container from its first instruction. As fork(2), but async-signal-safe calls
  // only in the child: no atfork handler has run there.
  pid_t fork_into();

  void terminate();  // SIGTERM
  void kill();       // SIGKILL; nothing that is in it can escape
  // No process is left, but for zombies. Frees the container then.
  bool gone();
  // From now on a successor keeps what lives in it, and gone() is none of our business any more.
  Result<void> keep();
  // Readable as EPOLLPRI when gone() may have changed; none without cgroups: poll then.
  int events() const { return events_.get(); }
  void acknowledge() { Cgroup::acknowledge(events_); }

 private:
  friend class Containment;
  struct InCgroup {
    const Cgroup* parent = nullptr;
    std::string name;
    Cgroup cgroup;
  };
  std::optional<InCgroup> cgroup_;
  Fd events_;
  pid_t group_ = 0;                 // the agent leads its process group
  OnlyOne* predecessor_ = nullptr;  // it stands for all agents of a helper that has not ended
};

class Containment {
 public:
  // Kills a predecessor of the same name, moves this process in, kills and awaits the predecessor's agents
  // for at most `patience`. Call it in the helper, before anything is started.
  Containment(const std::string& name, Duration patience);
  Containment(const Containment&) = delete;
  Containment& operator=(const Containment&) = delete;

  Result<Container> make(const std::string& label, bool application);

  struct Survivor {
    std::string label;
    Container container;
  };
  // The predecessor's agents that survived SIGKILL; without cgroups, the predecessor itself.
  std::vector<Survivor> take_survivors() { return std::move(survivors_); }

  bool contained() const { return directories_.has_value(); }
  const std::string& description() const { return description_; }

 private:
  struct Directories {
    Cgroup spawner, agents, applications;
  };
  Result<Directories> open_directories(const std::string& name);
  void replace_predecessor(Duration patience);
  void await_predecessor(Duration patience);
  void sweep_applications();

  std::optional<Directories> directories_;
  OnlyOne only_one_;
  std::string description_;
  std::vector<Survivor> survivors_;
  std::uint64_t made_ = 0;
};

}  // namespace komainu::engine::spawner
