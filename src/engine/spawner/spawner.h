// Runs agents, and reads files, without the loop ever waiting for a disk or a fork: the work is done by a
// helper process (helper.h) that is forked at the very start.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "drivers/services.h"
#include "engine/spawner/helper.h"
#include "engine/spawner/protocol.h"

namespace komainu::engine {

// Of a stuck agent, by its label: may it still do something to a group or a machine? The others only look.
bool may_act(std::string_view label);

class Spawner final : public drivers::Spawner, public drivers::Files {
 public:
  using Options = spawner::HelperOptions;

  // Forks the helper, which first kills and awaits the agents of a predecessor of the same name. Call it
  // before the process has threads, open sockets or much memory.
  static Result<std::unique_ptr<Spawner>> fork(const Options& options);
  // Agents under way are killed; the helper is awaited, for kill_patience and a little. Who still waits in
  // run() or read() is never resumed.
  ~Spawner() override;

  // What the predecessor left, once it has been dealt with: from then on agents run. Requests made before
  // wait for it.
  using OnReady = std::function<void(const spawner::Ready&)>;
  // The helper has died or does not answer: all that ran is over, nothing can be started any more. The daemon
  // should end and be started again.
  using OnLost = std::function<void(const std::string& why)>;
  // Serves requests on the loop, as long as both live.
  void attach(boost::asio::io_context& loop, OnReady on_ready, OnLost on_lost);

  drivers::Task<Result<drivers::Exit>> run(const drivers::Command& command) override;
  drivers::Task<Result<std::string>> read(std::string path, std::size_t max_size, Secrecy secrecy) override;

  std::size_t running() const { return pending_.size(); }
  // Agents that survived SIGKILL: the symptom of a dead disk.
  std::size_t stuck() const { return stuck_.size(); }
  // Their labels; those of a predecessor's agents as they fit into a file's name ("resource_orders_web").
  const std::vector<std::string>& stuck_agents() const override { return stuck_; }
  pid_t helper_pid() const { return helper_; }

 private:
  using Operation = drivers::Operation<Result<spawner::Ended>>;
  struct Pending {
    Operation* operation = nullptr;
    LocalTime overdue;  // the helper has not kept its own bound
  };

  Spawner(drivers::Fd socket, pid_t helper, const Options& options);
  drivers::Task<Result<drivers::Exit>> run_program(drivers::Command command);
  drivers::Task<Result<spawner::Ended>> perform(spawner::Start request);
  void await_packets();
  void receive();
  void handle(spawner::ToDaemon message);
  void send(spawner::ToHelper message);
  void flush();
  void watch_for_overdue();
  void lose(const std::string& why);

  drivers::Fd socket_;
  pid_t helper_;
  Duration start_patience_;  // zero once the helper is ready
  Duration kill_patience_;
  struct OnLoop {
    boost::asio::posix::stream_descriptor socket;
    boost::asio::steady_timer overdue;
  };
  std::optional<OnLoop> loop_;
  OnReady on_ready_;
  OnLost on_lost_;
  std::map<std::uint64_t, Pending> pending_;
  std::deque<std::string> unsent_;  // a Start and a Cancel for each of pending_ at most
  bool awaiting_room_ = false;      // in the socket
  std::uint64_t last_id_ = 0;
  std::vector<std::string> stuck_;
  std::string lost_;  // why; empty while the helper lives
  std::vector<char> packet_ = std::vector<char>(spawner::kMaxAnswer);
};

}  // namespace komainu::engine
