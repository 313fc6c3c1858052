#include "whatif/run/senses.h"

#include <algorithm>
#include <string_view>
#include <variant>

namespace komainu::whatif {
namespace {

constexpr Duration kAtOnce = 10ms;  // the kernel or systemd tells
constexpr Duration kLook = 10ms;    // a look that is answered, or refused

enum class See : std::uint8_t { kNot, kLooks, kIsTold };

struct Row {
  std::string_view type;
  See dies, hangs, wrong;
};
// A hung process is still there, and the kernel goes on accepting connections for it. A command is taken to
// look at everything.
constexpr Row kSenses[] = {
    {"process", See::kIsTold, See::kNot, See::kNot},  {"systemd-unit", See::kIsTold, See::kNot, See::kNot},
    {"tcp", See::kLooks, See::kNot, See::kNot},       {"http", See::kLooks, See::kLooks, See::kLooks},
    {"https", See::kLooks, See::kLooks, See::kLooks}, {"command", See::kLooks, See::kLooks, See::kLooks},
    {"nic-link", See::kIsTold, See::kNot, See::kNot}, {"ping", See::kLooks, See::kLooks, See::kNot},
};
constexpr Row kOther{"", See::kLooks, See::kLooks, See::kLooks};

See see(std::string_view type, Sickness sickness) {
  const Row* row = std::ranges::find(kSenses, type, &Row::type);
  if (row == std::end(kSenses)) row = &kOther;
  return sickness == Sickness::kDies ? row->dies : sickness == Sickness::kHangs ? row->hangs : row->wrong;
}

}  // namespace

std::optional<Sight> sight_of(const core::Monitor& monitor, Sickness sickness) {
  switch (see(monitor.type, sickness)) {
    case See::kNot:
      return std::nullopt;
    case See::kIsTold:
      return Sight{kAtOnce};
    case See::kLooks:
      break;
  }
  if (sickness != Sickness::kHangs)
    return Sight{monitor.interval + monitor.retries * std::max(monitor.interval, kLook) + kLook};
  if (!monitor.timeout_is_failure) return Sight{monitor.interval + monitor.timeout, core::Health::kWarning};
  return Sight{monitor.interval + monitor.retries * std::max(monitor.interval, monitor.timeout) +
               monitor.timeout};
}

Duration recovery_of(const core::Monitor& monitor) {
  return see(monitor.type, Sickness::kDies) == See::kIsTold ? kAtOnce : monitor.interval + kLook;
}

std::optional<Duration> own_watch_of(const core::Resource& resource) {
  if (resource.type != "command") return kAtOnce;
  const auto given = resource.params.find("watch_interval");
  const Duration* every = given == resource.params.end() ? nullptr : std::get_if<Duration>(&given->second);
  const Duration interval = every ? *every : Duration{10s};  // the driver's default
  if (interval == Duration::zero()) return std::nullopt;
  return interval + kLook;
}

}  // namespace komainu::whatif
