#include "api/call.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <initializer_list>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "base/duration_text.h"
#include "base/nearest.h"

namespace komainu::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxTarget = 2048;
constexpr std::size_t kMaxSegments = 8;

using Parsed = std::expected<Call, Refused>;

std::unexpected<Refused> refuse(unsigned status, std::string error, std::string help = {}) {
  return std::unexpected(Refused{status, Failure{.error = std::move(error), .help = std::move(help)}, {}});
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      unsigned char code = 0;
      if (text.size() - i < 3) return std::nullopt;
      auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16);
      if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
      c = static_cast<char>(code);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    decoded += c;
  }
  return decoded;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    text = at == text.npos ? std::string_view() : text.substr(at + 1);
  }
  return parts;
}

struct Target {
  std::vector<std::string> path;  // decoded segments
  std::map<std::string, std::string> query;
};

std::expected<Target, Refused> parse_target(std::string_view text) {
  if (text.size() > kMaxTarget) return refuse(414, "the request's address is too long");
  if (!text.starts_with('/')) return refuse(400, "the request's address does not start with '/'");
  Target target;
  std::string_view path = text.substr(0, text.find('?'));
  for (std::string_view segment : split(path.substr(1), '/')) {
    auto decoded = percent_decoded(segment);
    if (!decoded || target.path.size() == kMaxSegments) return refuse(400, "malformed address");
    target.path.push_back(std::move(*decoded));
  }
  if (path.size() == text.size()) return target;
  for (std::string_view pair : split(text.substr(path.size() + 1), '&')) {
    std::size_t equals = pair.find('=');
    auto key = percent_decoded(pair.substr(0, equals));
    auto value = percent_decoded(equals == pair.npos ? std::string_view() : pair.substr(equals + 1));
    if (!key || !value) return refuse(400, "malformed address");
    target.query[std::move(*key)] = std::move(*value);
  }
  return target;
}

// What a route sees of a request.
struct Arguments {
  const std::string& name;  // the path's variable part
  const std::map<std::string, std::string>& query;
  std::string_view body;
};

// The members of a JSON body, all of them texts; nothing else is known to any route.
std::expected<std::map<std::string, std::string>, Refused> members(
    std::string_view body, std::initializer_list<std::string_view> known) {
  std::map<std::string, std::string> found;
  if (body.find_first_not_of(" \t\r\n") == body.npos) return found;
  json::error_code error;
  json::value value = json::parse(body, error);
  if (error) return refuse(400, fmt::format("the body is not JSON: {}", error.message()));
  if (!value.is_object()) return refuse(400, "the body is not a JSON object");
  for (const auto& [key, member] : value.get_object()) {
    if (std::ranges::find(known, std::string_view(key)) == known.end())
      return refuse(400, fmt::format("the body's member '{}' is not known here", std::string_view(key)),
                    known.size() == 0 ? "this request takes none"
                                      : fmt::format("known is '{}'", fmt::join(known, "', '")));
    if (member.is_null()) continue;
    if (!member.is_string())
      return refuse(400, fmt::format("the body's member '{}' is not a text", std::string_view(key)));
    found.emplace(key, member.get_string());
  }
  return found;
}

Parsed without_body(const Arguments& arguments, Call call) {
  auto body = members(arguments.body, {});
  if (!body) return std::unexpected(std::move(body.error()));
  return call;
}

template <CommandGroup::Verb verb>
Parsed command_group(const Arguments& arguments) {
  constexpr bool takes_node = verb == CommandGroup::Verb::kStart || verb == CommandGroup::Verb::kMove;
  auto body = takes_node ? members(arguments.body, {"node"}) : members(arguments.body, {});
  if (!body) return std::unexpected(std::move(body.error()));
  CommandGroup command{verb, arguments.name, std::nullopt};
  if (auto node = body->find("node"); node != body->end()) command.node = node->second;
  return command;
}

template <core::Duty duty>
Parsed command_node(const Arguments& arguments) {
  return without_body(arguments, CommandNode{arguments.name, duty});
}

template <bool suspended>
Parsed command_monitor(const Arguments& arguments) {
  return without_body(arguments, CommandMonitor{arguments.name, suspended});
}

template <class Get>
Parsed get(const Arguments&) {
  return Get{};
}

template <class Get>
Parsed get_named(const Arguments& arguments) {
  return Get{arguments.name};
}

template <class Config>
Parsed with_text(const Arguments& arguments) {
  if (arguments.body.empty())
    return refuse(400, "the body is empty", "send the text of cluster.toml as the body");
  return Config{std::string(arguments.body)};
}

Parsed get_events(const Arguments& arguments) {
  GetEvents events;
  for (const auto& [key, value] : arguments.query) {
    if (key == "since" && value == "now") {
      events.since.reset();
    } else if (key == "since") {
      std::uint64_t since = 0;
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), since);
      if (error != std::errc() || end != value.data() + value.size())
        return refuse(400, fmt::format("since={} is neither the number of an event nor 'now'", value));
      events.since = since;
    } else if (key == "follow") {
      if (value != "0" && value != "1") return refuse(400, "follow is 0 or 1");
      events.follow = value == "1";
    } else {
      return refuse(400, fmt::format("the parameter '{}' is not known here", key),
                    "known are since and follow");
    }
  }
  return events;
}

