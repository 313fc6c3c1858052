// One group on this node: its resources, and at most one thing done to them at a time. A new command takes
// the place of the one under way: that is cancelled and awaited (nothing of it acts any more), and its result
// is never reported.
//
// clang-format off
//   execute(start)  ──▶ resources in order ──▶ all up:      kOnline, watched
//                                              any error:   kFailed, what is up stays
//   execute(stop)   ──▶ in reverse order,  ──▶ all stopped: stopped
//   yield()             each probed            not stopped: kUnsafe
//   probe()         ──▶ each probed        ──▶ all up:      kOnline, watched
//                                              none:        stopped
//                                              else:        kFailed
//   Nothing is stopped while an agent of it has survived SIGKILL.
// clang-format on
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/message.h"
#include "core/spec.h"
#include "core/state.h"
#include "drivers/driver.h"
#include "drivers/services.h"
#include "drivers/task.h"

namespace komainu::engine {

class GroupRunner {
 public:
  using Sink = std::function<void(core::Fact)>;

  // `resources` are the group's, in its order.
  GroupRunner(const core::Group& group, std::vector<std::unique_ptr<drivers::Resource>> resources,
              NodeId self, const drivers::Services& services, Sink sink);
  GroupRunner(const GroupRunner&) = delete;
  GroupRunner& operator=(const GroupRunner&) = delete;
  ~GroupRunner();

  void execute(const core::Order& order);
  // Does nothing while something else is done here, or waits to be: that will tell.
  void probe();
  void prepare();
  // Without an order: this node lost its right to act.
  void yield();

  // What is known to run here; unset: stopped.
  std::optional<core::Activity> activity() const { return activity_; }
  // Something is done here, or waits until what was done before has ended.
  bool busy() const { return work_.running() || pending_.has_value(); }
  const core::Group& group() const { return group_; }
  // A stop has ended by then, well or badly, if nothing hangs.
  Duration longest_stop() const;
  // Ends all coroutines without touching the resources, and calls `done` once nothing of them acts. No
  // command may follow.
  void close(std::function<void()> done);

 private:
  struct Start {
    std::uint32_t from = 0;
  };
  struct Stop {};
  struct Restart {
    std::uint32_t from = 0;
  };
  struct Look {};
  using Command = std::variant<Start, Stop, Restart, Look>;
  struct Outcome {
    std::optional<core::Activity> activity;
    std::uint32_t resource = 0;
    std::string evidence;
  };
  class Watch;

  void begin(Command command, std::optional<core::OrderId> order);
  void end_all();
  void next();
  void ended(drivers::Run<Outcome>::Ended ended);
  drivers::Task<Outcome> run(Command command);
  drivers::Task<Outcome> start(std::uint32_t from);
  drivers::Task<Outcome> stop(std::uint32_t from);
  drivers::Task<Outcome> restart(std::uint32_t from);
  drivers::Task<Outcome> look();
  drivers::Task<Result<drivers::Probe>> look_at(std::uint32_t index);
  bool agent_is_stuck(std::uint32_t index) const;
  void watch_all();
  void unwatch_all();
  void settle_down();

  const core::Group group_;
  const std::vector<std::unique_ptr<drivers::Resource>> resources_;
  const NodeId self_;
  const drivers::Services services_;
  const Sink sink_;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::optional<core::Activity> activity_ = core::Activity::kUnknown;

  drivers::Run<Outcome> work_;
  drivers::Run<void> preparing_;
  std::optional<core::OrderId> order_;  // of the work under way
  struct Pending {
    Command command;
    std::optional<core::OrderId> order;
  };
  std::optional<Pending> pending_;
  bool ending_all_ = false;
  bool replaced_ = false;  // the work under way is being cancelled: its result is nobody's
  std::function<void()> closed_;
};

}  // namespace komainu::engine
