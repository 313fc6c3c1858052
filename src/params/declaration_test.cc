#include "params/declaration.h"

#include <gtest/gtest.h>

namespace komainu::params {
namespace {

enum class Match : std::uint8_t { kAll, kAny };

struct Sample {
  IpPrefix address;
  std::optional<std::string> interface;
  std::optional<std::uint32_t> limit;
  std::uint16_t port = 80;
  Duration wait = 60ms;
  Match match = Match::kAny;
  bool verify = true;
  std::vector<IpAddress> targets;
  SecretFile secret;
};

const Declaration<Sample>& sample() {
  static const auto declaration = Declaration<Sample>("sample", "A sample.")
                                      .required("address", &Sample::address, "The address.")
                                      .optional("interface", &Sample::interface, "The interface.")
                                      .optional("limit", &Sample::limit, "The limit.", {.min = 1})
                                      .optional("port", &Sample::port, "The port.", {.min = 1})
                                      .optional("wait", &Sample::wait, "The wait.", {.min = 10ms, .max = 10s})
                                      .optional("match", &Sample::match, "Which.",
                                                {.choices = {{"all", Match::kAll}, {"any", Match::kAny}}})
                                      .optional("verify", &Sample::verify, "Verify.")
                                      .optional("targets", &Sample::targets, "Targets.")
                                      .required("secret", &Sample::secret, "The secret.")
                                      .check([](const Sample& s) -> std::optional<Error> {
                                        if (s.verify && s.port == 1)
                                          return Error{"port 1 cannot be verified", "say `verify = false`"};
                                        return std::nullopt;
                                      });
  return declaration;
}

Params good() {
  return {{"address", std::string("192.0.2.7/24")}, {"secret", std::string("/etc/secret")}};
}
Params good_with(const std::string& name, ParamValue value) {
  Params values = good();
  values[name] = std::move(value);
  return values;
}

TEST(Declaration, ReadsValuesIntoTheStruct) {
  const Result<Sample> read = sample().read({{"address", std::string("2001:db8::7/64")},
                                             {"interface", std::string("eth1")},
                                             {"port", std::int64_t{8080}},
                                             {"wait", Duration(1s)},
                                             {"match", std::string("all")},
                                             {"verify", false},
                                             {"targets", std::vector<std::string>{"192.0.2.1", "::1"}},
                                             {"secret", std::string("/etc/secret")}});
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->address, IpPrefix::parse("2001:db8::7/64"));
  EXPECT_EQ(read->interface, "eth1");
  EXPECT_EQ(read->port, 8080);
  EXPECT_EQ(read->wait, 1s);
  EXPECT_EQ(read->match, Match::kAll);
  EXPECT_FALSE(read->verify);
  EXPECT_EQ(read->targets, (std::vector{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("::1")}));
  EXPECT_EQ(read->secret.path, "/etc/secret");
}

TEST(Declaration, WritesTheStructBackToTheSameValues) {
  const Params written = sample().write(*sample().read(good()));
  EXPECT_FALSE(written.contains("interface"));
  EXPECT_EQ(written.at("match"), ParamValue(std::string("any")));
  EXPECT_EQ(sample().write(*sample().read(written)), written);
}

TEST(Declaration, ReadsWhatIsGoodOverAGivenStart) {
  Sample start;
  start.port = 443;
  start.wait = 1s;
  const Sample read = sample().read_partial({{"wait", Duration(2s)}, {"match", std::string("some")}}, start);
  EXPECT_EQ(read.port, 443);
  EXPECT_EQ(read.wait, 2s);
  EXPECT_EQ(read.match, Match::kAny);
}

TEST(Declaration, TakesDefaultsFromTheStruct) {
  const Result<Sample> read = sample().read(good());
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->interface, std::nullopt);
  EXPECT_EQ(read->port, 80);
  EXPECT_EQ(read->wait, 60ms);
  EXPECT_EQ(read->match, Match::kAny);

