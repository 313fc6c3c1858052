#include "core/spec.h"

namespace komainu::core {

PlaceSet Spec::allowed(const Group& group) const {
  PlaceSet places;
  for (PlaceId place : group.prefer) places.insert(place);
  if (group.strictness == Strictness::kPreferredOnly && !group.prefer.empty()) return places;
  for (const auto& [id, node] : nodes) places.insert(place_of(id));
  return places;
}

}  // namespace komainu::core
