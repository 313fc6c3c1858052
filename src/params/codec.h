// How a C++ type is held in a ParamValue, and what its values must look like. Declaration is its only user.
#pragma once

#include <concepts>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/params.h"
#include "base/result.h"
#include "base/time.h"
#include "params/schema.h"

namespace komainu::params {

struct SecretFile {
  std::filesystem::path path;
  bool operator==(const SecretFile&) const = default;
};

// What a declaration may ask of a value beyond its type.
template <class T>
struct Options {
  std::string unit{};
  std::optional<T> min{};  // of integers and durations
  std::optional<T> max{};
  std::vector<std::pair<std::string, T>> choices{};  // required of an enum
  // Anything else; the error's text continues "`name` …".
  std::function<std::optional<Error>(const T&)> check{};
};
template <class T>
struct Options<std::vector<T>> {
  std::vector<std::pair<std::string, T>> choices{};
  std::function<std::optional<Error>(const std::vector<T>&)> check{};
};

// The error of a text that cannot be the value of a text parameter at all; none if it can.
std::optional<Error> text_problem(std::string_view text);
std::optional<Error> path_problem(std::string_view text);

inline Error wrong_form(Type type) {
  return {"must be " + describe(type), {}};
}

// One value. Codec<T>::kType, ::encode(T), ::decode(ParamValue) → T or what is wrong.
template <class T>
struct Codec;

template <>
struct Codec<bool> {
  static constexpr Type kType = Type::kBool;
  static ParamValue encode(bool value) { return value; }
  static Result<bool> decode(const ParamValue& value) {
    if (const bool* b = std::get_if<bool>(&value)) return *b;
    return std::unexpected(wrong_form(kType));
  }
};

template <std::integral T>
std::string outside(T least, T most) {
  return "must be between " + std::to_string(least) + " and " + std::to_string(most);
}

template <std::integral T>
  requires(!std::same_as<T, bool>)
struct Codec<T> {
  static_assert(sizeof(T) < 8 || std::is_signed_v<T>, "TOML's integers are signed 64-bit numbers");
  static constexpr Type kType = Type::kInteger;
  static ParamValue encode(T value) { return std::int64_t{value}; }
  static Result<T> decode(const ParamValue& value) {
    const std::int64_t* number = std::get_if<std::int64_t>(&value);
    if (!number) return std::unexpected(wrong_form(kType));
    if (!std::in_range<T>(*number))
      return failure(outside(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    return static_cast<T>(*number);
  }
};

template <>
struct Codec<Duration> {
  static constexpr Type kType = Type::kDuration;
  static ParamValue encode(Duration value) { return value; }
  static Result<Duration> decode(const ParamValue& value) {
    if (const Duration* duration = std::get_if<Duration>(&value)) return *duration;
    return std::unexpected(wrong_form(kType));
  }
};

// A type that is held as text: `make` gives the value, or what is wrong with the text.
template <class T, Type type>
struct TextCodec {
  static constexpr Type kType = type;
  static Result<T> decode(const ParamValue& value) {
    const std::string* text = std::get_if<std::string>(&value);
    if (!text) return std::unexpected(wrong_form(kType));
    return Codec<T>::make(*text);
  }
};
template <>
struct Codec<std::string> : TextCodec<std::string, Type::kText> {
  static ParamValue encode(const std::string& value) { return value; }
  static Result<std::string> make(const std::string& text) {
    if (auto error = text_problem(text)) return std::unexpected(*error);
    return text;
  }
};
template <>
struct Codec<std::filesystem::path> : TextCodec<std::filesystem::path, Type::kPath> {
  static ParamValue encode(const std::filesystem::path& value) { return value.string(); }
  static Result<std::filesystem::path> make(const std::string& text) {
    if (auto error = path_problem(text)) return std::unexpected(*error);
    return text;
  }
};
template <>
struct Codec<SecretFile> : TextCodec<SecretFile, Type::kSecretFile> {
  static ParamValue encode(const SecretFile& value) { return value.path.string(); }
  static Result<SecretFile> make(const std::string& text) {
    if (auto error = path_problem(text)) return std::unexpected(*error);
    return SecretFile{text};
  }
};
template <class T, Type type>
struct ParsedCodec : TextCodec<T, type> {
  static ParamValue encode(const T& value) { return value.text(); }
  static Result<T> make(const std::string& text) {
    if (auto error = text_problem(text)) return std::unexpected(*error);
    if (auto parsed = T::parse(text)) return *parsed;
    return std::unexpected(wrong_form(type));
  }
};
template <>
struct Codec<IpAddress> : ParsedCodec<IpAddress, Type::kAddress> {};
template <>
struct Codec<IpPrefix> : ParsedCodec<IpPrefix, Type::kPrefix> {};

template <class T>
  requires std::is_enum_v<T>
struct Codec<T> {
  static constexpr Type kType = Type::kChoice;
};

template <class T>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = true;

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

// With the options of a declaration: everything that is asked of the value.
template <class T>
ParamValue encode(const T& value, const Options<T>& options) {
  if constexpr (std::is_enum_v<T>) {
    for (const auto& [name, choice] : options.choices)
      if (choice == value) return name;
    return std::string{};
  } else {
    return Codec<T>::encode(value);
  }
}
template <class T>
ParamValue encode(const std::vector<T>& values, const Options<std::vector<T>>& options) {
  std::vector<std::string> texts;
  for (const T& value : values)
    texts.push_back(std::get<std::string>(encode(value, Options<T>{.choices = options.choices})));
  return texts;
}

template <class T>
Result<T> decode_choice(const ParamValue& value, const std::vector<std::pair<std::string, T>>& choices) {
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (value == ParamValue(name)) return choice;
    names += (names.empty() ? "\"" : ", \"") + name + '"';
  }
  return failure("must be one of " + names);
}

template <class T>
Result<T> decode(const ParamValue& value, const Options<T>& options) {
  Result<T> result = [&]() -> Result<T> {
    if (!options.choices.empty()) return decode_choice(value, options.choices);
    if constexpr (std::is_enum_v<T>)
      return failure("has no choices");  // Declaration refuses such an enum before it gets here
    else
      return Codec<T>::decode(value);
  }();
  if constexpr (Codec<T>::kType == Type::kInteger) {
    // What the type cannot hold: the bounds of the key say more than those of the type.
    if (const auto* number = std::get_if<std::int64_t>(&value); number && !std::in_range<T>(*number))
      return failure(outside(options.min.value_or(std::numeric_limits<T>::min()),
                             options.max.value_or(std::numeric_limits<T>::max())));
  }
  if (!result) return result;
  if constexpr (Codec<T>::kType == Type::kInteger || Codec<T>::kType == Type::kDuration) {
    if (options.min && *result < *options.min)
      return failure("must be at least " + to_text(Codec<T>::encode(*options.min)));
    if (options.max && *result > *options.max)
      return failure("must be at most " + to_text(Codec<T>::encode(*options.max)));
  }
  if (options.check)
    if (auto error = options.check(*result)) return std::unexpected(*error);
  return result;
}
template <class T>
Result<std::vector<T>> decode(const ParamValue& value, const Options<std::vector<T>>& options) {
  const auto* texts = std::get_if<std::vector<std::string>>(&value);
  if (!texts) return failure("must be a list");
  if (texts->size() > kMaxListItems)
    return failure("may have at most " + std::to_string(kMaxListItems) + " items");
  std::vector<T> result;
  for (const std::string& text : *texts) {
    Result<T> item = decode<T>(text, Options<T>{.choices = options.choices});
    if (!item)
      return failure("has the item " + to_text(text) + ": it " + item.error().what, item.error().help);
    result.push_back(std::move(*item));
  }
  if (options.check)
    if (auto error = options.check(result)) return std::unexpected(*error);
  return result;
}

}  // namespace komainu::params
