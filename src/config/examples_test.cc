// Every configuration in the documents is one that komainu takes, with the real driver types.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "config/parse.h"
#include "config/show.h"
#include "drivers/driver.h"

namespace komainu::config {
namespace {

const std::filesystem::path kSource = KOMAINU_SOURCE;

const params::Registry& types() {
  static const params::Registry registry = [] {
    params::Registry result;
    drivers::declare_types(result);
    return result;
  }();
  return registry;
}

core::Spec expect_good(const std::string& name, const std::string& text) {
  const Parsed parsed = parse(text, types());
  EXPECT_TRUE(parsed.diagnostics.empty()) << render(parsed.diagnostics, name, text);
  return parsed.spec.value_or(core::Spec{});
}

core::Spec example(const std::string& name) {
  const Result<std::string> text = read_file(kSource / "docs/examples" / name);
  EXPECT_TRUE(text) << text.error().what;
  return expect_good(name, text.value_or(""));
}

TEST(Examples, TwoNodesAreFencedAndShareAnAddress) {
  const core::Spec spec = example("two-nodes.toml");
  EXPECT_TRUE(spec.two_node());
  EXPECT_EQ(spec.fencing.size(), 1U);
  EXPECT_EQ(spec.groups.size(), 1U);
}

TEST(Examples, AnArbiterHasTheVoteBetweenTwoNodes) {
  const core::Spec spec = example("two-nodes-arbiter.toml");
  EXPECT_FALSE(spec.two_node());
  EXPECT_EQ(spec.quorum_votes(), 2U);
  EXPECT_EQ(spec.fencing.size(), 1U);
}

TEST(Examples, ThreeNodesDoWithoutFencing) {
  const core::Spec spec = example("three-nodes.toml");
  EXPECT_EQ(spec.quorum_votes(), 2U);
  EXPECT_TRUE(spec.fencing.empty());
}

TEST(Examples, ASingleServerNeedsNoCluster) {
  EXPECT_EQ(example("single-server.toml").nodes.size(), 1U);
}

TEST(Examples, AreAllChecked) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kSource / "docs/examples")) {
    const core::Spec spec = example(entry.path().filename());
    const Parsed again = parse(show(spec), types(), &spec);
    EXPECT_TRUE(again.spec) << render(again.diagnostics, entry.path().string(), show(spec));
    ++files;
  }
  EXPECT_GE(files, 3);
}

TEST(Examples, TheReadmesConfigurationIsGood) {
  const std::string text = read_file(kSource / "README.md").value();
  constexpr std::string_view kFence = "```toml\n";
  std::size_t begin = text.find(kFence);
  ASSERT_NE(begin, std::string::npos);
  for (; begin != std::string::npos; begin = text.find(kFence, begin)) {
    begin += kFence.size();
    expect_good("README.md", text.substr(begin, text.find("```", begin) - begin));
  }
}

}  // namespace
}  // namespace komainu::config
