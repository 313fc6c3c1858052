// Which groups may have something to do since they were last planned. Conservative and simple: nearly
// everything makes all groups dirty; what is frequent while nothing is wrong (a start that succeeds, a
// monitor that stays fine, a tick) is told apart, so that the planner's work follows what changed.
#pragma once

#include <set>
#include <variant>
#include <vector>

#include "core/message.h"
#include "core/state.h"

namespace komainu::core {

struct Planned;

class DirtyGroups {
 public:
  // Everything may have changed: a new view, a suspension, another configuration.
  void all() { all_ = true; }
  // `message` is about to be applied to `before` in an established view. Protocol messages change no group by
  // themselves; whoever acts on them (suspends, activates a configuration) says all().
  void note(const State& before, const Message& message);
  // This was planned. Everything stays dirty until nothing is: a proposal may be on its way, or refused.
  void planned(const std::vector<Planned>& proposals);

  bool contains_all() const { return all_; }
  const std::set<GroupId>& some() const { return some_; }

 private:
  void note(const State& before, const Fact& fact);

  bool all_ = true;
  std::set<GroupId> some_;
};

}  // namespace komainu::core
