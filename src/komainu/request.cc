#include "komainu/request.h"

#include <fmt/format.h>
#include <time.h>

#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "komainu/render/events.h"

namespace komainu::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Without an event, how often to look; with one, at once.
constexpr Duration kLook = 200ms;
// How long it must look stuck before that is believed: the planner needs a moment, too.
constexpr Duration kPatience = 1500ms;

Duration since(Clock::time_point start) {
  return std::chrono::duration_cast<Duration>(Clock::now() - start);
}

Duration since_boot() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec / 1000);
}

void say_result(const Session& session, bool reached, const std::string& text, Duration took) {
  if (!session.json) {
    if (reached)
      session.out << fmt::format("{} after {}\n", printable(text), elapsed(took));
    else
      session.out << fmt::format("not done after {}: {}\n", elapsed(took), printable(text));
    return;
  }
  session.out << boost::json::serialize(
                     boost::json::object{{"reached", reached}, {"text", text}, {"elapsed_us", took.count()}})
              << "\n";
}

class Waiting {
 public:
  Waiting(const Session& session, const Wanted& wanted, std::optional<api::EventStream> events)
      : session_(session), wanted_(wanted), events_(std::move(events)), client_(session.client()) {}

  Exit until_done() {
    const Duration limit = session_.timeout.value_or(wanted_.limit);
    Judgement last;
    std::optional<Clock::time_point> stuck;
    while (true) {
      auto now = wanted_.look(client_);
      if (!now) return fail(session_, now.error());
      last = std::move(*now);
      if (last.progress != Progress::kStuck) stuck.reset();
      if (last.progress == Progress::kStuck && !stuck) stuck = Clock::now();
      const bool given_up = last.progress == Progress::kMissed || (stuck && since(*stuck) > kPatience);
      if (last.progress == Progress::kReached || given_up) {
        const Duration took = since(start_);
        catch_up();
        say_result(session_, !given_up, last.text, took);
        return given_up ? Exit::kRefused : Exit::kDone;
      }
      if (since(start_) >= limit) break;
      tell(std::min(kLook, limit - since(start_)));
    }
    say_result(session_, false, last.text, since(start_));
    session_.err << "it goes on in the background: `komainu status` shows what comes of it\n";
    return Exit::kTimedOut;
  }

 private:
  // Waits for the next event and tells those that concern this request.
  void tell(Duration wait) {
    Clock::time_point until = Clock::now() + wait;
    while (true) {
      const Duration left = std::max(std::chrono::duration_cast<Duration>(until - Clock::now()), Duration(0));
      if (!events_) return sleep(left);
      auto event = events_->next(left);
      if (!event || events_->ended()) return events_.reset();
      if (!*event) return;
      show(**event);
      until = Clock::now();  // the rest of this burst, and then look
    }
  }
  // What has happened but has not come through the stream yet.
  void catch_up() {
    if (!events_) return;
    auto rest = api::EventStream::open(client_, events_->number(), false);
    while (rest && !rest->ended()) {
      auto event = rest->next(api::Client::kQuick);
      if (!event || !*event) return;
      show(**event);
    }
  }
  void show(const api::EventView& event) {
    if (session_.json || !wanted_.concerns || !wanted_.concerns(event)) return;
    // The daemon is on this machine: its CLOCK_BOOTTIME is ours.
    const double after = static_cast<double>((event.at - booted_).count()) / 1e6;
    session_.err << fmt::format("  {:>+9.3f} s  {}\n", after, printable(event.text));
    session_.err.flush();
  }
  static void sleep(Duration time) {
    const timespec pause{time / 1s, static_cast<long>((time % 1s).count() * 1000)};
    nanosleep(&pause, nullptr);
  }

  const Session& session_;
  const Wanted& wanted_;
  std::optional<api::EventStream> events_;
  api::Client client_;
  Clock::time_point start_ = Clock::now();
  Duration booted_ = since_boot();
};

}  // namespace

Exit nothing_to_do(const Session& session, const std::string& text) {
  if (session.json)
    say_result(session, true, text, Duration{0});
  else
    session.out << printable(text) << "\n";
  return Exit::kDone;
}

Exit request(const Session& session, const Wanted& wanted) {
  const bool waits = session.wait && wanted.look;
  if (!session.json && !wanted.intent.empty()) session.err << printable(wanted.intent) << "\n";
  std::optional<api::EventStream> events;
  if (waits) {
    // Opened first, so that nothing of it is missed; without it, looking now and then does.
    if (auto opened = api::EventStream::open(session.client(), std::nullopt, true))
      events = std::move(*opened);
  }
  Waiting waiting(session, wanted, std::move(events));
  const Clock::time_point start = Clock::now();
  auto accepted = session.client().post<api::Accepted>(wanted.target, wanted.body);
  if (!accepted) {
    for (const api::ProblemView& problem : accepted.error().problems) session.err << problem.text << "\n";
    return fail(session, accepted.error());
  }
  if (waits) return waiting.until_done();
  if (session.json)
    say_result(session, true, accepted->text, since(start));
  else
    session.out << "accepted: " << printable(accepted->text) << "\n";
  return Exit::kDone;
}

}  // namespace komainu::cli
