#include "komainud/backend.h"

#include <utility>
#include <variant>

#include "config/diagnostic.h"
#include "config/parse.h"

namespace komainu {

api::Position Backend::position() const {
  const core::Replica& replica = node_.replica();
  return {.self = replica.self(),
          .incarnation = replica.incarnation(),
          .phase = replica.phase(),
          .view = replica.view(),
          .quorate = replica.quorate(),
          .responsive = replica.responsive(),
          .position = replica.position(),
          .holds = replica.holds()};
}

void Backend::submit(core::Request request, std::function<void(core::Answer)> answer) {
  node_.submit(std::move(request), std::move(answer));
}

bool Backend::test_fencing(NodeSet targets, std::function<void(std::vector<api::FenceTried>)> done) {
  engine::FenceTrial& trial = node_.fence_trial();
  if (trial.busy()) return false;
  trial.begin(*state().spec, targets, [done = std::move(done)](std::vector<engine::FenceTried> tried) {
    std::vector<api::FenceTried> views;
    for (engine::FenceTried& one : tried)
      views.push_back({one.target, one.level, std::move(one.device), std::move(one.problem), one.took});
    done(std::move(views));
  });
  return true;
}

std::expected<core::SpecPtr, std::vector<api::ConfigProblem>> Backend::read_config(
    std::string_view text) const {
  config::Parsed parsed = config::parse(text, registry_, state().spec.get());
  if (parsed.spec) return std::make_shared<const core::Spec>(std::move(*parsed.spec));
  std::vector<api::ConfigProblem> problems;
  for (const config::Diagnostic& diagnostic : parsed.diagnostics) {
    if (diagnostic.severity != config::Severity::kError) continue;
    problems.push_back(
        {diagnostic.at.line, diagnostic.at.column, config::render(diagnostic, "cluster.toml", text)});
  }
  return std::unexpected(std::move(problems));
}

std::map<std::string, std::uint64_t> Backend::counters() const {
  std::map<std::string, std::uint64_t> all = node_.counters();
  all.merge(counters_());
  const channel::Health health = channel_.health();
  all["stream_unsent"] = health.unsent;
  all["stream_waiting"] = health.waiting;
  all["stream_misbehaved"] = health.misbehaved;
  all["stream_latency_us"] = static_cast<std::uint64_t>(health.latency.count());
  return all;
}

}  // namespace komainu
