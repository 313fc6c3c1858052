#include "wire/wire.h"

#include <fmt/format.h>

#include <cassert>
#include <memory>
#include <optional>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "wire/frame.h"
#include "wire/layout.h"

namespace komainu::wire {
namespace {

// ---- what kind of thing a type is

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsPointer = false;
template <class T>
inline constexpr bool kIsPointer<std::shared_ptr<const T>> = true;
template <class T>
inline constexpr bool kIsOneOf = false;
template <class Case, class... Alternatives>
inline constexpr bool kIsOneOf<OneOf<Case, Alternatives...>> = true;

template <class T>
concept Laid = !std::is_null_pointer_v<std::remove_cv_t<decltype(kLayout<T>)>>;
template <class T>
concept LaidAsOneOf = Laid<T> && kIsOneOf<std::remove_cv_t<decltype(kLayout<T>)>>;
template <class T>
concept MapLike = requires { typename T::mapped_type; };
// A message that only wraps a list, because Protobuf knows no map of lists.
template <class W>
concept Wrapper = requires(const W& wire) { wire.items(); };

// The layout names every field that the struct itself counts, and every alternative of a variant.
template <class T>
consteval bool complete() {
  if constexpr (LaidAsOneOf<T>)
    return std::tuple_size_v<decltype(kLayout<T>.alternatives)> == std::variant_size_v<T>;
  else if constexpr (HasFields<T>)
    return std::tuple_size_v<std::remove_cv_t<decltype(kLayout<T>)>> ==
           std::tuple_size_v<decltype(std::declval<const T&>().fields())>;
  else
    return true;
}

// ---- scalars

template <class T>
  requires std::is_arithmetic_v<T>
T scalar(T value) {
  return value;
}
template <class Enum>
  requires std::is_enum_v<Enum>
int scalar(Enum value) {
  return static_cast<int>(value);
}
template <class Tag>
std::uint32_t scalar(Id<Tag> id) {
  return id.value;
}
template <class IdType>
std::uint64_t scalar(IdSet<IdType> set) {
  return set.bits();
}
std::uint64_t scalar(core::Incarnation incarnation) {
  return incarnation.value;
}
std::int64_t scalar(Duration duration) {
  return duration.count();
}

template <class T>
concept Scalar = requires(const T& value) { scalar(value); };

// The greatest value of each enumeration.
constexpr int last(pb::FinalAction) {
  return pb::FinalAction_MAX;
}
constexpr int last(pb::Failback) {
  return pb::Failback_MAX;
}
constexpr int last(pb::Strictness) {
  return pb::Strictness_MAX;
}
constexpr int last(pb::Where) {
  return pb::Where_MAX;
}
constexpr int last(pb::MonitorRole) {
  return pb::MonitorRole_MAX;
}
constexpr int last(pb::Profile) {
  return pb::Profile_MAX;
}
constexpr int last(pb::ArbiterType) {
  return pb::ArbiterType_MAX;
}
constexpr int last(pb::NoQuorum) {
  return pb::NoQuorum_MAX;
}
constexpr int last(pb::Activity) {
  return pb::Activity_MAX;
}
constexpr int last(pb::OrderKind) {
  return pb::OrderKind_MAX;
}
constexpr int last(pb::Wish) {
  return pb::Wish_MAX;
}
constexpr int last(pb::Standing) {
  return pb::Standing_MAX;
}
constexpr int last(pb::Duty) {
  return pb::Duty_MAX;
}
constexpr int last(pb::Health) {
  return pb::Health_MAX;
}
constexpr int last(pb::Why) {
  return pb::Why_MAX;
}

// ---- encoding

template <class T, class W>
void put(const T& value, W& wire);

template <class F, class T, class W>
void put_field(const F& field, const T& value, W& wire) {
  if constexpr (kIsOptional<T>) {
    if (value) put_field(field, *value, wire);
  } else if constexpr (Scalar<T>) {
    field.set(wire, scalar(value));
  } else {
    put(value, *field.mut(wire));
  }
}

template <class K, class T, class W>
void put_entry(const K& key, const T& value, W& map) {
  if constexpr (Scalar<K> && Scalar<T>) {
    map[scalar(key)] = static_cast<typename W::mapped_type>(scalar(value));
  } else if constexpr (Scalar<K>) {
    put(value, map[scalar(key)]);
  } else {
    auto* entry = map.Add();
    entry->set_name(key);
    if constexpr (Scalar<T>)
      entry->set_value(scalar(value));
    else
      put(value, *entry->mutable_value());
  }
}

template <class T, class W>
void put(const T& value, W& wire) {
  if constexpr (std::is_same_v<T, std::string>) {
    wire = value;
  } else if constexpr (kIsPointer<T>) {
    assert(value);
    put(*value, wire);
  } else if constexpr (LaidAsOneOf<T>) {
    static_assert(complete<T>());
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((value.index() == I ? put_field(std::get<I>(kLayout<T>.alternatives), *std::get_if<I>(&value), wire)
                           : void()),
       ...);
    }(std::make_index_sequence<std::variant_size_v<T>>());
  } else if constexpr (Laid<T>) {
    static_assert(complete<T>());
    std::apply([&](const auto&... field) { (put_field(field, *field.member(value), wire), ...); },
               kLayout<T>);
  } else if constexpr (Wrapper<W>) {
    put(value, *wire.mutable_items());
  } else if constexpr (MapLike<T>) {
    for (const auto& [key, mapped] : value) put_entry(key, mapped, wire);
  } else {
    for (const auto& element : value) {
      if constexpr (Scalar<typename T::value_type>)
        wire.Add(scalar(element));
      else
        put(element, *wire.Add());
    }
  }
}

// ---- decoding

class Decoder {
 public:
  template <class W, class T>
  void read(const W& wire, T& value, std::size_t max_text = kMaxText) {
    if constexpr (Scalar<T>) {
      read_scalar(wire, value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (wire.size() > max_text)
        fail(fmt::format("a text of {} bytes; at most {} are allowed", wire.size(), max_text));
      else
        value = wire;
    } else if constexpr (kIsPointer<T>) {
      auto pointee = std::make_shared<std::remove_const_t<typename T::element_type>>();
      read(wire, *pointee);
      value = std::move(pointee);
    } else if constexpr (LaidAsOneOf<T>) {
      read_one_of(wire, value, std::make_index_sequence<std::variant_size_v<T>>());
    } else if constexpr (Laid<T>) {
      std::apply([&](const auto&... field) { (read_field(field, wire, *field.member(value)), ...); },
                 kLayout<T>);
      check(value);
    } else if constexpr (Wrapper<W>) {
      read(wire.items(), value);
    } else {
      read_container(wire, value);
    }
  }

  bool ok() const { return !error_; }
  const std::string& error() const { return *error_; }

 private:
  // Where in the value we are, for the error.
  struct Step {
    const char* field;
    std::uint64_t index;
  };
  class Scope {
   public:
    Scope(Decoder& decoder, const char* field, std::uint64_t index = 0) : decoder_(decoder) {
      decoder_.path_.push_back({field, index});
    }
    ~Scope() { decoder_.path_.pop_back(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Decoder& decoder_;
  };

  // Keeps the first error.
  void fail(std::string_view what) {
    if (error_) return;
    std::string where;
    for (const Step& step : path_)
      where += step.field ? fmt::format("{}{}", where.empty() ? "" : ".", step.field)
                          : fmt::format("[{}]", step.index);
    error_ = fmt::format("{}: {}", where, what);
  }

  template <class F, class W, class T>
  void read_field(const F& field, const W& wire, T& value) {
    if (error_) return;
    Scope scope(*this, field.name);
    if constexpr (kIsOptional<T>) {
      if (field.has(wire)) read(field.get(wire), value.emplace(), field.max_text);
    } else {
      if constexpr (kIsPointer<T>)
        if (!field.has(wire)) return fail("missing");
      read(field.get(wire), value, field.max_text);
    }
  }

  template <class W, class T, std::size_t... I>
  void read_one_of(const W& wire, T& value, std::index_sequence<I...>) {
    if (!kLayout<T>.chosen(wire)) return fail("empty, or of a kind that only a newer komainu knows");
    ((std::get<I>(kLayout<T>.alternatives).has(wire)
          ? read_field(std::get<I>(kLayout<T>.alternatives), wire, value.template emplace<I>())
          : void()),
     ...);
  }

  template <class W, class T>
  void read_container(const W& wire, T& value) {
    if (static_cast<std::size_t>(wire.size()) > kMaxElements)
      return fail(fmt::format("{} elements; at most {} are allowed", wire.size(), kMaxElements));
    std::uint64_t index = 0;
    for (const auto& element : wire) {
      if (error_) return;
      Scope scope(*this, nullptr, index++);
      if constexpr (!MapLike<T>) {
        typename T::value_type item{};
        read(element, item);
        value.insert(value.end(), std::move(item));
      } else if constexpr (requires { element.first; }) {
        read_entry(element.first, element.second, value);
      } else {
        read_entry(element.name(), element.value(), value);
      }
    }
  }

  template <class WireKey, class W, class T>
  void read_entry(const WireKey& wire_key, const W& wire, T& map) {
    typename T::key_type key{};
    read(wire_key, key);
    auto [entry, inserted] = map.try_emplace(std::move(key));
    if (!inserted) return fail("named twice");
    read(wire, entry->second);
  }

  template <class W, class T>
  void read_scalar(W wire, T& value) {
    if constexpr (std::is_enum_v<T>) {
      if (static_cast<int>(wire) < 0 || static_cast<int>(wire) > last(wire))
        return fail(
            fmt::format("value {} is unknown; the last one is {}", static_cast<int>(wire), last(wire)));
      value = static_cast<T>(wire);
    } else if constexpr (std::is_same_v<T, NodeId> || std::is_same_v<T, PlaceId>) {
      if (wire >= kMaxNodes) return fail(fmt::format("number {}; the last one is {}", wire, kMaxNodes - 1));
      value = T{wire};
    } else if constexpr (std::is_same_v<T, Duration>) {
      if (wire < -kMaxDuration.count() || wire > kMaxDuration.count())
        return fail(fmt::format("a duration of {} us is out of range", wire));
      value = Duration{wire};
    } else if constexpr (requires { T::from_bits(wire); }) {
      value = T::from_bits(wire);
    } else {
      static_assert(sizeof(wire) == sizeof(scalar(value)));
      value = T{wire};
    }
  }

  // What the fields alone do not tell.
  template <class T>
  void check(const T&) {}
  void check(const core::Spec& spec) {
    auto keys_fit = [&](const char* name, const auto& map) {
      for (const auto& [id, object] : map)
        if (object.id != id) {
          Scope scope(*this, name);
          fail(fmt::format("number {} is filed as number {}", object.id.value, id.value));
        }
    };
    keys_fit("nodes", spec.nodes);
    keys_fit("groups", spec.groups);
    keys_fit("monitors", spec.monitors);
  }

  std::vector<Step> path_;
  std::optional<std::string> error_;
};

template <class Wire, class T>
std::string encode_as(Kind kind, const T& value) {
  Wire wire;
  put(value, wire);
  std::string bytes = begin_frame(kind);
  wire.AppendToString(&bytes);
  finish_frame(kind, bytes);
  return bytes;
}

// The error says what is wrong, but not with what.
template <class Wire, class T>
Result<T> decode_as(Kind kind, std::string_view bytes) {
  if (bytes.size() > kMaxMessage)
    return failure(fmt::format("{} bytes; at most {} are allowed", bytes.size(), kMaxMessage));
  auto payload = open_frame(kind, bytes);
  if (!payload) return std::unexpected(payload.error());
  Wire wire;
  if (!wire.ParseFromArray(payload->data(), static_cast<int>(payload->size())))
    return failure("malformed: not a Protobuf message, or cut off");
  Decoder decoder;
  T value;
  decoder.read(wire, value);
  if (!decoder.ok()) return failure(decoder.error());
  return value;
}

template <class T>
Result<T> named(std::string_view what, Result<T> result) {
  if (!result) result.error().what = fmt::format("cannot read {}: {}", what, result.error().what);
  return result;
}

}  // namespace

Result<std::string> encode(const core::Message& message) {
  std::string bytes = encode_as<pb::Message>(Kind::kMessage, message);
  if (bytes.size() > kMaxMessage)
    return failure(
        fmt::format("cannot send a message of {} bytes: at most {} are allowed", bytes.size(), kMaxMessage),
        "The configuration is too large; split the cluster.");
  return bytes;
}

Result<core::Message> decode_message(std::string_view bytes, NodeId sender) {
  auto message = named(fmt::format("a message from node {}", sender.value),
                       decode_as<pb::Message, core::Message>(Kind::kMessage, bytes));
  if (message && message->from != sender)
    return failure(
        fmt::format("a message from node {} says that it is from node {}", sender.value, message->from.value),
        "Two nodes may have the same cluster.toml identity, or a foreign program is in the group.");
  return message;
}

std::string encode(const core::State& state) {
  return encode_as<pb::State>(Kind::kState, state);
}

Result<core::State> decode_state(std::string_view bytes) {
  return named("a state", decode_as<pb::State, core::State>(Kind::kState, bytes));
}

std::string encode(const core::Durable& durable) {
  return encode_as<pb::Durable>(Kind::kDurable, durable);
}

Result<core::Durable> decode_durable(std::string_view bytes) {
  return named("the store", decode_as<pb::Durable, core::Durable>(Kind::kDurable, bytes));
}

std::optional<unsigned> other_version(std::string_view store) {
  return other_version(Kind::kDurable, store);
}
unsigned format_version() {
  return kVersion;
}

}  // namespace komainu::wire
