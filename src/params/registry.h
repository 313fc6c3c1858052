// The driver types that the configuration may name. Filled by the drivers, read by src/config, so that
// neither has to know the other.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/params.h"
#include "base/result.h"
#include "base/time.h"
#include "params/schema.h"

namespace komainu::params {

enum class Kind : std::uint8_t { kResource, kMonitor, kFencer };

enum class Data : std::uint8_t {
  kNone,
  kHeld,  // it writes data that two nodes must never write at once
};

// How a monitor comes to know.
enum class Pace : std::uint8_t {
  kPolled,  // it looks at its interval
  kEvents,  // the kernel or systemd tells at once
};

// How long a type's own work takes by its parameters, which its declaration accepts. Of a resource: what its
// start does first, such as asking whether an address is in use. Of a fencer: the longest until off is
// confirmed or has failed.
using Takes = Duration (*)(const Params&);

struct DriverType {
  Schema schema;
  Data data = Data::kNone;
  Pace pace = Pace::kPolled;
  Takes takes = nullptr;  // null: nothing that its parameters tell
};

class Registry {
 public:
  // The schema's name is the type's name, unique within its kind.
  void add(Kind kind, Schema schema, Data data = Data::kNone, Pace pace = Pace::kPolled,
           Takes takes = nullptr);

  // What only this machine can tell about parameters that the type's own declaration accepts; no such type:
  // no effect.
  void also_check(Kind kind, std::string_view name, std::function<std::optional<Error>(const Params&)> check);

  const DriverType* find(Kind kind, std::string_view name) const;
  std::vector<std::string> names(Kind kind) const;  // sorted

 private:
  std::map<std::pair<Kind, std::string>, DriverType> types_;
};

}  // namespace komainu::params
