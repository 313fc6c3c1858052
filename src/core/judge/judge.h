// What the facts about a place amount to: one verdict, by a table that is data and is
// tested over all its inputs. `komainu status` shows the verdict; placement prefers places by it. Nothing is
// fenced or stopped because of a verdict: the rules for that are in src/core/plan and src/core/admit.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <tuple>

#include "core/state.h"

namespace komainu::core {

// From good to bad for who wants to run something there.
enum class Verdict : std::uint8_t {
  kHealthy,
  kDegraded,    // works, with less than its peers have
  kIsolated,    // answers the cluster, but reaches nothing of what its peers reach
  kStalled,     // there, but gets nothing done
  kUnknown,     // silent: off, hung and cut off look the same
  kSurelyDown,  // runs nothing
};
inline constexpr int kVerdicts = 6;

std::string_view to_string(Verdict verdict);

// ---- the evidence: one enumerator for each kind of it

enum class Daemon : std::uint8_t { kAnswers, kLeaves, kSilent };
inline constexpr int kDaemons = 3;
enum class Ring : std::uint8_t { kAbsent, kPresent };  // of the node's Corosync
inline constexpr int kRings = 2;
enum class Fencing : std::uint8_t { kNone, kOpen };
inline constexpr int kFencings = 2;
// Monitors of links and addresses, compared with the other members.
enum class Reach : std::uint8_t {
  kEverything,  // also: no such monitor
  kLess,        // something that another member reaches
  kNothing,     // of what is watched, all of which other members reach
};
inline constexpr int kReaches = 3;
// All monitors of nodes.
enum class Watch : std::uint8_t {
  kFine,
  kWarning,
  kSharedFailure,  // failed here, and nowhere known to be fine: the place is not to blame
  kFailure,        // failed here, fine on another member
};
inline constexpr int kWatches = 4;
enum class Links : std::uint8_t { kUp, kSomeDown };  // of the cluster itself
inline constexpr int kLinks = 2;
enum class Past : std::uint8_t { kSteady, kUnsteady };  // lost again and again of late
inline constexpr int kPasts = 2;
inline constexpr int kStandings = 5;

struct Evidence {
  Standing standing = Standing::kUnknown;
  Daemon daemon = Daemon::kAnswers;
  Ring ring = Ring::kAbsent;
  Fencing fencing = Fencing::kNone;
  Reach reach = Reach::kEverything;
  Watch watch = Watch::kFine;
  Links links = Links::kUp;
  Past past = Past::kSteady;
  bool operator==(const Evidence&) const = default;
};

// ---- the table

// A condition on one kind of evidence: any of these; empty: whatever it is.
template <class E>
class AnyOf {
 public:
  constexpr AnyOf() = default;
  constexpr AnyOf(std::initializer_list<E> values) {
    for (E value : values) bits_ |= bit(value);
  }
  constexpr bool contains(E value) const { return bits_ == 0 || (bits_ & bit(value)) != 0; }
  constexpr bool is_whatever() const { return bits_ == 0; }

 private:
  static constexpr std::uint32_t bit(E value) { return 1U << static_cast<unsigned>(value); }
  std::uint32_t bits_ = 0;
};

struct Row {
  AnyOf<Standing> standing = {};
  AnyOf<Daemon> daemon = {};
  AnyOf<Ring> ring = {};
  AnyOf<Fencing> fencing = {};
  AnyOf<Reach> reach = {};
  AnyOf<Watch> watch = {};
  AnyOf<Links> links = {};
  AnyOf<Past> past = {};
  Verdict verdict = Verdict::kUnknown;
  std::string_view text;  // for the administrator, after "node1: degraded: "

  constexpr bool matches(const Evidence& evidence) const {
    return standing.contains(evidence.standing) && daemon.contains(evidence.daemon) &&
           ring.contains(evidence.ring) && fencing.contains(evidence.fencing) &&
           reach.contains(evidence.reach) && watch.contains(evidence.watch) &&
           links.contains(evidence.links) && past.contains(evidence.past);
  }
};

// The first row that matches decides; the last one matches everything.
std::span<const Row> evidence_table();

const Row& judge(const Evidence& evidence);

Evidence evidence_about(const State& state, PlaceId place);

inline const Row& judge(const State& state, PlaceId place) {
  return judge(evidence_about(state, place));
}

}  // namespace komainu::core
