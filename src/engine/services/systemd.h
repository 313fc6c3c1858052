// systemd's manager over D-Bus (org.freedesktop.systemd1(5)): jobs with their results, states of units, and
// the signals that tell when a state changed. sd-bus never waits here: calls are queued, answers come through
// the loop.
#pragma once

#include <systemd/sd-bus.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "drivers/services.h"
#include "engine/loop/loop.h"

namespace komainu::engine {

class Systemd final : public drivers::Systemd {
 public:
  struct Endpoint {
    enum class Kind : std::uint8_t {
      kManager,  // the manager itself
      kBus,      // a bus, on which the manager has its well-known name
    };
    Kind kind = Kind::kManager;
    std::string address;  // as in DBUS_SYSTEM_BUS_ADDRESS
  };
  // The manager's own socket, for root, as systemctl(1) does it: a broker that hangs or is restarted is then
  // nobody's fault. The system bus otherwise.
  static std::vector<Endpoint> system_manager();

  // Connects when it is first needed, and again after the connection was lost, to the first endpoint that is
  // there.
  explicit Systemd(Loop& loop, std::vector<Endpoint> endpoints = system_manager());
  ~Systemd() override;

  drivers::Task<Result<void>> start_unit(std::string unit) override;
  drivers::Task<Result<void>> stop_unit(std::string unit) override;
  drivers::Task<Result<void>> reset_failed(std::string unit) override;
  drivers::Task<Result<drivers::UnitState>> unit_state(std::string unit) override;
  std::unique_ptr<drivers::UnitWatch> watch_unit(const std::string& unit) override;

 private:
  class Watch;
  class Job;
  struct Unref {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
  };
  using Message = std::unique_ptr<sd_bus_message, Unref>;
  using Reply = Result<std::shared_ptr<sd_bus_message>>;

  Result<void> connect();
  Result<void> open(const Endpoint& endpoint);
  void disconnect(const std::string& why);
  void serve();
  void serve_soon();
  void await_events();
  drivers::Task<Reply> call(Message message);
  Result<Message> method(const char* path, const char* interface, const char* member);
  drivers::Task<Result<std::string>> unit_path(std::string unit);
  drivers::Task<Result<void>> job(const char* verb, std::string unit);
  drivers::Task<Result<std::map<std::string, std::string>>> properties(std::string path);
  static int ignore_reply(sd_bus_message* message, void* data, sd_bus_error* error);
  static int on_reply(sd_bus_message* message, void* data, sd_bus_error* error);
  static int on_signal(sd_bus_message* message, void* data, sd_bus_error* error);

  // One question and its answer.
  struct Call {
    explicit Call(Systemd& systemd) : owner(systemd) {}
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { forget(); }
    // Calls `answered` once, unless it is forgotten before; after kCallTimeoutUs with an error.
    Result<void> ask(Message message, std::function<void(Reply)> answered);
    void forget();
    void finish(Reply reply);

    Systemd& owner;
    sd_bus_slot* slot = nullptr;
    std::function<void(Reply)> answered;
  };

  struct CloseBus {
    void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
  };
  // A connection. Its handlers do nothing once it is gone.
  struct Connection {
    Connection(Loop& loop, std::unique_ptr<sd_bus, CloseBus> opened);
    ~Connection() { descriptor.release(); }
    std::unique_ptr<sd_bus, CloseBus> bus;
    boost::asio::posix::stream_descriptor descriptor;  // the bus's own
    bool reading = false;
    bool writing = false;
  };

  Loop& loop_;
  const std::vector<Endpoint> endpoints_;
  std::shared_ptr<Connection> connection_;
  bool disconnecting_ = false;
  Loop::Timer wake_{loop_};  // for work that is queued, and for sd-bus's own time-outs
  std::set<Call*> calls_;
  std::multimap<std::string, Job*> jobs_;  // by object path: whoever asks for the same shares the job
  std::set<Watch*> watches_;
};

}  // namespace komainu::engine
