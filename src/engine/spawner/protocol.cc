#include "engine/spawner/protocol.h"

#include <cstring>
#include <type_traits>

namespace komainu::engine::spawner {
namespace {

// Fields in order; numbers as eight bytes, texts and lists behind their length, variants behind their index.
class Writer {
 public:
  std::string take() { return std::move(bytes_); }

  void put(std::uint64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void put(const std::string& text) {
    put(std::uint64_t{text.size()});
    bytes_ += text;
  }
  void put(Duration duration) { put(static_cast<std::uint64_t>(duration.count())); }
  template <class T>
    requires std::is_enum_v<T> || std::is_same_v<T, bool> || std::is_same_v<T, std::int64_t>
  void put(T value) {
    put(static_cast<std::uint64_t>(value));
  }
  void put(const std::vector<std::string>& texts) {
    put(std::uint64_t{texts.size()});
    for (const std::string& text : texts) put(text);
  }
  template <class... T>
  void put(std::variant<T...>& value) {
    put(std::uint64_t{value.index()});
    std::visit([this](auto& alternative) { put(alternative); }, value);
  }
  template <class T>
    requires requires(T& value) { value.fields(); }
  void put(T& value) {
    std::apply([this](auto&... field) { (put(field), ...); }, value.fields());
  }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return ok_ && rest_.empty(); }

  void get(std::uint64_t& value) {
    if (rest_.size() < sizeof value) return fail();
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
  }
  void get(std::string& text) {
    std::uint64_t size = 0;
    get(size);
    if (size > rest_.size()) return fail();
    text = rest_.substr(0, size);
    rest_.remove_prefix(size);
  }
  void get(Duration& duration) { duration = Duration(static_cast<std::int64_t>(number())); }
  template <class T>
    requires std::is_enum_v<T> || std::is_same_v<T, bool> || std::is_same_v<T, std::int64_t>
  void get(T& value) {
    value = static_cast<T>(number());
  }
  void get(std::vector<std::string>& texts) {
    for (std::uint64_t count = number(); ok_ && count > 0; --count) get(texts.emplace_back());
  }
  template <class... T>
  void get(std::variant<T...>& value) {
    const std::uint64_t index = number();
    if (index >= sizeof...(T)) return fail();
    auto pick = [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((I == index ? get(value.template emplace<I>()) : void()), ...);
    };
    pick(std::index_sequence_for<T...>{});
  }
  template <class T>
    requires requires(T& value) { value.fields(); }
  void get(T& value) {
    std::apply([this](auto&... field) { (get(field), ...); }, value.fields());
  }

 private:
  std::uint64_t number() {
    std::uint64_t value = 0;
    get(value);
    return value;
  }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

template <class Message>
std::string encode_any(Message& message) {
  Writer writer;
  writer.put(message);
  return writer.take();
}

template <class Message>
std::optional<Message> decode_any(std::string_view packet) {
  Reader reader(packet);
  Message message;
  reader.get(message);
  if (!reader.done()) return std::nullopt;
  return message;
}

}  // namespace

std::string encode(ToHelper message) {
  return encode_any(message);
}
std::string encode(ToDaemon message) {
  return encode_any(message);
}
std::optional<ToHelper> decode_to_helper(std::string_view packet) {
  return decode_any<ToHelper>(packet);
}
std::optional<ToDaemon> decode_to_daemon(std::string_view packet) {
  return decode_any<ToDaemon>(packet);
}

}  // namespace komainu::engine::spawner
