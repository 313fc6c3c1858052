// Do addresses outside this server answer ping? Several targets tell a dead gateway from a dead network.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "drivers/monitors/schedule.h"
#include "drivers/net/echo.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

enum class Need : std::uint8_t { kAny, kAll };

struct PingParams {
  std::vector<IpAddress> targets;
  Need need = Need::kAny;
  std::uint32_t attempts = 3;
};

const params::Declaration<PingParams>& declaration() {
  static const auto declared =
      params::Declaration<PingParams>("ping", "Addresses outside this server answer ICMP echo.")
          .required("targets", &PingParams::targets, "The addresses to ask.")
          .optional("need", &PingParams::need,
                    "Whether one answer is enough (the silence of others is a warning), or all must answer.",
                    {.choices = {{"any", Need::kAny}, {"all", Need::kAll}}})
          .optional("attempts", &PingParams::attempts,
                    "How often a target is asked within the timeout before it counts as silent.",
                    {.min = 1, .max = 10})
          .check([](const PingParams& p) -> std::optional<Error> {
            if (p.targets.empty())
              return Error{"`targets` is empty", "name at least one address, such as the gateway's"};
            return std::nullopt;
          });
  return declared;
}

class Ping final : public Check {
 public:
  Ping(PingParams params, const Services& services) : params_(std::move(params)), services_(services) {}

  // Silence is the answer of a ping, not a timeout: the last wait ends before the look would be cut off.
  Task<Verdict> look(Duration timeout) override {
    const Duration pause = timeout * 9 / 10 / params_.attempts;
    std::set<IpAddress> silent(params_.targets.begin(), params_.targets.end());
    std::string problem;
    std::vector<Pinger> pingers;
    for (const auto family : {IpAddress::Family::kV4, IpAddress::Family::kV6}) {
      if (std::ranges::none_of(silent, [&](const IpAddress& target) { return target.family == family; }))
        continue;
      auto opened = Pinger::open(family);
      if (!opened) co_return Verdict{Health::kFailed, opened.error().what};
      pingers.push_back(std::move(*opened));
    }
    for (std::uint32_t attempt = 0; attempt < params_.attempts && !silent.empty(); ++attempt) {
      for (const IpAddress& target : silent) {
        const auto pinger = std::ranges::find(pingers, target.family, &Pinger::family);
        if (const auto asked = pinger->ask(target, static_cast<std::uint16_t>(attempt)); !asked)
          problem = asked.error().what;
      }
      std::vector<Task<std::monostate>> gathering;
      for (const Pinger& pinger : pingers) gathering.push_back(gather(pinger, silent));
      auto wait = within(services_.clock, pause, all(std::move(gathering)));
      co_await wait;
    }
    co_return judge(silent, problem);
  }

 private:
  // Until nobody whom this pinger asked is silent.
  Task<std::monostate> gather(const Pinger& pinger, std::set<IpAddress>& silent) const {
    while (true) {
      while (const auto answered = pinger.next_answer()) silent.erase(*answered);
      if (std::ranges::none_of(silent,
                               [&](const IpAddress& target) { return target.family == pinger.family(); }))
        break;
      auto readable = services_.readiness.readable(pinger.fd());
      co_await readable;
    }
    co_return std::monostate{};
  }

  Verdict judge(const std::set<IpAddress>& silent, const std::string& problem) const {
    if (silent.empty()) return {};
    std::vector<std::string> names;
    for (const IpAddress& target : silent) names.push_back(target.text());
    const bool enough = params_.need == Need::kAny &&
                        silent.size() < std::set(params_.targets.begin(), params_.targets.end()).size();
    return {
        enough ? Health::kWarning : Health::kFailed,
        fmt::format("no answer from {}{}{}", fmt::join(names, ", "), problem.empty() ? "" : ": ", problem)};
  }

  PingParams params_;
  Services services_;
};

Result<std::unique_ptr<Monitor>> make(const Params& values, const Schedule& schedule,
                                      const Services& services, const Identity&) {
  Result<PingParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return polled(std::make_unique<Ping>(std::move(*params), services), schedule, services.clock);
}

}  // namespace

const MonitorType& ping() {
  static const MonitorType type{declaration().schema(), &make};
  return type;
}

}  // namespace komainu::drivers
