#include "core/state.h"

#include <algorithm>

#include "base/digest.h"

namespace komainu::core {

namespace {
bool same(const SpecPtr& a, const SpecPtr& b) {
  return a == b || (a && b && *a == *b);
}
}  // namespace

bool PendingSpec::operator==(const PendingSpec& other) const {
  return position == other.position && cause == other.cause && request == other.request &&
         same(spec, other.spec);
}
bool Durable::operator==(const Durable& other) const {
  return lineage == other.lineage && duties == other.duties && intents == other.intents &&
         given_up == other.given_up && suspended_monitors == other.suspended_monitors &&
         was_healthy == other.was_healthy && fences == other.fences && last_seen == other.last_seen &&
         same(spec, other.spec);
}

PlaceSet State::possible_places(const Group& group) const {
  const PlaceSet unknown = unknown_places();
  if (unknown.empty()) return unknown;
  NodeSet elsewhere;
  for (const auto& [id, node] : nodes)
    if (node.standing == Standing::kUnknown || node.standing == Standing::kLost) elsewhere.insert(id);
  return spec->could_be_quorate(elsewhere) ? unknown : unknown & spec->allowed(group);
}

PlaceSet State::may_run(GroupId id) const {
  const GroupState* known = group(id);
  const Group* configured = spec->group(id);
  PlaceSet places = known ? known->places() : PlaceSet{};
  if (configured) places |= possible_places(*configured);
  return places;
}

std::uint64_t State::digest() const {
  Digest digest;
  add(digest, lineage);
  digest.word(spec_digest);
  digest.word(pending_spec ? pending_spec->position + 1 : 0);
  add(digest, decision_version);
  add(digest, clock);
  add(digest, ticks);
  add(digest, cold);
  add(digest, cold_since);
  add(digest, fences);
  add(digest, disarmed);
  add(digest, nodes);
  add(digest, groups);
  add(digest, monitors);
  return digest.value();
}

Durable durable_part(const State& state) {
  Durable durable{
      .lineage = state.lineage, .spec = state.spec, .fences = state.fences, .disarmed = state.disarmed};
  for (const auto& [id, node] : state.nodes) {
    if (node.duty != Duty::kActive) durable.duties[id] = node.duty;
    if (node.last_seen != Lineage{}) durable.last_seen[id] = node.last_seen;
  }
  for (const auto& [id, group] : state.groups) {
    if (group.intent != Intent{}) durable.intents[id] = group.intent;
    if (group.given_up) durable.given_up.push_back(id);
  }
  for (const auto& [id, monitor] : state.monitors) {
    if (monitor.suspended) durable.suspended_monitors.push_back(id);
    if (!monitor.was_healthy.empty()) durable.was_healthy[id] = monitor.was_healthy;
  }
  return durable;
}

State cold_state(const SpecPtr& spec, const Durable& durable) {
  State state;
  state.lineage = durable.lineage;
  state.fences = durable.fences;
  if (!state.fences.empty()) state.clock = state.fences.back();
  state.disarmed = durable.disarmed;
  if (state.disarmed) state.clock = std::max(state.clock, state.disarmed->since);
  install_spec(state, spec);
  for (const auto& [id, duty] : durable.duties) {
    if (auto it = state.nodes.find(id); it != state.nodes.end()) it->second.duty = duty;
  }
  for (const auto& [id, lineage] : durable.last_seen) {
    if (auto it = state.nodes.find(id); it != state.nodes.end()) it->second.last_seen = lineage;
  }
  for (const auto& [id, intent] : durable.intents) {
    if (auto it = state.groups.find(id); it != state.groups.end()) it->second.intent = intent;
  }
  for (GroupId id : durable.given_up) {
    if (auto it = state.groups.find(id); it != state.groups.end()) it->second.given_up = true;
  }
  for (MonitorId id : durable.suspended_monitors) {
    if (auto it = state.monitors.find(id); it != state.monitors.end()) it->second.suspended = true;
  }
  for (const auto& [id, places] : durable.was_healthy) {
    if (auto it = state.monitors.find(id); it != state.monitors.end()) it->second.was_healthy = places;
  }
  return state;
}

namespace {

constexpr std::uint32_t kMostDoublings = 4;

// Steady since `since`, after so many failures.
bool is_quarantined(const State& state, const FailCount& failures, Duration since) {
  const Brakes& brakes = state.spec->brakes;
  if (failures.count < brakes.flaps) return false;
  const std::uint32_t doublings = std::min(failures.count - brakes.flaps, kMostDoublings);
  return state.clock - since < brakes.quarantine * (1 << doublings);
}

}  // namespace

bool is_unsteady(const State& state, const NodeState& node) {
  return is_quarantined(state, node.losses, node.since);
}

bool is_unsteady(const State& state, const MonitorState& monitor, PlaceId place) {
  const auto flaps = monitor.flaps.find(place);
  const auto since = monitor.since.find(place);
  if (flaps == monitor.flaps.end() || since == monitor.since.end()) return false;
  return is_quarantined(state, flaps->second, since->second);
}

bool fails_everywhere(const State& state, const Monitor& monitor) {
  const auto known = state.monitors.find(monitor.id);
  const NodeSet members = state.members();
  if (monitor.group || known == state.monitors.end() || members.size() < 2) return false;
  return std::ranges::all_of(members, [&](NodeId id) {
    const auto here = known->second.at.find(Spec::place_of(id));
    return here != known->second.at.end() && here->second == Health::kFailed;
  });
}

namespace {
template <class States, class Specs>
void follow(States& states, const Specs& configured) {
  std::erase_if(states, [&](const auto& entry) { return !configured.contains(entry.first); });
  for (const auto& [id, object] : configured) states.try_emplace(id);
}
}  // namespace

void install_spec(State& state, const SpecPtr& spec) {
  state.spec = spec;
  state.spec_digest = digest_of(*spec);
  follow(state.nodes, spec->nodes);
  follow(state.groups, spec->groups);
  follow(state.monitors, spec->monitors);
}

}  // namespace komainu::core
