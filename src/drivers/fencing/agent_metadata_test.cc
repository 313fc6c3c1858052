#include "drivers/fencing/agent_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;

// The shape of fence-agents' own output: newer names beside the deprecated ones that mean the same.
const std::string kXml = R"(<?xml version="1.0" ?>
<resource-agent name="fence_box" shortdesc="…">
<longdesc>…</longdesc>
<parameters>
  <parameter name="action" unique="0" required="1"><content type="string" default="reboot"/></parameter>
  <parameter name="auth" unique="0" required="0">
    <content type="select"><option value="md5"/><option value="none"/></content></parameter>
  <parameter name="ip" unique="0" required="1" obsoletes="ipaddr"><content type="string"/></parameter>
  <parameter name="ipaddr" unique="0" required="1" deprecated="1"><content type="string"/></parameter>
  <parameter name="ipport" unique="0" required="0"><content type="integer" default="623"/></parameter>
  <parameter name="lanplus" unique="0" required="0"><content type="boolean" default="0"/></parameter>
  <parameter name="plug" unique="0" required="1" obsoletes="port"><content type="string"/></parameter>
  <parameter name="power_wait" unique="0" required="0"><content type="second" default="2"/></parameter>
</parameters>
<actions><action name="off"/></actions>
</resource-agent>)";

std::string complaint(const std::vector<std::string>& options, Rest rest = Rest::kNone) {
  const auto error = problem_of(*parse_agent_metadata(kXml), options, {"action", "plug"}, rest);
  return error ? error->what + "; " + error->help : "";
}

TEST(AgentMetadata, AcceptsWhatTheAgentKnows) {
  EXPECT_EQ(complaint({"ip=192.0.2.7", "ipport=624", "lanplus=On", "auth=MD5", "power_wait=3"}), "");
  EXPECT_EQ(complaint({"ipaddr=192.0.2.7"}), "") << "an older name of the same option";
}

TEST(AgentMetadata, NamesTheOptionThatWasProbablyMeant) {
  EXPECT_EQ(complaint({"ip=192.0.2.7", "lan_plus=1"}),
            "has \"lan_plus\", which fence_box does not know; did you mean \"lanplus\"?");
}

TEST(AgentMetadata, RefusesValuesOfAnotherKind) {
  EXPECT_THAT(complaint({"ip=a", "ipport=ssh"}), HasSubstr("has ipport=\"ssh\"; fence_box expects a number"));
  EXPECT_THAT(complaint({"ip=a", "power_wait=2s"}), HasSubstr("expects a number of seconds"));
  EXPECT_THAT(complaint({"ip=a", "lanplus=maybe"}), HasSubstr("expects 1 or 0"));
  EXPECT_THAT(complaint({"ip=a", "auth=sha"}), HasSubstr("expects one of md5, none"));
}

TEST(AgentMetadata, MissesARequiredOptionUnlessASecretFileMayHoldIt) {
  EXPECT_EQ(complaint({"lanplus=1"}), "lacks ip, which fence_box needs; add \"ip=…\"");
  EXPECT_EQ(complaint({"lanplus=1"}, Rest::kInSecret), "");
}

TEST(AgentMetadata, RefusesWhatIsNoMetadata) {
  EXPECT_FALSE(parse_agent_metadata("usage: fence_box [options]"));
  EXPECT_FALSE(
      parse_agent_metadata("<resource-agent><parameters><parameter/></parameters></resource-agent>"));
  EXPECT_FALSE(parse_agent_metadata(std::string(kMaxAgentMetadata + 1, ' ')));
}

}  // namespace
}  // namespace komainu::drivers
