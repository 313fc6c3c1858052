#include "config/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace komainu::config {
namespace {

using params::Declaration;

bool is_word(std::string_view text, std::string_view also) {
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || also.contains(c);
  });
}

std::optional<Error> name_problem(const std::string& name) {
  if (name.size() > kMaxNameBytes) return Error{fmt::format("is longer than {} bytes", kMaxNameBytes), {}};
  if (!is_word(name, "-_.") || name[0] == '-' || name[0] == '.')
    return Error{"must be a name", "letters, digits, \"-\", \"_\" and \".\"; a letter, digit or \"_\" first"};
  return std::nullopt;
}

std::optional<Error> host_problem(const std::string& host) {
  if (IpAddress::parse(host) || (is_word(host, "-.") && host.size() <= 253 && host[0] != '-'))
    return std::nullopt;
  return Error{"must be an IP address or a host name", {}};
}

std::optional<Error> links_problem(const std::vector<IpAddress>& links) {
  if (links.size() > kMaxLinks) return Error{fmt::format("may have at most {} addresses", kMaxLinks), {}};
  return std::nullopt;
}

// Corosync counts milliseconds.
std::optional<Error> not_whole_milliseconds(const Duration& duration) {
  if (duration % 1ms == Duration::zero()) return std::nullopt;
  return Error{"must be whole milliseconds", {}};
}

// watchdog(4) counts seconds.
std::optional<Error> not_whole_seconds(const Duration& duration) {
  if (duration % 1s == Duration::zero()) return std::nullopt;
  return Error{"must be whole seconds", {}};
}

std::optional<Error> watchdog_problem(const std::string& device) {
  if (device.size() < 256 && (device.starts_with("/dev/") || device.starts_with("lab:/")))
    return std::nullopt;
  return Error{"must be a watchdog device", "\"/dev/watchdog\", or one of /dev/watchdog0, /dev/watchdog1 …"};
}

std::optional<Error> key_problem(const std::string& key) {
  if (key.size() == 16 && key.find_first_not_of("0123456789abcdef") == key.npos) return std::nullopt;
  return Error{"must be the fingerprint of a key",
               "16 of the digits 0 to 9 and a to f, as `komainu cluster new-key` prints them"};
}

std::optional<Error> arbiter_problem(const ArbiterKeys& arbiter) {
  if (arbiter.address) return std::nullopt;
  return Error{"type \"qnetd\" needs `address`", R"(write { type = "qnetd", address = "…" })"};
}

}  // namespace

const Declaration<ClusterKeys>& cluster_section() {
  static const auto declaration =
      Declaration<ClusterKeys>("cluster", "The cluster as a whole.")
          .required("name", &ClusterKeys::name, "The cluster's name, the same for as long as it lives.",
                    {.check = name_problem})
          .optional(
              "profile", &ClusterKeys::profile,
              "What the network between the nodes is like; it sets all of [timing]. \"fast\" finds a dead "
              "node in 0.7 s and needs quiet machines, \"lan\" in 2.2 s, \"wan\" in 11 s.",
              {.choices = {{"fast", core::Profile::kFast},
                           {"lan", core::Profile::kLan},
                           {"wan", core::Profile::kWan}}})
          .optional(
              "alert", &ClusterKeys::alert,
              "The shell command that is run on every alarm, on every node that sees it, for example to "
              "send a mail. It has 30 s, and in its environment KOMAINU_TEXT and, as names, KOMAINU_CLUSTER, "
              "KOMAINU_NODE, KOMAINU_GROUP, KOMAINU_MONITOR.")
          .optional("watchdog", &ClusterKeys::watchdog,
                    "The watchdog device of each node, /dev/watchdog if it is not named; it is used where "
                    "[timing] `watchdog` is not zero. komainud "
                    "must be the only one that opens it. Another one takes effect when komainud starts.",
                    {.check = watchdog_problem})
          .optional("key", &ClusterKeys::key,
                    "The fingerprint of the key that Corosync encrypts with, in "
                    "/etc/corosync/authkey.FINGERPRINT on each node; if it is not named, the key is that in "
                    "/etc/corosync/authkey. `komainu cluster new-key` makes another one.",
                    {.check = key_problem});
  return declaration;
}

