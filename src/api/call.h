// From an HTTP request to what it asks for, before anything of the cluster is looked at: pure, and what
// api_fuzz feeds with hostile input.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/documents/model.h"
#include "core/state.h"

namespace komainu::api {

struct GetStatus {};
struct GetGroup {
  std::string name;
};
struct GetNode {
  std::string name;
};
struct GetNames {};
struct GetEvents {
  std::optional<std::uint64_t> since = 0;  // those with a greater number; unset: none of the past
  bool follow = false;                     // and those to come
};
struct GetExplanation {
  std::string group;
};
struct GetConfig {};
struct GetFenceStatus {};
struct GetHealth {};

struct CommandGroup {
  enum class Verb { kStart, kStop, kMove, kClear } verb = Verb::kStart;
  std::string name;
  std::optional<std::string> node;  // start, move
};
struct CommandNode {
  std::string name;
  core::Duty duty = core::Duty::kActive;
};
struct CommandMonitor {
  std::string name;
  bool suspended = false;
};
struct ConfirmFence {
  std::string node;
};
struct SwitchOff {
  std::string node;
};
struct TestFencing {
  std::optional<std::string> node;  // unset: all others
};
struct ApplyConfig {
  std::string text;
};
struct CheckConfig {
  std::string text;
};
struct StartAlone {};
struct DisarmCluster {
  Duration length{0};  // zero: armed again
  std::string why;
};

using Call = std::variant<GetStatus, GetGroup, GetNode, GetNames, GetEvents, GetExplanation, GetConfig,
                          GetFenceStatus, GetHealth, CommandGroup, CommandNode, CommandMonitor, ConfirmFence,
                          SwitchOff, TestFencing, ApplyConfig, CheckConfig, StartAlone, DisarmCluster>;

// An answer that is not 2xx.
struct Refused {
  unsigned status = 400;  // HTTP
  Failure failure;
  std::string allow;  // with 405: the method that is
};

// `target` is the request line's, with its query. A POST may carry an empty body where every member is
// optional.
std::expected<Call, Refused> parse_call(std::string_view method, std::string_view target,
                                        std::string_view body);

}  // namespace komainu::api
