#include "komainu/render/events.h"

#include <fmt/format.h>
#include <time.h>

#include <cstdio>

#include "api/documents/words.h"

namespace komainu::cli {
namespace {

// "2026-11-22T21:30:05.123456Z" as local time to the millisecond; what it does not understand it leaves.
std::string local_time(const std::string& utc) {
  tm parts{};
  int microseconds = 0;
  if (std::sscanf(utc.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                  &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &microseconds) != 7)
    return utc;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const time_t seconds = timegm(&parts);
  tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", local.tm_year + 1900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, microseconds / 1000);
}

std::string happened(const api::EventView& event, const Style& style) {
  std::string text = printable(event.text);
  if (event.severity != core::Severity::kInfo) text = fmt::format("{}: {}", api::word(event.severity), text);
  return paint(style, colour_of(event.severity), text);
}

}  // namespace

std::string elapsed(Duration duration) {
  const double seconds = static_cast<double>(duration.count()) / 1e6;
  if (duration < 60s) return fmt::format("{:.2f} s", seconds);
  return fmt::format("{} min {} s", duration / 60s, duration % 60s / 1s);
}

std::string render_event(const api::EventView& event, const Style& style) {
  std::string text;
  if (event.missed > 0) text += fmt::format("({} events are missing here)\n", event.missed);
  return text + fmt::format("{}  {:<8}  {}\n", paint(style, Colour::kDim, local_time(event.time)),
                            api::word(event.kind), happened(event, style));
}

std::string render_explanation(const api::Explanation& explanation, const Style& style) {
  std::string text = paint(style, Colour::kBold, printable(explanation.summary)) + "\n";
  const auto& chain = explanation.chain;
  if (chain.empty()) {
    text += "\nNothing has happened to it that this node remembers.\n";
  } else {
    text += "\n" + paint(style, Colour::kBold, "WHAT HAPPENED") +
            fmt::format(" from {} on, {} in all\n", local_time(chain.front().time),
                        elapsed(chain.back().at - chain.front().at));
    for (const api::EventView& event : chain) {
      const double after = static_cast<double>((event.at - chain.front().at).count()) / 1e6;
      text += fmt::format("  {:>+10.3f} s  {}\n", after, happened(event, style));
    }
  }
  if (!explanation.placement.empty()) {
    Table table;
    for (const api::PlacementView& place : explanation.placement)
      table.row({{printable(place.node)},
                 {place.chosen ? "here" : "", Colour::kGreen},
                 {printable(place.reason), place.eligible ? Colour::kPlain : Colour::kDim}});
    text += "\n" + paint(style, Colour::kBold, "WHY THERE") + ", best place first\n" + table.text(style);
  }
  return text;
}

}  // namespace komainu::cli
