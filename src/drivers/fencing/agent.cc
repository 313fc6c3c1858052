// Any program of the fence-agents kind (ClusterLabs fence-agents, FenceAgentAPI.md): options as `name=value`
// lines on standard input, exit code 0 for success; of `action=status` 0 is on and 2 is off.
//
// What an agent claims is not believed: off is confirmed when a status that was asked for afterwards says
// off. That also holds when switching off failed, as some devices complain about what is off already.
#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "drivers/agent_text.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct AgentParams {
  std::string agent;
  std::vector<std::string> options;
  std::optional<params::SecretFile> secret;
  std::string plug_option = "plug";
  std::vector<std::string> plugs;
  Duration timeout{60s};
  Duration confirm_within{10s};
};

bool is_option(std::string_view text) {
  const std::size_t equals = text.find('=');
  return equals != std::string_view::npos && equals > 0 && text.find('\n') == std::string_view::npos;
}

const params::Declaration<AgentParams>& declaration() {
  static const auto declared =
      params::Declaration<AgentParams>("agent", "A program of the fence-agents kind switches the node off.")
          .required("agent", &AgentParams::agent,
                    "The program: its path, or its name, such as \"fence_ipmilan\".",
                    {.check = [](const std::string& agent) -> std::optional<Error> {
                      const bool path = agent.starts_with('/');
                      if (path || agent.find('/') == std::string::npos) return std::nullopt;
                      return Error{"must be a name or an absolute path", {}};
                    }})
          .optional("options", &AgentParams::options,
                    "What the agent is told, such as [\"ip=192.0.2.11\", \"username=ha\", \"lanplus=1\"]; no "
                    "secrets.",
                    {.check = [](const std::vector<std::string>& options) -> std::optional<Error> {
                      for (const std::string& option : options) {
                        if (!is_option(option))
                          return Error{fmt::format("has the item \"{}\"", option), "write \"name=value\""};
                        if (option.starts_with("passw") || option.starts_with("action="))
                          return Error{
                              fmt::format("must not set {}", option.substr(0, option.find('='))),
                              "secrets go into the file that `secret` names; komainu sets the action"};
                      }
                      return std::nullopt;
                    }})
          .optional("secret", &AgentParams::secret,
                    "A file with further `name=value` lines, such as the password; only root may read it "
                    "(mode 0600).")
          .optional("plug_option", &AgentParams::plug_option,
                    "The name of the option that tells the agent which machine is meant.")
          .optional(
              "plugs", &AgentParams::plugs,
              "What the agent calls the nodes, as [\"node1=7\", \"node2=8\"]; left out, by their names.",
              {.check = [](const std::vector<std::string>& plugs) -> std::optional<Error> {
                for (const std::string& plug : plugs)
                  if (!is_option(plug))
                    return Error{fmt::format("has the item \"{}\"", plug), "write \"node=plug\""};
                return std::nullopt;
              }})
          .optional("timeout", &AgentParams::timeout, "The longest time of one call of the agent.",
                    {.min = 1s, .max = 10min})
          .optional("confirm_within", &AgentParams::confirm_within,
                    "How long after switching off the status may still say on.", {.min = 0s, .max = 10min});
  return declared;
}

// An agent that complains may print what it was given, and evidence is seen by everybody.
std::string without_secrets(std::string text, std::string_view secrets) {
  for (const auto line : std::views::split(secrets, '\n')) {
    const std::string_view option(line.begin(), line.end());
    const std::string_view value = option.substr(std::min(option.find('=') + 1, option.size()));
    if (value.empty() || option.find('=') == std::string_view::npos) continue;
    for (std::size_t at = 0; (at = text.find(value, at)) != std::string::npos; at += 3)
      text.replace(at, value.size(), "***");
  }
  return text;
}

constexpr std::size_t kMaxSecret = 64 * 1024;
// A local file is there at once; on a disk that hangs, waiting longer only delays the next fencing level.
constexpr Duration kReadSecret{5s};
constexpr Duration kAskAgain{250ms};
// For killing an agent that took too long: more than the spawner needs.
constexpr Duration kKilled{10s};

// The order, then status after status; the last one begins before `confirm_within` is over.
Duration longest(const AgentParams& params) {
  const Duration call = (params.secret ? kReadSecret : Duration{0}) + params.timeout + kKilled;
  return call + params.confirm_within + call;
}

