#include "api/server.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "api/answer.h"
#include "api/call.h"
#include "api/status.h"

namespace komainu::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;
using Connection = beast::basic_stream<Local>;
using boost::system::error_code;

// Completion as a value: a session ends by returning, not by throwing.
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// Events written in one part of a stream.
constexpr std::size_t kEventsInPart = 64;

using File = std::unique_ptr<std::FILE, decltype([](std::FILE* file) { std::fclose(file); })>;

// The names of /etc/passwd, read once: the name service may wait, and the loop must not.
std::map<uid_t, std::string> local_users() {
  std::map<uid_t, std::string> users;
  if (File file{std::fopen("/etc/passwd", "re")})
    while (const passwd* entry = fgetpwent(file.get())) users.emplace(entry->pw_uid, entry->pw_name);
  return users;
}

std::optional<gid_t> local_group(const std::string& name) {
  if (File file{std::fopen("/etc/group", "re")})
    while (const group* entry = fgetgrent(file.get()))
      if (entry->gr_name == name) return entry->gr_gid;
  return std::nullopt;
}

// A wait that something else may end before its time.
struct Gate {
  asio::steady_timer timer;
  explicit Gate(asio::io_context& context) : timer(context) {}
  void open() { timer.cancel(); }
};

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Impl> {
  asio::io_context& context;
  Backend& backend;
  ServerOptions options;
  Local::acceptor acceptor;
  std::map<uid_t, std::string> users = local_users();
  std::map<std::uint64_t, std::shared_ptr<Connection>> open;  // by number of the connection
  std::uint64_t next_number = 0;
  std::uint32_t streams = 0;
  std::set<std::shared_ptr<Gate>> asked;  // who waits for the cluster's answer
  Gate room;                              // opened when a connection ends
  bool stopped = false;

  Impl(asio::io_context& loop, Backend& daemon, ServerOptions wanted)
      : context(loop), backend(daemon), options(std::move(wanted)), acceptor(loop), room(loop) {}

  const Limits& limits() const { return options.limits; }
  void warn(const std::string& text) const {
    if (options.warn) options.warn(text);
  }

  std::string user_of(Connection& connection) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(connection.socket().native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
      return {};
    auto known = users.find(peer.uid);
    return known == users.end() ? fmt::format("uid {}", peer.uid) : known->second;
  }

  static asio::awaitable<void> accept(std::shared_ptr<Impl> self);
  static asio::awaitable<void> serve(std::shared_ptr<Impl> self, std::shared_ptr<Connection> connection);
  static asio::awaitable<bool> reply(std::shared_ptr<Impl> self, std::shared_ptr<Connection> connection,
                                     Response response, bool keep_alive);
  static asio::awaitable<Response> put_to_cluster(std::shared_ptr<Impl> self, core::Request request);
  static asio::awaitable<Response> ask_devices(std::shared_ptr<Impl> self, NodeSet targets);
  static asio::awaitable<void> pass(std::shared_ptr<Impl> self, std::shared_ptr<Gate> gate, Duration limit);
  static asio::awaitable<bool> stream(std::shared_ptr<Impl> self, std::shared_ptr<Connection> connection,
                                      GetEvents wanted);
};

// Accepts while there is room. A failing accept (no descriptor left) is tried again later, not in a circle.
asio::awaitable<void> Server::Impl::accept(std::shared_ptr<Impl> self) {
  while (!self->stopped) {
    if (self->open.size() >= self->limits().connections) {
      self->room.timer.expires_after(std::chrono::seconds(1));
      auto wait = self->room.timer.async_wait(kAwait);
      co_await std::move(wait);
      continue;
    }
    auto connection = std::make_shared<Connection>(self->context);
    auto accepting = self->acceptor.async_accept(connection->socket(), kAwait);
    auto [error] = co_await std::move(accepting);
    if (self->stopped) co_return;
    if (error) {
      self->warn(fmt::format("the API cannot accept a connection: {}", error.message()));
      self->room.timer.expires_after(std::chrono::seconds(1));
      auto wait = self->room.timer.async_wait(kAwait);
      co_await std::move(wait);
      continue;
    }
    std::uint64_t number = self->next_number++;
    self->open.emplace(number, connection);
    asio::co_spawn(self->context, serve(self, connection), [self, number](std::exception_ptr failed) {
      self->open.erase(number);
      self->room.open();
      if (failed) self->warn("a connection of the API ended by an exception");
    });
  }
}

asio::awaitable<bool> Server::Impl::reply(std::shared_ptr<Impl> self, std::shared_ptr<Connection> connection,
                                          Response response, bool keep_alive) {
  http::response<http::string_body> message{static_cast<http::status>(response.status), 11};
  message.set(http::field::content_type, "application/json");
  if (!response.allow.empty()) message.set(http::field::allow, response.allow);
  message.keep_alive(keep_alive);
  message.body() = std::move(response.body);
  message.body() += '\n';
  message.prepare_payload();
  connection->expires_after(self->limits().transfer);
  auto writing = http::async_write(*connection, message, kAwait);
  auto [error, size] = co_await std::move(writing);
  co_return !error && keep_alive;
}

