// The state of a systemd unit, as systemd's signals tell it.
#include <fmt/format.h>

#include "drivers/monitors/schedule.h"
#include "drivers/types.h"
#include "drivers/unit_state.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct SystemdUnitParams {
  std::string unit;
};

const params::Declaration<SystemdUnitParams>& declaration() {
  static const auto declared =
      params::Declaration<SystemdUnitParams>("systemd-unit",
                                             "A systemd unit is active. Told by systemd, at once.")
          .required("unit", &SystemdUnitParams::unit, "The unit's full name, such as \"nginx.service\".",
                    {.check = unit_name_problem});
  return declared;
}

class SystemdUnitMonitor final : public ToldMonitor {
 public:
  SystemdUnitMonitor(SystemdUnitParams params, const Schedule& schedule, const Services& services)
      : ToldMonitor(schedule, services.clock), unit_(std::move(params.unit)), services_(services) {}

 private:
  Task<void> follow() override {
    const std::unique_ptr<UnitWatch> watch = services_.systemd.watch_unit(unit_);
    while (true) {
      auto next = watch->next();
      const Result<UnitState> state = co_await next;
      if (state) {
        if (auto verdict = judge(*state)) told(std::move(*verdict));
        continue;
      }
      // That systemd is silent does not stop the unit.
      told({Health::kWarning, state.error().what});
      auto pause = services_.clock.sleep(schedule_.interval);
      co_await pause;
    }
  }

  // None: it is on its way up, which says nothing yet.
  std::optional<Verdict> judge(const UnitState& state) const {
    if (is_up(state)) return Verdict{};
    if (state.active_state == "activating" && state.sub_state != "auto-restart") return std::nullopt;
    return Verdict{Health::kFailed, fmt::format("{} is {}", unit_, describe(state))};
  }

  std::string unit_;
  Services services_;
};

Result<std::unique_ptr<Monitor>> make(const Params& values, const Schedule& schedule,
                                      const Services& services, const Identity&) {
  Result<SystemdUnitParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return std::make_unique<SystemdUnitMonitor>(std::move(*params), schedule, services);
}

}  // namespace

const MonitorType& systemd_unit() {
  static const MonitorType type{declaration().schema(), &make, params::Pace::kEvents};
  return type;
}

}  // namespace komainu::drivers
