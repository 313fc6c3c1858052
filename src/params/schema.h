// A declared set of parameters as data: what validation, `komainu config reference` and the manual read.
// Schemas are made by Declaration (declaration.h), which also reads the values into a struct.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/params.h"
#include "base/result.h"

namespace komainu::params {

enum class Type : std::uint8_t {
  kBool,
  kInteger,
  kDuration,
  kText,
  kChoice,      // one of a fixed set of words
  kPath,        // absolute
  kSecretFile,  // absolute path of a file with mode 0600: secrets are never values of the configuration
  kAddress,     // IPv4 or IPv6
  kPrefix,      // address/length
};

// What a value of the type looks like, for a person: `a duration such as "5s" or "250ms"`.
std::string describe(Type type);

struct Param {
  std::string name;
  Type type = Type::kText;
  bool list = false;  // a list of `type`, as text
  bool required = false;
  std::string text;                         // one sentence for the manual
  std::string unit;                         // of an integer, where the name does not say it
  std::optional<ParamValue> default_value;  // unset: there is none, and leaving it out means something else
  std::optional<ParamValue> min;
  std::optional<ParamValue> max;
  std::vector<std::string> choices;
  // Everything the declaration asks of a value: type, bounds, form. None: the value is good. The error's text
  // continues "`name` …": "must be at least 1s".
  std::function<std::optional<Error>(const ParamValue&)> problem;

  // "an integer between 1 and 10", "a list of addresses".
  std::string expected() const;
};

struct Schema {
  std::string name;  // of the driver type, or of a section of the configuration
  std::string text;  // one sentence for the manual
  std::vector<Param> params;
  // What no single parameter can tell ("either `a` or `b`"); called with values that each are good.
  std::function<std::optional<Error>(const Params&)> problem;

  const Param* find(std::string_view param) const;
  std::vector<std::string> names() const;
};

// A value as the configuration writes it: "5s", true, ["a", "b"].
std::string to_text(const ParamValue& value);

// Bounds of what one value may hold; more is an error, never a truncation.
inline constexpr std::size_t kMaxTextBytes = 4096;
inline constexpr std::size_t kMaxListItems = 256;

}  // namespace komainu::params
