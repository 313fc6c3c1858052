// Which field of a core struct is which field of its Protobuf message: said once, for both directions.
//
// FIELD relies on a field having one name on both sides. A field of src/core that is missing here fails the
// property tests of wire_test.cc.
#pragma once

#include <tuple>

#include "core/message.h"
#include "core/state.h"
#include "message.pb.h"
#include "wire/wire.h"

namespace komainu::wire {

// One field: the member of the core struct, and the accessors that protoc generated. Each lambda can be
// called only where its accessor exists, which is how codec.cc tells scalars from messages.
template <class Member, class Get, class Mutable, class Set, class Has>
struct Field {
  const char* name;
  Member member;
  Get get;
  Mutable mut;
  Set set;
  Has has;
  std::size_t max_text = kMaxText;

  constexpr Field up_to(std::size_t bound) const {
    Field field = *this;
    field.max_text = bound;
    return field;
  }
};

template <class... Fields>
constexpr auto fields(Fields... list) {
  return std::tuple(list...);
}

template <class Case, class... Alternatives>
struct OneOf {
  Case chosen;
  std::tuple<Alternatives...> alternatives;
};
template <class Case, class... Alternatives>
constexpr auto one_of(Case chosen, Alternatives... list) {
  return OneOf<Case, Alternatives...>{chosen, std::tuple(list...)};
}

// Generated accessors have the field's name in theirs, so only a macro can name them from it.
#define KOMAINU_FIELD(label, member_of_value)                                                          \
  Field {                                                                                              \
    #label, [](auto& value) -> auto* { return member_of_value; },                                      \
        [](const auto& wire) -> decltype(wire.label()) { return wire.label(); },                       \
        [](auto& wire) -> decltype(wire.mutable_##label()) { return wire.mutable_##label(); },         \
        [](auto& wire, auto v) -> decltype(wire.set_##label(static_cast<decltype(wire.label())>(v))) { \
          wire.set_##label(static_cast<decltype(wire.label())>(v));                                    \
        },                                                                                             \
        [](const auto& wire) -> decltype(wire.has_##label()) { return wire.has_##label(); }            \
  }
#define FIELD(label) KOMAINU_FIELD(label, &value.label)
// One alternative of a variant, which is a `oneof`; the variant's alternative is named by its index.
#define ALTERNATIVE(label) KOMAINU_FIELD(label, &value)
#define CHOSEN(label) [](const auto& wire) { return wire.label##_case() != 0; }

// A struct's fields, or a variant's alternatives in their order.
template <class T>
inline constexpr auto kLayout = nullptr;

// ---- src/core/ids.h

template <>
inline constexpr auto kLayout<core::RingId> = fields(FIELD(leader), FIELD(seq));
template <>
inline constexpr auto kLayout<core::ViewId> = fields(FIELD(ring), FIELD(round), FIELD(members));
template <>
inline constexpr auto kLayout<core::OrderId> = fields(FIELD(view), FIELD(position));
template <>
inline constexpr auto kLayout<core::Cause> = fields(FIELD(origin), FIELD(incarnation), FIELD(number));
template <>
inline constexpr auto kLayout<core::Lineage> = fields(FIELD(epoch), FIELD(view));

// ---- src/core/spec.h

template <>
inline constexpr auto kLayout<ParamValue> =
    one_of(CHOSEN(value), ALTERNATIVE(boolean), ALTERNATIVE(integer), ALTERNATIVE(duration),
           ALTERNATIVE(text), ALTERNATIVE(texts));
template <>
inline constexpr auto kLayout<core::Node> = fields(FIELD(id), FIELD(name), FIELD(links), FIELD(watchdog));
template <>
inline constexpr auto kLayout<core::Ladder> =
    fields(FIELD(restart), FIELD(failover), FIELD(then), FIELD(forget_after));
template <>
inline constexpr auto kLayout<core::Resource> =
    fields(FIELD(name), FIELD(type), FIELD(params), FIELD(start_timeout), FIELD(stop_timeout));
template <>
inline constexpr auto kLayout<core::Dependency> = fields(FIELD(other), FIELD(where));
template <>
inline constexpr auto kLayout<core::Group> =
    fields(FIELD(id), FIELD(name), FIELD(resources), FIELD(prefer), FIELD(strictness), FIELD(failback),
           FIELD(autostart), FIELD(priority), FIELD(needs), FIELD(apart), FIELD(near), FIELD(after),
           FIELD(on_failure), FIELD(holds_data));
template <>
inline constexpr auto kLayout<core::Monitor> =
    fields(FIELD(id), FIELD(name), FIELD(type), FIELD(params), FIELD(group), FIELD(resource), FIELD(affects),
           FIELD(interval), FIELD(timeout), FIELD(retries), FIELD(start_delay), FIELD(timeout_is_failure),
           FIELD(quiet_until_healthy), FIELD(common_mode_wait), FIELD(on_failure), FIELD(role));
template <>
inline constexpr auto kLayout<core::FenceDevice> = fields(FIELD(type), FIELD(params), FIELD(targets));
template <>
inline constexpr auto kLayout<core::FenceLevel> = fields(FIELD(devices));
template <>
inline constexpr auto kLayout<core::Quorum> =
    fields(FIELD(arbiter), FIELD(arbiter_address), FIELD(on_no_quorum), FIELD(allow_split_risk));
template <>
inline constexpr auto kLayout<core::Timing> =
    fields(FIELD(token), FIELD(suspend_after), FIELD(lost_after), FIELD(daemon_restart), FIELD(startup_wait),
           FIELD(grace), FIELD(lease), FIELD(watchdog), FIELD(drain), FIELD(max_pause), FIELD(tick),
           FIELD(rank_delay), FIELD(fence_race));
template <>
inline constexpr auto kLayout<core::Brakes> =
    fields(FIELD(fences), FIELD(window), FIELD(flaps), FIELD(quarantine));
template <>
inline constexpr auto kLayout<core::Spec> =
    fields(FIELD(cluster), FIELD(version), FIELD(source).up_to(kMaxSource), FIELD(profile), FIELD(quorum),
           FIELD(timing), FIELD(brakes), FIELD(alert_command), FIELD(key), FIELD(nodes), FIELD(capacity),
           FIELD(fencing), FIELD(groups), FIELD(monitors));

// ---- src/core/state.h

template <>
inline constexpr auto kLayout<core::Order> =
    fields(FIELD(id), FIELD(kind), FIELD(place), FIELD(executor), FIELD(executor_incarnation),
           FIELD(first_resource), FIELD(cause));
template <>
inline constexpr auto kLayout<core::FailCount> = fields(FIELD(count), FIELD(last));
template <>
inline constexpr auto kLayout<core::Trouble> =
    fields(FIELD(resource), FIELD(monitor), FIELD(place), FIELD(evidence));
template <>
inline constexpr auto kLayout<core::Intent> = fields(FIELD(wish), FIELD(move_to));
template <>
inline constexpr auto kLayout<core::GroupState> =
    fields(FIELD(version), FIELD(at), FIELD(order), FIELD(intent), FIELD(trouble), FIELD(failed_at),
           FIELD(restarts), FIELD(failovers), FIELD(given_up), FIELD(cause));
template <>
inline constexpr auto kLayout<core::FenceOrder> =
    fields(FIELD(id), FIELD(executor), FIELD(executor_incarnation), FIELD(target_incarnation), FIELD(level),
           FIELD(cause));
template <>
inline constexpr auto kLayout<core::CorosyncState> =
    fields(FIELD(written), FIELD(runs), FIELD(counts), FIELD(key));
template <>
inline constexpr auto kLayout<core::FenceWish> = fields(FIELD(until), FIELD(by), FIELD(cause));
template <>
inline constexpr auto kLayout<core::NodeState> = fields(
    FIELD(version), FIELD(standing), FIELD(incarnation), FIELD(suspended), FIELD(leaving), FIELD(ring_member),
    FIELD(since), FIELD(duty), FIELD(fences), FIELD(fence_failures), FIELD(last_seen), FIELD(losses),
    FIELD(links_down), FIELD(watchdog), FIELD(corosync), FIELD(cause), FIELD(fence_wish));
template <>
inline constexpr auto kLayout<core::MonitorState> =
    fields(FIELD(at), FIELD(since), FIELD(evidence), FIELD(suspended), FIELD(was_healthy), FIELD(flaps));
template <>
inline constexpr auto kLayout<core::PendingSpec> =
    fields(FIELD(spec), FIELD(position), FIELD(cause), FIELD(request));
template <>
inline constexpr auto kLayout<core::Disarmed> =
    fields(FIELD(since), FIELD(until), FIELD(by), FIELD(why), FIELD(cause));
template <>
inline constexpr auto kLayout<core::State> =
    fields(FIELD(lineage), FIELD(spec), FIELD(spec_digest), FIELD(pending_spec), FIELD(decision_version),
           FIELD(clock), FIELD(ticks), FIELD(cold), FIELD(cold_since), FIELD(fences), FIELD(nodes),
           FIELD(groups), FIELD(monitors), FIELD(disarmed));
template <>
inline constexpr auto kLayout<core::Durable> =
    fields(FIELD(lineage), FIELD(spec), FIELD(duties), FIELD(intents), FIELD(given_up),
           FIELD(suspended_monitors), FIELD(was_healthy), FIELD(fences), FIELD(last_seen), FIELD(disarmed));

// ---- src/core/message.h

template <>
inline constexpr auto kLayout<core::Hello> = fields(
    FIELD(boot), FIELD(live), FIELD(lineage), FIELD(position), FIELD(state_digest), FIELD(spec_version),
    FIELD(spec_digest), FIELD(settled), FIELD(decision_version), FIELD(holds), FIELD(fencing));
template <>
inline constexpr auto kLayout<core::Snapshot> = fields(FIELD(state));
template <>
inline constexpr auto kLayout<core::Ack> = fields(FIELD(position), FIELD(digest), FIELD(durable));
template <>
inline constexpr auto kLayout<core::Suspend> = fields(FIELD(target));
template <>
inline constexpr auto kLayout<core::Resume> = fields(FIELD(target));
template <>
inline constexpr auto kLayout<core::Alive> = fields(FIELD(number));
template <>
inline constexpr auto kLayout<core::GroupReport> =
    fields(FIELD(group), FIELD(place), FIELD(order), FIELD(activity), FIELD(resource), FIELD(evidence));
template <>
inline constexpr auto kLayout<core::ResourceFailed> =
    fields(FIELD(group), FIELD(place), FIELD(resource), FIELD(evidence));
template <>
inline constexpr auto kLayout<core::MonitorResult> =
    fields(FIELD(monitor), FIELD(place), FIELD(health), FIELD(evidence));
template <>
inline constexpr auto kLayout<core::FenceResult> =
    fields(FIELD(target), FIELD(order), FIELD(confirmed), FIELD(evidence));
template <>
inline constexpr auto kLayout<core::LinkChange> = fields(FIELD(peer), FIELD(link), FIELD(up));
template <>
inline constexpr auto kLayout<core::Leaving> = fields();
template <>
inline constexpr auto kLayout<core::Watchdog> = fields(FIELD(timeout));
template <>
inline constexpr auto kLayout<core::Tick> = fields(FIELD(number), FIELD(elapsed));
template <>
inline constexpr auto kLayout<core::GroupStart> = fields(FIELD(group), FIELD(place));
template <>
inline constexpr auto kLayout<core::GroupStop> = fields(FIELD(group));
template <>
inline constexpr auto kLayout<core::GroupMove> = fields(FIELD(group), FIELD(place));
template <>
inline constexpr auto kLayout<core::GroupClear> = fields(FIELD(group));
template <>
inline constexpr auto kLayout<core::NodeDuty> = fields(FIELD(node), FIELD(duty));
template <>
inline constexpr auto kLayout<core::MonitorSuspend> = fields(FIELD(monitor), FIELD(suspended));
template <>
inline constexpr auto kLayout<core::FenceConfirm> = fields(FIELD(node));
template <>
inline constexpr auto kLayout<core::ConfigApply> = fields(FIELD(spec));
template <>
inline constexpr auto kLayout<core::ClusterDisarm> = fields(FIELD(length), FIELD(why));
template <>
inline constexpr auto kLayout<core::FenceOff> = fields(FIELD(node));
template <>
inline constexpr auto kLayout<core::ConfigRefuse> = fields(FIELD(version), FIELD(reason));
template <>
inline constexpr auto kLayout<decltype(core::Request::what)> =
    one_of(CHOSEN(what), ALTERNATIVE(group_start), ALTERNATIVE(group_stop), ALTERNATIVE(group_move),
           ALTERNATIVE(group_clear), ALTERNATIVE(node_duty), ALTERNATIVE(monitor_suspend),
           ALTERNATIVE(fence_confirm), ALTERNATIVE(config_apply), ALTERNATIVE(cluster_disarm),
           ALTERNATIVE(fence_off));
template <>
inline constexpr auto kLayout<core::Request> = fields(FIELD(number), FIELD(operator_name), FIELD(what));
template <>
inline constexpr auto kLayout<core::Fact> = one_of(
    CHOSEN(what), ALTERNATIVE(group_report), ALTERNATIVE(resource_failed), ALTERNATIVE(monitor_result),
    ALTERNATIVE(fence_result), ALTERNATIVE(link_change), ALTERNATIVE(leaving), ALTERNATIVE(tick),
    ALTERNATIVE(request), ALTERNATIVE(config_refuse), ALTERNATIVE(watchdog), ALTERNATIVE(corosync_state));
template <>
inline constexpr auto kLayout<core::StartGroup> =
    fields(FIELD(group), FIELD(place), FIELD(group_version), FIELD(incarnation), FIELD(spec_version));
template <>
inline constexpr auto kLayout<core::StopGroup> =
    fields(FIELD(group), FIELD(place), FIELD(group_version), FIELD(reason), FIELD(counts_as_failover),
           FIELD(gives_up));
template <>
inline constexpr auto kLayout<core::RestartGroup> =
    fields(FIELD(group), FIELD(place), FIELD(first_resource), FIELD(group_version), FIELD(incarnation));
template <>
inline constexpr auto kLayout<core::FenceNode> = fields(
    FIELD(target), FIELD(incarnation), FIELD(node_version), FIELD(executor), FIELD(level), FIELD(reason));
template <>
inline constexpr auto kLayout<core::SettleNode> =
    fields(FIELD(target), FIELD(incarnation), FIELD(node_version), FIELD(why));
template <>
inline constexpr auto kLayout<core::NodeAction> =
    fields(FIELD(node), FIELD(action), FIELD(group), FIELD(group_version));
template <>
inline constexpr auto kLayout<core::Proposal> =
    one_of(CHOSEN(what), ALTERNATIVE(start_group), ALTERNATIVE(stop_group), ALTERNATIVE(restart_group),
           ALTERNATIVE(fence_node), ALTERNATIVE(settle_node), ALTERNATIVE(node_action));
template <>
inline constexpr auto kLayout<core::Body> =
    one_of(CHOSEN(what), ALTERNATIVE(hello), ALTERNATIVE(snapshot), ALTERNATIVE(ack), ALTERNATIVE(suspend),
           ALTERNATIVE(resume), ALTERNATIVE(alive), ALTERNATIVE(fact), ALTERNATIVE(proposal));
template <>
inline constexpr auto kLayout<core::Message> =
    fields(FIELD(from), FIELD(incarnation), FIELD(view), FIELD(sequence), FIELD(cause), FIELD(body));

#undef FIELD
#undef ALTERNATIVE
#undef CHOSEN
#undef KOMAINU_FIELD

}  // namespace komainu::wire
