// The values of the amounts that the timing rules are made of, and the keys of the configuration behind them:
// what a repair may change, within the bounds of its declaration.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "config/timing_rules.h"
#include "core/spec.h"
#include "params/registry.h"

namespace komainu::config {

// ---- what a rule is asked about

struct WholeCluster {
  auto operator<=>(const WholeCluster&) const = default;
};
struct ResourceAt {
  GroupId group;
  std::size_t index = 0;
  auto operator<=>(const ResourceAt&) const = default;
};
struct LevelAt {
  std::size_t index = 0;
  auto operator<=>(const LevelAt&) const = default;
};
using Subject = std::variant<WholeCluster, GroupId, ResourceAt, MonitorId, LevelAt>;

std::vector<Subject> subjects(const core::Spec& spec, const params::Registry& registry, Each each);
// `group "web"`; empty of the cluster as a whole.
std::string name_of(const core::Spec& spec, const Subject& subject);

// ---- what a repair may change

struct TimingTable {
  auto operator<=>(const TimingTable&) const = default;
};
struct BrakesTable {
  auto operator<=>(const BrakesTable&) const = default;
};
struct DeviceAt {
  std::size_t level = 0;
  std::size_t index = 0;
  auto operator<=>(const DeviceAt&) const = default;
};
// A key that holds a duration, and the table it stands in.
struct TimingKey {
  std::variant<TimingTable, BrakesTable, ResourceAt, MonitorId, DeviceAt> table;
  std::string key;
  auto operator<=>(const TimingKey&) const = default;
};

Duration value_of(const core::Spec& spec, const params::Registry& registry, const TimingKey& key);
void set(core::Spec& spec, const TimingKey& key, Duration value);
// Its bounds, and anything else that is asked of its value.
const params::Param& declaration_of(const core::Spec& spec, const params::Registry& registry,
                                    const TimingKey& key);
// `grace`, `stop_timeout of resource "web/nginx"`.
std::string name_of(const core::Spec& spec, const TimingKey& key);

// ---- amounts

Duration value_of(const core::Spec& spec, const params::Registry& registry, Amount amount,
                  const Subject& subject);
// `token`, `the stop of group "web"`.
std::string name_of(const core::Spec& spec, Amount amount, const Subject& subject);
// All amounts grow with each of theirs.
std::vector<TimingKey> keys_behind(const core::Spec& spec, const params::Registry& registry, Amount amount,
                                   const Subject& subject);

// The longest that the devices of a level take to confirm, one after the other, for the slowest of the nodes.
Duration longest_fence(const core::Spec& spec, const params::Registry& registry, std::size_t level);

}  // namespace komainu::config