const Declaration<NodeKeys>& node_section() {
  static const auto declaration =
      Declaration<NodeKeys>("node", "A server that is a member of the cluster. One alone needs no links.")
          .required("name", &NodeKeys::name, "The server's host name.", {.check = name_problem})
          .optional("id", &NodeKeys::id,
                    "The number Corosync knows it by; given once and kept unless it is named here.",
                    {.min = 1, .max = kMaxNodes})
          .optional("links", &NodeKeys::links,
                    "Its address on each network of the cluster, the same networks in the same order on all "
                    "nodes; the first that works is used. Two or more networks are recommended.",
                    {.check = links_problem})
          .optional("watchdog", &NodeKeys::watchdog, "Its watchdog device, if it is not the cluster's.",
                    {.check = watchdog_problem});
  return declaration;
}

const Declaration<QuorumKeys>& quorum_section() {
  static const auto declaration =
      Declaration<QuorumKeys>("quorum", "Which part of the cluster may act when it is cut apart.")
          .optional("on_no_quorum", &QuorumKeys::on_no_quorum,
                    "What a node does with its groups when it has been without the right to act for `grace`: "
                    "\"stop\" them, or \"freeze\" and leave them running, for groups without data.",
                    {.choices = {{"stop", core::NoQuorum::kStop}, {"freeze", core::NoQuorum::kFreeze}}})
          .optional("allow_split_risk", &QuorumKeys::allow_split_risk,
                    "Accepts that two nodes that cannot see each other both run the groups.")
          .optional(
              "ping", &QuorumKeys::ping,
              "Addresses that a well connected node reaches, such as the gateway: a node that gets no answer "
              "from any of them fences nobody. A hint and no vote: the other half may be as well connected.");
  return declaration;
}

const Declaration<ArbiterKeys>& arbiter_section() {
  static const auto declaration =
      Declaration<ArbiterKeys>("quorum.arbiter",
                               "Helps an even number of nodes to decide which half goes on.")
          .required(
              "type", &ArbiterKeys::type,
              "\"qnetd\": a corosync-qnetd server has a vote; it runs on a third machine and serves any "
              "number "
              "of clusters. Each node runs corosync-qdevice; `komainu cluster init` makes the keys for both.",
              {.choices = {{"qnetd", core::ArbiterType::kQnetd}}})
          .optional("address", &ArbiterKeys::address, "The qnetd server.", {.check = host_problem})
          .check(arbiter_problem);
  return declaration;
}

const Declaration<DeviceKeys>& device_section() {
  static const auto declaration =
      Declaration<DeviceKeys>(
          "fencing.device",
          "Makes sure that a lost node runs nothing. Each [[fencing]] is a level: all its "
          "devices for a node are needed, and the next level is tried when it fails.")
          .required("type", &DeviceKeys::type, "The type of the device.")
          .optional("nodes", &DeviceKeys::nodes, "The nodes it can fence; none named: all.");
  return declaration;
}

const Declaration<GroupKeys>& group_section() {
  static const auto declaration =
      Declaration<GroupKeys>("group", "Resources that run together on one node and fail over together.")
          .required("name", &GroupKeys::name, "The group's name.", {.check = name_problem})
          .optional("prefer", &GroupKeys::prefer, "The nodes it runs on best, the best first.")
          .optional("strict", &GroupKeys::strict, "It runs on no other node than those of `prefer`.")
          .optional(
              "failback", &GroupKeys::failback,
              "Whether it goes back by itself when a node it prefers returns. Each failback is an "
              "interruption, so an operator chooses its time by default.",
              {.choices = {{"manual", core::Failback::kManual}, {"automatic", core::Failback::kAutomatic}}})
          .optional("autostart", &GroupKeys::autostart, "It starts when the cluster starts.")
          .optional("priority", &GroupKeys::priority,
                    "Groups with a greater number are placed first when not all fit.",
                    {.min = -1000000, .max = 1000000})
          .optional("after", &GroupKeys::after,
                    "Groups that have to be online, anywhere, before it starts; they stop after it.")
          .optional("after_here", &GroupKeys::after_here, "The same, and on the node of these groups.")
          .optional("apart", &GroupKeys::apart, "Groups that never run on the same node as it.")
          .optional("near", &GroupKeys::near, "Groups it had better share a node with.")
          .optional(
              "holds_data", &GroupKeys::holds_data,
              "It writes data that two nodes must never write at once. True by itself if a resource is of "
              "such a type; say it for an application that writes to shared storage.");
  return declaration;
}

