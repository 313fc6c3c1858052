#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "api/documents/sentences.h"
#include "komainu/commands.h"
#include "komainu/request.h"

namespace komainu::cli {
namespace {

// What starting and stopping may take by the configuration, and some for the cluster.
constexpr Duration kMargin = 30s;

std::string group_target(const std::string& group, std::string_view verb) {
  return fmt::format("/v1/group/{}/{}", api::segment(group), verb);
}

std::string body(const std::optional<std::string>& node) {
  return node ? boost::json::serialize(boost::json::object{{"node", *node}}) : "";
}

std::function<bool(const api::EventView&)> about_group(const std::string& group) {
  return [group](const api::EventView& event) { return event.group == group; };
}

auto explanation_of(const std::string& group) {
  return [target = "/v1/explain/" + api::segment(group)](const api::Client& client) {
    return client.get<api::Explanation>(target);
  };
}

// Judges the group's explanation, as often as it is looked at.
template <class Judge>
std::function<api::Answer<Judgement>(const api::Client&)> looking_at(const std::string& group, Judge judge) {
  return [explain = explanation_of(group), judge](const api::Client& client) -> api::Answer<Judgement> {
    auto now = explain(client);
    if (!now) return std::unexpected(std::move(now.error()));
    return judge(*now);
  };
}

// Says yes by typing the name, so that nobody confirms the wrong node with a reflex.
bool sure_about(const Session& session, const std::string& warning, const std::string& name) {
  if (!session.ask) return false;
  return session.ask(fmt::format("{}\nType {} to go on: ", warning, name)) == name;
}

Exit unconfirmed(const Session& session) {
  return fail(session, Exit::kUsage, "not confirmed: nothing was done",
              session.ask ? "" : "without a terminal, say --yes");
}

Exit empty_node(const Session& session, const std::string& node, std::string_view verb,
                std::string_view what) {
  const std::string target = "/v1/node/" + api::segment(node);
  auto before = session.client().get<api::NodeView>(target);
  if (!before) return fail(session, before.error());
  std::string intent = before->groups.empty()
                           ? fmt::format("{} runs nothing; nothing will start there", node)
                           : fmt::format("{} {} {}", api::list(before->groups), what, node);
  return request(session,
                 {.target = fmt::format("{}/{}", target, verb),
                  .intent = std::move(intent),
                  .look = [target](const api::Client& client) -> api::Answer<Judgement> {
                    auto now = client.get<api::NodeView>(target);
                    if (!now) return std::unexpected(std::move(now.error()));
                    std::vector<api::Explanation> here;
                    for (const std::string& group : now->groups) {
                      auto explained = explanation_of(group)(client);
                      if (!explained) return std::unexpected(std::move(explained.error()));
                      here.push_back(std::move(*explained));
                    }
                    return emptied(*now, here);
                  },
                  .concerns =
                      [node, groups = before->groups](const api::EventView& event) {
                        return event.node == node ||
                               (event.group && std::ranges::find(groups, *event.group) != groups.end());
                      },
                  .limit = 10min});
}

}  // namespace

Exit start_group(const Session& session, const std::string& group, const std::optional<std::string>& node) {
  auto before = explanation_of(group)(session.client());
  if (!before) return fail(session, before.error());
  return request(session, {.target = group_target(group, "start"),
                           .body = body(node),
                           .intent = fmt::format("starting {}{}; it is {} now", group,
                                                 node ? " on " + *node : "", api::where(before->group)),
                           .look = looking_at(group, [node](const auto& now) { return started(now, node); }),
                           .concerns = about_group(group),
                           .limit = before->group.start_limit + before->group.stop_limit + kMargin});
}

Exit stop_group(const Session& session, const std::string& group) {
  auto before = explanation_of(group)(session.client());
  if (!before) return fail(session, before.error());
  return request(
      session, {.target = group_target(group, "stop"),
                .intent = fmt::format("stopping {}; it is {} now, and will stay stopped until it is started",
                                      group, api::where(before->group)),
                .look = looking_at(group, [](const auto& now) { return stopped(now); }),
                .concerns = about_group(group),
                .limit = before->group.stop_limit + kMargin});
}

Exit move_group(const Session& session, const std::string& group, const std::optional<std::string>& node) {
  auto before = explanation_of(group)(session.client());
  if (!before) return fail(session, before.error());
  std::optional<std::string> from;
  if (const std::string* online = before->group.online()) from = *online;
  std::string intent = fmt::format("moving {}{} to {}", group, from ? " from " + *from : "",
                                   node ? *node : "the best other node");
  if (from) intent += ": it stops there before it starts here";
  return request(session,
                 {.target = group_target(group, "move"),
                  .body = body(node),
                  .intent = std::move(intent),
                  .look = looking_at(group, [from, node](const auto& now) { return moved(now, from, node); }),
                  .concerns = about_group(group),
                  .limit = before->group.start_limit + before->group.stop_limit + kMargin});
}

Exit clear_group(const Session& session, const std::string& group) {
  return request(session, {.target = group_target(group, "clear"),
                           .intent = fmt::format("forgetting the failures of {}", group)});
}

Exit drain_node(const Session& session, const std::string& node) {
  return empty_node(session, node, "drain", "will leave");
}
Exit standby_node(const Session& session, const std::string& node) {
  return empty_node(session, node, "standby", "will leave, or stop if no other node can run it, on");
}
Exit resume_node(const Session& session, const std::string& node) {
  return request(session, {.target = fmt::format("/v1/node/{}/resume", api::segment(node)),
                           .intent = fmt::format("{} may run groups again", node)});
}

Exit suspend_monitor(const Session& session, const std::string& monitor) {
  return request(session, {.target = fmt::format("/v1/monitor/{}/suspend", api::segment(monitor)),
                           .intent = fmt::format("nothing is done about {} until it is resumed", monitor)});
}
Exit resume_monitor(const Session& session, const std::string& monitor) {
  return request(session, {.target = fmt::format("/v1/monitor/{}/resume", api::segment(monitor)),
                           .intent = fmt::format("{} counts again", monitor)});
}

Exit confirm_fence(const Session& session, const std::string& node, bool sure) {
  auto known = session.client().get<api::NodeView>("/v1/node/" + api::segment(node));
  if (!known) return fail(session, known.error());
  if (!sure &&
      !sure_about(session,
                  fmt::format("You vouch that {} is off, and stays off until it starts anew. If it runs, its "
                              "groups will be active twice and data is lost.",
                              node),
                  node))
    return unconfirmed(session);
  return request(session, {.target = fmt::format("/v1/fence/{}/confirm", api::segment(node)),
                           .intent = fmt::format("{} counts as off; what it ran may start elsewhere", node)});
}

Exit start_alone(const Session& session, bool sure) {
  auto status = session.client().get<api::Status>("/v1/status");
  if (!status) return fail(session, status.error());
  if (!sure &&
      !sure_about(
          session,
          fmt::format(
              "{} will no longer wait for the other node. What that one may run starts here only after "
              "`komainu fence confirm` or a confirmed fence.",
              status->self),
          status->self))
    return unconfirmed(session);
  return request(session, {.target = "/v1/cluster/start-alone",
                           .intent = fmt::format("{} no longer waits for the other node", status->self)});
}

}  // namespace komainu::cli
