#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/documents/json.h"
#include "api/event_log.h"
#include "api/status.h"
#include "engine/cluster/replay.h"
#include "engine/cluster/stream_record.h"
#include "engine/files/ring_file.h"
#include "komainu/commands.h"
#include "komainu/render/events.h"

namespace komainu::cli {

Exit replay(const Session& session, const std::string& file) {
  LocalTime at;
  std::uint64_t number = 0, broken = 0;
  Error first_error;
  const auto is_broken = [&](const Error& error) {
    if (broken++ == 0) first_error = error;
  };
  engine::Replay* current = nullptr;
  engine::Replay replay([&](std::int64_t wall_us, const core::Event& event) {
    const api::StampedEvent stamped{++number, at, api::WallTime(std::chrono::microseconds(wall_us)), event};
    const api::EventView view = api::event_view(*current->replica()->state().spec, stamped);
    session.out << (session.json ? api::to_json(view) + "\n" : render_event(view, session.style));
  });
  current = &replay;
  auto read = engine::read_ring_file(file, {.take =
                                                [&](std::string_view bytes) {
                                                  const auto record = engine::decode_stream_record(bytes);
                                                  if (!record) {
                                                    replay.lose_track();
                                                    return is_broken(record.error());
                                                  }
                                                  at = record->at;
                                                  if (const auto taken = replay.take(*record); !taken)
                                                    is_broken(taken.error());
                                                },
                                            .gap =
                                                [&](const engine::RingGap& gap) {
                                                  replay.lose_track();
                                                  session.err << gap.error.what << "\n";
                                                  if (gap.why == engine::RingGap::Why::kDamaged)
                                                    is_broken(gap.error);
                                                }});
  if (!read) return fail(session, Exit::kRefused, read.error().what, read.error().help);
  session.err << fmt::format("{} messages, {} events\n", replay.messages(), number);
  if (replay.passed_over() > 0)
    session.err << fmt::format(
        "{} messages were passed over: what the daemon knew before them is not in the record\n",
        replay.passed_over());
  if (replay.clusters().size() > 1)
    session.err << fmt::format("the record holds the streams of several clusters: {}\n",
                               printable(fmt::format("{}", fmt::join(replay.clusters(), ", "))));
  if (broken > 0)
    return fail(session, Exit::kRefused,
                broken == 1 ? first_error.what
                            : fmt::format("{} parts of the record could not be read; the first: {}", broken,
                                          first_error.what),
                first_error.help);
  if (replay.messages() == 0)
    return fail(session, Exit::kRefused, "nothing could be replayed: no daemon begins in the record");
  if (replay.differences() > 0)
    return fail(
        session, Exit::kRefused,
        fmt::format("{} of {} states differ from those that were recorded", replay.differences(),
                    replay.compared()),
        "the record was made by another version of komainu, or this is a bug: keep the file and report it");
  session.err << (replay.compared() == 0
                      ? "the record says nothing of the states that its decisions led to\n"
                      : fmt::format("the decisions are those that were recorded: {} states compared\n",
                                    replay.compared()));
  return Exit::kDone;
}

}  // namespace komainu::cli
