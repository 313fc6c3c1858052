// What a driver is: a Resource is started and stopped, a Monitor watches, a Fencer makes sure that a node
// runs nothing. Each type lives in one file, with the declaration of its parameters.
//
// Drivers are made on the loop from validated parameters, cheaply and without I/O. The methods are coroutines
// on the loop; whoever calls one may cancel it, and then awaits its end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/params.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/services.h"
#include "drivers/task.h"
#include "params/registry.h"

namespace komainu::drivers {

// Who a driver works for; goes into labels, logs and the environment of agents.
struct Identity {
  std::string node;  // the local node's name
  std::string name;  // "orders/web" of a resource (group/resource); otherwise the monitor's or fencer's name
};

enum class Health : std::uint8_t { kHealthy, kWarning, kFailed };

// What was seen, and the evidence for a person: at most 240 bytes count, "192.0.2.7 is in use by 52:54:00:…".
struct Verdict {
  Health health = Health::kHealthy;
  std::string evidence;
  bool operator==(const Verdict&) const = default;
};

// Takes the verdicts of a monitor or of a resource's watch. Only changes need to be reported.
class Reports {
 public:
  virtual ~Reports() = default;
  virtual void report(const Verdict& verdict) = 0;
};

// ---- resources

enum class Presence : std::uint8_t {
  kStopped,  // nothing of it is here
  kRunning,  // up and usable
  kBroken,   // here, at least in part, and not usable: has to be stopped
};

struct Probe {
  Presence presence = Presence::kStopped;
  std::string evidence;
};

// One object for each configured resource of this node, as long as its configuration lives. Methods never
// overlap. The engine bounds each call with the resource's start or stop timeout.
class Resource {
 public:
  virtual ~Resource() = default;

  // What can be looked at before the group may start here, and costs time: it runs in parallel with the
  // fencing of the lost place, so it must not act. It is cancelled when the start is due, and start() builds
  // on what it found if that is still true. Its end says nothing.
  virtual Task<void> prepare() { co_return; }

  // Idempotent. An error says why it is not up; the engine stops it then.
  virtual Task<Result<void>> start() = 0;
  // Idempotent, also after a start that failed or was cancelled half-way. No error means that nothing is
  // left.
  virtual Task<Result<void>> stop() = 0;
  // Looks, and changes nothing. An error means that it cannot tell.
  virtual Task<Result<Probe>> probe() = 0;
  // Runs while the resource is up (after a start, or a probe that found it running) and returns the evidence
  // when the resource has failed by itself. Warnings go to `reports`.
  virtual Task<std::string> watch(Reports& reports) = 0;
};

// ---- monitors

// How a monitor is scheduled and judged; the same for all types (monitors/schedule.h).
struct Schedule {
  Duration interval{5s};
  Duration timeout{5s};
  std::uint32_t retries = 1;  // failures in a row beyond the first before it counts as failed
  Duration start_delay{0s};
  enum class OnTimeout : std::uint8_t { kFailed, kWarning } on_timeout = OnTimeout::kFailed;
  // Silent until it has been healthy once; kNever also for one that was healthy before the daemon restarted.
  enum class Quiet : std::uint8_t { kUntilHealthy, kNever } quiet = Quiet::kUntilHealthy;
};

class Monitor {
 public:
  virtual ~Monitor() = default;
  // Until cancelled. The first judgement and every change of health go to `reports`.
  virtual Task<void> run(Reports& reports) = 0;
};

// ---- fencers

enum class Power : std::uint8_t { kOff, kOn };

// `target` is the name of a node. No error means confirmed: it was read back, or the device cannot say
// otherwise. An error is "not confirmed" and says what was seen; the target may be on, off or about to be
// either.
class Fencer {
 public:
  virtual ~Fencer() = default;
  virtual Task<Result<void>> off(std::string target) = 0;
  // How long off() may take by its own parameters. The engine cuts off what takes longer: it has failed.
  virtual Duration longest_off() const = 0;
  virtual Task<Result<void>> reset(std::string target) = 0;
  virtual Task<Result<Power>> status(std::string target) = 0;
  // Could it fence the target now? Without effect.
  virtual Task<Result<void>> test(std::string target) = 0;
};

// ---- types

// An error means parameters that the declaration refuses (a member of another version may have sent them).
struct ResourceType {
  const params::Schema& schema;  // its name is the type's: `type = "…"`
  params::Data data;
  Result<std::unique_ptr<Resource>> (*make)(const Params&, const Services&, const Identity&);
  params::Takes takes = nullptr;
};
struct MonitorType {
  const params::Schema& schema;
  Result<std::unique_ptr<Monitor>> (*make)(const Params&, const Schedule&, const Services&, const Identity&);
  params::Pace pace = params::Pace::kPolled;
};
struct FencerType {
  const params::Schema& schema;
  Result<std::unique_ptr<Fencer>> (*make)(const Params&, const Services&, const Identity&);
  params::Takes longest_off;  // what Fencer::longest_off() says
};

// All types, by name; null when there is no such type.
const ResourceType* find_resource_type(std::string_view name);
const MonitorType* find_monitor_type(std::string_view name);
const FencerType* find_fencer_type(std::string_view name);

// Tells the configuration what there is.
void declare_types(params::Registry& registry);

}  // namespace komainu::drivers
