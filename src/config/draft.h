// The file as it was read: every section by its declaration, names not yet resolved, each value with its
// place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/document.h"
#include "config/sections.h"
#include "config/table_reader.h"
#include "params/registry.h"

namespace komainu::config {

template <class Keys>
struct Section {
  Keys keys;
  Places at;
};

struct NodeDraft : Section<NodeKeys> {
  std::map<std::string, std::int64_t> capacity;
};

// What a driver of some type is given. The type is null if it is unknown, which has been reported.
struct DriverDraft {
  const params::DriverType* type = nullptr;
  Params params;
};

struct ResourceDraft : Section<ResourceKeys> {
  DriverDraft driver;
};

struct GroupDraft : Section<GroupKeys> {
  std::vector<ResourceDraft> resources;
  std::map<std::string, std::int64_t> needs;
  core::Ladder on_failure;
};

struct MonitorDraft : Section<MonitorKeys> {
  DriverDraft driver;
  std::optional<core::Ladder> on_failure;
};

struct DeviceDraft : Section<DeviceKeys> {
  DriverDraft driver;
};

struct LevelDraft {
  Region header;
  std::vector<DeviceDraft> devices;
};

struct Draft {
  Section<ClusterKeys> cluster;
  Section<QuorumKeys> quorum;
  ArbiterKeys arbiter;
  Params timing;  // only what is given
  Places timing_at;
  core::Brakes brakes;
  Places brakes_at;
  std::vector<NodeDraft> nodes;
  std::vector<LevelDraft> fencing;
  bool fencing_given = false;  // also if it could not be read
  std::vector<GroupDraft> groups;
  std::vector<MonitorDraft> monitors;
  bool truncated = false;  // there were too many of something, and the rest was not read
};

Draft read_draft(const Document& document, const params::Registry& registry, Diagnostics& diagnostics);

}  // namespace komainu::config
