#include "engine/services/systemd.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

namespace komainu::engine {

using drivers::Operation;
using drivers::Task;
using drivers::UnitState;

namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
// A manager that does not answer for so long is reloading or dead; jobs are bounded by whoever awaits them.
constexpr std::uint64_t kCallTimeoutUs = 20'000'000;

std::string describe(const char* what, int negative_errno) {
  return fmt::format("cannot {} systemd over D-Bus: {}", what, errno_text(-negative_errno));
}

}  // namespace

// ---- watching a unit

class Systemd::Watch final : public drivers::UnitWatch {
 public:
  Watch(Systemd& systemd, std::string unit) : systemd_(systemd), unit_(std::move(unit)) {
    systemd_.watches_.insert(this);
  }
  ~Watch() override { systemd_.watches_.erase(this); }

  Task<Result<UnitState>> next() override {
    for (;;) {
      changed_ = false;
      auto looking = systemd_.unit_state(unit_);
      Result<UnitState> state = co_await looking;
      if (!state) co_return state;
      if (!given_ || *given_ != *state) {
        given_ = *state;
        co_return state;
      }
      if (changed_) continue;
      Operation<> operation([this] { wake(); });
      waiting_ = &operation;
      co_await operation;
    }
  }
  void wake() {
    changed_ = true;
    if (Operation<>* waiting = std::exchange(waiting_, nullptr)) waiting->complete();
  }
  void path_is(const std::string& path) { path_ = path; }
  const std::string& path() const { return path_; }
  const std::string& unit() const { return unit_; }

 private:
  Systemd& systemd_;
  const std::string unit_;
  std::string path_;
  std::optional<UnitState> given_;
  bool changed_ = false;
  Operation<>* waiting_ = nullptr;
};

// ---- a job of a unit

// From the request to the result, also when whoever awaits it is cancelled. Then the job is cancelled as soon
// as systemd has named it, and this ends when systemd says that it is gone.
class Systemd::Job {
 public:
  explicit Job(Systemd& systemd) : systemd_(systemd), call_(systemd) {}

  // "done", "canceled", "failed", … (org.freedesktop.systemd1(5), JobRemoved).
  Task<Result<std::string>> run(Message request) {
    Operation<Result<std::string>> operation([this] { cancel(); });
    operation_ = &operation;
    Result<void> asked = call_.ask(std::move(request), [this](Reply reply) { named(std::move(reply)); });
    if (!asked) co_return std::unexpected(asked.error());
    co_return co_await operation;
  }

  void over(Result<std::string> result) {
    call_.forget();
    std::erase_if(systemd_.jobs_, [this](const auto& entry) { return entry.second == this; });
    std::exchange(operation_, nullptr)->complete(std::move(result));
  }

 private:
  void named(Reply reply) {
    if (!reply) return over(std::unexpected(reply.error()));
    const char* path = nullptr;
    if (sd_bus_message_read(reply->get(), "o", &path) < 0)
      return over(failure("systemd's answer has no job in it"));
    path_ = path;
    // The result comes with the signal JobRemoved, which follows the answer that named the job.
    systemd_.jobs_.emplace(path_, this);
    if (cancelled_) cancel();
  }

  void cancel() {
    cancelled_ = true;
    if (path_.empty()) return;  // named() will be back
    // What is answered does not matter: the job is gone, or it was, or systemd does not answer.
    Result<Message> message = systemd_.method(path_.c_str(), "org.freedesktop.systemd1.Job", "Cancel");
    if (!message) return over(failure("cancelled"));
    Result<void> asked = call_.ask(std::move(*message), [this](const Reply&) { over(failure("cancelled")); });
    if (!asked) over(failure("cancelled"));
  }

  Systemd& systemd_;
  Call call_;
  Operation<Result<std::string>>* operation_ = nullptr;
  std::string path_;
  bool cancelled_ = false;
};

// ---- the connection

std::vector<Systemd::Endpoint> Systemd::system_manager() {
  return {{Endpoint::Kind::kManager, "unix:path=/run/systemd/private"},
          {Endpoint::Kind::kBus, "unix:path=/run/dbus/system_bus_socket"}};
}

Systemd::Connection::Connection(Loop& loop, std::unique_ptr<sd_bus, CloseBus> opened)
    : bus(std::move(opened)), descriptor(loop.io(), sd_bus_get_fd(bus.get())) {}

Systemd::Systemd(Loop& loop, std::vector<Endpoint> endpoints)
    : loop_(loop), endpoints_(std::move(endpoints)) {}

Systemd::~Systemd() {
  disconnect("komainud ends");
}

