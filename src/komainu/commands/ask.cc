#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "api/documents/sentences.h"
#include "base/nearest.h"
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

// Before anything is announced: does the name name something? What is returned ends the command.
std::optional<Exit> unknown(const Session& session, std::string_view kind, const std::string& name,
                            std::vector<std::string> api::Names::* all) {
  const auto names = session.client().get<api::Names>("/v1/names");
  if (!names) return fail(session, names.error());
  const std::vector<std::string>& known = (*names).*all;
  if (std::ranges::find(known, name) != known.end()) return std::nullopt;
  const auto meant = nearest(name, known);
  return fail(session, Exit::kUsage, fmt::format("there is no {} '{}'", kind, name),
              meant ? fmt::format("did you mean '{}'?", *meant) : "`komainu status` lists all");
}

Exit empty_node(const Session& session, const std::string& node, std::string_view verb,
                std::string_view what) {
  const std::string target = "/v1/node/" + api::segment(node);
  auto before = session.client().get<api::NodeView>(target);
  if (!before) return fail(session, before.error());
  std::string intent = fmt::format("{} of {}: ", verb, node) +
                       (before->groups.empty() ? "it runs nothing; nothing is to start there"
                                               : fmt::format("{} {}", api::list(before->groups), what));
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
  if (node)
    if (auto wrong = unknown(session, "node", *node, &api::Names::nodes)) return *wrong;
  return request(session, {.target = group_target(group, "start"),
                           .body = body(node),
                           .intent = fmt::format("starting {}{}; {} now", group, node ? " on " + *node : "",
                                                 api::sentence("it", before->group)),
                           .look = looking_at(group, [node](const auto& now) { return started(now, node); }),
                           .concerns = about_group(group),
                           .limit = before->group.start_limit + before->group.stop_limit + kMargin});
}

Exit stop_group(const Session& session, const std::string& group) {
  auto before = explanation_of(group)(session.client());
  if (!before) return fail(session, before.error());
  return request(session,
                 {.target = group_target(group, "stop"),
                  .intent = fmt::format("stopping {}; {} now, and is to stay stopped until it is started",
                                        group, api::sentence("it", before->group)),
                  .look = looking_at(group, [](const auto& now) { return stopped(now); }),
                  .concerns = about_group(group),
                  .limit = before->group.stop_limit + kMargin});
}

Exit move_group(const Session& session, const std::string& group, const std::optional<std::string>& node) {
  auto before = explanation_of(group)(session.client());
  if (!before) return fail(session, before.error());
  if (node)
    if (auto wrong = unknown(session, "node", *node, &api::Names::nodes)) return *wrong;
  std::optional<std::string> from;
  if (const std::string* online = before->group.online()) from = *online;
  if (from && from == node && !before->group.move_to && !before->group.order)
    return nothing_to_do(session, fmt::format("{} is on {} already", group, *node));
  std::string intent = fmt::format("moving {}{} to {}", group, from ? " from " + *from : "",
                                   node ? *node : "the best other node");
  if (from && from != node) intent += ": it stops there before it starts here";
  return request(session,
                 {.target = group_target(group, "move"),
                  .body = body(node),
                  .intent = std::move(intent),
                  .look = looking_at(group, [from, node](const auto& now) { return moved(now, from, node); }),
                  .concerns = about_group(group),
                  .limit = before->group.start_limit + before->group.stop_limit + kMargin});
}

Exit clear_group(const Session& session, const std::string& group) {
  if (auto wrong = unknown(session, "group", group, &api::Names::groups)) return *wrong;
  return request(session, {.target = group_target(group, "clear"),
                           .intent = fmt::format("forgetting the failures of {}", group)});
}

Exit drain_node(const Session& session, const std::string& node) {
  return empty_node(session, node, "drain", "to leave it");
}
Exit standby_node(const Session& session, const std::string& node) {
  return empty_node(session, node, "standby", "to leave it, or to stop where no other node can run it");
}
Exit resume_node(const Session& session, const std::string& node) {
  if (auto wrong = unknown(session, "node", node, &api::Names::nodes)) return *wrong;
  return request(session, {.target = fmt::format("/v1/node/{}/resume", api::segment(node)),
                           .intent = fmt::format("letting {} run groups again", node)});
}

