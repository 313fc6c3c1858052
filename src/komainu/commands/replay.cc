#include <fmt/format.h>

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
  std::string first_error;
  engine::Replay* current = nullptr;
  engine::Replay replay([&](std::int64_t wall_us, const core::Event& event) {
    const api::StampedEvent stamped{++number, at, api::WallTime(std::chrono::microseconds(wall_us)), event};
    const api::EventView view = api::event_view(*current->replica()->state().spec, stamped);
    session.out << (session.json ? api::to_json(view) + "\n" : render_event(view, session.style));
  });
  current = &replay;
  auto read = engine::read_ring_file(file, [&](std::string_view bytes) {
    auto record = engine::decode_stream_record(bytes);
    if (record) at = record->at;
    auto taken = record ? replay.take(*record) : Result<void>(std::unexpected(record.error()));
    if (!taken && broken++ == 0) first_error = taken.error().what;
  });
  if (!read) return fail(session, Exit::kRefused, read.error().what, read.error().help);
  session.err << fmt::format("{} messages, {} events\n", replay.messages(), number);
  if (broken > 0)
    return fail(session, Exit::kRefused,
                fmt::format("{} records could not be read: {}", broken, first_error));
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