Result<void> Systemd::connect() {
  if (connection_) return {};
  if (disconnecting_) return failure("the connection to systemd is just being lost");
  Result<void> opened = failure("no way to reach systemd is known");
  for (const Endpoint& endpoint : endpoints_) {
    opened = open(endpoint);
    if (opened) break;
  }
  return opened;
}

// Nothing here waits: connecting to a local socket succeeds or fails at once, and what D-Bus says first is
// said while the bus is served.
Result<void> Systemd::open(const Endpoint& endpoint) {
  sd_bus* made = nullptr;
  int error = sd_bus_new(&made);
  std::unique_ptr<sd_bus, CloseBus> bus(made);
  const bool broker = endpoint.kind == Endpoint::Kind::kBus;
  if (error >= 0) error = sd_bus_set_address(made, endpoint.address.c_str());
  if (error >= 0) error = sd_bus_set_bus_client(made, broker);
  if (error >= 0) error = sd_bus_start(made);
  // One match for all: the signals of the manager and of its units.
  const std::string match =
      broker ? fmt::format("type='signal',sender='{}'", kService) : std::string("type='signal'");
  if (error >= 0)
    error = sd_bus_add_match_async(made, nullptr, match.c_str(), &Systemd::on_signal, nullptr, this);
  if (error >= 0)
    error = sd_bus_call_method_async(made, nullptr, kService, kManagerPath, kManager, "Subscribe",
                                     &Systemd::ignore_reply, nullptr, "");
  if (error < 0)
    return failure(fmt::format("cannot reach systemd at {}: {}", endpoint.address, errno_text(-error)),
                   "is systemd running here as PID 1?");
  connection_ = std::make_shared<Connection>(loop_, std::move(bus));
  serve_soon();
  return {};
}

// Everybody who waits for the manager is told; the next call connects anew.
void Systemd::disconnect(const std::string& why) {
  const std::shared_ptr<Connection> old = std::move(connection_);
  wake_.cancel();
  disconnecting_ = true;
  const Reply lost = failure("the connection to systemd is gone: " + why);
  while (!calls_.empty()) (*calls_.begin())->finish(lost);
  while (!jobs_.empty()) jobs_.begin()->second->over(std::unexpected(lost.error()));
  disconnecting_ = false;
  const std::vector<Watch*> watching(watches_.begin(), watches_.end());
  for (Watch* watch : watching)
    if (watches_.contains(watch)) watch->wake();
}

// Reads, writes and dispatches what is ready, some at a time.
void Systemd::serve() {
  constexpr int kMessagesInARow = 64;
  int result = 1;
  for (int i = 0; i < kMessagesInARow && result > 0; ++i)
    result = sd_bus_process(connection_->bus.get(), nullptr);
  if (result < 0) return disconnect(errno_text(-result));
  if (result > 0) return serve_soon();
  await_events();
}

// Outside of any call of sd-bus, which may be on the stack now.
void Systemd::serve_soon() {
  wake_.set_after(0us, [this] { serve(); });
}

// As sd_bus_get_events(3) asks for.
void Systemd::await_events() {
  using Descriptor = boost::asio::posix::stream_descriptor;
  Connection& connection = *connection_;
  const int events = sd_bus_get_events(connection.bus.get());
  std::uint64_t until = 0;
  if (events < 0 || sd_bus_get_timeout(connection.bus.get(), &until) < 0)
    return disconnect("it does not say what it waits for");
  const auto await = [&](Descriptor::wait_type what, bool Connection::* waiting) {
    if (std::exchange(connection.*waiting, true)) return;
    connection.descriptor.async_wait(
        what, [this, waiting, of = std::weak_ptr(connection_)](boost::system::error_code error) {
          const auto still = of.lock();
          if (error || !still) return;  // the connection is gone, and we may be
          *still.*waiting = false;
          serve();
        });
  };
  if (events & POLLIN) await(Descriptor::wait_read, &Connection::reading);
  if (events & POLLOUT) await(Descriptor::wait_write, &Connection::writing);
  if (until == ~std::uint64_t{0}) return wake_.cancel();
  const auto now = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
  wake_.set_after(Duration(static_cast<std::int64_t>(until)) - now, [this] { serve(); });
}

// ---- calls

Result<Systemd::Message> Systemd::method(const char* path, const char* interface, const char* member) {
  if (Result<void> connected = connect(); !connected) return std::unexpected(connected.error());
  sd_bus_message* message = nullptr;
  if (int error =
          sd_bus_message_new_method_call(connection_->bus.get(), &message, kService, path, interface, member);
      error < 0) {
    return failure(describe("ask", error));
  }
  return Message(message);
}

