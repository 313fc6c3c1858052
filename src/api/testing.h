// The daemons of one cluster in one process, for tests: real replicas on a ring that delivers to everybody at
// once, on a clock that the test moves. An order is executed by reporting that it has ended.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/backend.h"
#include "core/replica.h"

namespace komainu::api::testing {

class Daemons;

// One of them, as the API sees it.
class Daemon : public Backend {
 public:
  Daemon(Daemons& all, NodeId id, core::Incarnation incarnation, core::SpecPtr spec)
      : all_(all), replica({.self = id, .incarnation = incarnation}, std::move(spec), core::Durable{}) {}

  Position position() const override {
    return {replica.self(),    replica.incarnation(), replica.phase(),    replica.view(),
            replica.quorate(), replica.responsive(),  replica.position(), replica.holds()};
  }
  const core::State& state() const override { return replica.state(); }
  EventLog& events() override { return log; }
  std::expected<core::SpecPtr, std::vector<ConfigProblem>> read_config(std::string_view text) const override {
    return reader(text, *state().spec);
  }
  std::map<std::string, std::uint64_t> counters() const override { return {{"loop_delay_max_us", 17}}; }
  void submit(core::Request request, std::function<void(core::Answer)> answer) override;

  void start_alone() override { ++started_alone; }
  bool test_fencing(NodeSet targets, std::function<void(std::vector<FenceTried>)> done) override {
    if (fencing_is_tested) return false;
    std::vector<FenceTried> tried;
    for (NodeId target : targets)
      for (FenceTried device : devices) {
        device.target = target;
        tried.push_back(std::move(device));
      }
    done(std::move(tried));
    return true;
  }

  bool fencing_is_tested = false;   // for somebody else
  std::vector<FenceTried> devices;  // what each says of each node
  int started_alone = 0;
  bool mute = false;  // the stream does not bring requests back
  // Reads a configuration against the active one; by default, any text that begins with "cluster = ".
  std::function<std::expected<core::SpecPtr, std::vector<ConfigProblem>>(std::string_view, const core::Spec&)>
      reader = [](std::string_view text,
                  const core::Spec& active) -> std::expected<core::SpecPtr, std::vector<ConfigProblem>> {
    if (!text.starts_with("cluster = "))
      return std::unexpected(std::vector<ConfigProblem>{{1, 1, "cluster.toml:1:1: expected 'cluster = '"}});
    auto spec = std::make_shared<core::Spec>(active);
    spec->source = text;
    return spec;
  };
  EventLog log;
  std::map<std::uint64_t, std::function<void(core::Answer)>> waiting;
  std::vector<core::Request> submitted;

 private:
  friend class Daemons;
  Daemons& all_;
  core::Replica replica;
};

class Daemons {
 public:
  explicit Daemons(const core::Spec& spec) {
    auto shared = std::make_shared<const core::Spec>(spec);
    NodeSet all;
    for (const auto& [id, node] : spec.nodes) {
      daemons_[id] = std::make_unique<Daemon>(*this, id, core::Incarnation{0xa0 + id.value}, shared);
      all.insert(id);
      for (const auto& [group, configured] : spec.groups)
        give(id, core::Observed{core::GroupReport{group, core::Spec::place_of(id)}});
    }
    join(all);
  }

  Daemon& at(NodeId id) { return *daemons_.at(id); }

  bool executes = true;  // false: orders never end
  bool fences = true;    // false: nor do fences

  // Exactly these nodes are connected now; a quorum only if `quorate`.
  void join(NodeSet nodes, bool quorate = true) {
    stream_.clear();
    connected_ = nodes;
    core::RingChange change{{nodes.first().value, ring_ += 4}, {}, nodes};
    for (NodeId id : nodes) change.members[id] = 100 + id.value;
    for (NodeId id : nodes) give(id, change);
    for (NodeId id : nodes) give(id, core::QuorumVerdict{change.ring, quorate});
    flow();
  }
  void pass(Duration time) {
    for (Duration passed{0}; passed < time; passed += core::Replica::kTimerPeriod) {
      now_ = now_ + core::Replica::kTimerPeriod;
      for (NodeId id : connected_) give(id, core::Timer{});
      flow();
    }
  }
  void report(NodeId from, core::Fact fact) {
    give(from, core::Observed{std::move(fact)});
    flow();
  }

 private:
  using Completion = std::pair<NodeId, core::Input>;

  void give(NodeId id, const core::Input& input) {
    Daemon& daemon = at(id);
    for (core::Effect& effect : daemon.replica.step(now_, input))
      std::visit([&](auto& what) { on(id, daemon, what); }, effect);
  }

  void on(NodeId, Daemon&, core::Send& send) { stream_.push_back(std::move(send.message)); }
  void on(NodeId id, Daemon&, core::Execute& execute) {
    if (!executes) return;
    std::optional<core::Activity> activity;
    if (execute.order.kind != core::OrderKind::kStop) activity = core::Activity::kOnline;
    later(id, core::GroupReport{execute.group, execute.order.place, execute.order.id, activity});
  }
  void on(NodeId id, Daemon&, core::ExecuteFence& fence) {
    if (fences) later(id, core::FenceResult{fence.target, fence.order.id, true, "off, as read back"});
  }
  void on(NodeId id, Daemon&, core::Store& store) { done_.push_back({id, core::Stored{store.token, true}}); }
  void on(NodeId id, Daemon&, core::SpecProposed& proposed) {
    done_.push_back({id, core::Stored{proposed.token, true}});
  }
  void on(NodeId, Daemon& daemon, core::Event& event) {
    // A wall clock that says something to the reader: seconds since boot, on a day of its own.
    daemon.log.append(now_,
                      WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + now_.since_boot),
                      std::move(event));
  }
  void on(NodeId, Daemon& daemon, core::Answer& answer) {
    auto waiting = daemon.waiting.extract(answer.request);
    if (!waiting.empty()) waiting.mapped()(std::move(answer));
  }
  template <class Other>
  void on(NodeId, Daemon&, Other&) {}

  void later(NodeId id, core::Fact fact) { done_.push_back({id, core::Observed{std::move(fact)}}); }

  void flow() {
    while (!stream_.empty() || !done_.empty()) {
      if (!stream_.empty()) {
        core::Message message = std::move(stream_.front());
        stream_.pop_front();
        for (NodeId id : connected_) give(id, core::Delivered{message});
        continue;
      }
      auto [id, input] = std::move(done_.front());
      done_.pop_front();
      give(id, input);
    }
  }

  LocalTime now_{1s};
  std::uint64_t ring_ = 0;
  NodeSet connected_;
  std::map<NodeId, std::unique_ptr<Daemon>> daemons_;
  std::deque<core::Message> stream_;
  std::deque<Completion> done_;
};

inline void Daemon::submit(core::Request request, std::function<void(core::Answer)> answer) {
  submitted.push_back(request);
  if (mute) return;
  request.number = submitted.size();
  waiting[request.number] = std::move(answer);
  all_.report(replica.self(), request);
}

}  // namespace komainu::api::testing
