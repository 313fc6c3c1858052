// What the client saw: every request with its outcome, and the outages that follow from them. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "time.h"

namespace komainu::witness {

enum class Failure { kTimeout, kRefused, kUnreachable, kReset, kStatus, kGarbage };
const char* name_of(Failure failure);

struct Outcome {
  Time sent;
  Time ended;
  std::optional<std::size_t> server;  // who gave the good reply; nothing: the request failed
  Failure failure = Failure::kTimeout;

  bool good() const { return server.has_value(); }
};

// From the sending of the first failed request to the first good reply.
struct Outage {
  Time begin;
  std::optional<Time> end;  // nothing: it lasts
  std::size_t failed = 0;
  std::optional<std::size_t> before;  // who answered last before
  std::optional<std::size_t> after;
  std::map<Failure, std::size_t> failures;
};

struct Availability {
  std::size_t requests = 0;
  std::size_t failed = 0;
  std::map<std::size_t, std::size_t> answered;  // by server
  std::vector<Outage> outages;
};

// Keeps the outcomes of the last hour (at one request in 10 ms), in the order in which the requests were
// sent.
class History {
 public:
  void record(const Outcome& outcome);
  Availability since(Time mark) const;
  std::optional<Outcome> last() const;

 private:
  static constexpr std::size_t kMost = 360'000;
  std::deque<Outcome> outcomes_;
};

}  // namespace komainu::witness
