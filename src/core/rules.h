// The rules of docs/protocol.md that the simulator shows to be needed, by name. They hold; only a build with
// KOMAINU_MUTANTS (src/sim's mutants_test) can drop one, to see that the simulator then finds what it guards
// against: a group running twice, a start on a node that may still be fenced, a daemon that starts over for
// nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace komainu::core {

enum class Rule : std::uint8_t {
  kNone,
  kStability,           // what activates is executed only when stable
  kSuspendedCount,      // a suspended member is never left out of that
  kDurability,          // acknowledgements count once their epoch is stored
  kLostMayRunAnything,  // … where the others could be quorate
  kForgetfulMayHave,    // a member that started anew is one of these others
  kStrangersMayHave,    // so is one that was in views of which the state that goes on does not know
  kStoppedMayBeBack,    // … and with these others even a node that left, or was fenced
  kOpenFenceBlocks,     // the target of an open fence starts nothing
  kOwnViewOnly,         // messages of another view are dropped
  kLeaseFromSending,    // a lease runs from when its Alive was sent, not from when it came back
  // Of the executor and the watchdog: the simulator's machines have them, as the engine does.
  kOrphansKilled,             // a new daemon kills and awaits its predecessor's agents
  kStoppedMeansProbed,        // a stop that says it is done is looked at
  kStopFailsStarvesWatchdog,  // a stop without an order that fails ends the feeding of the watchdog
};

#ifdef KOMAINU_MUTANTS
struct NamedRule {
  Rule rule = Rule::kNone;
  std::string_view name;  // what a core without the rule does
};
inline constexpr NamedRule kRuleNames[] = {
    {Rule::kStability, "act on an unstable order"},
    {Rule::kSuspendedCount, "suspension empties the set of acknowledgers"},
    {Rule::kLostMayRunAnything, "a lost member without a recorded start counts as stopped"},
    {Rule::kForgetfulMayHave, "a member that forgot counts as one that knows"},
    {Rule::kOpenFenceBlocks, "the target of an open fence starts groups"},
    {Rule::kOwnViewOnly, "a message of another view is applied"},
    {Rule::kOrphansKilled, "start before the orphan was killed"},
    {Rule::kStoppedMeansProbed, "stopped without a probe"},
    {Rule::kStopFailsStarvesWatchdog, "watchdog fed while a stop failed"},
};

inline Rule dropped_rule = Rule::kNone;
inline bool applies(Rule rule) {
  return rule != dropped_rule;
}
#else
constexpr bool applies(Rule) {
  return true;
}
#endif

}  // namespace komainu::core
