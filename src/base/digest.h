// A digest of values that is the same on every replica, build and architecture: unlike std::hash, it may
// enter the stream. FNV-1a's xor-multiply step on 64-bit words, finished with the mixer of MurmurHash3; it
// guards against divergence, not against an attacker (the stream is authenticated below us).
//
// A struct takes part by a member `auto fields() const { return std::tie(...); }`.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/time.h"

namespace komainu {

class Digest {
 public:
  constexpr void word(std::uint64_t w) {
    state_ = (state_ ^ w) * 0x100000001b3ULL;
    state_ ^= state_ >> 29;
  }

  constexpr std::uint64_t value() const {
    std::uint64_t h = state_;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

template <class T>
concept HasFields = requires(const T& value) { value.fields(); };

template <class T>
  requires std::integral<T> || std::is_enum_v<T>
constexpr void add(Digest& digest, T value) {
  digest.word(static_cast<std::uint64_t>(value));
}
template <class Tag>
constexpr void add(Digest& digest, Id<Tag> id) {
  digest.word(id.value);
}
template <class IdType>
constexpr void add(Digest& digest, IdSet<IdType> set) {
  digest.word(set.bits());
}
inline void add(Digest& digest, Duration duration) {
  digest.word(static_cast<std::uint64_t>(duration.count()));
}
inline void add(Digest& digest, LocalTime time) {
  add(digest, time.since_boot);
}
inline void add(Digest& digest, std::string_view text) {
  digest.word(text.size());
  for (unsigned char c : text) digest.word(c);
}
inline void add(Digest& digest, const std::string& text) {
  add(digest, std::string_view(text));
}

template <HasFields T>
void add(Digest& digest, const T& value);
template <class T>
void add(Digest& digest, const std::optional<T>& value);
template <class A, class B>
void add(Digest& digest, const std::pair<A, B>& value);
template <class T>
void add(Digest& digest, const std::vector<T>& values);
template <class T>
void add(Digest& digest, const std::set<T>& values);
template <class K, class V, class C>
void add(Digest& digest, const std::map<K, V, C>& values);
template <class... T>
void add(Digest& digest, const std::variant<T...>& value);
// By what it points at, not by address.
template <class T>
void add(Digest& digest, const std::shared_ptr<T>& value);

template <HasFields T>
void add(Digest& digest, const T& value) {
  std::apply([&](const auto&... field) { (add(digest, field), ...); }, value.fields());
}
template <class T>
void add(Digest& digest, const std::optional<T>& value) {
  digest.word(value.has_value());
  if (value) add(digest, *value);
}
template <class A, class B>
void add(Digest& digest, const std::pair<A, B>& value) {
  add(digest, value.first);
  add(digest, value.second);
}
template <class T>
void add(Digest& digest, const std::vector<T>& values) {
  digest.word(values.size());
  for (const T& value : values) add(digest, value);
}
template <class T>
void add(Digest& digest, const std::set<T>& values) {
  digest.word(values.size());
  for (const T& value : values) add(digest, value);
}
template <class K, class V, class C>
void add(Digest& digest, const std::map<K, V, C>& values) {
  digest.word(values.size());
  for (const auto& value : values) add(digest, value);
}
template <class... T>
void add(Digest& digest, const std::variant<T...>& value) {
  digest.word(value.index());
  std::visit([&](const auto& alternative) { add(digest, alternative); }, value);
}

template <class T>
void add(Digest& digest, const std::shared_ptr<T>& value) {
  digest.word(value != nullptr);
  if (value) add(digest, *value);
}

template <class T>
std::uint64_t digest_of(const T& value) {
  Digest digest;
  add(digest, value);
  return digest.value();
}

}  // namespace komainu
