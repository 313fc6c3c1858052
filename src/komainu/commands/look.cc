#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <deque>
#include <thread>

#include "komainu/commands.h"
#include "komainu/render/events.h"
#include "komainu/render/status.h"

namespace komainu::cli {
namespace {

// The document of that address: as it came with --json, else as `render` shows it.
template <class Document>
Exit show(const Session& session, const std::string& target,
          std::string (*render)(const Document&, const Style&)) {
  auto body = session.client().exchange("GET", target, {}, api::Client::kQuick);
  if (!body) return fail(session, body.error());
  if (session.json) {
    session.out << *body;
    return Exit::kDone;
  }
  auto document = api::from_json<Document>(*body);
  if (!document) return fail(session, api::Client::misunderstood(document.error()));
  session.out << render(*document, session.style);
  return Exit::kDone;
}

void say(const Session& session, const api::EventView& event) {
  session.out << (session.json ? api::to_json(event) + "\n" : render_event(event, session.style));
}

// Redrawn when something happens, at most five times a second, and at least every two seconds. Returns when
// the daemon has gone, or nobody reads any more; `drawn` says how often it was.
api::Trouble draw_status(const Session& session, std::uint64_t& drawn) {
  constexpr Duration kShortest = 200ms, kLongest = 2s;
  auto events = api::EventStream::open(session.client(), std::nullopt, true);
  if (!events) return events.error();
  while (session.out && !events->ended()) {
    auto status = session.client().get<api::Status>("/v1/status");
    if (!status) return status.error();
    if (session.json)
      session.out << api::to_json(*status) << "\n";
    else
      session.out << (session.interactive ? "\x1b[H\x1b[2J" : "\n") << render_status(*status, session.style);
    session.out.flush();
    ++drawn;
    const auto at = std::chrono::steady_clock::now();
    auto event = events->next(kLongest);
    while (event && *event) {
      const auto passed = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - at);
      event = events->next(std::max(kShortest - passed, Duration(0)));
    }
    if (!event) return event.error();
  }
  return {};
}

}  // namespace

Exit show_status(const Session& session) {
  return show<api::Status>(session, "/v1/status", render_status);
}
Exit show_membership(const Session& session) {
  return show<api::Status>(session, "/v1/status", render_membership);
}
Exit show_fencing(const Session& session) {
  return show<api::FenceStatus>(session, "/v1/fence/status", render_fence_status);
}
Exit test_fencing(const Session& session, const std::optional<std::string>& node) {
  const std::string body = node ? boost::json::serialize(boost::json::object{{"node", *node}}) : "";
  if (!session.json) session.err << "asking the fencing devices, which takes up to a minute" << std::endl;
  auto test = session.client().post<api::FenceTest>("/v1/fence/test", body, api::Client::kDevices);
  if (!test) return fail(session, test.error());
  session.out << (session.json ? api::to_json(*test) + "\n" : render_fence_test(*test, session.style));
  const bool all = std::ranges::all_of(test->nodes, &api::FenceTestedView::can_be_fenced);
  return all ? Exit::kDone : Exit::kRefused;
}
Exit explain_group(const Session& session, const std::string& group) {
  return show<api::Explanation>(session, "/v1/explain/" + api::segment(group), render_explanation);
}

// Who watches wants to see what comes of a restart: a daemon that has answered once is waited for.
Exit watch_status(const Session& session) {
  constexpr Duration kTryAgain = 500ms;
  std::uint64_t drawn = 0;
  while (true) {
    const std::uint64_t before = drawn;
    const api::Trouble trouble = draw_status(session, drawn);
    if (!session.out) return Exit::kDone;
    const bool gone =
        trouble.kind == api::Trouble::Kind::kNotReachable || trouble.kind == api::Trouble::Kind::kTimedOut;
    if (drawn == 0 || !gone) return fail(session, trouble);
    if (drawn > before) session.err << "komainud does not answer any more: waiting for it" << std::endl;
    std::this_thread::sleep_for(kTryAgain);  // nothing tells that it listens again but that it answers
  }
}

Exit show_events(const Session& session, bool follow, std::optional<std::size_t> last) {
  auto events = api::EventStream::open(session.client(), 0, false);
  if (!events) return fail(session, events.error());
  std::deque<api::EventView> past;
  std::uint64_t number = 0;
  while (true) {
    auto event = events->next(api::Client::kQuick);
    if (!event) return fail(session, event.error());
    if (!*event) break;
    number = (*event)->number;
    past.push_back(std::move(**event));
    if (last && past.size() > *last) past.pop_front();
  }
  for (const api::EventView& event : past) say(session, event);
  if (number == 0) session.err << "no events since this daemon started; `komainu replay` goes further back\n";
  if (!follow) return Exit::kDone;
  session.out.flush();
  events = api::EventStream::open(session.client(), number, true);
  if (!events) return fail(session, events.error());
  while (true) {
    auto event = events->next(1h);
    if (!event) return fail(session, event.error());
    if (!*event) continue;
    say(session, **event);
    session.out.flush();
  }
}

}  // namespace komainu::cli
