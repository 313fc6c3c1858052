#include "drivers/types.h"

#include <gtest/gtest.h>

namespace komainu::drivers {
namespace {

TEST(Types, TheConfigurationIsToldOfAllThatCanBeFound) {
  params::Registry registry;
  declare_types(registry);
  for (const std::string& name : registry.names(params::Kind::kResource))
    EXPECT_TRUE(find_resource_type(name)) << name;
  for (const std::string& name : registry.names(params::Kind::kMonitor))
    EXPECT_TRUE(find_monitor_type(name)) << name;
  for (const std::string& name : registry.names(params::Kind::kFencer))
    EXPECT_TRUE(find_fencer_type(name)) << name;
  EXPECT_EQ(registry.names(params::Kind::kResource),
            (std::vector<std::string>{"command", "floating-ip", "systemd"}));
  EXPECT_EQ(registry.names(params::Kind::kMonitor),
            (std::vector<std::string>{"command", "ftp", "http", "https", "imap", "nic-link", "ping",
                                      "process", "redis", "smtp", "systemd-unit", "tcp"}));
  EXPECT_EQ(registry.names(params::Kind::kFencer), (std::vector<std::string>{"agent"}));
  EXPECT_FALSE(find_resource_type("tcp")) << "a monitor is no resource";
}

TEST(Types, EveryParameterIsDocumented) {
  params::Registry registry;
  declare_types(registry);
  for (const auto kind : {params::Kind::kResource, params::Kind::kMonitor, params::Kind::kFencer})
    for (const std::string& name : registry.names(kind)) {
      const params::Schema& schema = registry.find(kind, name)->schema;
      EXPECT_TRUE(schema.text.ends_with('.')) << name;
      for (const params::Param& param : schema.params)
        EXPECT_TRUE(param.text.ends_with('.')) << name << ' ' << param.name;
    }
}

}  // namespace
}  // namespace komainu::drivers
