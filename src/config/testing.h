// Driver types for tests and the fuzzer: like the real ones, and one that holds data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/parse.h"
#include "params/declaration.h"
#include "params/registry.h"

namespace komainu::config::testing {

inline const params::Registry& registry() {
  struct FloatingIp {
    IpPrefix address;
    std::optional<std::string> interface;
    std::uint32_t probes = 3;
    Duration probe_wait{40ms};
  };
  struct MirrorDisk {
    std::filesystem::path device;
  };
  struct Systemd {
    std::string unit;
  };
  struct Http {
    std::string url;
    std::vector<std::string> status{"200"};
  };
  enum class Need : std::uint8_t { kAll, kAny };
  struct Ping {
    std::vector<IpAddress> targets;
    Need need = Need::kAny;
  };
  struct Agent {
    std::string agent;
    std::optional<params::SecretFile> secret;
    Duration power_wait{2s};
  };
  static const params::Registry types = [] {
    using params::Declaration;
    using params::Kind;
    params::Registry result;
    result.add(Kind::kResource,
               Declaration<FloatingIp>("floating-ip", "An address.")
                   .required("address", &FloatingIp::address, "The address.")
                   .optional("interface", &FloatingIp::interface, "The interface.")
                   .optional("probes", &FloatingIp::probes, "Probes before use.", {.max = 10})
                   .optional("probe_wait", &FloatingIp::probe_wait, "A wait.", {.min = 1ms, .max = 30s})
                   .schema(),
               params::Data::kNone, params::Pace::kPolled, [](const Params& values) -> Duration {
                 const auto given = values.find("probe_wait");
                 return given == values.end() ? Duration{40ms} : std::get<Duration>(given->second);
               });
    result.add(Kind::kResource,
               Declaration<MirrorDisk>("mirror-disk", "A mirror.")
                   .required("device", &MirrorDisk::device, "The device.")
                   .schema(),
               params::Data::kHeld);
    result.add(
        Kind::kResource,
        Declaration<Systemd>("systemd", "A unit.").required("unit", &Systemd::unit, "The unit.").schema());
    result.add(Kind::kMonitor, Declaration<Http>("http", "A web server answers.")
                                   .required("url", &Http::url, "The URL.")
                                   .optional("status", &Http::status, "Good ones.")
                                   .check([](const Http& http) -> std::optional<Error> {
                                     if (http.status.empty())
                                       return Error{"no status is healthy", "name one in `status`"};
                                     return std::nullopt;
                                   })
                                   .schema());
    result.add(Kind::kMonitor, Declaration<Ping>("ping", "Addresses answer.")
                                   .required("targets", &Ping::targets, "Whom.")
                                   .optional("need", &Ping::need, "How many.",
                                             {.choices = {{"all", Need::kAll}, {"any", Need::kAny}}})
                                   .schema());
    result.add(Kind::kFencer,
               Declaration<Agent>("agent", "A fence agent.")
                   .required("agent", &Agent::agent, "The program.")
                   .optional("secret", &Agent::secret, "Its password.")
                   .optional("power_wait", &Agent::power_wait, "A wait.", {.min = 0s, .max = 10min})
                   .schema(),
               params::Data::kNone, params::Pace::kPolled, [](const Params& values) -> Duration {
                 const auto given = values.find("power_wait");
                 return given == values.end() ? Duration{2s} : std::get<Duration>(given->second);
               });
    return result;
  }();
  return types;
}

// Two nodes with fencing and one group "web" of "address" and "nginx": tests change what they are about.
inline std::string two_nodes(const std::string& more = {}) {
  return R"([cluster]
name = "shop"

[[node]]
name  = "guest1"
links = ["10.0.1.11", "192.168.50.11"]

[[node]]
name  = "guest2"
links = ["10.0.1.12", "192.168.50.12"]

[[fencing]]
device = [ { type = "agent", agent = "fence_virt" } ]

[[group]]
name   = "web"
prefer = ["guest1", "guest2"]

  [[group.resource]]
  name    = "address"
  type    = "floating-ip"
  address = "192.168.50.100/24"

  [[group.resource]]
  name = "nginx"
  type = "systemd"
  unit = "nginx.service"
)" + more;
}

}  // namespace komainu::config::testing
