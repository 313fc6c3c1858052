// When is what Corosync says of its quorum device worth telling? A device that has just been started needs a
// moment until it votes, and one that changes its mind for a moment has not changed it.
#pragma once

#include <optional>

#include "channel/channel.h"

namespace komainu::channel {

class QuorumDeviceWatch {
 public:
  // Looks in a row that must agree before it is told: the first time, unless it votes; and later.
  static constexpr int kLooksAtFirst = 20;
  static constexpr int kLooks = 2;

  // True: this is to be told now.
  bool look(QuorumDevice seen) {
    in_a_row_ = seen == seen_ ? in_a_row_ + 1 : 1;
    seen_ = seen;
    if (told_ == seen) return false;
    const int needed = told_ ? kLooks : seen == QuorumDevice::kVotes ? 1 : kLooksAtFirst;
    if (in_a_row_ < needed) return false;
    told_ = seen;
    return true;
  }

 private:
  std::optional<QuorumDevice> seen_;
  std::optional<QuorumDevice> told_;
  int in_a_row_ = 0;
};

}  // namespace komainu::channel
