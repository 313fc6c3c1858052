// From a parsed call to what is done about it: answered at once, put to the cluster, or streamed. No socket
// here, so that all of it is tested and fuzzed directly.
#pragma once

#include <string>
#include <variant>

#include "api/backend.h"
#include "api/call.h"
#include "core/message.h"

namespace komainu::api {

struct Response {
  unsigned status = 200;  // HTTP
  std::string body;       // JSON
  std::string allow = {};
};

// Fencing devices have to be asked for these.
struct AskDevices {
  NodeSet targets;
};

using Outcome = std::variant<Response, core::Request, GetEvents, AskDevices>;

// Names become ids here; an unknown one is answered with the nearest known one.
Outcome answer(const Call& call, Backend& backend, const std::string& operator_name);

Response response(const Refused& refused);

// What the cluster said to a request.
Response response(const core::Answer& answer, const Position& position);

// What the fencing devices said of these nodes.
Response response(const core::Spec& spec, NodeId self, NodeSet targets, const std::vector<FenceTried>& tried);
Response devices_are_busy();

// The stream did not bring the request back in time.
Response unanswered(Duration waited);

// One line of a stream, with its line feed. `missed` events were forgotten before this one was read.
std::string stream_line(const core::Spec& spec, const StampedEvent& event, std::uint64_t missed);

}  // namespace komainu::api
