// The last events of this node, numbered and stamped with the wall clock, in a ring of bounded size: what
// `komainu events` and `komainu explain` read. The shell appends each core::Event that its replica yields.
//
// Readers that follow hold no copy: they remember the number they have read up to. One that is slower than
// the ring finds that numbers are missing.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>

#include "base/time.h"
#include "core/effects.h"

namespace komainu::api {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

struct StampedEvent {
  std::uint64_t number = 0;  // 1, 2, 3 … since this daemon started
  LocalTime at;              // when this replica applied it: differences are true
  WallTime when;             // for people: may jump
  core::Event event;
};

class EventLog {
 public:
  explicit EventLog(std::size_t capacity = 4096) : capacity_(capacity) {}
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  void append(LocalTime at, WallTime when, core::Event event);

  const std::deque<StampedEvent>& all() const { return events_; }
  std::uint64_t last() const { return next_ - 1; }
  // The first event with a greater number than `number`; null: none yet.
  const StampedEvent* after(std::uint64_t number) const;

  // Calls `callback` after each append until the returned handle is forgotten. A callback must not append.
  using Follower = std::list<std::function<void()>>::iterator;
  Follower follow(std::function<void()> callback);
  void forget(Follower follower) { followers_.erase(follower); }

 private:
  std::size_t capacity_;
  std::uint64_t next_ = 1;
  std::deque<StampedEvent> events_;
  std::list<std::function<void()>> followers_;
};

}  // namespace komainu::api
