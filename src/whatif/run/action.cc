#include "whatif/run/action.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/duration_text.h"

namespace komainu::whatif {
namespace {

constexpr KindRow kRows[] = {
    {Kind::kPowerOff, "power-off", Sort::kFault, {Key::kNode}, {}, "the server loses power and stays off"},
    {Kind::kOsCrash,
     "os-crash",
     Sort::kFault,
     {Key::kNode},
     {},
     "its operating system crashes, and boots again"},
    {Kind::kFreeze,
     "freeze",
     Sort::kFault,
     {Key::kNode},
     {},
     "it stands still, its clock too: a paused or stalled OS"},
    {Kind::kShutdown, "shutdown", Sort::kFault, {Key::kNode}, {}, "it is shut down in order"},
    {Kind::kPowerLoss, "power-loss", Sort::kFault, {}, {}, "all servers lose power"},
    {Kind::kDaemonCrash,
     "daemon-crash",
     Sort::kFault,
     {Key::kNode},
     {},
     "komainud is killed; systemd restarts it"},
    {Kind::kDaemonHang,
     "daemon-hang",
     Sort::kFault,
     {Key::kNode},
     {},
     "komainud hangs until systemd's watchdog kills it"},
    {Kind::kCorosyncHang, "corosync-hang", Sort::kFault, {Key::kNode}, {}, "Corosync hangs there"},
    {Kind::kLinkDown,
     "link-down",
     Sort::kFault,
     {},
     {Key::kNode, Key::kPeer, Key::kLink},
     "cluster links fail: of a node, between two nodes, or (without a node) a whole network; without `link` "
     "all of "
     "them"},
    {Kind::kPartition,
     "partition",
     Sort::kFault,
     {Key::kParts},
     {},
     "the cluster's networks are cut into these parts"},
    {Kind::kNicDown,
     "nic-down",
     Sort::kFault,
     {Key::kNode, Key::kInterface},
     {},
     "a network interface that a nic-link monitor watches loses its link"},
    {Kind::kUnreachable,
     "unreachable",
     Sort::kFault,
     {Key::kAddress},
     {Key::kNode},
     "an address that a ping monitor asks does not answer: one node, or (without `node`) nobody"},
    {Kind::kArbiterLost, "arbiter-lost", Sort::kFault, {}, {}, "nobody reaches the arbiter"},
    {Kind::kAppDies, "app-dies", Sort::kFault, {Key::kResource}, {}, "the application's processes are gone"},
    {Kind::kAppHangs,
     "app-hangs",
     Sort::kFault,
     {Key::kResource},
     {},
     "its processes live and answer nothing"},
    {Kind::kAppWrong, "app-wrong", Sort::kFault, {Key::kResource}, {}, "it answers wrongly"},
    {Kind::kStartFails,
     "start-fails",
     Sort::kFault,
     {Key::kResource},
     {Key::kNode},
     "starts of it fail from now on"},
    {Kind::kStartHangs,
     "start-hangs",
     Sort::kFault,
     {Key::kResource},
     {Key::kNode},
     "starts of it do not end from now on"},
    {Kind::kStopFails,
     "stop-fails",
     Sort::kFault,
     {Key::kResource},
     {Key::kNode},
     "stops of it fail from now on"},
    {Kind::kStopHangs,
     "stop-hangs",
     Sort::kFault,
     {Key::kResource},
     {Key::kNode},
     "stops of it do not end from now on"},
    {Kind::kBmcDead,
     "bmc-dead",
     Sort::kFault,
     {Key::kNode},
     {Key::kLevel},
     "the devices that switch this node off do not answer: of one level, or of all"},
    {Kind::kBmcSlow,
     "bmc-slow",
     Sort::kFault,
     {Key::kNode, Key::kAfter},
     {Key::kLevel},
     "they take this long"},

    {Kind::kPowerOn, "power-on", Sort::kRepair, {Key::kNode}, {}, "the server boots"},
    {Kind::kThaw, "thaw", Sort::kRepair, {Key::kNode}, {}, "it goes on where it stood still"},
    {Kind::kPowerBack,
     "power-back",
     Sort::kRepair,
     {},
     {Key::kMissing},
     "all servers that are off boot, but those that are missing"},
    {Kind::kDaemonResume, "daemon-resume", Sort::kRepair, {Key::kNode}, {}, "komainud goes on"},
    {Kind::kCorosyncResume, "corosync-resume", Sort::kRepair, {Key::kNode}, {}, "Corosync goes on"},
    {Kind::kLinkUp,
     "link-up",
     Sort::kRepair,
     {},
     {Key::kNode, Key::kPeer, Key::kLink},
     "the links work again"},
    {Kind::kHeal, "heal", Sort::kRepair, {}, {}, "all links of the cluster work again"},
    {Kind::kNicUp,
     "nic-up",
     Sort::kRepair,
     {Key::kNode, Key::kInterface},
     {},
     "the interface has its link again"},
    {Kind::kReachable,
     "reachable",
     Sort::kRepair,
     {Key::kAddress},
     {Key::kNode},
     "the address answers again"},
    {Kind::kArbiterBack, "arbiter-back", Sort::kRepair, {}, {}, "the arbiter is reached again"},
    {Kind::kStartWorks,
     "start-works",
     Sort::kRepair,
     {Key::kResource},
     {Key::kNode},
     "starts of it work again"},
    {Kind::kStopWorks, "stop-works", Sort::kRepair, {Key::kResource}, {Key::kNode}, "stops of it work again"},
    {Kind::kBmcWorks,
     "bmc-works",
     Sort::kRepair,
     {Key::kNode},
     {Key::kLevel},
     "the fencing devices work again"},

    {Kind::kMonitorFailed,
     "monitor-failed",
     Sort::kReport,
     {Key::kMonitor},
     {Key::kNode, Key::kEvidence},
     "the monitor says so, at once; of a group, until what it watches has been restarted"},
    {Kind::kMonitorWarning,
     "monitor-warning",
     Sort::kReport,
     {Key::kMonitor},
     {Key::kNode, Key::kEvidence},
     "the monitor warns"},
    {Kind::kMonitorHealthy,
     "monitor-healthy",
     Sort::kReport,
     {Key::kMonitor},
     {Key::kNode},
     "the monitor is content"},

    {Kind::kGroupStart, "group-start", Sort::kRequest, {Key::kGroup}, {Key::kNode}, "komainu group start"},
    {Kind::kGroupStop, "group-stop", Sort::kRequest, {Key::kGroup}, {}, "komainu group stop"},
    {Kind::kGroupMove, "group-move", Sort::kRequest, {Key::kGroup}, {Key::kNode}, "komainu group move"},
    {Kind::kGroupClear, "group-clear", Sort::kRequest, {Key::kGroup}, {}, "komainu group clear"},
    {Kind::kNodeDrain, "node-drain", Sort::kRequest, {Key::kNode}, {}, "komainu node drain"},
    {Kind::kNodeStandby, "node-standby", Sort::kRequest, {Key::kNode}, {}, "komainu node standby"},
    {Kind::kNodeResume, "node-resume", Sort::kRequest, {Key::kNode}, {}, "komainu node resume"},
    {Kind::kMonitorSuspend,
     "monitor-suspend",
     Sort::kRequest,
     {Key::kMonitor},
     {},
     "komainu monitor suspend"},
    {Kind::kMonitorResume, "monitor-resume", Sort::kRequest, {Key::kMonitor}, {}, "komainu monitor resume"},
    {Kind::kFenceConfirm, "fence-confirm", Sort::kRequest, {Key::kNode}, {}, "komainu fence confirm"},
    {Kind::kFenceOff, "fence-off", Sort::kRequest, {Key::kNode}, {}, "komainu fence off"},
    {Kind::kStartAlone,
     "start-alone",
     Sort::kRequest,
     {Key::kNode},
     {},
     "komainu cluster start-alone, on that node"},
};

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < std::size(kRows); ++i)
    if (static_cast<std::size_t>(kRows[i].kind) != i) return false;
  return true;
}
static_assert(rows_are_in_order());

