// Anything that three commands can start, stop and look at.
#include <fmt/format.h>

#include "drivers/agent_text.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct CommandParams {
  std::vector<std::string> start;
  std::vector<std::string> stop;
  std::vector<std::string> probe;
  Duration probe_timeout{10s};
  Duration watch_interval{10s};
};

const params::Declaration<CommandParams>& declaration() {
  static const auto declared =
      params::Declaration<CommandParams>("command", "Anything that commands can start, stop and probe.")
          .required(
              "start", &CommandParams::start,
              "The program that starts it, and its arguments. It may return before the service is ready: the "
              "start is over when `probe` says so. What it leaves running lives on.")
          .required("stop", &CommandParams::stop,
                    "The program that stops it, and its arguments. It must also succeed when nothing runs.")
          .required(
              "probe", &CommandParams::probe,
              "The program that looks, and its arguments. Exit code 0: it runs; 3 or 7: it does not (as for "
              "init scripts and OCF agents); anything else: it is broken and has to be stopped.")
          .optional("probe_timeout", &CommandParams::probe_timeout, "The longest time that `probe` may take.",
                    {.min = 100ms, .max = 10min})
          .optional("watch_interval", &CommandParams::watch_interval,
                    "How often `probe` looks while it is up; \"0s\": never.", {.max = 1h})
          .check([](const CommandParams& p) -> std::optional<Error> {
            for (const auto& [name, argv] :
                 {std::pair{"start", &p.start}, {"stop", &p.stop}, {"probe", &p.probe}})
              if (argv->empty() || !argv->front().starts_with('/'))
                return Error{fmt::format("`{}` must begin with the absolute path of a program", name),
                             fmt::format("{} = [\"/usr/local/bin/app\", \"argument\"]", name)};
            return std::nullopt;
          });
  return declared;
}

constexpr Duration kPollUntilUp{200ms};

class CommandResource final : public Resource {
 public:
  CommandResource(CommandParams params, const Services& services, const Identity& identity)
      : params_(std::move(params)), services_(services), identity_(identity) {}

  Task<Result<void>> start() override {
    auto look = probe();
    Result<Probe> seen = co_await look;
    if (seen && seen->presence == Presence::kRunning) co_return Result<void>{};
    auto run = run_to_success(params_.start, Command::Leftovers::kKeep);
    const Result<void> ran = co_await run;
    if (!ran) co_return ran;
    while (true) {  // the resource's start timeout bounds it
      auto look_again = probe();
      seen = co_await look_again;
      if (seen && seen->presence == Presence::kRunning) co_return Result<void>{};
      auto pause = services_.clock.sleep(kPollUntilUp);
      co_await pause;
    }
  }

  Task<Result<void>> stop() override {
    auto run = run_to_success(params_.stop, Command::Leftovers::kKill);
    const Result<void> ran = co_await run;
    if (!ran) co_return ran;
    auto look = probe();
    const Result<Probe> seen = co_await look;
    if (!seen) co_return std::unexpected(seen.error());
    if (seen->presence != Presence::kStopped)
      co_return failure(
          fmt::format("`{}` succeeded, but `{}` says that it is not stopped", command_line(params_.stop),
                      command_line(params_.probe)),
          "the stop command must wait until nothing runs; the probe must then exit with 3 or 7");
    co_return Result<void>{};
  }

  Task<Result<Probe>> probe() override {
    Command command = command_for(params_.probe);
    command.timeout = params_.probe_timeout;
    auto run = services_.spawner.run(command);
    const Result<Exit> exit = co_await run;
    if (!exit) co_return std::unexpected(exit.error());
    if (exit->how == Exit::How::kExited && exit->code == 0) co_return Probe{Presence::kRunning, {}};
    if (exit->how == Exit::How::kExited && (exit->code == 3 || exit->code == 7))
      co_return Probe{Presence::kStopped, {}};
    const std::string evidence = fmt::format("`{}`: {}", command_line(params_.probe), describe(*exit));
    if (exit->how == Exit::How::kExited && exit->code != 126 && exit->code != 127)
      co_return Probe{Presence::kBroken, evidence};
    co_return failure(evidence,
                      "run it by hand on this node: it must end in time, with a code that `probe` documents");
  }

  Task<std::string> watch(Reports& reports) override {
    if (params_.watch_interval == Duration{0}) {
      auto stay = forever();
      co_await stay;
    }
    Health health = Health::kHealthy;
    while (true) {
      auto pause = services_.clock.sleep(params_.watch_interval);
      co_await pause;
      auto look = probe();
      const Result<Probe> seen = co_await look;
      if (seen && seen->presence != Presence::kRunning)
        co_return seen->evidence.empty()
            ? fmt::format("`{}` says that it has stopped", command_line(params_.probe))
            : seen->evidence;
      const Health now = seen ? Health::kHealthy : Health::kWarning;
      if (now != health) reports.report({now, seen ? std::string{} : seen.error().what});
      health = now;
    }
  }

 private:
  Command command_for(const std::vector<std::string>& argv) const {
    Command command;
    command.label = "resource " + identity_.name;
    command.argv = argv;
    command.environment = {{"KOMAINU_RESOURCE", identity_.name}, {"KOMAINU_NODE", identity_.node}};
    return command;
  }

  // Bounded by the resource's start or stop timeout.
  Task<Result<void>> run_to_success(const std::vector<std::string>& argv, Command::Leftovers leftovers) {
    Command command = command_for(argv);
    command.leftovers = leftovers;
    auto run = services_.spawner.run(command);
    const Result<Exit> exit = co_await run;
    if (!exit) co_return std::unexpected(exit.error());
    if (exit->how == Exit::How::kExited && exit->code == 0) co_return Result<void>{};
    co_return failure(fmt::format("`{}`: {}", command_line(argv), describe(*exit)),
                      "run it by hand on this node");
  }

  CommandParams params_;
  Services services_;
  Identity identity_;
};

Result<std::unique_ptr<Resource>> make(const Params& values, const Services& services,
                                       const Identity& identity) {
  Result<CommandParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return std::make_unique<CommandResource>(std::move(*params), services, identity);
}

}  // namespace

const ResourceType& command_resource() {
  static const ResourceType type{declaration().schema(), params::Data::kNone, &make};
  return type;
}

}  // namespace komainu::drivers
