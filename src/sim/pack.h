// Worlds as short strings of bytes: what waits for its turn in the exploration fills most of the memory.
// One description of a value's fields (`template <class Io> void exchange(Io&)`) serves both directions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "base/id.h"
#include "base/time.h"

namespace komainu::sim {

// Numbers as groups of seven bits, least first.
class Packer {
 public:
  explicit Packer(std::string& bytes) : bytes_(bytes) {}

  template <class... T>
  void operator()(const T&... values) {
    (one(values), ...);
  }
  template <class List, class Each>
  void list(List& values, Each each) {
    number(values.size());
    for (auto& value : values) each(value);
  }
  template <class T, class Each>
  void maybe(std::optional<T>& value, Each each) {
    number(value.has_value());
    if (value) each(*value);
  }

 private:
  template <class T>
  void one(const T& value) {
    if constexpr (std::is_same_v<T, NodeSet>) {
      number(value.bits());
    } else if constexpr (std::is_same_v<T, Duration>) {
      number(static_cast<std::uint64_t>(value.count()));
    } else {
      number(static_cast<std::uint64_t>(value));
    }
  }
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string& bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(const char* bytes) : next_(bytes) {}

  template <class... T>
  void operator()(T&... values) {
    (one(values), ...);
  }
  template <class List, class Each>
  void list(List& values, Each each) {
    values.resize(number());
    for (auto& value : values) each(value);
  }
  template <class T, class Each>
  void maybe(std::optional<T>& value, Each each) {
    value.reset();
    if (number() != 0) each(value.emplace());
  }

 private:
  template <class T>
  void one(T& value) {
    if constexpr (std::is_same_v<T, NodeSet>) {
      value = NodeSet::from_bits(number());
    } else if constexpr (std::is_same_v<T, Duration>) {
      value = Duration{static_cast<Duration::rep>(number())};
    } else {
      value = static_cast<T>(number());
    }
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(*next_++);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
  }
  const char* next_;
};

}  // namespace komainu::sim
