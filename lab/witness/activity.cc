#include "activity.h"

#include <algorithm>
#include <bit>

namespace komainu::witness {

Activity::Activity(std::size_t things, Duration interval) : interval_(interval), current_(things) {}

void Activity::sample(Time at, const std::vector<ServerSet>& where) {
  ++samples_;
  if (last_ && at - *last_ > 2 * interval_ && gaps_.size() < kMostChanges)
    gaps_.push_back({*last_, at - *last_});
  last_ = at;
  for (std::size_t what = 0; what < current_.size(); ++what) {
    if (where[what] == current_[what]) continue;
    current_[what] = where[what];
    if (changes_.size() < kMostChanges) changes_.push_back({at, what, where[what]});
  }
}

std::vector<DoubleActivation> Activity::violations(Time mark) const {
  std::vector<DoubleActivation> found;
  for (std::size_t what = 0; what < current_.size(); ++what) {
    std::optional<DoubleActivation> open;
    for (const Change& change : changes_) {
      if (change.what != what) continue;
      const bool twice = std::popcount(change.servers) > 1;
      if (twice && !open) open = DoubleActivation{what, change.servers, change.at, std::nullopt};
      if (twice) open->servers |= change.servers;
      if (!twice && open) {
        open->end = change.at;
        if (change.at >= mark) found.push_back(*open);
        open.reset();
      }
    }
    if (open) found.push_back(*open);
  }
  return found;
}

std::vector<Change> Activity::changes(Time mark) const {
  return {std::ranges::lower_bound(changes_, mark, {}, &Change::at), changes_.end()};
}

Duration Activity::largest_gap(Time mark) const {
  Duration largest{0};
  for (const Gap& gap : gaps_)
    if (gap.begin + gap.lasted >= mark) largest = std::max(largest, gap.lasted);
  return largest;
}

}  // namespace komainu::witness
