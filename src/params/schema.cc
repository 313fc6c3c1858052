#include "params/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/duration_text.h"

namespace komainu::params {
namespace {

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\t':
        result += "\\t";
        break;
      default:
        result += c;
    }
  }
  return result + '"';
}

std::string quoted_list(const std::vector<std::string>& items) {
  std::vector<std::string> texts;
  texts.reserve(items.size());
  for (const std::string& item : items) texts.push_back(in_quotes(item));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string plural(Type type) {
  switch (type) {
    case Type::kText:
      return "texts";
    case Type::kPath:
    case Type::kSecretFile:
      return "absolute paths";
    case Type::kAddress:
      return "addresses";
    case Type::kPrefix:
      return "addresses with a prefix length";
    default:
      return "values";
  }
}

}  // namespace

std::string describe(Type type) {
  switch (type) {
    case Type::kBool:
      return "true or false";
    case Type::kInteger:
      return "an integer";
    case Type::kDuration:
      return R"(a duration such as "5s", "250ms", "2min" or "1h")";
    case Type::kText:
    case Type::kChoice:
      return "a text in quotes";
    case Type::kPath:
      return R"(an absolute path such as "/srv/data")";
    case Type::kSecretFile:
      return "the absolute path of a file with the secret (mode 0600)";
    case Type::kAddress:
      return R"(an IP address such as "192.0.2.7" or "2001:db8::7")";
    case Type::kPrefix:
      return R"(an address with its prefix length, such as "192.0.2.7/24")";
  }
  return "a value";
}

std::string Param::expected() const {
  if (!choices.empty()) return fmt::format("{}{}", list ? "a list of " : "one of ", quoted_list(choices));
  if (list) return "a list of " + plural(type);
  std::string result = describe(type);
  if (min && max) return fmt::format("{}, between {} and {}", result, to_text(*min), to_text(*max));
  if (min) return fmt::format("{}, at least {}", result, to_text(*min));
  if (max) return fmt::format("{}, at most {}", result, to_text(*max));
  return result;
}

const Param* Schema::find(std::string_view param) const {
  const auto it = std::ranges::find(params, param, &Param::name);
  return it == params.end() ? nullptr : &*it;
}

std::vector<std::string> Schema::names() const {
  std::vector<std::string> result;
  for (const Param& param : params) result.push_back(param.name);
  return result;
}

std::string to_text(const ParamValue& value) {
  struct {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(Duration duration) const { return in_quotes(duration_text(duration)); }
    std::string operator()(const std::string& text) const { return in_quotes(text); }
    std::string operator()(const std::vector<std::string>& items) const {
      return fmt::format("[{}]", quoted_list(items));
    }
  } writer;
  return std::visit(writer, value);
}

}  // namespace komainu::params
