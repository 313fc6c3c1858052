#include "api/event_log.h"

#include <utility>

namespace komainu::api {

void EventLog::append(LocalTime at, WallTime when, core::Event event) {
  events_.push_back({next_++, at, when, std::move(event)});
  if (events_.size() > capacity_) events_.pop_front();
  // A follower may forget itself while it is called: its callback is kept alive until it returns.
  for (auto it = followers_.begin(); it != followers_.end();) {
    auto callback = *it++;
    callback();
  }
}

const StampedEvent* EventLog::after(std::uint64_t number) const {
  if (events_.empty() || number >= last()) return nullptr;
  std::uint64_t first = events_.front().number;
  return &events_[number < first ? 0 : number - first + 1];
}

EventLog::Follower EventLog::follow(std::function<void()> callback) {
  return followers_.insert(followers_.end(), std::move(callback));
}

}  // namespace komainu::api
