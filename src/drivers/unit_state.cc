#include "drivers/unit_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace komainu::drivers {

bool is_up(const UnitState& state) {
  return state.active_state == "active" || state.active_state == "reloading";
}

bool is_down(const UnitState& state) {
  return (state.active_state == "inactive" || state.active_state == "failed") && !state.has_job;
}

std::string describe(const UnitState& state) {
  if (state.load_state == "not-found") return "not installed";
  if (state.load_state == "masked") return "masked";
  const bool waits = state.has_job && (state.active_state == "inactive" || state.active_state == "failed");
  if (waits) return fmt::format("{}, and a job of it is queued", state.active_state);
  const bool says_why = state.active_state == "failed" && !state.result.empty() && state.result != "success";
  const std::string& detail = says_why ? state.result : state.sub_state;
  return detail.empty() || detail == state.active_state ? state.active_state
                                                        : fmt::format("{} ({})", state.active_state, detail);
}

Task<pid_t> successor(const Services& services, const std::string& unit, pid_t dead) {
  auto ask = within(services.clock, 1s, services.systemd.unit_state(unit));
  const auto state = co_await ask;
  if (!state || !*state || !is_up(**state) || (*state)->main_pid == dead) co_return 0;
  co_return (*state)->main_pid;
}

std::optional<Error> unit_name_problem(const std::string& name) {
  constexpr std::array<std::string_view, 8> kSuffixes{".service", ".target", ".socket", ".mount",
                                                      ".timer",   ".path",   ".slice",  ".swap"};
  if (std::ranges::none_of(
          kSuffixes, [&](auto suffix) { return name.ends_with(suffix) && name.size() > suffix.size(); }))
    return Error{"is not the full name of a unit", fmt::format("say its kind, too: \"{}.service\"", name)};
  if (name.size() > 255 || std::ranges::any_of(name, [](unsigned char c) {
        return !std::isalnum(c) &&
               std::string_view(":-_.\\@").find(static_cast<char>(c)) == std::string_view::npos;
      }))
    return Error{"is no name that systemd allows",
                 "letters, digits and \":-_.\\@\", at most 255 (systemd.unit(5))"};
  return std::nullopt;
}

}  // namespace komainu::drivers