constexpr std::string_view kKeyWords[kKeys] = {"node",    "peer",    "link",     "parts",   "interface",
                                               "address", "group",   "resource", "monitor", "level",
                                               "after",   "missing", "evidence"};

// How an action names what it is about.
struct Names {
  const core::Spec& spec;
  const Action& action;

  std::string node() const { return action.node ? spec.nodes.at(*action.node).name : "all nodes"; }
  std::string on() const { return action.node ? " on " + node() : ""; }
  std::string to() const { return action.node ? " to " + node() : ""; }
  std::string monitor() const { return spec.monitors.at(*action.monitor).name; }
  std::string group() const { return spec.groups.at(*action.group).name; }
  std::string resource() const {
    const core::Group& of = spec.groups.at(*action.group);
    return of.name + "/" + of.resources[*action.resource].name;
  }
  std::string because() const { return action.name.empty() ? "" : ": " + action.name; }
  std::string level() const { return action.level ? fmt::format(" of level {}", *action.level + 1) : ""; }

  std::string links() const {
    const std::string which = action.link ? fmt::format("link {}", *action.link) : std::string("all links");
    if (action.peer)
      return fmt::format("{} between {} and {}", which, node(), spec.nodes.at(*action.peer).name);
    return fmt::format("{} of {}", which, node());
  }
  std::string set(NodeSet nodes) const {
    std::vector<std::string> names;
    for (NodeId id : nodes) names.push_back(spec.nodes.at(id).name);
    return fmt::format("{}", fmt::join(names, ", "));
  }
  std::string parts() const {
    std::vector<std::string> texts;
    for (NodeSet part : action.parts) texts.push_back(set(part));
    return fmt::format("{}", fmt::join(texts, " | "));
  }

