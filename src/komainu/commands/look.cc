#include <fmt/format.h>

#include <chrono>
#include <deque>

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
Exit explain_group(const Session& session, const std::string& group) {
  return show<api::Explanation>(session, "/v1/explain/" + api::segment(group), render_explanation);
}

// Redrawn when something happens, at most five times a second, and at least every two seconds.
Exit watch_status(const Session& session) {
  constexpr Duration kShortest = 200ms, kLongest = 2s;
  auto events = api::EventStream::open(session.client(), std::nullopt, true);
  if (!events) return fail(session, events.error());
  while (true) {
    auto status = session.client().get<api::Status>("/v1/status");
    if (!status) return fail(session, status.error());
    if (session.json)
      session.out << api::to_json(*status) << "\n";
    else
      session.out << (session.interactive ? "\x1b[H\x1b[2J" : "\n") << render_status(*status, session.style);
    session.out.flush();
    const auto drawn = std::chrono::steady_clock::now();
    auto event = events->next(kLongest);
    while (event && *event) {
      const auto passed = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - drawn);
      event = events->next(std::max(kShortest - passed, Duration(0)));
    }
    if (!event) return fail(session, event.error());
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
