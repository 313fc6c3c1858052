// Which losses of the connection the engine is told. While Corosync does not come up, the same failure comes
// again and again, and is told once; but a connection of which the engine was told something (that a ring is
// quorate, say) never ends without a word: what it told must not outlive it.
#pragma once

#include <string>
#include <utility>

namespace komainu::channel {

class LossFilter {
 public:
  // The engine was told something of the present connection.
  void told() { told_ = true; }
  // The next loss is news, whatever it is.
  void reset() { last_.clear(); }
  // The connection is lost, or could not be made. Is that to be told?
  bool lost(const std::string& reason) {
    const bool told = std::exchange(told_, false);
    return std::exchange(last_, reason) != reason || told;
  }

 private:
  std::string last_;
  bool told_ = false;
};

}  // namespace komainu::channel
