// `komainu simulate` as an administrator calls it: the cases of tests/simulate, and the examples' tables.
//
// A case is a folder with cluster.toml, scenario.toml and `expected`: lines that the output holds, in this
// order, each as a part of one of its lines (spaces count once). "! text" is in no line of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/parse.h"
#include "komainu/program.h"
#include "komainu/render/simulate.h"

namespace komainu::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::filesystem::path kSource = KOMAINU_SOURCE;

struct Ran {
  Exit exit = Exit::kDone;
  std::string out, err;
};
Ran ran(const std::vector<std::string>& arguments) {
  std::ostringstream out, err;
  Session session{.out = out, .err = err, .style = {}, .err_style = {}, .socket = "/nowhere"};
  const Exit exit = run(arguments, session);
  return {exit, out.str(), err.str()};
}

std::string squeezed(const std::string& line) {
  std::istringstream words(line);
  std::string result, word;
  while (words >> word) result += (result.empty() ? "" : " ") + word;
  return result;
}
// Without what a line of the log begins with: its time and its cause.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string kept, word;
    while (words >> word)
      if (word[0] != '#') kept += (kept.empty() ? "" : " ") + word;
    lines.push_back(kept);
  }
  return lines;
}

class Cases : public ::testing::TestWithParam<std::string> {};

TEST_P(Cases, ComesOutAsExpected) {
  const std::filesystem::path folder = kSource / "tests/simulate" / GetParam();
  const Ran result = ran({"simulate", folder / "cluster.toml", folder / "scenario.toml"});
  ASSERT_EQ(result.exit, Exit::kDone) << result.err;
  const std::vector<std::string> lines = lines_of(result.out);
  std::ifstream expected(folder / "expected");
  auto from = lines.begin();
  int wanted = 0;
  for (std::string line; std::getline(expected, line);) {
    const bool never = line.starts_with("! ");
    const std::string part = squeezed(never ? line.substr(2) : line);
    if (part.empty()) continue;
    const auto holds = [&](const std::string& text) { return text.find(part) != std::string::npos; };
    if (never) {
      EXPECT_EQ(std::find_if(lines.begin(), lines.end(), holds), lines.end()) << part << "\n" << result.out;
      continue;
    }
    ++wanted;
    const auto found = std::find_if(from, lines.end(), holds);
    ASSERT_NE(found, lines.end()) << "not found, or not there: " << part << "\n" << result.out;
    from = found + 1;
  }
  EXPECT_GT(wanted, 0) << "a case expects something";
}

std::vector<std::string> all_cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kSource / "tests/simulate"))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Simulate, Cases, ::testing::ValuesIn(all_cases()), [](const auto& of) {
  std::string name = of.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Log, TellsOnceOfEachFenceThatABrakeHoldsBack) {
  const std::filesystem::path folder = kSource / "tests/simulate/brake";
  const Ran result = ran({"simulate", folder / "cluster.toml", folder / "scenario.toml"});
  const std::vector<std::string> lines = lines_of(result.out);
  EXPECT_EQ(std::ranges::count_if(
                lines, [](const std::string& line) { return line.find("is not fenced") != line.npos; }),
            1)
      << result.out;
}

// ---- the table

std::string file_with(const std::string& name, const std::string& text) {
  const std::filesystem::path path =
      std::filesystem::path(::testing::TempDir()) / (std::to_string(getpid()) + "-" + name);
  std::ofstream(path) << text;
  return path;
}

std::vector<boost::json::object> records(const std::string& out) {
  std::vector<boost::json::object> result;
  std::istringstream stream(out);
  for (std::string line; std::getline(stream, line);) result.push_back(boost::json::parse(line).as_object());
  return result;
}

TEST(Table, OfTwoNodesSaysWhatEachFaultComesTo) {
  const Ran result = ran({"simulate", kSource / "docs/examples/two-nodes.toml", "--json"});
  ASSERT_EQ(result.exit, Exit::kDone) << result.err;
  std::map<std::string, boost::json::object> trials;
  for (const boost::json::object& record : records(result.out)) {
    EXPECT_EQ(record.at("version"), kSimulateVersion);
    if (record.at("record") == "trial") trials[std::string(record.at("text").as_string())] = record;
  }
  const auto symbol = [&](const char* fault) {
    return std::string(trials.at(fault).at("symbol").as_string());
  };
  EXPECT_EQ(symbol("guest1 loses power"), "◎");
  EXPECT_EQ(trials.at("guest1 loses power").at("groups").as_array()[0].as_object().at("served_by"), "guest2");
  // Token and consensus, the race, the fence and the start: the numbers of the profile and the assumptions.
  const std::int64_t downtime = trials.at("guest1 loses power").at("downtime_us").as_int64();
  EXPECT_GT(downtime, 2'200'000 + 5'000'000 + 1'100'000);
  EXPECT_LT(downtime, 10'000'000);
  EXPECT_EQ(trials.at("guest1 loses power").at("deeds").as_array().front(), "guest1 is fenced");
  EXPECT_EQ(trials.at("guest2 loses power").at("downtime_us"), 0);
  EXPECT_EQ(symbol("web/nginx hangs"), "◎");
  EXPECT_EQ(trials.at("web/nginx hangs").at("detected_by"), "web-answers");
  EXPECT_EQ(symbol("guest1 loses the link of eth1"), "◎");
  EXPECT_EQ(symbol("192.168.50.1 does not answer anybody"), "△");
  EXPECT_EQ(symbol("the fencing devices for guest1 do not answer"), "△");
  EXPECT_TRUE(trials.at("the fencing devices for guest1 do not answer").at("detected_by").is_null());
  EXPECT_EQ(symbol("all nodes lose power; power is back"), "○");
  EXPECT_EQ(symbol("all nodes lose power; power is back, but for guest1"), "×");
  EXPECT_TRUE(trials.at("all nodes lose power; power is back, but for guest1").at("downtime_us").is_null());
  for (const auto& [fault, trial] : trials) EXPECT_EQ(trial.at("active_twice"), false) << fault;
}