Exit suspend_monitor(const Session& session, const std::string& monitor) {
  if (auto wrong = unknown(session, "monitor", monitor, &api::Names::monitors)) return *wrong;
  return request(session,
                 {.target = fmt::format("/v1/monitor/{}/suspend", api::segment(monitor)),
                  .intent = fmt::format("suspending {}: what it finds is to move nothing until it is resumed",
                                        monitor)});
}
Exit resume_monitor(const Session& session, const std::string& monitor) {
  if (auto wrong = unknown(session, "monitor", monitor, &api::Names::monitors)) return *wrong;
  return request(session, {.target = fmt::format("/v1/monitor/{}/resume", api::segment(monitor)),
                           .intent = fmt::format("letting {} count again", monitor)});
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
                           .intent = fmt::format("telling the cluster that {} is off", node)});
}

namespace {

// Where its groups would go: "web (to guest2) and db (can run nowhere else)".
api::Answer<std::string> what_moves(const Session& session, const api::NodeView& node) {
  std::vector<std::string> groups;
  for (const std::string& group : node.groups) {
    auto explained = explanation_of(group)(session.client());
    if (!explained) return std::unexpected(std::move(explained.error()));
    const auto& places = explained->placement;
    const auto other = std::ranges::find_if(
        places, [&](const auto& place) { return place.eligible && place.node != node.name; });
    groups.push_back(other == places.end() ? fmt::format("{} (can run nowhere else now)", group)
                                           : fmt::format("{} (to {})", group, other->node));
  }
  return groups.empty() ? "It runs nothing" : "It runs " + api::list(groups);
}

}  // namespace

Exit switch_off(const Session& session, const std::string& node, bool sure) {
  const std::string target = "/v1/node/" + api::segment(node);
  auto known = session.client().get<api::NodeView>(target);
  if (!known) return fail(session, known.error());
  if (!sure) {
    auto moves = what_moves(session, *known);
    if (!moves) return fail(session, moves.error());
    const bool well = known->standing == core::Standing::kMember && !known->suspended;
    std::string warning = fmt::format("{} will be switched off now, as by its power switch{}. {}.", node,
                                      known->self ? "; you are on it" : "", *moves);
    if (well && !known->groups.empty())
      warning += fmt::format(" It answers: `komainu node drain {}` moves its groups off without harm.", node);
    if (!sure_about(session, warning, node)) return unconfirmed(session);
  }
  return request(
      session,
      {.target = fmt::format("/v1/fence/{}/off", api::segment(node)),
       .intent = fmt::format("switching {} off: its groups start elsewhere once that is confirmed", node),
       .look = [target](const api::Client& client) -> api::Answer<Judgement> {
         auto now = client.get<api::NodeView>(target);
         if (!now) return std::unexpected(std::move(now.error()));
         return switched_off(*now);
       },
       .concerns =
           [node, groups = known->groups](const api::EventView& event) {
             return event.node == node ||
                    (event.group && std::ranges::find(groups, *event.group) != groups.end());
           },
       .limit = core::FenceWish::kLasts + kMargin});
}

Exit disarm_cluster(const Session& session, const std::string& length, const std::string& why) {
  return request(session,
                 {.target = "/v1/cluster/disarm",
                  .body = boost::json::serialize(boost::json::object{{"for", length}, {"why", why}}),
                  .intent = fmt::format(
                      "disarming for {}: nothing is started, restarted, fenced or reset meanwhile", length)});
}

Exit arm_cluster(const Session& session) {
  return request(session, {.target = "/v1/cluster/arm", .intent = "arming the cluster: komainu acts again"});
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
  return request(session,
                 {.target = "/v1/cluster/start-alone",
                  .intent = fmt::format("telling {} to wait no longer for the other node", status->self)});
}

}  // namespace komainu::cli
