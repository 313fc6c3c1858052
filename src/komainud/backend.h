// What the API asks of this daemon, answered from the node.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "api/backend.h"
#include "channel/channel.h"
#include "engine/cluster/node.h"
#include "params/registry.h"

namespace komainu {

class Backend final : public api::Backend {
 public:
  using Counters = std::function<std::map<std::string, std::uint64_t>()>;
  Backend(engine::Node& node, channel::Channel& channel, const params::Registry& registry,
          api::EventLog& events, Counters counters)
      : node_(node),
        channel_(channel),
        registry_(registry),
        events_(events),
        counters_(std::move(counters)) {}

  api::Position position() const override;
  const core::State& state() const override { return node_.replica().state(); }
  api::EventLog& events() override { return events_; }
  void submit(core::Request request, std::function<void(core::Answer)> answer) override;
  bool test_fencing(NodeSet targets, std::function<void(std::vector<api::FenceTried>)> done) override;
  void start_alone() override { channel_.cancel_wait_for_all(); }
  std::expected<core::SpecPtr, std::vector<api::ConfigProblem>> read_config(
      std::string_view text) const override;
  std::map<std::string, std::uint64_t> counters() const override;

 private:
  engine::Node& node_;
  channel::Channel& channel_;
  const params::Registry& registry_;
  api::EventLog& events_;
  Counters counters_;
};

}  // namespace komainu
