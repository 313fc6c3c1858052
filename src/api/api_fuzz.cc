// Hostile bytes through everything that stands before the cluster: the HTTP parser, the address, the body,
// the names, and the answer, against a cluster that has something of everything. What would be put to the
// cluster is dropped.
#include <boost/beast/http.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/answer.h"
#include "api/call.h"
#include "api/documents/json.h"
#include "core/testing.h"

namespace {

using namespace komainu;
namespace http = boost::beast::http;

class Cluster : public api::Backend {
 public:
  Cluster() {
    const core::Group& db = cluster_.group("db", {core::testing::node(1)});
    cluster_.monitor("lan", {db.id});
    cluster_.has_fencer();
    cluster_.runs(db.id, core::testing::node(1));
    cluster_.is_in_trouble(db.id, core::testing::node(1));
    cluster_.loses(core::testing::node(2));
    log_.append({}, {},
                core::Event{.cause = {core::testing::node(1), {7}, 1}, .group = db.id, .text = "db failed"});
  }
  api::Position position() const override { return {.self = core::testing::node(1)}; }
  const core::State& state() const override { return cluster_.state(); }
  api::EventLog& events() override { return log_; }
  void submit(core::Request, std::function<void(core::Answer)>) override { std::abort(); }
  void start_alone() override {}
  bool test_fencing(NodeSet, std::function<void(std::vector<api::FenceTried>)>) override { std::abort(); }
  std::expected<core::SpecPtr, std::vector<api::ConfigProblem>> read_config(
      std::string_view text) const override {
    if (text.size() % 2 == 0) return state().spec;
    return std::unexpected(std::vector<api::ConfigProblem>{{1, 2, std::string(text)}});
  }
  std::map<std::string, std::uint64_t> counters() const override { return {{"one", 1}}; }

 private:
  mutable core::testing::Cluster cluster_{2};
  api::EventLog log_;
};

void check(const api::Response& response) {
  if (response.status == 200) return;
  auto failure = api::from_json<api::Failure>(response.body);
  if (!failure || failure->error.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Cluster cluster;
  http::request_parser<http::string_body> parser;
  parser.header_limit(8 * 1024);
  parser.body_limit(64 * 1024);
  parser.eager(true);
  boost::system::error_code error;
  std::size_t used = parser.put(boost::asio::const_buffer(data, size), error);
  while (!error && !parser.is_done() && used < size) {
    std::size_t more = parser.put(boost::asio::const_buffer(data + used, size - used), error);
    if (more == 0) break;
    used += more;
  }
  if (error || !parser.is_done()) return 0;
  const auto& request = parser.get();
  auto call = api::parse_call(std::string_view(request.method_string()), std::string_view(request.target()),
                              request.body());
  if (!call) {
    check(api::response(call.error()));
    return 0;
  }
  api::Outcome outcome = api::answer(*call, cluster, "fuzz");
  if (auto* response = std::get_if<api::Response>(&outcome)) check(*response);
  return 0;
}