  const Schema& schema = sample().schema();
  EXPECT_EQ(schema.find("interface")->default_value, std::nullopt);
  EXPECT_EQ(to_text(*schema.find("port")->default_value), "80");
  EXPECT_EQ(to_text(*schema.find("wait")->default_value), "\"60ms\"");
  EXPECT_EQ(to_text(*schema.find("match")->default_value), "\"any\"");
}

TEST(Declaration, RefusesBadValuesAndSaysWhy) {
  const struct {
    Params values;
    const char* error;
  } cases[] = {
      {{{"secret", std::string("/s")}}, "sample: `address` is missing"},
      {good_with("adress", true), "sample: there is no parameter `adress`"},
      {good_with("address", std::string("192.0.2.7")),
       R"(sample: `address` must be an address with its prefix length, such as "192.0.2.7/24")"},
      {good_with("address", std::string("192.0.2.7\0/24", 13)),
       "sample: `address` contains a control character"},
      {good_with("address", true),
       R"(sample: `address` must be an address with its prefix length, such as "192.0.2.7/24")"},
      {good_with("port", std::int64_t{0}), "sample: `port` must be at least 1"},
      {good_with("port", std::int64_t{65536}), "sample: `port` must be between 1 and 65535"},
      {good_with("port", std::int64_t{-1}), "sample: `port` must be between 1 and 65535"},
      {good_with("limit", std::int64_t{0}), "sample: `limit` must be at least 1"},
      {good_with("wait", Duration(11s)), "sample: `wait` must be at most \"10s\""},
      {good_with("match", std::string("some")), R"(sample: `match` must be one of "all", "any")"},
      {good_with("targets", std::vector<std::string>{"192.0.2.1", "gateway"}),
       R"(sample: `targets` has the item "gateway": it must be an IP address such as "192.0.2.7" or "2001:db8::7")"},
      {good_with("targets", std::vector<std::string>(257, "::1")),
       "sample: `targets` may have at most 256 items"},
      {good_with("secret", std::string("secret")), "sample: `secret` must be an absolute path"},
      {good_with("interface", std::string()), "sample: `interface` must not be empty"},
      {good_with("interface", std::string("eth\0", 4)), "sample: `interface` contains a control character"},
      {good_with("interface", std::string(4097, 'x')),
       "sample: `interface` is 4097 bytes long; at most 4096 are allowed"},
      {good_with("port", std::int64_t{1}), "sample: port 1 cannot be verified"},
  };
  for (const auto& [values, error] : cases) {
    const Result<Sample> read = sample().read(values);
    ASSERT_FALSE(read) << error;
    EXPECT_EQ(read.error().what, error);
  }
}

TEST(Declaration, ItsSchemaJudgesValuesLikeIt) {
  const Schema& schema = sample().schema();
  EXPECT_EQ(schema.find("port")->problem(std::int64_t{80}), std::nullopt);
  EXPECT_EQ(schema.find("port")->problem(std::int64_t{0})->what, "must be at least 1");
  EXPECT_EQ(schema.problem(good()), std::nullopt);
  EXPECT_EQ(schema.problem(good_with("port", std::int64_t{1}))->what, "port 1 cannot be verified");
}

TEST(Declaration, DescribesWhatItExpects) {
  const Schema& schema = sample().schema();
  EXPECT_EQ(schema.find("port")->expected(), "an integer, at least 1");
  EXPECT_EQ(schema.find("match")->expected(), R"(one of "all", "any")");
  EXPECT_EQ(schema.find("targets")->expected(), "a list of addresses");
  EXPECT_EQ(schema.find("wait")->expected(),
            R"(a duration such as "5s", "250ms", "2min" or "1h", between "10ms" and "10s")");
}

TEST(Declaration, RefusesAMistakeOfItsAuthor) {
  struct One {
    std::int64_t number = 0;
  };
  EXPECT_THROW(Declaration<One>("one", "").optional("number", &One::number, "", {.min = 1}),
               std::logic_error);
  EXPECT_THROW(
      Declaration<One>("one", "").optional("number", &One::number, "").optional("number", &One::number, ""),
      std::logic_error);
}

}  // namespace
}  // namespace komainu::params
