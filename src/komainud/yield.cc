#include "komainud/yield.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>
#include <utility>

#include "engine/cluster/abandoned.h"
#include "engine/executor/executor.h"
#include "engine/files/atomic_file.h"
#include "engine/files/flow_stamp.h"
#include "engine/loop/loop.h"
#include "engine/report/journal.h"
#include "engine/report/notify.h"
#include "engine/services/netlink.h"
#include "engine/services/systemd.h"
#include "engine/spawner/spawner.h"
#include "komainud/identity.h"
#include "wire/wire.h"

namespace komainu {
namespace {

constexpr Duration kKeepWaiting = 5s;

int complain(const Error& error) {
  std::cerr << "komainud --yield: " << error.what << '\n';
  if (!error.help.empty()) std::cerr << "                  " << error.help << '\n';
  return 1;
}

std::string_view from_systemd(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Waits for one report of each group, however its stop ends; their stop timeouts bound that.
class Stops {
 public:
  Stops(engine::Loop& loop, const core::Spec& spec) : loop_(loop), spec_(spec) { keep_waiting(); }

  void begun(std::set<GroupId> groups) {
    for (const auto& [id, group] : spec_.groups)
      if (!groups.contains(id)) tell(group.name + " cannot be stopped: this version does not know how");
    failed_ = groups.size() < spec_.groups.size();
    waited_for_ = std::move(groups);
    look();
  }
  void note(const core::Fact& fact) {
    const auto* report = std::get_if<core::GroupReport>(&fact);
    if (!report || !ended_.insert(report->group).second) return;
    const std::string& name = spec_.groups.at(report->group).name;
    tell(report->activity ? name + " could not be stopped: " + report->evidence : name + " is stopped");
    failed_ = failed_ || report->activity.has_value();
    look();
  }
  bool failed() const { return failed_; }

 private:
  static void tell(const std::string& text) { std::cerr << "komainud --yield: " << text << '\n'; }
  void look() {
    if (waited_for_ && std::ranges::includes(ended_, *waited_for_)) loop_.stop();
  }
  void keep_waiting() {
    notify_.extend_timeout(3 * kKeepWaiting);
    beat_.set_after(kKeepWaiting, [this] { keep_waiting(); });
  }

  engine::Loop& loop_;
  const core::Spec& spec_;
  engine::Notify notify_;
  engine::Loop::Timer beat_{loop_};
  std::optional<std::set<GroupId>> waited_for_;
  std::set<GroupId> ended_;
  bool failed_ = false;
};

int stop_groups(const core::Spec& spec, NodeId self) {
  auto spawner = engine::Spawner::fork({});
  if (!spawner) return complain(spawner.error());
  engine::Loop loop;
  engine::Journal journal("komainud");
  auto netlink = engine::Netlink::open(loop);
  if (!netlink) return complain(netlink.error());
  engine::Systemd systemd(loop);
  const drivers::Services services{loop, loop, **spawner, **spawner, systemd, **netlink, journal};
  Stops stops(loop, spec);
  engine::Executor executor(self, spec, services, [&](const core::Fact& fact) { stops.note(fact); });
  (*spawner)->attach(
      loop.io(), [&](const engine::spawner::Ready&) { stops.begun(executor.give_up(spec)); },
      [&](const std::string& why) {
        complain({"the spawner is gone: " + why, {}});
        std::_Exit(1);
      });
  loop.run();
  // As at the daemon's own end: nothing is taken apart.
  std::_Exit(stops.failed() ? 1 : 0);
}

}  // namespace

int yield(const Options& options) {
  const engine::DaemonEnd end{from_systemd("SERVICE_RESULT"), from_systemd("EXIT_CODE"),
                              from_systemd("EXIT_STATUS")};
  if (end.result.empty())
    return complain({"this is for systemd, after the daemon's end",
                     "'komainu node standby NAME' stops what a node runs; 'systemctl stop komainud' leaves"});
  const Result<std::optional<std::string>> bytes = engine::read_whole(options.store(), wire::kMaxMessage);
  if (!bytes) return complain(bytes.error());
  if (!*bytes) return 0;  // it has never been in a cluster
  const Result<core::Durable> stored = wire::decode_durable(**bytes);
  if (!stored)
    return complain({options.store() + " is damaged: " + stored.error().what,
                     "nobody knows what runs here: stop it by hand, or restart this machine"});
  const core::Spec& spec = *stored->spec;
  const std::optional<engine::Flow> flow = engine::FlowStamp(options.flow_stamp(), boot_identity()).read();
  const std::optional<std::string> why =
      engine::abandoned(spec, end, flow ? std::optional(flow->at) : std::nullopt, engine::boot_time());
  if (!why) return 0;
  if (stored->disarmed && flow &&
      engine::boot_time() < flow->at + (stored->disarmed->until - stored->disarmed->since)) {
    std::cerr << "komainud --yield: the cluster is disarmed: what runs here goes on\n";
    return 0;
  }
  const Result<NodeId> self = find_self(spec, options.node);
  if (!self) return complain(self.error());
  std::cerr << "komainud --yield: " << *why << ": this node's groups are stopped, as the others count on\n";
  return stop_groups(spec, *self);
}

}  // namespace komainu