TEST(Table, OfEveryExampleIsPrinted) {
  for (const auto& entry : std::filesystem::directory_iterator(kSource / "docs/examples")) {
    const Ran result = ran({"simulate", entry.path()});
    EXPECT_EQ(result.exit, Exit::kDone) << entry.path() << result.err;
    EXPECT_THAT(result.out, HasSubstr("DETECTED BY"));
    EXPECT_THAT(result.out, HasSubstr("loses power"));
    EXPECT_THAT(result.out, Not(HasSubstr("ACTIVE ON TWO NODES")));
  }
}

TEST(Table, OfPairsShowsThatADeadFencingDeviceStopsAFailover) {
  const Ran result = ran({"simulate", kSource / "docs/examples/two-nodes.toml", "--pairs", "--json"});
  ASSERT_EQ(result.exit, Exit::kDone) << result.err;
  std::size_t trials = 0;
  for (const boost::json::object& record : records(result.out)) {
    if (record.at("record") != "trial") continue;
    ++trials;
    EXPECT_EQ(record.at("active_twice"), false) << record.at("text");
    if (record.at("text") == "the fencing devices for guest1 do not answer + guest1 loses power") {
      EXPECT_EQ(record.at("symbol"), "×");
      EXPECT_EQ(record.at("deeds").as_array().front(), "guest1 cannot be fenced");
    }
  }
  EXPECT_GT(trials, 300u);
}

TEST(Table, TakesWhatAScenarioWithoutStepsAssumes) {
  const std::string scenario = file_with("komainu-simulate-assume.toml", "[assume]\nfence = \"30s\"\n");
  const Ran result = ran({"simulate", kSource / "docs/examples/two-nodes.toml", scenario, "--json"});
  std::filesystem::remove(scenario);
  for (const boost::json::object& record : records(result.out)) {
    if (record.at("record") == "trial" && record.at("text") == "guest1 loses power") {
      EXPECT_GT(record.at("downtime_us").as_int64(), 32'000'000);
    }
  }
}

TEST(Table, OfASingleServerWaitsForItsBoot) {
  const Ran result = ran({"simulate", kSource / "docs/examples/single-server.toml", "--json"});
  for (const boost::json::object& record : records(result.out)) {
    if (record.at("record") != "trial") continue;
    if (record.at("text") == "mail1 crashes and boots again") {
      EXPECT_EQ(record.at("symbol"), "○");
    }
    if (record.at("text") == "mail1 loses power") {
      EXPECT_EQ(record.at("symbol"), "×");
    }
  }
}

// ---- the schema

void expect_documented(const boost::json::value& value, const std::string& manual) {
  if (value.is_array())
    for (const boost::json::value& item : value.as_array()) expect_documented(item, manual);
  if (!value.is_object()) return;
  for (const auto& [key, inside] : value.as_object()) {
    EXPECT_THAT(manual, HasSubstr("`" + std::string(key) + "`"));
    expect_documented(inside, manual);
  }
}

TEST(Json, HasNoKeyThatTheManualDoesNotName) {
  const std::string manual = config::read_file(kSource / "docs/simulate.md").value();
  const std::filesystem::path folder = kSource / "tests/simulate/ladder";
  const std::string cluster = folder / "cluster.toml";
  std::set<std::string> seen;
  for (const Ran& result :
       {ran({"simulate", cluster, folder / "scenario.toml", "--json"}), ran({"simulate", cluster, "--json"}),
        ran({"simulate", cluster, cluster, "--json"})}) {
    for (const boost::json::object& record : records(result.out)) {
      seen.insert(std::string(record.at("record").as_string()));
      expect_documented(record, manual);
    }
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre("assumptions", "event", "node", "group", "end", "trial",
                                                    "diagnostic"));
}

// ---- mistakes

TEST(Simulate, ShowsEachMistakeOfAScenarioWhereItStands) {
  const std::string scenario = file_with("komainu-simulate-mistakes.toml",
                                         "[[step]]\nat = \"0s\"\ndo = \"power-of\"\nnode = \"guest1\"\n");
  const std::string cluster = kSource / "docs/examples/two-nodes.toml";
  const Ran result = ran({"simulate", cluster, scenario});
  EXPECT_EQ(result.exit, Exit::kRefused);
  EXPECT_THAT(result.err, HasSubstr(scenario + ":3:"));
  EXPECT_THAT(result.err, HasSubstr("did you mean \"power-off\"?"));
  const Ran json = ran({"simulate", cluster, scenario, "--json"});
  EXPECT_EQ(json.exit, Exit::kRefused);
  ASSERT_EQ(records(json.out).size(), 1u);
  EXPECT_EQ(records(json.out)[0].at("record"), "diagnostic");
  EXPECT_EQ(records(json.out)[0].at("line"), 3);
  std::filesystem::remove(scenario);
}

TEST(Simulate, SaysWhenPairsAndAScenarioAreWantedAtOnce) {
  const std::string cluster = kSource / "docs/examples/two-nodes.toml";
  const std::string scenario = file_with("komainu-simulate-pairs.toml", "until = \"1min\"\n");
  const Ran result = ran({"simulate", cluster, scenario, "--pairs"});
  EXPECT_EQ(result.exit, Exit::kUsage);
  EXPECT_THAT(result.err, HasSubstr("--pairs"));
  std::filesystem::remove(scenario);
}

}  // namespace
}  // namespace komainu::cli
