#include "report.h"

#include <fmt/core.h>

#include <utility>

namespace komainu::witness {
namespace {

// Names come from the command line: server and unit names and addresses, which hold nothing that JSON must
// escape; the program refuses others.
std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ",") + part;
  return all;
}

std::string array(const std::vector<std::string>& parts) {
  return '[' + joined(parts) + ']';
}

long long microseconds(Time time) {
  return time.time_since_epoch().count();
}

std::string time_or_null(const std::optional<Time>& time) {
  return time ? std::to_string(microseconds(*time)) : "null";
}

std::string server_or_null(const std::optional<std::size_t>& server, const Names& names) {
  return server ? quoted(names.servers[*server]) : "null";
}

std::string servers(ServerSet set, const Names& names) {
  std::vector<std::string> parts;
  for (std::size_t n = 0; n < names.servers.size(); ++n)
    if (set >> n & 1) parts.push_back(quoted(names.servers[n]));
  return array(parts);
}

std::string outage(const Outage& outage, Time now, const Names& names) {
  std::vector<std::string> failures;
  for (const auto& [failure, count] : outage.failures)
    failures.push_back(fmt::format("\"{}\":{}", name_of(failure), count));
  return fmt::format(
      R"({{"begin_us":{},"end_us":{},"lasted_us":{},"failed":{},"before":{},"after":{},"failures":{{{}}}}})",
      microseconds(outage.begin), time_or_null(outage.end), (outage.end.value_or(now) - outage.begin).count(),
      outage.failed, server_or_null(outage.before, names), server_or_null(outage.after, names),
      joined(failures));
}

std::string violation(const DoubleActivation& found, const Names& names) {
  return fmt::format(R"({{"what":"{}","servers":{},"begin_us":{},"end_us":{}}})", names.things[found.what],
                     servers(found.servers, names), microseconds(found.begin), time_or_null(found.end));
}

}  // namespace

std::string report_since(Time mark, Time now, const Names& names, const History& history,
                         const Activity& activity) {
  const Availability seen = history.since(mark);
  std::vector<std::string> outages, answered, violations, changes;
  Duration longest{0}, total{0};
  for (const Outage& one : seen.outages) {
    outages.push_back(outage(one, now, names));
    const Duration lasted = one.end.value_or(now) - one.begin;
    longest = std::max(longest, lasted);
    total += lasted;
  }
  for (const auto& [server, count] : seen.answered)
    answered.push_back(fmt::format("\"{}\":{}", names.servers[server], count));
  for (const DoubleActivation& one : activity.violations(mark)) violations.push_back(violation(one, names));
  for (const Change& change : activity.changes(mark))
    changes.push_back(fmt::format(R"({{"at_us":{},"what":"{}","servers":{}}})", microseconds(change.at),
                                  names.things[change.what], servers(change.servers, names)));
  return fmt::format(
      R"({{"since_us":{},"now_us":{},"requests":{},"failed":{},"longest_us":{},"total_us":{},"answered":{{{}}},"outages":{},"violations":{},"activity":{},"samples":{},"largest_gap_us":{},"complete":{}}})",
      microseconds(mark), microseconds(now), seen.requests, seen.failed, longest.count(), total.count(),
      joined(answered), array(outages), array(violations), array(changes), activity.samples(),
      activity.largest_gap(mark).count(), activity.full() ? "false" : "true");
}

std::string report_now(Time now, const Names& names, const History& history, const Activity& activity) {
  std::vector<std::string> things;
  for (std::size_t what = 0; what < names.things.size(); ++what)
    things.push_back(fmt::format("\"{}\":{}", names.things[what], servers(activity.where(what), names)));
  const auto last = history.last();
  return fmt::format(R"({{"now_us":{},"answers":{},"active":{{{}}}}})", microseconds(now),
                     last && last->good() ? quoted(names.servers[*last->server]) : "null", joined(things));
}

}  // namespace komainu::witness
