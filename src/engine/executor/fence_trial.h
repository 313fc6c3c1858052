// An operator asks whether this node could fence others now: each device is asked for each of them, without
// effect, and says how it went and how long that took. The periodic look is fence_check's.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/spec.h"
#include "drivers/driver.h"
#include "drivers/services.h"
#include "engine/executor/maker.h"

namespace komainu::engine {

// One device, asked for one node.
struct FenceTried {
  NodeId target;
  std::uint32_t level = 0;
  std::string device;                  // the agent's name, or else the type
  std::optional<std::string> problem;  // unset: it answers
  Duration took{0};
};

class FenceTrial {
 public:
  // Whoever has not answered by then has failed.
  static constexpr Duration kLongest = 60s;
  using Done = std::function<void(std::vector<FenceTried>)>;

  FenceTrial(const Maker& maker, const drivers::Services& services) : maker_(maker), services_(services) {}
  FenceTrial(const FenceTrial&) = delete;
  FenceTrial& operator=(const FenceTrial&) = delete;

  bool busy() const { return run_.running(); }
  // Not while it is busy. `done` is called once, with an entry for each device that is configured for one of
  // the targets: ordered by target, then by level.
  void begin(const core::Spec& spec, NodeSet targets, Done done);
  // Ends at once for a fence, which may need the session that a device has for one only.
  void give_way();

 private:
  // Devices of different entries of the configuration are asked at once; one may allow a single session.
  struct Line {
    Result<std::unique_ptr<drivers::Fencer>> device;
    std::vector<std::pair<std::size_t, std::string>> targets;  // index into tried_, name of the node
  };
  drivers::Task<void> ask_all();
  drivers::Task<void> ask(const Line& line);
  void ended();

  const Maker& maker_;
  const drivers::Services services_;
  std::vector<Line> lines_;
  std::vector<FenceTried> tried_;
  std::set<std::size_t> unanswered_;  // of tried_
  Done done_;
  drivers::Run<std::optional<std::monostate>> run_;
};

}  // namespace komainu::engine
