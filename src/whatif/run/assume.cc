#include "whatif/run/assume.h"

#include <string_view>

namespace komainu::whatif {
namespace {

struct Usual {
  std::string_view type;
  Duration start;
  Duration stop;
};
// A floating IP asks three times whether its address is free, with its default waits. All others are a guess
// at an ordinary service.
constexpr Usual kUsual[] = {{"floating-ip", 100ms, 20ms}, {"systemd", 1s, 1s}, {"command", 1s, 1s}};
constexpr Duration kOtherwise = 5s;

Duration look_up(const std::map<std::string, Duration>& given, const core::Group& group,
                 std::uint32_t resource, Duration Usual::* member) {
  const core::Resource& of = group.resources[resource];
  if (auto own = given.find(group.name + "/" + of.name); own != given.end()) return own->second;
  if (auto type = given.find(of.type); type != given.end()) return type->second;
  for (const Usual& usual : kUsual)
    if (usual.type == of.type) return usual.*member;
  return kOtherwise;
}

}  // namespace

Duration Assumptions::start_of(const core::Group& group, std::uint32_t resource) const {
  return look_up(start, group, resource, &Usual::start);
}

Duration Assumptions::stop_of(const core::Group& group, std::uint32_t resource) const {
  return look_up(stop, group, resource, &Usual::stop);
}

}  // namespace komainu::whatif
