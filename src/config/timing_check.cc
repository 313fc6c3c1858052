#include "config/timing_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/duration_text.h"

namespace komainu::config {
namespace {

using core::Spec;
using params::Registry;

// A repair of one rule may need others to follow; along the table they do so in a few steps.
constexpr std::size_t kMaxChanges = 16;
// Enough to see how they hang together; a file of thousands of mistakes must not cost more.
constexpr std::size_t kMaxRepairs = 16;

constexpr Duration kUnbounded = 720h;

Duration sum(const Spec& spec, const Registry& registry, const std::vector<Term>& terms,
             const Subject& subject) {
  Duration result{0};
  for (const Term& term : terms)
    result += value_of(spec, registry, term.amount, subject) * term.times / term.over;
  return result;
}

TimingCheck evaluate(const Spec& spec, const Registry& registry, const TimingRule& rule,
                     const Subject& subject) {
  TimingCheck check{&rule, subject, sum(spec, registry, rule.left, subject),
                    sum(spec, registry, rule.right, subject), true};
  check.holds = rule.relation == Relation::kLonger ? check.left > check.right : check.left >= check.right;
  return check;
}

// ---- repairs

enum class Side : std::uint8_t { kLeft, kRight };

struct Lever {
  TimingKey key;
  Side side;
};

std::vector<Lever> levers(const Spec& spec, const Registry& registry, const TimingCheck& check) {
  std::vector<Lever> result;
  for (const Side side : {Side::kLeft, Side::kRight})
    for (const Term& term : side == Side::kLeft ? check.rule->left : check.rule->right)
      for (TimingKey& key : keys_behind(spec, registry, term.amount, check.subject))
        if (std::ranges::none_of(result, [&](const Lever& known) { return known.key == key; }))
          result.push_back({std::move(key), side});
  return result;
}

// How far it is from one value to the other: halving a time is as much as doubling it.
double distance(const TimingChange& change) {
  const auto at_least = [](Duration d) { return static_cast<double>(std::max(d, Duration{1ms}).count()); };
  return std::abs(std::log(at_least(change.to) / at_least(change.from)));
}

class Repairer {
 public:
  Repairer(const Spec& spec, const Registry& registry) : spec_(spec), registry_(registry) {}

  std::vector<TimingChange> repair(const TimingCheck& wrong) {
    for (const TimingCheck& check : timing_checks(spec_, registry_))
      if (!check.holds) broken_.emplace(check.rule, check.subject);
    std::vector<TimingChange> best;
    for (const Lever& first : levers(spec_, registry_, wrong)) {
      std::vector<TimingChange> changes;
      const bool good = meet(wrong, &first, changes) && follow(changes) &&
                        evaluate(spec_, registry_, *wrong.rule, wrong.subject).holds;
      undo(changes);
      if (good && (best.empty() || better(changes, best))) best = std::move(changes);
    }
    return best;
  }

 private:
  static bool better(const std::vector<TimingChange>& a, const std::vector<TimingChange>& b) {
    const auto far = [](const std::vector<TimingChange>& changes) {
      double all = 0;
      for (const TimingChange& change : changes) all += distance(change);
      return all;
    };
    return a.size() != b.size() ? a.size() < b.size() : far(a) < far(b);
  }

  // Until nothing is broken that was not before (also a rule that did not apply before), or there is no way.
  bool follow(std::vector<TimingChange>& changes) {
    for (std::size_t step = 0; step < kMaxChanges; ++step) {
      const std::vector<TimingCheck> checks = timing_checks(spec_, registry_);
      const auto broken = std::ranges::find_if(checks, [&](const TimingCheck& check) {
        return !check.holds && !broken_.contains({check.rule, check.subject});
      });
      if (broken == checks.end()) return true;
      if (!meet(*broken, nullptr, changes)) return false;
    }
    return false;
  }

  // Makes the rule hold: by `first`, as far as that goes, or by the smallest change that does; where none
  // does alone, several give what they can.
  bool meet(const TimingCheck& check, const Lever* first, std::vector<TimingChange>& changes) {
    for (std::size_t step = 0; step < kMaxChanges && changes.size() < kMaxChanges; ++step) {
      std::optional<TimingChange> alone;
      std::optional<TimingChange> furthest;
      for (const Lever& lever : levers(spec_, registry_, check)) {
        if ((first && lever.key != first->key) || turns_back(lever, changes)) continue;
        const std::optional<TimingChange> change = smallest(check, lever);
        if (!change) continue;
        const bool enough = holds_with(check, *change);
        std::optional<TimingChange>& kept = enough ? alone : furthest;
        const bool closer = kept && (enough ? distance(*change) < distance(*kept)
                                            : gain(check, *change) > gain(check, *kept));
        if (!kept || closer) kept = change;
      }
      first = nullptr;
      if (!alone && !furthest) return false;
      apply(alone ? *alone : *furthest, changes);
      if (alone) return true;
    }
    return false;
  }

  // A time that this repair has made longer is not made shorter again.
  bool turns_back(const Lever& lever, const std::vector<TimingChange>& changes) const {
    const auto made = std::ranges::find(changes, lever.key, &TimingChange::key);
    return made != changes.end() && (made->to > made->from) != (lever.side == Side::kLeft);
  }

