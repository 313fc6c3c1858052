// Any program: a script of one's own, or a Monitoring plugin (monitoring-plugins.org, "Plugin Return Codes").
#include <fmt/format.h>

#include "drivers/agent_text.h"
#include "drivers/monitors/schedule.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

enum class Convention : std::uint8_t { kExitCode, kPlugin };

struct CommandMonitorParams {
  std::vector<std::string> command;
  Convention convention = Convention::kExitCode;
};

const params::Declaration<CommandMonitorParams>& declaration() {
  static const auto declared =
      params::Declaration<CommandMonitorParams>("command", "A program says whether all is well.")
          .required("command", &CommandMonitorParams::command, "The program and its arguments.")
          .optional(
              "convention", &CommandMonitorParams::convention,
              "What its exit code means. \"exit-code\": 0 is healthy, anything else failed. \"plugin\": as "
              "for "
              "Nagios and Monitoring plugins, 0 healthy, 1 warning, 2 failed, 3 unknown, which is a warning.",
              {.choices = {{"exit-code", Convention::kExitCode}, {"plugin", Convention::kPlugin}}})
          .check([](const CommandMonitorParams& p) -> std::optional<Error> {
            if (p.command.empty() || !p.command.front().starts_with('/'))
              return Error{"`command` must begin with the absolute path of a program",
                           "command = [\"/usr/local/bin/check\", \"argument\"]"};
            return std::nullopt;
          });
  return declared;
}

class CommandCheck final : public Check {
 public:
  CommandCheck(CommandMonitorParams params, const Services& services, const Identity& identity)
      : convention_(params.convention), services_(services) {
    command_.label = "monitor " + identity.name;
    command_.argv = std::move(params.command);
    command_.environment = {{"KOMAINU_MONITOR", identity.name}, {"KOMAINU_NODE", identity.node}};
  }

  Task<Verdict> look(Duration) override {
    auto run = services_.spawner.run(command_);
    const Result<Exit> exit = co_await run;
    if (!exit) co_return Verdict{Health::kFailed, exit.error().what};
    co_return judge(*exit);
  }

 private:
  Verdict judge(const Exit& exit) const {
    const auto found = [&](Health health) {
      return Verdict{health, fmt::format("`{}`: {}", command_line(command_.argv), describe(exit))};
    };
    if (exit.how != Exit::How::kExited) return found(Health::kFailed);
    if (exit.code == 0) return {};
    const bool warns = convention_ == Convention::kPlugin && (exit.code == 1 || exit.code == 3);
    return found(warns ? Health::kWarning : Health::kFailed);
  }

  Convention convention_;
  Services services_;
  Command command_;
};

Result<std::unique_ptr<Monitor>> make(const Params& values, const Schedule& schedule,
                                      const Services& services, const Identity& identity) {
  Result<CommandMonitorParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return polled(std::make_unique<CommandCheck>(std::move(*params), services, identity), schedule,
                services.clock);
}

}  // namespace

const MonitorType& command_monitor() {
  static const MonitorType type{declaration().schema(), &make};
  return type;
}

}  // namespace komainu::drivers