const Declaration<ResourceKeys>& resource_section() {
  static const auto declaration =
      Declaration<ResourceKeys>(
          "group.resource", "What is started and stopped: in the order of the file, and stopped in reverse.")
          .required("name", &ResourceKeys::name, "Its name within the group.", {.check = name_problem})
          .required("type", &ResourceKeys::type, "Its type; the type's own parameters stand beside it.")
          .optional("start_timeout", &ResourceKeys::start_timeout,
                    "A start that takes longer has failed; the resource is then stopped.",
                    {.min = 100ms, .max = 24h})
          .optional(
              "stop_timeout", &ResourceKeys::stop_timeout,
              "A stop that takes longer has failed; the node is then fenced, since nothing else can make "
              "sure that the resource is gone.",
              {.min = 100ms, .max = 24h});
  return declaration;
}

const Declaration<MonitorKeys>& monitor_section() {
  static const auto declaration =
      Declaration<MonitorKeys>("monitor", "Something that is watched, and what its failure means.")
          .required("name", &MonitorKeys::name, "The monitor's name.", {.check = name_problem})
          .required("type", &MonitorKeys::type, "Its type; the type's own parameters stand beside it.")
          .optional(
              "watch", &MonitorKeys::watch,
              "The group, or \"group/resource\", that it judges: it runs where the group is online, and a "
              "restart begins with that resource. Without it the monitor runs on every node.")
          .optional("affects", &MonitorKeys::affects,
                    "Groups that cannot work on a node where the monitor fails; they go to a better one.")
          .optional("interval", &MonitorKeys::interval,
                    "How often it looks, where the kernel does not tell by itself.",
                    {.min = 50ms, .max = 24h})
          .optional("timeout", &MonitorKeys::timeout, "How long one look may take.", {.min = 10ms, .max = 1h})
          .optional("retries", &MonitorKeys::retries,
                    "Failures in a row beyond the first before it counts as failed.", {.max = 1000})
          .optional("start_delay", &MonitorKeys::start_delay,
                    "It does not look this long after the group came online.", {.min = 0s, .max = 24h})
          .optional("timeout_is_failure", &MonitorKeys::timeout_is_failure,
                    "A look that timed out is a failure; otherwise a warning.")
          .optional(
              "quiet_until_healthy", &MonitorKeys::quiet_until_healthy,
              "It says nothing until it has been healthy once, so that a wrong monitor stops no business.")
          .optional(
              "common_mode_wait", &MonitorKeys::common_mode_wait,
              "A failure moves the groups in `affects` only after it has lasted so long: time for the other "
              "nodes to say the same, because what all share is an alarm and moves nothing. Default: one "
              "interval and one timeout, or 300ms where the kernel tells by itself.",
              {.min = 0s, .max = 24h});
  return declaration;
}

const Declaration<core::Ladder>& ladder_section() {
  using core::FinalAction;
  using core::Ladder;
  static const auto declaration =
      Declaration<Ladder>(
          "on_failure",
          "What is done about a failure, one step after the other. Of a group: for its resources; "
          "of a monitor: for what it finds.")
          .optional("restart", &Ladder::restart, "Restarts where it is.", {.max = 1000})
          .optional("failover", &Ladder::failover, "After those: failovers to another node.", {.max = 1000})
          .optional("then", &Ladder::then,
                    "After those: \"none\"; \"stop-group\" for good; \"stop-node\", which runs nothing until "
                    "`komainu node "
                    "resume`; \"restart-os\" of the node; \"reset\": another node switches it off by "
                    "[[fencing]], and it stays "
                    "off until somebody switches it on.",
                    {.choices = {{"none", FinalAction::kNone},
                                 {"stop-group", FinalAction::kStopGroup},
                                 {"stop-node", FinalAction::kStopNode},
                                 {"restart-os", FinalAction::kRestartOs},
                                 {"reset", FinalAction::kReset}}})
          .optional("forget_after", &Ladder::forget_after,
                    "The counters fall by one for every such time without a new failure.",
                    {.min = 1s, .max = 720h});
  return declaration;
}

