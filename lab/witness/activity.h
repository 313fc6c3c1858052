// Where things were active: which servers held the address, and on which the service ran, over time.
// Something that was active on two servers at once is a double activation, the one thing that must never be.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "time.h"

namespace komainu::witness {

using ServerSet = std::uint32_t;  // bit n: server n

struct Change {
  Time at;
  std::size_t what;  // index into the watched things
  ServerSet servers = 0;
};

struct DoubleActivation {
  std::size_t what;
  ServerSet servers = 0;  // all that took part
  Time begin;
  std::optional<Time> end;  // nothing: it lasts
};

// The judge's sampling stopped for so long: what happened meanwhile was not seen.
struct Gap {
  Time begin;
  Duration lasted;
};

class Activity {
 public:
  Activity(std::size_t things, Duration interval);

  // One sample of everything: `where[what]` are the servers on which it is active.
  void sample(Time at, const std::vector<ServerSet>& where);

  ServerSet where(std::size_t what) const { return current_[what]; }
  std::size_t samples() const { return samples_; }

  // What began, ended or lasted since `mark`.
  std::vector<DoubleActivation> violations(Time mark) const;
  std::vector<Change> changes(Time mark) const;
  Duration largest_gap(Time mark) const;

  // Beyond this many changes nothing more is kept, and `full` says so: the verdict is then "not proved".
  static constexpr std::size_t kMostChanges = 100'000;
  bool full() const { return changes_.size() >= kMostChanges || gaps_.size() >= kMostChanges; }

 private:
  Duration interval_;
  std::size_t samples_ = 0;
  std::optional<Time> last_;
  std::vector<ServerSet> current_;
  std::vector<Change> changes_;
  std::vector<Gap> gaps_;
};

}  // namespace komainu::witness