Result<void> Systemd::Call::ask(Message message, std::function<void(Reply)> then) {
  if (int error = sd_bus_call_async(owner.connection_->bus.get(), &slot, message.get(), &Systemd::on_reply,
                                    this, kCallTimeoutUs);
      error < 0) {
    return failure(describe("ask", error));
  }
  answered = std::move(then);
  owner.calls_.insert(this);
  owner.serve_soon();
  return {};
}

void Systemd::Call::forget() {
  owner.calls_.erase(this);
  slot = sd_bus_slot_unref(slot);
  answered = nullptr;
}

void Systemd::Call::finish(Reply reply) {
  const std::function<void(Reply)> then = std::move(answered);
  forget();
  then(std::move(reply));
}

int Systemd::ignore_reply(sd_bus_message*, void*, sd_bus_error*) {
  return 1;
}

int Systemd::on_reply(sd_bus_message* message, void* data, sd_bus_error*) {
  auto* call = static_cast<Call*>(data);
  if (const sd_bus_error* error = sd_bus_message_get_error(message)) {
    call->finish(failure(error->message ? error->message : error->name));
  } else {
    call->finish(std::shared_ptr<sd_bus_message>(sd_bus_message_ref(message), sd_bus_message_unref));
  }
  return 1;
}

// For questions: one that is cancelled leaves nothing behind.
Task<Systemd::Reply> Systemd::call(Message message) {
  Call pending(*this);
  Operation<Reply> operation([&pending] { pending.finish(failure("cancelled")); });
  Result<void> asked =
      pending.ask(std::move(message), [&operation](Reply reply) { operation.complete(std::move(reply)); });
  if (!asked) co_return std::unexpected(asked.error());
  co_return co_await operation;
}

Task<Result<std::string>> Systemd::unit_path(std::string unit) {
  Result<Message> message = method(kManagerPath, kManager, "LoadUnit");
  if (!message) co_return std::unexpected(message.error());
  sd_bus_message_append(message->get(), "s", unit.c_str());
  auto asking = call(std::move(*message));
  Reply reply = co_await asking;
  if (!reply) co_return std::unexpected(reply.error());
  const char* path = nullptr;
  if (sd_bus_message_read(reply->get(), "o", &path) < 0)
    co_return failure("systemd's answer has no unit in it");
  co_return std::string(path);
}

// ---- jobs

Task<Result<void>> Systemd::start_unit(std::string unit) {
  return job("StartUnit", std::move(unit));
}
Task<Result<void>> Systemd::stop_unit(std::string unit) {
  // A process that was stopped by SIGSTOP does not see the signals of an ExecStop command, and would be
  // waited for until the unit's stop timeout.
  if (Result<Message> message = method(kManagerPath, kManager, "KillUnit")) {
    sd_bus_message_append(message->get(), "ssi", unit.c_str(), "all", SIGCONT);
    auto continuing = call(std::move(*message));
    co_await continuing;  // a unit without processes is an error, and what is wanted
  }
  auto stopping = job("StopUnit", std::move(unit));
  co_return co_await stopping;
}

Task<Result<void>> Systemd::job(const char* verb, std::string unit) {
  Result<Message> message = method(kManagerPath, kManager, verb);
  if (!message) co_return std::unexpected(message.error());
  sd_bus_message_append(message->get(), "ss", unit.c_str(), "replace");
  Job job(*this);
  auto running = job.run(std::move(*message));
  Result<std::string> result = co_await running;
  if (!result) co_return failure(fmt::format("{}: {}", unit, result.error().what));
  if (*result == "done") co_return Result<void>{};
  auto looking = unit_state(unit);
  Result<UnitState> state = co_await looking;
  const std::string now =
      state ? fmt::format("; it is {} ({}), result {}", state->active_state, state->sub_state, state->result)
            : std::string();
  co_return failure(fmt::format("{}: the job ended as '{}'{}", unit, *result, now),
                    fmt::format("systemctl status {0}; journalctl -u {0}", unit));
}

Task<Result<void>> Systemd::reset_failed(std::string unit) {
  Result<Message> message = method(kManagerPath, kManager, "ResetFailedUnit");
  if (!message) co_return std::unexpected(message.error());
  sd_bus_message_append(message->get(), "s", unit.c_str());
  auto asking = call(std::move(*message));
  Reply reply = co_await asking;
  // A unit that is not loaded has not failed either.
  const bool not_loaded = !reply && reply.error().what.find("not loaded") != std::string::npos;
  if (!reply && !not_loaded) co_return std::unexpected(reply.error());
  co_return Result<void>{};
}

// ---- states