const Declaration<core::Timing>& timing_section() {
  using core::Timing;
  static const auto declaration =
      Declaration<Timing>("timing",
                          "Times that follow from the profile; name one only for a reason. They are checked "
                          "against each other when the file is read.")
          .optional(
              "token", &Timing::token,
              "Corosync takes a node for lost when the token has not come round for this long; with the "
              "consensus of the others (1.2 × token) a lost node is known after 2.2 × token. Below 1 s a "
              "busy machine loses its peers by mistake.",
              {.min = 200ms, .max = 1min, .check = not_whole_milliseconds})
          .optional(
              "suspend_after", &Timing::suspend_after,
              "A member whose daemon has not acknowledged for this long plans and starts nothing until it "
              "does; the others go on without waiting for it. Daemons acknowledge at least once a `tick`, "
              "so it is two ticks or more.",
              {.min = 100ms, .max = 5min})
          .optional(
              "lost_after", &Timing::lost_after,
              "A member that has been suspended for this long is treated as lost, and fenced. Longer than "
              "`daemon_restart`: a hanging daemon is restarted by systemd before its node is shot.",
              {.min = 1s, .max = 1h})
          .optional(
              "daemon_restart", &Timing::daemon_restart,
              "A daemon that ended on a living node has this long to come back and take over what still "
              "runs, before its node is fenced.",
              {.min = 1s, .max = 1h})
          .optional(
              "startup_wait", &Timing::startup_wait,
              "When the cluster starts, it waits this long for nodes that are not there yet before it "
              "fences them. Longer than forming a membership takes, or nodes that boot together shoot each "
              "other.",
              {.min = 1s, .max = 1h})
          .optional(
              "grace", &Timing::grace,
              "A node that has been without the right to act for this long stops its groups. It outlasts "
              "any ordinary change of the membership (2.2 × token, and what the quorum device takes), or "
              "each loss of a peer would stop the business; and it ends before the lease, since the others "
              "start the groups when that is over.",
              {.min = 500ms, .max = 10min})
          .optional(
              "lease", &Timing::lease,
              "Only where there is no fencing: a node may run its groups this long after its last "
              "acknowledged sign of life. It is renewed every quarter of it, so three quarters outlast a "
              "change of the membership.",
              {.min = 1s, .max = 10min})
          .optional("watchdog", &Timing::watchdog,
                    "The timeout of the watchdog device that resets a node which could not stop its groups, "
                    "or whose daemon is gone. Takeover without fencing waits for it, and a node whose device "
                    "cannot be set to this timeout or a shorter one starts no groups then. Zero: no device "
                    "is used; three or more nodes then need [[fencing]].",
                    {.min = 0s, .max = 10min, .check = not_whole_seconds})
          .optional(
              "drain", &Timing::drain,
              "Takeover without fencing waits this much longer, for what is still in flight when a lease "
              "ends: writes in a storage's queue, packets, stops that are under way.",
              {.min = 0s, .max = 1h})
          .optional(
              "max_pause", &Timing::max_pause,
              "The longest pause of a whole machine (live migration, a busy host) that must not count as "
              "its loss where there is no fencing; a longer one makes the node stop its groups. Half the "
              "lease or less.",
              {.min = 0s, .max = 1min})
          .optional("tick", &Timing::tick,
                    "How often the planner sends the time round; counters and back-offs run in these steps.",
                    {.min = 10ms, .max = 10s})
          .optional(
              "rank_delay", &Timing::rank_delay,
              "The second member plans this much later if the first did not, the third after twice this, "
              "and so on. Longer than a message takes.",
              {.min = 1ms, .max = 5s})
          .optional(
              "fence_race", &Timing::fence_race,
              "When two nodes cannot see each other, the one that holds fewer groups shoots this much later.",
              {.min = 0s, .max = 5s});
  return declaration;
}

const Declaration<core::Brakes>& brakes_section() {
  using core::Brakes;
  static const auto declaration =
      Declaration<Brakes>("brakes", "Bounds what komainu may do to the servers when something is very wrong.")
          .optional(
              "fences", &Brakes::fences,
              "At most so many nodes are fenced or reset within `window`; beyond that there is an alarm and "
              "an operator decides. The last healthy node never is.",
              {.min = 1, .max = 1000})
          .optional("window", &Brakes::window, "The time `fences` and `flaps` are counted in.",
                    {.min = 1min, .max = 24h})
          .optional(
              "flaps", &Brakes::flaps,
              "A node that was lost so often within `window`, or on which a monitor came to fail so often, "
              "is unsteady: groups avoid the node, and the monitor's good results there are not believed.",
              {.min = 2, .max = 1000})
          .optional(
              "quarantine", &Brakes::quarantine,
              "What is unsteady must be steady for so long before it counts as good again, and twice as "
              "long after each further failure. `komainu node resume` and `komainu monitor resume` end it.",
              {.min = 0s, .max = 24h});
  return declaration;
}

}  // namespace komainu::config
