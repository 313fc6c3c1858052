// A systemd unit.
//
// Its death is seen twice: by the pidfd of its main process, at once, and by the unit's state, which also
// knows of everything else that systemd calls a failure. A unit that restarts itself (`Restart=`) has failed
// here as well: the recovery is komainu's to decide.
#include <fmt/format.h>

#include "drivers/pidfd.h"
#include "drivers/types.h"
#include "drivers/unit_state.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct SystemdParams {
  std::string unit;
};

const params::Declaration<SystemdParams>& declaration() {
  static const auto declared =
      params::Declaration<SystemdParams>("systemd", "A systemd unit, started and stopped with its group.")
          .required("unit", &SystemdParams::unit,
                    "The unit's name, such as \"nginx.service\". It must not be enabled: komainu starts it.",
                    {.check = unit_name_problem});
  return declared;
}

constexpr Duration kAskAgain{5s};

class SystemdUnit final : public Resource {
 public:
  SystemdUnit(SystemdParams params, const Services& services)
      : unit_(std::move(params.unit)), services_(services) {}

  Task<Result<void>> start() override {
    // Otherwise the rate limit of starts (StartLimitBurst=) refuses the restart that komainu has decided on.
    auto reset = services_.systemd.reset_failed(unit_);
    const Result<void> was_reset = co_await reset;
    if (!was_reset) co_return was_reset;
    auto start = services_.systemd.start_unit(unit_);
    const Result<void> started = co_await start;
    if (!started) co_return started;
    auto look = services_.systemd.unit_state(unit_);
    const Result<UnitState> state = co_await look;
    if (!state) co_return std::unexpected(state.error());
    if (!is_up(*state))
      co_return failure(fmt::format("{} was started and is {}", unit_, describe(*state)),
                        fmt::format("`systemctl status {}` and `journalctl -u {}` say more", unit_, unit_));
    co_return Result<void>{};
  }

  Task<Result<void>> stop() override {
    auto look = services_.systemd.unit_state(unit_);
    Result<UnitState> state = co_await look;
    if (!state) co_return std::unexpected(state.error());
    if (is_down(*state)) co_return Result<void>{};
    auto stop = services_.systemd.stop_unit(unit_);
    const Result<void> stopped = co_await stop;
    if (!stopped) co_return stopped;
    auto look_again = services_.systemd.unit_state(unit_);
    state = co_await look_again;
    if (!state) co_return std::unexpected(state.error());
    if (!is_down(*state))
      co_return failure(fmt::format("{} was stopped and is {}", unit_, describe(*state)),
                        fmt::format("`systemctl status {}` says what is left of it", unit_));
    co_return Result<void>{};
  }

  Task<Result<Probe>> probe() override {
    auto look = services_.systemd.unit_state(unit_);
    const Result<UnitState> state = co_await look;
    if (!state) co_return std::unexpected(state.error());
    if (is_up(*state)) co_return Probe{Presence::kRunning, {}};
    if (is_down(*state)) co_return Probe{Presence::kStopped, {}};
    co_return Probe{Presence::kBroken, fmt::format("{} is {}", unit_, describe(*state))};
  }

  Task<std::string> watch(Reports&) override {
    const std::unique_ptr<UnitWatch> watch = services_.systemd.watch_unit(unit_);
    pid_t main_pid = 0;
    while (true) {
      auto either = race(next_state(*watch), death_of_main(main_pid));
      const auto event = co_await either;
      if (const UnitState* state = std::get_if<0>(&event)) {
        if (!is_up(*state)) co_return fmt::format("{} is {}", unit_, describe(*state));
        main_pid = state->main_pid;
        continue;
      }
      auto succession = successor(services_, unit_, main_pid);
      const pid_t next = co_await succession;
      if (next == 0) co_return fmt::format("the main process of {} (pid {}) has died", unit_, main_pid);
      main_pid = next;
    }
  }

 private:
  // When systemd does not answer, that is no failure of the unit, whose main process is still watched.
  Task<UnitState> next_state(UnitWatch& watch) {
    while (true) {
      auto next = watch.next();
      Result<UnitState> state = co_await next;
      if (state) co_return std::move(*state);
      services_.log.warning(fmt::format("{} is not watched: {}", unit_, state.error().what));
      auto pause = services_.clock.sleep(kAskAgain);
      co_await pause;
    }
  }

  Task<void> death_of_main(pid_t pid) {
    auto end = pid > 0 ? death_of(services_.readiness, pid) : forever();  // a oneshot or a target has none
    co_await end;
  }

  std::string unit_;
  Services services_;
};

Result<std::unique_ptr<Resource>> make(const Params& values, const Services& services, const Identity&) {
  Result<SystemdParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return std::make_unique<SystemdUnit>(std::move(*params), services);
}

}  // namespace

const ResourceType& systemd() {
  static const ResourceType type{declaration().schema(), params::Data::kNone, &make};
  return type;
}

}  // namespace komainu::drivers