class Agent final : public Fencer {
 public:
  Agent(AgentParams params, const Services& services, const Identity& identity)
      : params_(std::move(params)), services_(services), identity_(identity) {}

  Task<Result<void>> off(std::string target) override {
    auto order = call("off", target);
    const Result<Exit> ordered = co_await order;
    const std::string came_of_it = ordered ? describe(*ordered) : ordered.error().what;
    const LocalTime give_up = services_.clock.now() + params_.confirm_within;
    while (true) {
      auto look = status(target);
      const Result<Power> power = co_await look;
      if (power && *power == Power::kOff) co_return Result<void>{};
      if (services_.clock.now() >= give_up)
        co_return failure(
            fmt::format("{} is not confirmed off: {} (off: {})", target,
                        power ? "its status is on" : power.error().what, came_of_it),
            fmt::format("try `{}` by hand; if the machine is off, say so with `komainu fence confirm {}`",
                        params_.agent, target));
      auto pause = services_.clock.sleep(kAskAgain);
      co_await pause;
    }
  }

  Duration longest_off() const override { return longest(params_); }

  Task<Result<void>> reset(std::string target) override {
    auto switch_off = off(target);
    const Result<void> is_off = co_await switch_off;
    if (!is_off) co_return is_off;
    auto order = call("on", target);
    const Result<Exit> ordered = co_await order;
    if (!ordered || ordered->how != Exit::How::kExited ||
        ordered->code != 0)  // it is off: that is what counts
      services_.log.warning(fmt::format("{}: {} was switched off, but not on again: {}", identity_.name,
                                        target, ordered ? describe(*ordered) : ordered.error().what));
    co_return Result<void>{};
  }

  Task<Result<Power>> status(std::string target) override {
    auto ask = call("status", target);
    const Result<Exit> exit = co_await ask;
    if (!exit) co_return std::unexpected(exit.error());
    if (exit->how == Exit::How::kExited && exit->code == 0) co_return Power::kOn;
    if (exit->how == Exit::How::kExited && exit->code == 2) co_return Power::kOff;
    co_return failure(
        fmt::format("{} cannot tell the status of {}: {}", params_.agent, target, describe(*exit)),
        "check the agent's options, the secret, and the network to the device");
  }

  Task<Result<void>> test(std::string target) override {
    auto look = status(target);
    const Result<Power> power = co_await look;
    if (!power) co_return std::unexpected(power.error());
    co_return Result<void>{};
  }

 private:
  Task<Result<Exit>> call(std::string action, std::string target) {
    Command command;
    command.label = fmt::format("fence {} {}", target, action);
    command.argv = {params_.agent};
    command.timeout = params_.timeout;
    command.input = fmt::format("action={}\n{}={}\n", action, params_.plug_option, plug_of(target));
    for (const std::string& option : params_.options) command.input += option + "\n";
    std::string secrets;
    if (params_.secret) {
      auto read =
          within(services_.clock, kReadSecret,
                 services_.files.read(params_.secret->path.string(), kMaxSecret, Files::Secrecy::kSecret));
      const auto secret = co_await read;
      if (!secret) co_return failure(fmt::format("{} cannot be read in time", params_.secret->path.string()));
      if (!*secret) co_return std::unexpected(secret->error());
      secrets = **secret;
      command.input += secrets + "\n";
    }
    auto run = services_.spawner.run(command);
    Result<Exit> exit = co_await run;
    if (exit) {
      exit->output = without_secrets(std::move(exit->output), secrets);
      exit->errors = without_secrets(std::move(exit->errors), secrets);
    }
    co_return exit;
  }

  std::string plug_of(const std::string& target) const {
    const auto mine = std::ranges::find_if(params_.plugs, [&](const std::string& plug) {
      return plug.starts_with(target) && plug.size() > target.size() && plug[target.size()] == '=';
    });
    return mine == params_.plugs.end() ? target : mine->substr(target.size() + 1);
  }

  AgentParams params_;
  Services services_;
  Identity identity_;
};

Result<std::unique_ptr<Fencer>> make(const Params& values, const Services& services,
                                     const Identity& identity) {
  Result<AgentParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return std::make_unique<Agent>(std::move(*params), services, identity);
}

}  // namespace

const FencerType& agent() {
  static const FencerType type{declaration().schema(), &make, [](const Params& values) {
                                 return longest(declaration().read_partial(values));
                               }};
  return type;
}

}  // namespace komainu::drivers
