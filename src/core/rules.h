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
  kStability,              // what activates is executed only when stable
  kSuspendedCount,         // a suspended member is never left out of that
  kDurability,             // acknowledgements count once their epoch is stored
  kLostMayRunAnything,     // … where the others could be quorate
  kForgetfulMayHave,       // a member that started anew is one of these others
  kStrangersMayHave,       // so is one that was in views of which the state that goes on does not know
  kStoppedMayBeBack,       // … and with these others even a node that left, or was fenced
  kOpenFenceBlocks,        // the target of an open fence starts nothing
  kOwnViewOnly,            // messages of another view are dropped
  kDonorKnows,             // the state that goes on is that of a member with the newest
  kQuorumOfThisRing,       // a verdict counts for its ring
  kConsentCanEnd,          // … until the next one
  kYields,                 // who has lost the right to act stops its groups
  kTicksAreCapped,         // no Tick ages the counters of hours at once
  kUnknownIsFenced,        // not only nodes that are recorded to run something
  kFenceNamesIncarnation,  // a late confirmation vouches for no later daemon
  kLostOrderStays,         // an order of a lost executor is in flight
  kColdAbsentUnknown,      // after a cold start an absent node may run anything
  kClusterConfiguration,   // a joiner uses the cluster's
  kCureElsewhereOnly,      // a health fault stops nothing that no place can do better
  kCountersDecay,
  kStopBeforeStart,   // on a move
  kBrakes,            // fences stay below their rate
  kLatestResultOnly,  // a superseded result changes nothing
  kStopVoidsStart,    // … that still waits for its acknowledgements
  kExecutorFenced,    // a fence that was lost with its executor ends when that is fenced
  kEpochByRing,       // not by counting
  kLeaseFromSending,  // not from the receipt of one's own Alive, or of the establishment
  kLeaseByOwnClock,   // not by Ticks
  // Of the executor and the watchdog: the simulator's machines have them, as the engine does.
  kOrphansKilled,             // a new daemon kills and awaits its predecessor's agents
  kStopInReverse,             // of the order in which they start, the resources of a group
  kStoppedMeansProbed,        // a stop that says it is done is looked at
  kStopFailsStarvesWatchdog,  // a stop without an order that fails ends the feeding of the watchdog
};

#ifdef KOMAINU_MUTANTS
enum class Guards : std::uint8_t { kSafety, kLiveness };
struct NamedRule {
  Rule rule = Rule::kNone;
  std::string_view name;  // what a core without the rule does
  Guards guards = Guards::kSafety;
};
// Those whose lack random schedules find. They come too rarely to what kStrangersMayHave and
// kForgetfulMayHave guard against, even where every cluster has four nodes: cases show it, and of the second
// an exploration (sim/mutants_test.cc).
inline constexpr NamedRule kRuleNames[] = {
    {Rule::kStability, "act on an unstable order"},
    {Rule::kSuspendedCount, "suspension empties the set of acknowledgers"},
    {Rule::kLostMayRunAnything, "a lost member without a recorded start counts as stopped"},
    {Rule::kStoppedMayBeBack, "who was stopped stays stopped, whoever could have taken it back"},
    {Rule::kOpenFenceBlocks, "the target of an open fence starts groups"},
    {Rule::kOwnViewOnly, "a message of another view is applied"},
    {Rule::kDonorKnows, "donor is the lowest id of the view"},
    {Rule::kQuorumOfThisRing, "quorum of another ring"},
    {Rule::kConsentCanEnd, "stale arbiter consent"},
    {Rule::kYields, "yield skipped"},
    {Rule::kTicksAreCapped, "unlimited tick"},
    {Rule::kUnknownIsFenced, "fence only the recorded owner", Guards::kLiveness},
    {Rule::kFenceNamesIncarnation, "late fence of a new incarnation"},
    {Rule::kLostOrderStays, "in-flight order of a lost executor dropped"},
    {Rule::kColdAbsentUnknown, "cold start with an absent node unfenced"},
    {Rule::kClusterConfiguration, "local configuration"},
    {Rule::kCureElsewhereOnly, "health stops a group"},
    {Rule::kCountersDecay, "counters never decay", Guards::kLiveness},
    {Rule::kStopBeforeStart, "start before stop on a move"},
    {Rule::kBrakes, "brake dropped"},
    {Rule::kLatestResultOnly, "superseded result believed"},
    {Rule::kStopVoidsStart, "a stop overtakes a waiting start"},
    {Rule::kExecutorFenced, "the executor of a lost fence is not fenced", Guards::kLiveness},
    {Rule::kEpochByRing, "epochs are counted"},
    {Rule::kLeaseFromSending, "lease counted from receipt"},
    {Rule::kLeaseByOwnClock, "lease measured by ticks"},
    {Rule::kDurability, "store after acting"},
    {Rule::kOrphansKilled, "start before the orphan was killed"},
    {Rule::kStopInReverse, "resources stop in the order in which they start"},
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
