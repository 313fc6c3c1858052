#include "config/reference.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "config/parse.h"
#include "config/testing.h"
#include "drivers/driver.h"

namespace komainu::config {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Reference, NamesEverySectionKeyAndType) {
  const std::string text = reference(testing::registry());
  for (const char* part : {"[cluster]", "[[node]]", "[quorum]", "arbiter = {", "[[fencing]]", "[timing]",
                           "[brakes]", "[[group]]", "[[group.resource]]", "[[monitor]]", "on_failure = {",
                           "\n  capacity\n", "\n  quiet_until_healthy\n", "type = \"floating-ip\" (resource)",
                           "type = \"ping\" (monitor)", "type = \"agent\" (fencing device)"})
    EXPECT_TRUE(has(text, part)) << part;
}

TEST(Reference, SaysWhatAKeyTakesAndItsDefault) {
  const std::string text = reference(testing::registry(), "monitor");
  EXPECT_TRUE(has(text, "\n  name\n      text; required\n      The monitor's name.\n")) << text;
  EXPECT_TRUE(has(text, "\n  retries\n      integer, at most 1000; default 1\n")) << text;
  EXPECT_FALSE(has(text, "[cluster]"));
}

TEST(Reference, GivesTheTimesOfEachProfile) {
  EXPECT_TRUE(
      has(reference(testing::registry(), "timing"), "duration, 200ms to 1min; fast 300ms, lan 1s, wan 5s\n"));
}

TEST(Reference, OfATypeIsThatOfTheType) {
  EXPECT_EQ(reference(testing::registry(), "mirror-disk"),
            "type = \"mirror-disk\" (resource)\n"
            "  A mirror.\n"
            "\n"
            "  device\n"
            "      path; required\n"
            "      The device.\n");
  EXPECT_EQ(reference(testing::registry(), "no-such-thing"), "");
}

TEST(Reference, IsFoundByWhatAPersonWouldCallIt) {
  const auto topic = [](const char* typed) {
    const Result<std::string> meant = reference_topic(testing::registry(), typed);
    return meant ? *meant : meant.error().what + "; " + meant.error().help;
  };
  for (const auto& [typed, meant] : std::initializer_list<std::pair<const char*, const char*>>{
           {"monitor", "monitor"},
           {"monitors", "monitor"},
           {"brake", "brakes"},
           {"resources", "group.resource"},
           {"group.resource", "group.resource"},
           {"gro", "group"},
           {"arb", "quorum.arbiter"},
           {"quorum", "quorum"},
           {"fencing", "fencing.device"},
           {"float", "floating-ip"},
           {"m", "'m' is the beginning of mirror-disk, monitor; name one of them"},
           {"pign", "the configuration has no section and no type 'pign'; did you mean 'ping'?"},
           {"nonsense",
            "the configuration has no section and no type 'nonsense'; `komainu config reference` shows all "
            "of "
            "them"}})
    EXPECT_EQ(topic(typed), meant);
}

TEST(Reference, OfTheRealTypesSaysSomethingAboutEverything) {
  params::Registry registry;
  drivers::declare_types(registry);
  const boost::json::object all = reference_json(registry);
  EXPECT_FALSE(all.at("resources").as_array().empty());
  for (const auto& list : all)
    for (const boost::json::value& schema : list.value().as_array()) {
      EXPECT_FALSE(schema.at("text").as_string().empty()) << schema;
      for (const boost::json::value& key : schema.at("keys").as_array()) {
        EXPECT_FALSE(key.at("text").as_string().empty()) << schema.at("name") << key;
        EXPECT_TRUE(key.at("text").as_string().ends_with('.')) << schema.at("name") << key;
      }
    }
}

TEST(Reference, InJsonHasDefaultsAndBounds) {
  const boost::json::object all = reference_json(testing::registry());
  const boost::json::value& probes = all.at("resources").at(0).at("keys").at(2);
  EXPECT_EQ(
      boost::json::serialize(probes),
      R"({"name":"probes","type":"integer","list":false,"required":false,"unit":"","text":"Probes before use.",)"
      R"("default":3,"min":null,"max":10,"choices":[]})");
  EXPECT_EQ(all.at("resources").at(1).at("holds_data"), true);
}

// A driver must not declare what every resource, monitor or device has already.
TEST(Reference, NoRealTypeDeclaresAKeyOfItsSection) {
  params::Registry registry;
  drivers::declare_types(registry);
  std::string text = testing::two_nodes();
  for (const std::string& type : registry.names(params::Kind::kResource))
    text += "  [[group.resource]]\n  name = \"r-" + type + "\"\n  type = \"" + type + "\"\n";
  for (const std::string& type : registry.names(params::Kind::kMonitor))
    text += "[[monitor]]\nname = \"m-" + type + "\"\ntype = \"" + type + "\"\n";
  for (const std::string& type : registry.names(params::Kind::kFencer))
    text += "[[fencing]]\ndevice = [ { type = \"" + type + "\" } ]\n";
  EXPECT_NO_THROW(parse(text, registry));
}

}  // namespace
}  // namespace komainu::config