Parsed start_alone(const Arguments& arguments) {
  return without_body(arguments, StartAlone{});
}
Parsed arm(const Arguments& arguments) {
  return without_body(arguments, DisarmCluster{});
}
Parsed disarm(const Arguments& arguments) {
  auto body = members(arguments.body, {"for", "why"});
  if (!body) return std::unexpected(std::move(body.error()));
  const std::optional<Duration> length = parse_duration((*body)["for"]);
  if (!length || *length <= Duration{0} || *length > core::ClusterDisarm::kLongest)
    return refuse(400, "the body's member 'for' is no duration of at most 24h", R"(write "1h" or "30min")");
  const std::string& why = (*body)["why"];
  if (why.empty() || why.size() > core::kMaxEvidence)
    return refuse(400, "the body's member 'why' is no reason of at most 240 bytes",
                  "whoever finds the cluster disarmed must know why");
  return DisarmCluster{*length, why};
}
Parsed confirm_fence(const Arguments& arguments) {
  return without_body(arguments, ConfirmFence{arguments.name});
}
Parsed switch_off(const Arguments& arguments) {
  return without_body(arguments, SwitchOff{arguments.name});
}

Parsed test_fencing(const Arguments& arguments) {
  auto body = members(arguments.body, {"node"});
  if (!body) return std::unexpected(std::move(body.error()));
  TestFencing test;
  if (auto node = body->find("node"); node != body->end()) test.node = node->second;
  return test;
}

struct Route {
  std::string_view method;
  std::string_view path;  // "*" stands for a name
  Parsed (*parse)(const Arguments&);
};

constexpr Route kRoutes[] = {
    {"GET", "/v1/status", get<GetStatus>},
    {"GET", "/v1/names", get<GetNames>},
    {"GET", "/v1/health", get<GetHealth>},
    {"GET", "/v1/events", get_events},
    {"GET", "/v1/explain/*", get_named<GetExplanation>},
    {"GET", "/v1/config", get<GetConfig>},
    {"POST", "/v1/config/apply", with_text<ApplyConfig>},
    {"POST", "/v1/config/check", with_text<CheckConfig>},
    {"GET", "/v1/group/*", get_named<GetGroup>},
    {"POST", "/v1/group/*/start", command_group<CommandGroup::Verb::kStart>},
    {"POST", "/v1/group/*/stop", command_group<CommandGroup::Verb::kStop>},
    {"POST", "/v1/group/*/move", command_group<CommandGroup::Verb::kMove>},
    {"POST", "/v1/group/*/clear", command_group<CommandGroup::Verb::kClear>},
    {"GET", "/v1/node/*", get_named<GetNode>},
    {"POST", "/v1/node/*/drain", command_node<core::Duty::kDrained>},
    {"POST", "/v1/node/*/resume", command_node<core::Duty::kActive>},
    {"POST", "/v1/node/*/standby", command_node<core::Duty::kStandby>},
    {"POST", "/v1/monitor/*/suspend", command_monitor<true>},
    {"POST", "/v1/monitor/*/resume", command_monitor<false>},
    {"GET", "/v1/fence/status", get<GetFenceStatus>},
    {"POST", "/v1/fence/test", test_fencing},
    {"POST", "/v1/fence/*/confirm", confirm_fence},
    {"POST", "/v1/fence/*/off", switch_off},
    {"POST", "/v1/cluster/start-alone", start_alone},
    {"POST", "/v1/cluster/disarm", disarm},
    {"POST", "/v1/cluster/arm", arm},
};

// Does the path follow the pattern? The name that stands for "*" goes to `name`.
bool matches(std::string_view pattern, const std::vector<std::string>& path, std::string& name) {
  auto segments = split(pattern.substr(1), '/');
  if (segments.size() != path.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i] == "*")
      name = path[i];
    else if (segments[i] != path[i])
      return false;
  }
  return true;
}

std::string joined(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& segment : path) text += "/" + segment;
  return text;
}

}  // namespace

std::expected<Call, Refused> parse_call(std::string_view method, std::string_view target_text,
                                        std::string_view body) {
  auto target = parse_target(target_text);
  if (!target) return std::unexpected(std::move(target.error()));
  std::string name, allow;
  for (const Route& route : kRoutes) {
    if (!matches(route.path, target->path, name)) continue;
    if (route.method == method) return route.parse({name, target->query, body});
    allow = route.method;
  }
  std::string path = joined(target->path);
  if (!allow.empty()) {
    auto refused =
        refuse(405, fmt::format("{} is not a {} request", path, method), fmt::format("use {}", allow));
    refused.error().allow = allow;
    return refused;
  }
  auto refused = refuse(404, fmt::format("there is no {}", path), "docs/api.md lists what there is");
  std::vector<std::string> known;
  for (const Route& route : kRoutes) known.emplace_back(route.path);
  refused.error().failure.nearest = nearest(path, known);
  return refused;
}

}  // namespace komainu::api
