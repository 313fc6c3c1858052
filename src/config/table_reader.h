// Reads one table of the file against the declarations that apply to it. Every key is looked at, so that all
// mistakes of a table are found in one run.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <expected>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/params.h"
#include "config/diagnostic.h"
#include "params/schema.h"

namespace komainu::config {

// Where things of a table stand, so that what is found wrong later can be shown there.
struct Places {
  Region header;
  std::map<std::string, Region, std::less<>> keys;                // the value of each key that is given
  std::map<std::string, std::vector<Region>, std::less<>> items;  // … and of the items of a list

  std::set<std::string, std::less<>> unreadable;  // keys whose value is no good, which has been reported

  bool given(std::string_view key) const { return keys.contains(key); }
  // The value of the key, or the table if it is not given.
  Region of(std::string_view key) const;
  Region item(std::string_view key, std::size_t index) const;
};

class TableReader {
 public:
  // `object` is what the table is about, for a person: `group "orders"`. If the document is `incomplete`,
  // missing keys are no mistake.
  TableReader(const toml::table& table, const Region& header, std::string object, bool incomplete,
              Diagnostics& diagnostics);

  // The good values of the declared keys. A schema after the first is a driver's.
  Params read(const params::Schema& schema);

  // A table or a list of tables under the key; null if it is not given or, reported, something else.
  const toml::table* table(std::string_view key);
  const toml::array* array(std::string_view key, std::string_view example);
  // Whole numbers by name; an empty map if it is not given.
  std::map<std::string, std::int64_t> numbers(std::string_view key);

  // Reports the keys that nobody has read.
  void finish();

  const Places& places() const { return places_; }
  // No mistake was found in this table so far.
  bool good() const { return good_; }

 private:
  struct Mistake {
    Region at;
    std::string what;
    std::string expected;
    std::string help;
  };

  std::expected<ParamValue, Mistake> convert(const toml::node& node, const params::Param& param);
  void read_key(const params::Param& param, const toml::node& node, Params& values);
  void error(const Region& at, std::string what, std::string expected = {}, std::string help = {});

  const toml::table& table_;
  std::string object_;
  bool incomplete_;
  Diagnostics& diagnostics_;
  std::vector<std::string> known_;
  Places places_;
  bool good_ = true;
};

// `did you mean "x"?`, or nothing.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& known);

// "text", "a whole number", … as a person calls what stands there.
std::string_view describe(toml::node_type type);

}  // namespace komainu::config
