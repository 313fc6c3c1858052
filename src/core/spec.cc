#include "core/spec.h"

#include <algorithm>

namespace komainu::core {

bool FenceDevice::reaches(NodeId target) const {
  return targets.empty() || std::ranges::find(targets, target) != targets.end();
}
bool FenceLevel::reaches(NodeId target) const {
  return std::ranges::any_of(devices, [&](const FenceDevice& device) { return device.reaches(target); });
}

PlaceSet Spec::allowed(const Group& group) const {
  PlaceSet places;
  for (PlaceId place : group.prefer) places.insert(place);
  if (group.strictness == Strictness::kPreferredOnly && !group.prefer.empty()) return places;
  for (const auto& [id, node] : nodes) places.insert(place_of(id));
  return places;
}

}  // namespace komainu::core
