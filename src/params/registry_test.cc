#include "params/registry.h"

#include <gtest/gtest.h>

namespace komainu::params {
namespace {

Schema schema(std::string name) {
  Schema result;
  result.name = std::move(name);
  return result;
}

TEST(Registry, FindsATypeByKindAndName) {
  Registry registry;
  registry.add(Kind::kResource, schema("mirror-disk"), Data::kHeld);
  registry.add(Kind::kMonitor, schema("tcp"));
  registry.add(Kind::kMonitor, schema("http"));

  EXPECT_EQ(registry.find(Kind::kResource, "mirror-disk")->data, Data::kHeld);
  EXPECT_EQ(registry.find(Kind::kMonitor, "mirror-disk"), nullptr);
  EXPECT_EQ(registry.names(Kind::kMonitor), (std::vector<std::string>{"http", "tcp"}));
}

TEST(Registry, RefusesTheSameTypeTwice) {
  Registry registry;
  registry.add(Kind::kMonitor, schema("tcp"));
  registry.add(Kind::kResource, schema("tcp"));
  EXPECT_THROW(registry.add(Kind::kMonitor, schema("tcp")), std::logic_error);
}

}  // namespace
}  // namespace komainu::params
