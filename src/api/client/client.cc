#include "api/client/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <functional>
#include <utility>

namespace komainu::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;
using boost::system::error_code;

// The largest answer: the status of thousands of groups stays well below.
constexpr std::uint64_t kMaxAnswer = 256 * 1024 * 1024;

Trouble unreachable(const std::string& path, const error_code& error) {
  if (error.value() == EACCES || error.value() == EPERM)
    return {Trouble::Kind::kNotAllowed,
            fmt::format("no permission to talk to komainud ({})", path),
            "join the group komainu (`sudo usermod -aG komainu $USER`, then log in again), or use sudo",
            {}};
  return {Trouble::Kind::kNotReachable,
          fmt::format("komainud does not answer on {}: {}", path, error.message()),
          "is it running on this node? `systemctl status komainud`",
          {}};
}

Trouble timed_out(Duration limit) {
  return {Trouble::Kind::kTimedOut,
          fmt::format("komainud did not answer within {} s", limit / 1s),
          "`systemctl status komainud` and `journalctl -u komainud` show what it does",
          {}};
}

Trouble broken(const error_code& error) {
  return {Trouble::Kind::kNotReachable,
          fmt::format("the connection to komainud broke: {}", error.message()),
          "did it just stop? `systemctl status komainud`",
          {}};
}

Trouble refused(unsigned status, const std::string& body) {
  auto failure = from_json<Failure>(body);
  Trouble trouble{Trouble::Kind::kRefused, {}, {}, {}};
  if (status == 404) trouble.kind = Trouble::Kind::kUnknownName;
  if (status == 503) trouble.kind = Trouble::Kind::kNoView;
  if (status == 504) trouble.kind = Trouble::Kind::kTimedOut;
  if (!failure) {
    trouble.what = fmt::format("komainud answered {} without a reason", status);
    return trouble;
  }
  trouble.what = std::move(failure->error);
  trouble.help = std::move(failure->help);
  trouble.problems = std::move(failure->problems);
  return trouble;
}

// A connection whose operations are ended by a time limit.
struct Wire {
  asio::io_context context;
  Local::socket socket{context};
  beast::flat_buffer buffer;

  // Runs until the operation that `start` begins has called back; none: the time is over, and it goes on.
  std::optional<error_code> run(Duration limit,
                                const std::function<void(std::function<void(error_code)>)>& start) {
    begin(start);
    return finish(limit);
  }
  void begin(const std::function<void(std::function<void(error_code)>)>& start) {
    done.reset();
    start([this](error_code error) { done = error; });
  }
  std::optional<error_code> finish(Duration limit) {
    context.restart();
    auto until = std::chrono::steady_clock::now() + limit;
    while (!done && context.run_one_until(until) > 0) {
    }
    return done;
  }

  Answer<void> connect(const std::string& path, Duration limit) {
    if (path.size() >= sizeof(sockaddr_un::sun_path))
      return std::unexpected(unreachable(path, error_code(ENAMETOOLONG, boost::system::system_category())));
    auto connected =
        run(limit, [&](auto done_with) { socket.async_connect(Local::endpoint(path), done_with); });
    if (!connected) return std::unexpected(timed_out(limit));
    if (*connected) return std::unexpected(unreachable(path, *connected));
    return {};
  }

  Answer<void> send(std::string_view method, const std::string& target, std::string body, Duration limit) {
    http::request<http::string_body> request;
    request.method_string(method);
    request.target(target);
    request.version(11);
    request.set(http::field::host, "komainu");
    request.body() = std::move(body);
    request.prepare_payload();
    auto sent = run(limit, [&](auto done_with) {
      http::async_write(socket, request, [done_with](error_code error, std::size_t) { done_with(error); });
    });
    if (!sent) return std::unexpected(timed_out(limit));
    if (*sent) return std::unexpected(broken(*sent));
    return {};
  }

  std::optional<error_code> done;
};

}  // namespace

std::string segment(std::string_view name) {
  std::string text;
  for (unsigned char c : name) {
    if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
      text += static_cast<char>(c);
    else
      text += fmt::format("%{:02X}", c);
  }
  return text;
}

Trouble Client::misunderstood(const Error& error) {
  return {Trouble::Kind::kRefused,
          fmt::format("komainud's answer is not understood: {}", error.what),
          "are the command line and the daemon of the same version? `komainu --version`",
          {}};
}

