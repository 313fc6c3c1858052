#include "api/documents/json.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <concepts>
#include <limits>
#include <utility>

#include "api/documents/words.h"

namespace komainu::api {
namespace {

namespace json = boost::json;

// JSON is UTF-8, but evidence is whatever an application printed, perhaps cut in the middle of a character:
// what is no UTF-8 becomes U+FFFD, byte by byte.
json::string utf8(std::string_view text) {
  json::string valid;
  valid.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) -> unsigned {
      return i + at < text.size() ? static_cast<unsigned char>(text[i + at]) : 0;
    };
    const auto follows = [&](std::size_t at) { return (byte(at) & 0xc0) == 0x80; };
    // RFC 3629, section 4: the shortest form only, no surrogates, nothing beyond U+10FFFF.
    std::size_t length = 0;
    if (byte(0) < 0x80) {
      length = 1;
    } else if (byte(0) >= 0xc2 && byte(0) <= 0xdf) {
      length = follows(1) ? 2 : 0;
    } else if (byte(0) >= 0xe0 && byte(0) <= 0xef) {
      bool shortest = byte(0) != 0xe0 || byte(1) >= 0xa0;
      bool surrogate = byte(0) == 0xed && byte(1) >= 0xa0;
      length = follows(1) && follows(2) && shortest && !surrogate ? 3 : 0;
    } else if (byte(0) >= 0xf0 && byte(0) <= 0xf4) {
      bool in_range = (byte(0) != 0xf0 || byte(1) >= 0x90) && (byte(0) != 0xf4 || byte(1) <= 0x8f);
      length = follows(1) && follows(2) && follows(3) && in_range ? 4 : 0;
    }
    valid.append(length > 0 ? text.substr(i, length) : std::string_view("\xef\xbf\xbd"));
    i += length > 0 ? length : 1;
  }
  return valid;
}

struct ToJson {
  json::object object;

  template <class T>
  void operator()(std::string_view key, const T& value) {
    object.emplace(key, make(value));
  }

  static json::value make(bool value) { return value; }
  static json::value make(const std::string& text) { return utf8(text); }
  static json::value make(Duration duration) { return duration.count(); }
  template <std::unsigned_integral T>
  static json::value make(const T& value) {
    return value;
  }
  template <Worded E>
  static json::value make(const E& value) {
    return json::string(word(value));
  }
  template <class T>
  static json::value make(const std::optional<T>& value) {
    return value ? make(*value) : json::value(nullptr);
  }
  template <class T>
  static json::value make(const std::vector<T>& values) {
    json::array array;
    array.reserve(values.size());
    for (const T& value : values) array.push_back(make(value));
    return array;
  }
  static json::value make(const std::map<std::string, std::uint64_t>& values) {
    json::object made;
    for (const auto& [key, value] : values) made.emplace(key, value);
    return made;
  }
  template <class T>
  static json::value make(const T& document) {
    ToJson io;
    T::fields(document, io);
    return std::move(io.object);
  }
};

// Stops at the first value of a wrong type; `wrong` is then the path to it.
struct FromJson {
  const json::object& object;
  std::string path;
  std::string wrong;

  template <class T>
  void operator()(std::string_view key, T& value) {
    const json::value* found = wrong.empty() ? object.if_contains(key) : nullptr;
    if (found) read(path.empty() ? std::string(key) : fmt::format("{}.{}", path, key), *found, value);
  }

  void read(const std::string& at, const json::value& from, bool& value) {
    from.is_bool() ? void(value = from.get_bool()) : fail(at, "true or false");
  }
  void read(const std::string& at, const json::value& from, std::string& text) {
    from.is_string() ? void(text = std::string(from.get_string())) : fail(at, "a text");
  }
  template <std::unsigned_integral T>
  void read(const std::string& at, const json::value& from, T& value) {
    json::error_code error;
    auto number = from.to_number<T>(error);
    error ? fail(at, "a whole number") : void(value = number);
  }
  void read(const std::string& at, const json::value& from, Duration& duration) {
    json::error_code error;
    auto number = from.to_number<std::int64_t>(error);
    error ? fail(at, "a number of microseconds") : void(duration = Duration(number));
  }
  template <Worded E>
  void read(const std::string& at, const json::value& from, E& value) {
    auto known = from.is_string() ? from_word<E>(std::string_view(from.get_string())) : std::nullopt;
    known ? void(value = *known) : fail(at, "a word that this version knows");
  }
  template <class T>
  void read(const std::string& at, const json::value& from, std::optional<T>& value) {
    value.reset();
    if (!from.is_null()) read(at, from, value.emplace());
  }
  template <class T>
  void read(const std::string& at, const json::value& from, std::vector<T>& values) {
    values.clear();
    if (!from.is_array()) return fail(at, "a list");
    for (const json::value& element : from.get_array()) {
      if (!wrong.empty()) return;
      const std::string place = fmt::format("{}[{}]", at, values.size());
      read(place, element, values.emplace_back());
    }
  }
  void read(const std::string& at, const json::value& from, std::map<std::string, std::uint64_t>& values) {
    values.clear();
    if (!from.is_object()) return fail(at, "an object");
    for (const auto& [key, element] : from.get_object())
      read(fmt::format("{}.{}", at, std::string_view(key)), element, values[key]);
  }
  template <class T>
  void read(const std::string& at, const json::value& from, T& document) {
    if (!from.is_object()) return fail(at, "an object");
    FromJson io{from.get_object(), at, {}};
    T::fields(document, io);
    if (!io.wrong.empty()) wrong = std::move(io.wrong);
  }

  void fail(const std::string& at, std::string_view expected) {
    if (wrong.empty()) wrong = fmt::format("'{}' is not {}", at, expected);
  }
};

}  // namespace

template <class Document>
std::string to_json(const Document& document) {
  return json::serialize(ToJson::make(document));
}

template <class Document>
Result<Document> from_json(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error) return failure(fmt::format("not JSON: {}", error.message()));
  if (!value.is_object()) return failure("not a JSON object");
  Document document;
  FromJson io{value.get_object(), {}, {}};
  Document::fields(document, io);
  if (!io.wrong.empty()) return failure(fmt::format("unexpected JSON: {}", io.wrong));
  return document;
}

#define KOMAINU_DOCUMENT(Type)                     \
  template std::string to_json<Type>(const Type&); \
  template Result<Type> from_json<Type>(std::string_view)

KOMAINU_DOCUMENT(Status);
KOMAINU_DOCUMENT(GroupView);
KOMAINU_DOCUMENT(NodeView);
KOMAINU_DOCUMENT(EventView);
KOMAINU_DOCUMENT(Explanation);
KOMAINU_DOCUMENT(FenceStatus);
KOMAINU_DOCUMENT(FenceTest);
KOMAINU_DOCUMENT(ConfigDocument);
KOMAINU_DOCUMENT(Health);
KOMAINU_DOCUMENT(Names);
KOMAINU_DOCUMENT(Accepted);
KOMAINU_DOCUMENT(Failure);

}  // namespace komainu::api
