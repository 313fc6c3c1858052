#include "base/nearest.h"

#include <gtest/gtest.h>

#include <vector>

namespace komainu {
namespace {

TEST(Nearest, FindsTheNameThatWasMeant) {
  std::vector<std::string> known{"orders-db", "orders-web", "billing"};
  struct Case {
    std::string typed;
    std::optional<std::string> meant;
  };
  for (const Case& c :
       {Case{"orders-bd", "orders-db"}, Case{"order-web", "orders-web"}, Case{"BILLING", "billing"},
        Case{"biling", "billing"}, Case{"orders", std::nullopt}, Case{"x", std::nullopt},
        Case{"", std::nullopt}, Case{std::string(500, 'o'), std::nullopt}})
    EXPECT_EQ(nearest(c.typed, known), c.meant) << c.typed;
}

TEST(Nearest, KnowsNothingWithoutNames) {
  EXPECT_EQ(nearest("guest1", {}), std::nullopt);
}

TEST(Nearest, PrefersTheCloserAndThenTheFirst) {
  std::vector<std::string> known{"guest1", "guest2", "guest12"};
  EXPECT_EQ(nearest("guest3", known), "guest1");
  EXPECT_EQ(nearest("guest02", known), "guest2");
}

}  // namespace
}  // namespace komainu