  std::string fault() const;
  std::string repair() const;
  std::string request() const;
};

std::string Names::fault() const {
  switch (action.kind) {
    case Kind::kPowerOff:
      return node() + " loses power";
    case Kind::kOsCrash:
      return node() + " crashes and boots again";
    case Kind::kFreeze:
      return node() + " freezes";
    case Kind::kShutdown:
      return node() + " is shut down";
    case Kind::kPowerLoss:
      return "all nodes lose power";
    case Kind::kDaemonCrash:
      return "komainud crashes on " + node();
    case Kind::kDaemonHang:
      return "komainud hangs on " + node();
    case Kind::kCorosyncHang:
      return "Corosync hangs on " + node();
    case Kind::kLinkDown:
      return links() + (action.link ? " fails" : " fail");
    case Kind::kPartition:
      return "the cluster is cut: " + parts();
    case Kind::kNicDown:
      return fmt::format("{} loses the link of {}", node(), action.name);
    case Kind::kUnreachable:
      return fmt::format("{} does not answer {}", action.name, action.node ? node() : "anybody");
    case Kind::kArbiterLost:
      return "the arbiter is lost";
    case Kind::kAppDies:
      return resource() + " dies";
    case Kind::kAppHangs:
      return resource() + " hangs";
    case Kind::kAppWrong:
      return resource() + " answers wrongly";
    case Kind::kStartFails:
      return fmt::format("starts of {}{} fail", resource(), on());
    case Kind::kStartHangs:
      return fmt::format("starts of {}{} hang", resource(), on());
    case Kind::kStopFails:
      return fmt::format("stops of {}{} fail", resource(), on());
    case Kind::kStopHangs:
      return fmt::format("stops of {}{} hang", resource(), on());
    case Kind::kBmcDead:
      return fmt::format("the fencing devices{} for {} do not answer", level(), node());
    case Kind::kBmcSlow:
      return fmt::format("the fencing devices{} for {} take {}", level(), node(),
                         duration_text(action.after));
    default:
      return {};
  }
}

