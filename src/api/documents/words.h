// The words by which the API, the command line and the manual call the values of the core's enumerations.
// Stable: scripts compare them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

#include "core/effects.h"
#include "core/judge/judge.h"
#include "core/replica.h"
#include "core/spec.h"
#include "core/state.h"

namespace komainu::api {

// In the order of the enumeration.
template <class E>
struct Words;

template <>
struct Words<core::Phase> {
  static constexpr std::array<std::string_view, 4> kAll{"out", "gathering", "syncing", "established"};
};
template <>
struct Words<core::Standing> {
  static constexpr std::array<std::string_view, 5> kAll{"unknown", "lost", "member", "left", "settled"};
};
template <>
struct Words<core::Verdict> {
  static constexpr std::array<std::string_view, 6> kAll{"healthy", "degraded", "isolated",
                                                        "stalled", "unknown",  "surely-down"};
};
template <>
struct Words<core::Duty> {
  static constexpr std::array<std::string_view, 3> kAll{"active", "drained", "standby"};
};
template <>
struct Words<core::Activity> {
  static constexpr std::array<std::string_view, 6> kAll{"unknown", "starting", "online",
                                                        "failed",  "stopping", "unsafe"};
};
template <>
struct Words<core::OrderKind> {
  static constexpr std::array<std::string_view, 3> kAll{"start", "stop", "restart"};
};
template <>
struct Words<core::Intent::Wish> {
  static constexpr std::array<std::string_view, 3> kAll{"automatic", "run", "stop"};
};
template <>
struct Words<core::Health> {
  static constexpr std::array<std::string_view, 4> kAll{"unknown", "healthy", "warning", "failed"};
};
template <>
struct Words<core::Severity> {
  static constexpr std::array<std::string_view, 3> kAll{"info", "warning", "alarm"};
};
template <>
struct Words<core::EventKind> {
  static constexpr std::array<std::string_view, 10> kAll{
      "view", "node", "fence", "group", "order", "refused", "monitor", "operator", "config", "protocol"};
};

template <class E>
concept Worded = std::is_enum_v<E> && requires { Words<E>::kAll; };

template <Worded E>
constexpr std::string_view word(E value) {
  return Words<E>::kAll.at(static_cast<std::size_t>(value));
}

template <Worded E>
constexpr std::optional<E> from_word(std::string_view text) {
  const auto& all = Words<E>::kAll;
  auto it = std::find(all.begin(), all.end(), text);
  if (it == all.end()) return std::nullopt;
  return static_cast<E>(it - all.begin());
}

}  // namespace komainu::api
