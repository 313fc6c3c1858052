#include "core/judge/judge.h"

#include <algorithm>

namespace komainu::core {
namespace {

constexpr Row kTable[] = {
    {.standing = {Standing::kSettled},
     .verdict = Verdict::kSurelyDown,
     .text = "fenced and confirmed, out of its lease, or off by the operator's word"},
    {.standing = {Standing::kLeft},
     .verdict = Verdict::kSurelyDown,
     .text = "left the cluster and runs nothing"},

    {.standing = {Standing::kLost, Standing::kUnknown},
     .fencing = {Fencing::kOpen},
     .verdict = Verdict::kUnknown,
     .text = "silent, and being fenced"},
    {.standing = {Standing::kLost, Standing::kUnknown},
     .ring = {Ring::kPresent},
     .verdict = Verdict::kStalled,
     .text = "its Corosync answers, its daemon does not"},
    {.standing = {Standing::kLost},
     .verdict = Verdict::kUnknown,
     .text = "silent: off, hung or cut off; it may run what it ran"},
    {.standing = {Standing::kUnknown},
     .verdict = Verdict::kUnknown,
     .text = "nothing is known about it: it may run anything that is allowed there"},

    {.daemon = {Daemon::kSilent},
     .verdict = Verdict::kStalled,
     .text = "in the cluster, but its daemon acknowledges nothing"},
    {.fencing = {Fencing::kOpen}, .verdict = Verdict::kStalled, .text = "being fenced"},
    {.reach = {Reach::kNothing},
     .verdict = Verdict::kIsolated,
     .text = "reaches nothing of what other nodes reach"},
    {.reach = {Reach::kLess}, .verdict = Verdict::kDegraded, .text = "does not reach what other nodes reach"},
    {.watch = {Watch::kFailure},
     .verdict = Verdict::kDegraded,
     .text = "a monitor fails here that is fine on other nodes"},
    {.past = {Past::kUnsteady},
     .verdict = Verdict::kDegraded,
     .text = "was lost again and again: groups avoid it until it has been steady for a while"},
    {.links = {Links::kSomeDown}, .verdict = Verdict::kDegraded, .text = "a link of the cluster is down"},
    {.watch = {Watch::kSharedFailure},
     .verdict = Verdict::kDegraded,
     .text = "a monitor fails here and on every other node that runs it"},
    {.watch = {Watch::kWarning}, .verdict = Verdict::kDegraded, .text = "a monitor warns"},
    {.daemon = {Daemon::kLeaves}, .verdict = Verdict::kDegraded, .text = "leaving the cluster"},
    {.verdict = Verdict::kHealthy, .text = "answers; its links and monitors are fine"},
};

// Monitors that say what a node reaches, by their type in the configuration.
bool watches_reach(const Monitor& monitor) {
  return monitor.type == "nic-link" || monitor.type == "ping";
}

// Some other member is known to be better off.
bool fine_elsewhere(const State& state, const MonitorState& monitor, PlaceId here) {
  return std::ranges::any_of(monitor.at, [&](const auto& entry) {
    const auto& [place, health] = entry;
    const NodeState* node = state.node(Spec::node_of(place));
    return place != here && (health == Health::kHealthy || health == Health::kWarning) && node &&
           node->standing == Standing::kMember;
  });
}

Watch seen_by(const State& state, const MonitorState& monitor, PlaceId here) {
  auto at = monitor.at.find(here);
  const Health health = at == monitor.at.end() ? Health::kUnknown : at->second;
  if (health == Health::kWarning) return Watch::kWarning;
  if (health != Health::kFailed) return Watch::kFine;
  return fine_elsewhere(state, monitor, here) ? Watch::kFailure : Watch::kSharedFailure;
}

Links links_of(const State& state, NodeId id, const NodeState& known) {
  const auto is_here = [&](NodeId peer) {
    const NodeState* other = state.node(peer);
    return other && other->standing == Standing::kMember;
  };
  if (std::ranges::any_of(known.links_down, [&](const auto& down) { return is_here(down.first); }))
    return Links::kSomeDown;
  for (const auto& [peer, other] : state.nodes) {
    if (other.standing == Standing::kMember && other.links_down.contains(id)) return Links::kSomeDown;
  }
  return Links::kUp;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  static constexpr std::string_view kWords[kVerdicts] = {"healthy", "degraded", "isolated",
                                                         "stalled", "unknown",  "down"};
  return kWords[static_cast<int>(verdict)];
}

std::span<const Row> evidence_table() {
  return kTable;
}

const Row& judge(const Evidence& evidence) {
  return *std::ranges::find_if(kTable, [&](const Row& row) { return row.matches(evidence); });
}

Evidence evidence_about(const State& state, PlaceId place) {
  const NodeId id = Spec::node_of(place);
  const NodeState* known = state.node(id);
  if (!known) return {};
  Evidence evidence{
      .standing = known->standing,
      .daemon = known->suspended ? Daemon::kSilent
                : known->leaving ? Daemon::kLeaves
                                 : Daemon::kAnswers,
      .ring = known->ring_member || known->standing == Standing::kMember ? Ring::kPresent : Ring::kAbsent,
      .fencing = known->fences.empty() ? Fencing::kNone : Fencing::kOpen,
      .links = links_of(state, id, *known),
      .past = is_unsteady(state, *known) ? Past::kUnsteady : Past::kSteady};
  std::uint32_t reached = 0;
  std::uint32_t missed = 0;
  for (const auto& [monitor_id, monitor] : state.monitors) {
    const Monitor* configured = state.spec->monitor(monitor_id);
    if (!configured || configured->group || monitor.suspended) continue;
    if (configured->role == MonitorRole::kFencing) continue;  // says nothing of what could run there
    const Watch seen = seen_by(state, monitor, place);
    evidence.watch = std::max(evidence.watch, seen);
    if (!watches_reach(*configured) || !monitor.at.contains(place)) continue;
    if (seen == Watch::kFailure) ++missed;
    if (seen == Watch::kFine || seen == Watch::kWarning) ++reached;
  }
  if (missed > 0) evidence.reach = reached == 0 ? Reach::kNothing : Reach::kLess;
  return evidence;
}

}  // namespace komainu::core
