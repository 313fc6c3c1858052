#include "availability.h"

#include <algorithm>
#include <iterator>

namespace komainu::witness {

const char* name_of(Failure failure) {
  switch (failure) {
    case Failure::kTimeout:
      return "timeout";
    case Failure::kRefused:
      return "refused";
    case Failure::kUnreachable:
      return "unreachable";
    case Failure::kReset:
      return "reset";
    case Failure::kStatus:
      return "status";
    case Failure::kGarbage:
      return "garbage";
  }
  return "";
}

void History::record(const Outcome& outcome) {
  if (outcomes_.size() == kMost) outcomes_.pop_front();
  outcomes_.push_back(outcome);
}

std::optional<Outcome> History::last() const {
  if (outcomes_.empty()) return std::nullopt;
  return outcomes_.back();
}

Availability History::since(Time mark) const {
  Availability result;
  std::optional<std::size_t> last_server;
  std::optional<Outage> open;
  const auto first = std::ranges::lower_bound(outcomes_, mark, {}, &Outcome::sent);
  if (first != outcomes_.begin()) last_server = std::prev(first)->server;
  for (auto outcome = first; outcome != outcomes_.end(); ++outcome) {
    ++result.requests;
    if (outcome->good()) {
      ++result.answered[*outcome->server];
      last_server = outcome->server;
      if (open) {
        open->end = outcome->ended;
        open->after = outcome->server;
        result.outages.push_back(*open);
        open.reset();
      }
      continue;
    }
    ++result.failed;
    if (!open) {
      open.emplace();
      open->begin = outcome->sent;
      open->before = last_server;
    }
    ++open->failed;
    ++open->failures[outcome->failure];
  }
  if (open) result.outages.push_back(*open);
  return result;
}

}  // namespace komainu::witness