std::string Names::repair() const {
  switch (action.kind) {
    case Kind::kPowerOn:
      return node() + " boots";
    case Kind::kThaw:
      return node() + " goes on";
    case Kind::kPowerBack:
      return action.missing.empty() ? "power is back" : "power is back, but for " + set(action.missing);
    case Kind::kDaemonResume:
      return "komainud goes on on " + node();
    case Kind::kCorosyncResume:
      return "Corosync goes on on " + node();
    case Kind::kLinkUp:
      return links() + (action.link ? " works again" : " work again");
    case Kind::kHeal:
      return "all links work again";
    case Kind::kNicUp:
      return fmt::format("{} has the link of {} again", node(), action.name);
    case Kind::kReachable:
      return fmt::format("{} answers {} again", action.name, action.node ? node() : "everybody");
    case Kind::kArbiterBack:
      return "the arbiter is back";
    case Kind::kStartWorks:
      return fmt::format("starts of {}{} work again", resource(), on());
    case Kind::kStopWorks:
      return fmt::format("stops of {}{} work again", resource(), on());
    case Kind::kBmcWorks:
      return fmt::format("the fencing devices{} for {} work again", level(), node());
    default:
      return {};
  }
}

std::string Names::request() const {
  switch (action.kind) {
    case Kind::kMonitorFailed:
      return fmt::format("{}{} says failed{}", monitor(), on(), because());
    case Kind::kMonitorWarning:
      return fmt::format("{}{} warns{}", monitor(), on(), because());
    case Kind::kMonitorHealthy:
      return fmt::format("{}{} says healthy", monitor(), on());
    case Kind::kGroupStart:
      return fmt::format("start {}{}", group(), on());
    case Kind::kGroupStop:
      return "stop " + group();
    case Kind::kGroupMove:
      return fmt::format("move {}{}", group(), to());
    case Kind::kGroupClear:
      return "clear the failures of " + group();
    case Kind::kNodeDrain:
      return "drain " + node();
    case Kind::kNodeStandby:
      return "put " + node() + " on standby";
    case Kind::kNodeResume:
      return "resume " + node();
    case Kind::kMonitorSuspend:
      return "suspend " + monitor();
    case Kind::kMonitorResume:
      return "resume " + monitor();
    case Kind::kFenceConfirm:
      return "confirm that " + node() + " is off";
    case Kind::kFenceOff:
      return "switch " + node() + " off by its fencing devices";
    case Kind::kStartAlone:
      return fmt::format("let {} start alone", node());
    default:
      return {};
  }
}

}  // namespace

std::string_view to_string(Sort sort) {
  static constexpr std::string_view kWords[] = {"fault", "repair", "report", "request"};
  return kWords[static_cast<int>(sort)];
}

std::string_view to_string(Key key) {
  return kKeyWords[static_cast<int>(key)];
}

std::vector<std::string> Keys::names() const {
  std::vector<std::string> result;
  for (int i = 0; i < kKeys; ++i)
    if (contains(static_cast<Key>(i))) result.emplace_back(kKeyWords[i]);
  return result;
}

std::span<const KindRow> kinds() {
  return kRows;
}

const KindRow& row_of(Kind kind) {
  return kRows[static_cast<std::size_t>(kind)];
}

std::string describe(const core::Spec& spec, const Action& action) {
  const Names names{spec, action};
  switch (row_of(action.kind).sort) {
    case Sort::kFault:
      return names.fault();
    case Sort::kRepair:
      return names.repair();
    case Sort::kReport:
    case Sort::kRequest:
      break;
  }
  return names.request();
}

}  // namespace komainu::whatif