  // The nearest value with which the check holds, or the furthest that is allowed; none if it is there
  // already.
  std::optional<TimingChange> smallest(const TimingCheck& check, const Lever& lever) {
    const params::Param& declared = declaration_of(spec_, registry_, lever.key);
    const bool up = lever.side == Side::kLeft;
    const Duration from = value_of(spec_, registry_, lever.key);
    const Duration step = granularity(declared);
    const std::optional<ParamValue>& bound = up ? declared.max : declared.min;
    const Duration limit = bound ? std::get<Duration>(*bound) : up ? kUnbounded : Duration{0};
    // The values are counted in steps from the limit inwards, so that all of them are allowed.
    const Duration distance = up ? limit - from : from - limit;
    if (distance <= Duration::zero()) return std::nullopt;
    const auto value = [&](std::int64_t steps) {
      const Duration base = up ? (from / step) * step : ((from + step - Duration{1}) / step) * step;
      return up ? std::min(limit, base + steps * step) : std::max(limit, base - steps * step);
    };
    std::int64_t low = 0;
    std::int64_t high = distance / step + 1;
    while (high - low > 1) {
      const std::int64_t middle = low + (high - low) / 2;
      (holds_with(check, {lever.key, from, value(middle)}) ? high : low) = middle;
    }
    return TimingChange{lever.key, from, value(high)};
  }
  static Duration granularity(const params::Param& declared) {
    return declared.problem(ParamValue{Duration{61'001ms}}) && !declared.problem(ParamValue{Duration{61s}})
               ? Duration{1s}
               : Duration{1ms};
  }

  bool holds_with(const TimingCheck& check, const TimingChange& change) {
    set(spec_, change.key, change.to);
    const bool holds = evaluate(spec_, registry_, *check.rule, check.subject).holds;
    set(spec_, change.key, change.from);
    return holds;
  }
  Duration gain(const TimingCheck& check, const TimingChange& change) {
    set(spec_, change.key, change.to);
    const TimingCheck after = evaluate(spec_, registry_, *check.rule, check.subject);
    set(spec_, change.key, change.from);
    return after.left - after.right;
  }

  void apply(const TimingChange& change, std::vector<TimingChange>& changes) {
    set(spec_, change.key, change.to);
    const auto made = std::ranges::find(changes, change.key, &TimingChange::key);
    if (made != changes.end())
      made->to = change.to;
    else
      changes.push_back(change);
  }
  void undo(const std::vector<TimingChange>& changes) {
    for (const TimingChange& change : changes) set(spec_, change.key, change.from);
  }

  Spec spec_;
  const Registry& registry_;
  std::set<std::pair<const TimingRule*, Subject>> broken_;  // before the repair
};

// ---- words

// "× 3/4"
std::string factor(const Term& term) {
  if (term.over != 1) return fmt::format("{}/{} × ", term.times, term.over);
  return term.times == 1 ? "" : fmt::format("{} × ", term.times);
}

std::string text(const Spec& spec, const Registry& registry, const std::vector<Term>& terms,
                 const Subject& subject, Duration value) {
  std::vector<std::string> names;
  std::vector<std::string> numbers;
  for (const Term& term : terms) {
    const Duration amount = value_of(spec, registry, term.amount, subject);
    if (amount == Duration::zero() && terms.size() > 1) continue;
    names.push_back(factor(term) + name_of(spec, term.amount, subject));
    numbers.push_back(factor(term) + duration_text(amount));
  }
  if (names.empty()) return "zero";
  std::string sides = fmt::format("{}", fmt::join(numbers, " + "));
  if (sides != duration_text(value)) sides += " = " + duration_text(value);
  return fmt::format("{} ({})", fmt::join(names, " + "), sides);
}

std::string text(const Spec& spec, const std::vector<TimingChange>& repair) {
  std::vector<std::string> changes;
  for (const TimingChange& change : repair)
    changes.push_back(fmt::format("{} = \"{}\"", name_of(spec, change.key), duration_text(change.to)));
  return fmt::format("{}", fmt::join(changes, ", "));
}

}  // namespace

std::vector<TimingCheck> timing_checks(const Spec& spec, const Registry& registry) {
  std::vector<TimingCheck> checks;
  for (const TimingRule& rule : timing_rules()) {
    if (!rule.applies.holds(spec)) continue;
    for (const Subject& subject : subjects(spec, registry, rule.each))
      checks.push_back(evaluate(spec, registry, rule, subject));
  }
  return checks;
}

std::string left_text(const Spec& spec, const Registry& registry, const TimingCheck& check) {
  return text(spec, registry, check.rule->left, check.subject, check.left);
}
std::string right_text(const Spec& spec, const Registry& registry, const TimingCheck& check) {
  return text(spec, registry, check.rule->right, check.subject, check.right);
}

std::vector<TimingProblem> timing_problems(const Spec& spec, const Registry& registry) {
  std::vector<TimingProblem> problems;
  for (const TimingCheck& check : timing_checks(spec, registry)) {
    if (check.holds) continue;
    TimingProblem problem{check.rule->severity, check.rule, {}, {}, std::string(check.rule->reason), {}};
    for (Lever& lever : levers(spec, registry, check)) problem.keys.push_back(std::move(lever.key));
    problem.what = fmt::format("{} is {} {}", left_text(spec, registry, check),
                               check.rule->relation == Relation::kLonger ? "not longer than" : "shorter than",
                               right_text(spec, registry, check));
    if (problems.size() < kMaxRepairs) problem.repair = Repairer(spec, registry).repair(check);
    if (!problem.repair.empty())
      problem.help += "; the smallest change that repairs it: " + text(spec, problem.repair);
    problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace komainu::config