asio::awaitable<Response> Server::Impl::put_to_cluster(std::shared_ptr<Impl> self, core::Request request) {
  auto answered = std::make_shared<std::optional<core::Answer>>();
  auto gate = std::make_shared<Gate>(self->context);
  self->backend.submit(std::move(request), [answered, gate](core::Answer answer) {
    *answered = std::move(answer);
    gate->open();
  });
  if (!*answered) {
    auto passing = pass(self, gate, self->limits().answer);
    co_await std::move(passing);
  }
  if (!*answered || self->stopped) co_return unanswered(self->limits().answer);
  co_return response(**answered, self->backend.position());
}

asio::awaitable<Response> Server::Impl::ask_devices(std::shared_ptr<Impl> self, NodeSet targets) {
  auto answered = std::make_shared<std::optional<std::vector<FenceTried>>>();
  auto gate = std::make_shared<Gate>(self->context);
  const bool begun = self->backend.test_fencing(targets, [answered, gate](std::vector<FenceTried> tried) {
    *answered = std::move(tried);
    gate->open();
  });
  if (!begun) co_return devices_are_busy();
  if (!*answered) {
    auto passing = pass(self, gate, self->limits().devices);
    co_await std::move(passing);
  }
  if (!*answered || self->stopped) co_return unanswered(self->limits().devices);
  co_return response(*self->backend.state().spec, self->backend.position().self, targets, **answered);
}

// Until somebody opens it, or the time is over.
asio::awaitable<void> Server::Impl::pass(std::shared_ptr<Impl> self, std::shared_ptr<Gate> gate,
                                         Duration limit) {
  self->asked.insert(gate);
  gate->timer.expires_after(limit);
  auto wait = gate->timer.async_wait(kAwait);
  co_await std::move(wait);
  self->asked.erase(gate);
}

// Writes what the log holds and then, to a follower, what comes; false: the connection is done with.
asio::awaitable<bool> Server::Impl::stream(std::shared_ptr<Impl> self, std::shared_ptr<Connection> connection,
                                           GetEvents wanted) {
  struct Following {
    Impl& impl;
    std::shared_ptr<Gate> gate;
    EventLog::Follower follower;
    explicit Following(Impl& server) : impl(server), gate(std::make_shared<Gate>(server.context)) {
      ++impl.streams;
      follower = impl.backend.events().follow([kept = gate] { kept->open(); });
    }
    Following(const Following&) = delete;
    ~Following() {
      --impl.streams;
      if (!impl.stopped) impl.backend.events().forget(follower);
    }
  };

  // A number that was not given yet is one of an earlier run of the daemon.
  const std::uint64_t last = self->backend.events().last();
  std::uint64_t read = wanted.since.value_or(last);
  if (read > last) read = 0;

  http::response<http::empty_body> head{http::status::ok, 11};
  head.set(http::field::content_type, "application/x-ndjson");
  head.set("Komainu-Last-Event", std::to_string(last));
  head.chunked(true);
  http::response_serializer<http::empty_body> serializer{head};
  connection->expires_after(self->limits().transfer);
  auto writing_head = http::async_write_header(*connection, serializer, kAwait);
  auto [head_error, head_size] = co_await std::move(writing_head);
  if (head_error || self->stopped) co_return false;

  std::optional<Following> following;
  auto hung_up = std::make_shared<bool>(false);
  if (wanted.follow) {
    following.emplace(*self);
    // A follower has nothing more to say: whatever arrives, the end of the connection above all, ends it.
    connection->socket().async_wait(Local::socket::wait_read,
                                    [hung_up, gate = following->gate](const error_code&) {
                                      *hung_up = true;
                                      gate->open();
                                    });
  }

  while (!self->stopped && !*hung_up) {
    std::string part;
    EventLog& log = self->backend.events();
    for (std::size_t count = 0; count < kEventsInPart; ++count) {
      const StampedEvent* event = log.after(read);
      if (!event) break;
      part += stream_line(*self->backend.state().spec, *event, read == 0 ? 0 : event->number - read - 1);
      read = event->number;
    }
    if (part.empty()) {
      if (!following) break;
      following->gate->timer.expires_at(std::chrono::steady_clock::time_point::max());
      auto wait = following->gate->timer.async_wait(kAwait);
      co_await std::move(wait);
      continue;
    }
    connection->expires_after(self->limits().transfer);
    auto chunk = http::make_chunk(asio::const_buffer(part.data(), part.size()));
    auto writing = asio::async_write(*connection, chunk, kAwait);
    auto [error, size] = co_await std::move(writing);
    if (error) co_return false;
  }
  if (self->stopped || *hung_up) co_return false;
  connection->expires_after(self->limits().transfer);
  auto end = http::make_chunk_last();
  auto ending = asio::async_write(*connection, end, kAwait);
  auto [error, size] = co_await std::move(ending);
  co_return !error;
}