Answer<std::string> Client::exchange(std::string_view method, const std::string& target, std::string body,
                                     Duration limit) const {
  Wire wire;
  if (auto connected = wire.connect(path_, limit); !connected) return std::unexpected(connected.error());
  if (auto sent = wire.send(method, target, std::move(body), limit); !sent)
    return std::unexpected(sent.error());
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);
  auto read = wire.run(limit, [&](auto done_with) {
    http::async_read(wire.socket, wire.buffer, parser,
                     [done_with](error_code error, std::size_t) { done_with(error); });
  });
  if (!read) return std::unexpected(timed_out(limit));
  if (*read) return std::unexpected(broken(*read));
  unsigned status = parser.get().result_int();
  if (status / 100 != 2) return std::unexpected(refused(status, parser.get().body()));
  return std::move(parser.get().body());
}

struct EventStream::Impl {
  Wire wire;
  http::response_parser<http::buffer_body> parser;
  std::array<char, 16 * 1024> part;
  std::string lines;  // received and not handed out
  std::uint64_t number = 0;
  bool reading = false;
  bool ended = false;

  // Receives what comes next; false: the time is over, and the read goes on with the next call.
  Answer<bool> receive(Duration limit) {
    if (!std::exchange(reading, true)) {
      parser.get().body() = {part.data(), part.size(), true};
      wire.begin([&](auto done_with) {
        http::async_read_some(wire.socket, wire.buffer, parser,
                              [done_with](error_code error, std::size_t) { done_with(error); });
      });
    }
    auto error = wire.finish(limit);
    if (!error) return false;
    reading = false;
    if (*error && *error != http::error::need_buffer) return std::unexpected(broken(*error));
    lines.append(part.data(), part.size() - parser.get().body().size);
    ended = parser.is_done();
    return true;
  }
};

Answer<EventStream> EventStream::open(const Client& client, std::optional<std::uint64_t> since, bool follow) {
  auto impl = std::make_unique<Impl>();
  Wire& wire = impl->wire;
  std::string target =
      fmt::format("/v1/events?since={}&follow={}", since ? std::to_string(*since) : "now", follow ? 1 : 0);
  if (auto connected = wire.connect(client.path(), Client::kQuick); !connected)
    return std::unexpected(connected.error());
  if (auto sent = wire.send("GET", target, {}, Client::kQuick); !sent) return std::unexpected(sent.error());
  impl->parser.body_limit(boost::none);
  auto read = wire.run(Client::kQuick, [&](auto done_with) {
    http::async_read_header(wire.socket, wire.buffer, impl->parser,
                            [done_with](error_code error, std::size_t) { done_with(error); });
  });
  if (!read) return std::unexpected(timed_out(Client::kQuick));
  if (*read) return std::unexpected(broken(*read));
  unsigned status = impl->parser.get().result_int();
  if (status == 200) {
    const std::string_view last = impl->parser.get()["Komainu-Last-Event"];
    std::from_chars(last.data(), last.data() + last.size(), impl->number);
    return EventStream(std::move(impl));
  }
  while (!impl->ended) {
    auto received = impl->receive(Client::kQuick);
    if (!received) return std::unexpected(received.error());
    if (!*received) return std::unexpected(timed_out(Client::kQuick));
  }
  return std::unexpected(refused(status, impl->lines));
}

Answer<std::optional<EventView>> EventStream::next(Duration limit) {
  auto until = std::chrono::steady_clock::now() + limit;
  while (true) {
    if (std::size_t end = impl_->lines.find('\n'); end != std::string::npos) {
      auto event = from_json<EventView>(std::string_view(impl_->lines).substr(0, end));
      impl_->lines.erase(0, end + 1);
      if (!event) return std::unexpected(Client::misunderstood(event.error()));
      impl_->number = std::max(impl_->number, event->number);
      return std::move(*event);
    }
    if (impl_->ended) return std::nullopt;
    auto left = std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now());
    auto received = impl_->receive(std::max(left, Duration(0)));
    if (!received) return std::unexpected(received.error());
    if (!*received) return std::nullopt;
  }
}

EventStream::EventStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventStream::EventStream(EventStream&&) noexcept = default;
EventStream& EventStream::operator=(EventStream&&) noexcept = default;
EventStream::~EventStream() = default;

std::uint64_t EventStream::number() const {
  return impl_->number;
}
bool EventStream::ended() const {
  return impl_->ended && impl_->lines.empty();
}

}  // namespace komainu::api
