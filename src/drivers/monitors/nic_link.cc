// The link of a network interface, as the kernel reports it. One port of a bond or bridge that still has
// another is not seen here: name the port to watch it.
#include <fmt/format.h>

#include "drivers/monitors/schedule.h"
#include "drivers/net/links.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct NicLinkParams {
  std::string interface;
};

const params::Declaration<NicLinkParams>& declaration() {
  static const auto declared =
      params::Declaration<NicLinkParams>("nic-link",
                                         "The link of a network interface. Told by the kernel, at once.")
          .required("interface", &NicLinkParams::interface, "The interface's name, such as \"eth1\".");
  return declared;
}

class NicLink final : public ToldMonitor {
 public:
  NicLink(NicLinkParams params, const Schedule& schedule, const Services& services)
      : ToldMonitor(schedule, services.clock),
        interface_(std::move(params.interface)),
        netlink_(services.netlink) {}

 private:
  Task<void> follow() override {
    while (true) {
      told(judge());
      auto change = netlink_.changed();
      co_await change;
    }
  }

  Verdict judge() const {
    const Link* link = find_link(netlink_, interface_);
    if (!link) return {Health::kFailed, fmt::format("there is no interface {}", interface_)};
    if (auto problem = link_problem(*link)) return {Health::kFailed, std::move(*problem)};
    return {};
  }

  std::string interface_;
  Netlink& netlink_;
};

Result<std::unique_ptr<Monitor>> make(const Params& values, const Schedule& schedule,
                                      const Services& services, const Identity&) {
  Result<NicLinkParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return std::make_unique<NicLink>(std::move(*params), schedule, services);
}

}  // namespace

const MonitorType& nic_link() {
  static const MonitorType type{declaration().schema(), &make, params::Pace::kEvents};
  return type;
}

}  // namespace komainu::drivers