Task<Result<std::map<std::string, std::string>>> Systemd::properties(std::string path) {
  Result<Message> message = method(path.c_str(), kProperties, "GetAll");
  if (!message) co_return std::unexpected(message.error());
  sd_bus_message_append(message->get(), "s", "");  // of all interfaces at once
  auto asking = call(std::move(*message));
  Reply reply = co_await asking;
  if (!reply) co_return std::unexpected(reply.error());
  std::map<std::string, std::string> found;
  sd_bus_message* all = reply->get();
  int error = sd_bus_message_enter_container(all, 'a', "{sv}");
  while (error > 0 && (error = sd_bus_message_enter_container(all, 'e', "sv")) > 0) {
    const char* name = nullptr;
    const char* type = nullptr;
    error = sd_bus_message_read(all, "s", &name);
    if (error > 0) error = sd_bus_message_peek_type(all, nullptr, &type);
    if (error <= 0) break;
    if (std::strcmp(type, "s") == 0) {
      const char* text = nullptr;
      error = sd_bus_message_read(all, "v", "s", &text);
      if (error > 0) found[name] = text;
    } else if (std::strcmp(type, "u") == 0) {
      std::uint32_t number = 0;
      error = sd_bus_message_read(all, "v", "u", &number);
      if (error > 0) found[name] = std::to_string(number);
    } else if (std::strcmp(type, "(uo)") == 0 && std::strcmp(name, "Job") == 0) {
      std::uint32_t number = 0;  // 0: none
      const char* job = nullptr;
      error = sd_bus_message_read(all, "v", "(uo)", &number, &job);
      if (error > 0) found[name] = std::to_string(number);
    } else if (std::strcmp(type, "ay") == 0 && std::strcmp(name, "InvocationID") == 0) {
      const void* bytes = nullptr;
      std::size_t size = 0;
      error = sd_bus_message_enter_container(all, 'v', "ay");
      if (error > 0) error = sd_bus_message_read_array(all, 'y', &bytes, &size);
      std::string hex;
      for (std::size_t i = 0; error > 0 && i < size; ++i)
        hex += fmt::format("{:02x}", static_cast<const unsigned char*>(bytes)[i]);
      found[name] = hex;
      if (error >= 0) error = sd_bus_message_exit_container(all);
    } else {
      error = sd_bus_message_skip(all, "v");
    }
    if (error < 0) break;
    error = sd_bus_message_exit_container(all);
    if (error >= 0) error = 1;
  }
  if (error < 0) co_return failure(describe("understand", error));
  co_return found;
}

Task<Result<UnitState>> Systemd::unit_state(std::string unit) {
  auto locating = unit_path(unit);
  Result<std::string> path = co_await locating;
  if (!path) co_return failure(fmt::format("{}: {}", unit, path.error().what));
  for (Watch* watch : watches_) {
    if (watch->unit() == unit) watch->path_is(*path);
  }
  auto asking = properties(*path);
  auto found = co_await asking;
  if (!found) co_return std::unexpected(found.error());
  auto text = [&](const char* name) {
    auto it = found->find(name);
    return it == found->end() ? std::string() : it->second;
  };
  UnitState state;
  state.load_state = text("LoadState");
  state.active_state = text("ActiveState");
  state.sub_state = text("SubState");
  state.result = text("Result");
  state.invocation_id = text("InvocationID");
  const std::string pid = text("MainPID");
  state.main_pid = pid.empty() ? 0 : static_cast<pid_t>(std::stol(pid));
  const std::string job = text("Job");
  state.has_job = !job.empty() && job != "0";
  co_return state;
}

std::unique_ptr<drivers::UnitWatch> Systemd::watch_unit(const std::string& unit) {
  return std::make_unique<Watch>(*this, unit);
}

int Systemd::on_signal(sd_bus_message* message, void* data, sd_bus_error*) {
  auto& self = *static_cast<Systemd*>(data);
  const std::string path = sd_bus_message_get_path(message) ? sd_bus_message_get_path(message) : "";
  std::vector<Watch*> concerned;
  if (sd_bus_message_is_signal(message, kManager, "JobRemoved")) {
    std::uint32_t id = 0;
    const char* job = nullptr;
    const char* unit = nullptr;
    const char* result = nullptr;
    if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) < 0) return 0;
    for (auto it = self.jobs_.find(job); it != self.jobs_.end(); it = self.jobs_.find(job))
      it->second->over(std::string(result));
  } else if (sd_bus_message_is_signal(message, kProperties, "PropertiesChanged")) {
    for (Watch* watch : self.watches_) {
      if (watch->path() == path) concerned.push_back(watch);
    }
  } else if (sd_bus_message_is_signal(message, kManager, "Reloading") ||
             sd_bus_message_is_signal(message, kManager, "UnitRemoved")) {
    concerned.assign(self.watches_.begin(), self.watches_.end());
  }
  for (Watch* watch : concerned) {
    if (self.watches_.contains(watch)) watch->wake();
  }
  return 0;
}

}  // namespace komainu::engine
