// Whatever a file holds, reading it ends, every diagnostic can be shown, and what is accepted is read back as
// the same.
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "config/corosync_conf.h"
#include "config/parse.h"
#include "config/show.h"
#include "config/testing.h"

namespace {

void require(bool holds, const char* what, std::string_view text) {
  if (holds) return;
  std::fprintf(stderr, "%s:\n%.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace komainu;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const params::Registry& types = config::testing::registry();
  const config::Parsed parsed = config::parse(text, types);
  const std::string rendered = config::render(parsed.diagnostics, "cluster.toml", text);
  require(rendered.find('\x1b') == std::string::npos, "passed on to the terminal", rendered);
  bool errors = false;
  for (const config::Diagnostic& diagnostic : parsed.diagnostics) {
    errors = errors || diagnostic.severity == config::Severity::kError;
    require(boost::json::serialize(config::to_json(diagnostic)).size() > 2, "no JSON", text);
  }
  require(parsed.spec.has_value() != errors, "accepted with errors, or refused without", text);
  if (!parsed.spec) return 0;

  const std::string shown = config::show(*parsed.spec);
  config::Parsed again = config::parse(shown, types, &*parsed.spec);
  require(again.spec.has_value(), "shown and not accepted",
          config::render(again.diagnostics, "shown", shown));
  again.spec->version = parsed.spec->version;
  again.spec->source = parsed.spec->source;
  require(again.spec == parsed.spec, "shown and read back as something else", shown);
  require(config::diff(*parsed.spec, *again.spec).empty(), "no change and a difference", shown);
  if (parsed.spec->nodes.size() > 1)
    require(!config::corosync_conf(*parsed.spec).empty(), "no corosync.conf", shown);
  return 0;
}
