#include "api/call.h"

#include <gtest/gtest.h>

namespace komainu::api {
namespace {

template <class T>
T parsed(std::string_view method, std::string_view target, std::string_view body = {}) {
  auto call = parse_call(method, target, body);
  if (!call) {
    ADD_FAILURE() << target << ": " << call.error().failure.error;
    return T{};
  }
  if (!std::holds_alternative<T>(*call)) {
    ADD_FAILURE() << target << " is another call";
    return T{};
  }
  return std::get<T>(*call);
}

Refused refused(std::string_view method, std::string_view target, std::string_view body = {}) {
  auto call = parse_call(method, target, body);
  if (call) {
    ADD_FAILURE() << target << " was not refused";
    return Refused{0, {}, {}};
  }
  return call.error();
}

TEST(Call, ReadsEveryRoute) {
  parsed<GetStatus>("GET", "/v1/status");
  parsed<GetNames>("GET", "/v1/names");
  parsed<GetHealth>("GET", "/v1/health");
  parsed<GetConfig>("GET", "/v1/config");
  parsed<GetFenceStatus>("GET", "/v1/fence/status");
  EXPECT_EQ(parsed<GetExplanation>("GET", "/v1/explain/orders-db").group, "orders-db");
  EXPECT_EQ(parsed<GetGroup>("GET", "/v1/group/orders-db").name, "orders-db");
  EXPECT_EQ(parsed<GetNode>("GET", "/v1/node/guest1").name, "guest1");
  EXPECT_EQ(parsed<CommandGroup>("POST", "/v1/group/db/start").verb, CommandGroup::Verb::kStart);
  EXPECT_EQ(parsed<CommandGroup>("POST", "/v1/group/db/stop").verb, CommandGroup::Verb::kStop);
  EXPECT_EQ(parsed<CommandGroup>("POST", "/v1/group/db/clear").verb, CommandGroup::Verb::kClear);
  EXPECT_EQ(parsed<CommandGroup>("POST", "/v1/group/db/move", R"({"node": "guest2"})").node, "guest2");
  EXPECT_EQ(parsed<CommandGroup>("POST", "/v1/group/db/move", R"({"node": null})").node, std::nullopt);
  EXPECT_EQ(parsed<CommandGroup>("POST", "/v1/group/db/move").node, std::nullopt);
  EXPECT_EQ(parsed<CommandNode>("POST", "/v1/node/guest1/drain").duty, core::Duty::kDrained);
  EXPECT_EQ(parsed<CommandNode>("POST", "/v1/node/guest1/resume").duty, core::Duty::kActive);
  EXPECT_EQ(parsed<CommandNode>("POST", "/v1/node/guest1/standby").duty, core::Duty::kStandby);
  EXPECT_TRUE(parsed<CommandMonitor>("POST", "/v1/monitor/lan/suspend").suspended);
  EXPECT_FALSE(parsed<CommandMonitor>("POST", "/v1/monitor/lan/resume").suspended);
  EXPECT_EQ(parsed<ConfirmFence>("POST", "/v1/fence/guest2/confirm").node, "guest2");
  EXPECT_EQ(parsed<SwitchOff>("POST", "/v1/fence/guest2/off").node, "guest2");
  EXPECT_EQ(parsed<TestFencing>("POST", "/v1/fence/test").node, std::nullopt);
  EXPECT_EQ(parsed<TestFencing>("POST", "/v1/fence/test", R"({"node": "guest2"})").node, "guest2");
  EXPECT_EQ(parsed<ApplyConfig>("POST", "/v1/config/apply", "[cluster]\n").text, "[cluster]\n");
  EXPECT_EQ(parsed<CheckConfig>("POST", "/v1/config/check", "x").text, "x");
  parsed<StartAlone>("POST", "/v1/cluster/start-alone");
}

TEST(Call, ReadsWhereEventsBegin) {
  EXPECT_EQ(parsed<GetEvents>("GET", "/v1/events").since, 0u);
  EXPECT_EQ(parsed<GetEvents>("GET", "/v1/events?since=12").since, 12u);
  EXPECT_EQ(parsed<GetEvents>("GET", "/v1/events?since=now&follow=1").since, std::nullopt);
  EXPECT_TRUE(parsed<GetEvents>("GET", "/v1/events?since=now&follow=1").follow);
  EXPECT_EQ(refused("GET", "/v1/events?since=-1").status, 400u);
  EXPECT_EQ(refused("GET", "/v1/events?since=99999999999999999999").status, 400u);
  EXPECT_EQ(refused("GET", "/v1/events?follow=maybe").status, 400u);
  EXPECT_EQ(refused("GET", "/v1/events?sinse=1").status, 400u);
}

TEST(Call, DecodesNames) {
  EXPECT_EQ(parsed<GetGroup>("GET", "/v1/group/b%C3%BCcher%2Fshop").name, "bücher/shop");
  EXPECT_EQ(refused("GET", "/v1/group/a%0ab").status, 400u);
  EXPECT_EQ(refused("GET", "/v1/group/a%0").status, 400u);
  EXPECT_EQ(refused("GET", "/v1/group/a%+1").status, 400u);
}

TEST(Call, RefusesAndSaysWhatWouldBeRight) {
  Refused wrong_method = refused("GET", "/v1/group/db/start");
  EXPECT_EQ(wrong_method.status, 405u);
  EXPECT_EQ(wrong_method.allow, "POST");
  Refused unknown = refused("GET", "/v1/satus");
  EXPECT_EQ(unknown.status, 404u);
  EXPECT_EQ(unknown.failure.nearest, "/v1/status");
  EXPECT_EQ(refused("GET", "status").status, 400u);
  EXPECT_EQ(refused("GET", "/v1/" + std::string(3000, 'x')).status, 414u);
  EXPECT_EQ(refused("GET", "/1/2/3/4/5/6/7/8/9").status, 400u);
  EXPECT_EQ(refused("POST", "/v1/config/apply").status, 400u);
}

TEST(Call, TakesNoBodyThatItDoesNotUnderstand) {
  for (std::string_view body :
       {"x", "[]", "\"guest2\"", R"({"node": 1})", R"({"nod": "guest2"})", R"({"node": "a")"})
    EXPECT_EQ(refused("POST", "/v1/group/db/move", body).status, 400u) << body;
  EXPECT_EQ(refused("POST", "/v1/group/db/stop", R"({"node": "guest2"})").status, 400u);
  std::string deep(100, '[');
  EXPECT_EQ(refused("POST", "/v1/group/db/move", deep).status, 400u);
}

}  // namespace
}  // namespace komainu::api
