// Random values of every core type, for tests: filled through `fields()`, so that a field that somebody adds
// to the core is tested on the wire without a line here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "core/message.h"
#include "core/state.h"
#include "wire/wire.h"

namespace komainu::wire::testing {

// The members of a struct: its fields(), or those of the structs that have none. A structured binding fails
// to compile when a member is added.
template <HasFields T>
auto members(const T& value) {
  return value.fields();
}
inline auto members(const core::PendingSpec& value) {
  const auto& [spec, position, cause, request] = value;
  return std::tie(spec, position, cause, request);
}
inline auto members(const core::State& value) {
  const auto& [lineage, spec, spec_digest, pending_spec, decision_version, clock, ticks, cold, cold_since,
               fences, disarmed, nodes, groups, monitors] = value;
  return std::tie(lineage, spec, spec_digest, pending_spec, decision_version, clock, ticks, cold, cold_since,
                  fences, disarmed, nodes, groups, monitors);
}
inline auto members(const core::Snapshot& value) {
  const auto& [state] = value;
  return std::tie(state);
}
inline auto members(const core::ConfigApply& value) {
  const auto& [spec] = value;
  return std::tie(spec);
}
inline auto members(const core::Request& value) {
  const auto& [number, operator_name, what] = value;
  return std::tie(number, operator_name, what);
}
inline auto members(const core::Message& value) {
  const auto& [from, incarnation, view, sequence, cause, body] = value;
  return std::tie(from, incarnation, view, sequence, cause, body);
}
template <class T>
concept Struct = requires(const T& value) { members(value); };

// Deep equality; most of the core's structs need none themselves.
template <class T>
bool same(const T& a, const T& b);
template <class T>
bool same(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b) {
  return a && b && same(*a, *b);
}
template <class... T>
bool same(const std::variant<T...>& a, const std::variant<T...>& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&]<class Alternative>(const Alternative& alternative) {
        return same(alternative, std::get<Alternative>(b));
      },
      a);
}
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (Struct<T>) {
    const auto of_a = members(a);
    const auto of_b = members(b);
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return (same(std::get<I>(of_a), std::get<I>(of_b)) && ...);
    }(std::make_index_sequence<std::tuple_size_v<decltype(of_a)>>());
  } else if constexpr (requires { a.has_value(); }) {
    return a.has_value() == b.has_value() && (!a || same(*a, *b));
  } else if constexpr (requires { a == b; }) {
    return a == b;
  } else {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& x, const auto& y) { return same(x, y); });
  }
}

class RandomValue {
 public:
  explicit RandomValue(std::uint64_t seed) : random_(seed) {}

  template <class T>
  T make() {
    T value{};
    fill(value);
    return value;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::size_t few() { return static_cast<std::size_t>(below(4)); }

  void fill(bool& value) { value = below(2) == 1; }
  // Small and huge numbers alike.
  template <class T>
    requires(std::is_integral_v<T>)
  void fill(T& value) {
    value = static_cast<T>(random_() >> below(64));
  }
  template <class T>
    requires(std::is_enum_v<T>)
  void fill(T& value) {
    value = static_cast<T>(below(static_cast<std::uint64_t>(greatest(T{})) + 1));
  }
  template <class Tag>
  void fill(Id<Tag>& id) {
    fill(id.value);
  }
  void fill(NodeId& id) { id = NodeId{static_cast<std::uint32_t>(below(kMaxNodes))}; }
  void fill(PlaceId& id) { id = PlaceId{static_cast<std::uint32_t>(below(kMaxNodes))}; }
  template <class IdType>
  void fill(IdSet<IdType>& set) {
    set = IdSet<IdType>::from_bits(random_());
  }
  void fill(Duration& duration) {
    const auto limit = static_cast<std::uint64_t>(kMaxDuration.count());
    duration = Duration{static_cast<std::int64_t>(below(2 * limit + 1)) - kMaxDuration.count()};
  }
  // Any bytes: the output of an agent need not be text.
  void fill(std::string& text) {
    text.resize(below(20));
    for (char& c : text) c = static_cast<char>(random_());
  }

  template <class T>
  void fill(std::optional<T>& value) {
    if (below(2) == 1) fill(value.emplace());
  }
  template <class T>
  void fill(std::vector<T>& values) {
    for (std::size_t n = few(); n > 0; --n) fill(values.emplace_back());
  }
  template <class T>
  void fill(std::set<T>& values) {
    for (std::size_t n = few(); n > 0; --n) values.insert(make<T>());
  }
  template <class K, class V>
  void fill(std::map<K, V>& map) {
    for (std::size_t n = few(); n > 0; --n) {
      K key = make<K>();
      V value = make<V>();
      if constexpr (requires { value.id = key; }) value.id = key;
      map.insert_or_assign(std::move(key), std::move(value));
    }
  }
  template <class... T>
  void fill(std::variant<T...>& value) {
    std::size_t index = below(sizeof...(T));
    ((index-- == 0 ? fill(value.template emplace<T>()) : void()), ...);
  }
  template <class T>
  void fill(std::shared_ptr<const T>& pointer) {
    pointer = std::make_shared<const T>(make<T>());
  }
  template <Struct T>
  void fill(T& value) {
    std::apply(
        [&](const auto&... member) {
          (fill(const_cast<std::remove_cvref_t<decltype(member)>&>(member)), ...);
        },
        members(value));
  }

  static constexpr auto greatest(core::FinalAction) { return core::FinalAction::kReset; }
  static constexpr auto greatest(core::Failback) { return core::Failback::kAutomatic; }
  static constexpr auto greatest(core::Strictness) { return core::Strictness::kPreferredOnly; }
  static constexpr auto greatest(core::Dependency::Where) { return core::Dependency::Where::kSamePlace; }
  static constexpr auto greatest(core::MonitorRole) { return core::MonitorRole::kFencing; }
  static constexpr auto greatest(core::Profile) { return core::Profile::kWan; }
  static constexpr auto greatest(core::ArbiterType) { return core::ArbiterType::kQnetd; }
  static constexpr auto greatest(core::NoQuorum) { return core::NoQuorum::kFreeze; }
  static constexpr auto greatest(core::Activity) { return core::Activity::kUnsafe; }
  static constexpr auto greatest(core::OrderKind) { return core::OrderKind::kRestart; }
  static constexpr auto greatest(core::Intent::Wish) { return core::Intent::Wish::kStop; }
  static constexpr auto greatest(core::Standing) { return core::Standing::kSettled; }
  static constexpr auto greatest(core::Duty) { return core::Duty::kStandby; }
  static constexpr auto greatest(core::Health) { return core::Health::kFailed; }
  static constexpr auto greatest(core::SettleNode::Why) { return core::SettleNode::Why::kSplitRiskAccepted; }

  std::mt19937_64 random_;
};

}  // namespace komainu::wire::testing