namespace {

// Why a request could not be read, for those that can still be told.
std::optional<Refused> unreadable(error_code error) {
  auto refused = [](unsigned status, std::string text) {
    return Refused{status, Failure{.error = std::move(text)}, {}};
  };
  if (error == http::error::header_limit) return refused(431, "the request's header is too long");
  if (error == http::error::body_limit) return refused(413, "the request's body is too long");
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message)
    return refused(400, fmt::format("not an HTTP request: {}", error.message()));
  return std::nullopt;
}

}  // namespace

asio::awaitable<void> Server::Impl::serve(std::shared_ptr<Impl> self,
                                          std::shared_ptr<Connection> connection) {
  const std::string user = self->user_of(*connection);
  if (user.empty()) co_return;
  beast::flat_buffer buffer{self->limits().header_bytes + self->limits().body_bytes};
  bool keep = true;
  while (keep && !self->stopped) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(self->limits().header_bytes);
    parser.body_limit(self->limits().body_bytes);
    connection->expires_after(self->limits().idle);
    auto reading_head = http::async_read_header(*connection, buffer, parser, kAwait);
    auto [error, size] = co_await std::move(reading_head);
    if (!error && !parser.is_done()) {
      connection->expires_after(self->limits().transfer);
      auto reading = http::async_read(*connection, buffer, parser, kAwait);
      auto [body_error, body_size] = co_await std::move(reading);
      error = body_error;
    }
    if (self->stopped) co_return;
    if (error) {
      if (auto refused = unreadable(error)) {
        auto replying = reply(self, connection, response(*refused), false);
        co_await std::move(replying);
      }
      co_return;
    }
    const http::request<http::string_body>& request = parser.get();
    keep = request.keep_alive();
    auto call = parse_call(std::string_view(request.method_string()), std::string_view(request.target()),
                           request.body());
    Outcome outcome = call ? answer(*call, self->backend, user) : Outcome(response(call.error()));
    if (auto* wanted = std::get_if<GetEvents>(&outcome)) {
      if (!wanted->follow || self->streams < self->limits().streams) {
        auto streaming = stream(self, connection, *wanted);
        bool alive = co_await std::move(streaming);
        keep = keep && alive;
        continue;
      }
      outcome = response(
          Refused{429, Failure{.error = "too many followers of events", .help = "end one of them"}, {}});
    }
    if (auto* asked = std::get_if<core::Request>(&outcome)) {
      auto putting = put_to_cluster(self, std::move(*asked));
      outcome = co_await std::move(putting);
    }
    if (auto* devices = std::get_if<AskDevices>(&outcome)) {
      auto asking = ask_devices(self, devices->targets);
      outcome = co_await std::move(asking);
    }
    auto replying = reply(self, connection, std::get<Response>(std::move(outcome)), keep);
    keep = co_await std::move(replying);
  }
}

namespace {

bool somebody_listens(const std::string& path) {
  asio::io_context context;
  Local::socket probe(context);
  error_code error;
  probe.connect(Local::endpoint(path), error);
  return !error;
}

}  // namespace

Result<Server> Server::listen(asio::io_context& context, Backend& backend, ServerOptions options) {
  auto impl = std::make_shared<Impl>(context, backend, std::move(options));
  const std::string& path = impl->options.path;
  auto cannot = [&](const std::string& why, std::string help = {}) {
    return failure(fmt::format("cannot listen on {}: {}", path, why), std::move(help));
  };
  if (path.size() >= sizeof(sockaddr_un::sun_path)) return cannot("the path is too long");
  if (somebody_listens(path))
    return cannot("another process listens there", "is komainud running already? systemctl status komainud");
  unlink(path.c_str());

  error_code error;
  impl->acceptor.open(Local(), error);
  if (!error) impl->acceptor.bind(Local::endpoint(path), error);
  if (error) return cannot(error.message());
  // Nobody can connect before listen(), so there is no moment with a wider mode.
  std::optional<gid_t> group = local_group(impl->options.group);
  if (!group)
    impl->warn(fmt::format("there is no group '{}': only root can use {}", impl->options.group, path));
  else if (chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
    impl->warn(fmt::format("cannot give {} to the group '{}' ({}): only its owner can use it", path,
                           impl->options.group, std::strerror(errno)));
  if (chmod(path.c_str(), 0660) != 0) return cannot(std::strerror(errno));
  impl->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return cannot(error.message());
  asio::co_spawn(context, Impl::accept(impl), asio::detached);
  return Server(std::move(impl));
}

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;

Server::~Server() {
  if (!impl_) return;
  impl_->stopped = true;
  error_code ignored;
  impl_->acceptor.close(ignored);
  unlink(impl_->options.path.c_str());
  impl_->room.open();
  for (const auto& gate : impl_->asked) gate->open();
  for (auto& [number, connection] : impl_->open) connection->close();
}

std::uint32_t Server::connections() const {
  return static_cast<std::uint32_t>(impl_->open.size());
}

}  // namespace komainu::api
