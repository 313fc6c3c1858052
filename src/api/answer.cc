#include "api/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "api/documents/json.h"
#include "api/explain.h"
#include "api/status.h"
#include "base/nearest.h"

namespace komainu::api {
namespace {

constexpr std::size_t kNamesShown = 12;

template <class Document>
Response ok(const Document& document) {
  return {200, to_json(document)};
}

Response refuse(unsigned status, Failure failure) {
  return response(Refused{status, std::move(failure), {}});
}

// "there is no group 'orders-bd'", with what there is instead.
template <class Objects>
Response unknown(std::string_view kind, const std::string& name, const Objects& objects) {
  std::vector<std::string> known;
  for (const auto& [id, object] : objects) known.push_back(object.name);
  Failure failure{.error = fmt::format("there is no {} '{}'", kind, name), .nearest = nearest(name, known)};
  if (known.empty())
    failure.help = fmt::format("the configuration has no {}", kind);
  else if (failure.nearest)
    failure.help = fmt::format("did you mean '{}'?", *failure.nearest);
  else if (known.size() <= kNamesShown)
    failure.help = fmt::format("known are {}", fmt::join(known, ", "));
  else
    failure.help = "`komainu status` lists all";
  return refuse(404, std::move(failure));
}

// The object of that name; null: none.
template <class Objects>
auto find(const Objects& objects, const std::string& name) -> const typename Objects::mapped_type* {
  auto it = std::ranges::find_if(objects, [&](const auto& entry) { return entry.second.name == name; });
  return it == objects.end() ? nullptr : &it->second;
}

struct Answerer {
  Backend& backend;
  const std::string& operator_name;
  const core::State& state;
  const core::Spec& spec;

  Outcome request(decltype(core::Request::what) what) const {
    return core::Request{0, operator_name, std::move(what)};
  }

  Outcome operator()(const GetStatus&) const { return ok(status(state, backend.position())); }
  Outcome operator()(const GetNames&) const { return ok(names(spec)); }
  Outcome operator()(const GetFenceStatus&) const { return ok(fence_status(state, backend.position())); }
  Outcome operator()(const GetEvents& call) const { return call; }
  Outcome operator()(const GetGroup& call) const {
    const core::Group* group = find(spec.groups, call.name);
    if (!group) return unknown("group", call.name, spec.groups);
    return ok(group_view(state, backend.position(), *group));
  }
  Outcome operator()(const GetNode& call) const {
    const core::Node* node = find(spec.nodes, call.name);
    if (!node) return unknown("node", call.name, spec.nodes);
    return ok(node_view(state, backend.position(), *node));
  }
  Outcome operator()(const GetExplanation& call) const {
    const core::Group* group = find(spec.groups, call.group);
    if (!group) return unknown("group", call.group, spec.groups);
    return ok(explain(state, backend.position(), backend.events().all(), *group));
  }
  Outcome operator()(const GetConfig&) const {
    ConfigDocument document{.version = spec.version, .text = spec.source};
    if (state.pending_spec) document.pending_version = state.pending_spec->spec->version;
    return ok(document);
  }
  Outcome operator()(const GetHealth&) const {
    Position position = backend.position();
    const core::Node* self = spec.node(position.self);
    return ok(Health{.version = std::string(version()),
                     .node = self ? self->name : std::string(),
                     .phase = position.phase,
                     .quorate = position.quorate,
                     .counters = backend.counters()});
  }

  Outcome operator()(const CommandGroup& call) const {
    const core::Group* group = find(spec.groups, call.name);
    if (!group) return unknown("group", call.name, spec.groups);
    std::optional<PlaceId> place;
    if (call.node) {
      const core::Node* node = find(spec.nodes, *call.node);
      if (!node) return unknown("node", *call.node, spec.nodes);
      place = core::Spec::place_of(node->id);
    }
    switch (call.verb) {
      case CommandGroup::Verb::kStart:
        return request(core::GroupStart{group->id, place});
      case CommandGroup::Verb::kStop:
        return request(core::GroupStop{group->id});
      case CommandGroup::Verb::kMove:
        return request(core::GroupMove{group->id, place});
      case CommandGroup::Verb::kClear:
        break;
    }
    return request(core::GroupClear{group->id});
  }
  Outcome operator()(const CommandNode& call) const {
    const core::Node* node = find(spec.nodes, call.name);
    if (!node) return unknown("node", call.name, spec.nodes);
    return request(core::NodeDuty{node->id, call.duty});
  }
  Outcome operator()(const CommandMonitor& call) const {
    const core::Monitor* monitor = find(spec.monitors, call.name);
    if (!monitor) return unknown("monitor", call.name, spec.monitors);
    return request(core::MonitorSuspend{monitor->id, call.suspended});
  }
  Outcome operator()(const ConfirmFence& call) const {
    const core::Node* node = find(spec.nodes, call.node);
    if (!node) return unknown("node", call.node, spec.nodes);
    return request(core::FenceConfirm{node->id});
  }
  Outcome operator()(const SwitchOff& call) const {
    const core::Node* node = find(spec.nodes, call.node);
    if (!node) return unknown("node", call.node, spec.nodes);
    return request(core::FenceOff{node->id});
  }
  Outcome operator()(const TestFencing& call) const {
    if (spec.fencing.empty())
      return refuse(409, Failure{.error = "no fencer is configured", .help = "there is nothing to ask"});
    const NodeId self = backend.position().self;
    if (!call.node) return AskDevices{spec.node_ids() - NodeSet{self}};
    const core::Node* node = find(spec.nodes, *call.node);
    if (!node) return unknown("node", *call.node, spec.nodes);
    if (node->id == self)
      return refuse(409, Failure{.error = fmt::format("{} does not fence itself", node->name),
                                 .help = "ask on another node"});
    return AskDevices{NodeSet{node->id}};
  }
  Outcome operator()(const DisarmCluster& call) const {
    return request(core::ClusterDisarm{call.length, call.why});
  }
  // Not a request in the stream: without it there may be no quorum, and so no stream to ask in.
  Outcome operator()(const StartAlone&) const {
    const NodeId self = backend.position().self;
    if (!spec.two_node())
      return refuse(409, Failure{.error = "only one of two nodes can start alone",
                                 .help = fmt::format("{} nodes of this cluster are needed for a quorum",
                                                     spec.quorum_votes())});
    backend.start_alone();
    const NodeId other = (spec.node_ids() - NodeSet{self}).first();
    return ok(
        Accepted{fmt::format("{} no longer waits for {}; once that is surely off: komainu fence confirm {}",
                             spec.node(self)->name, spec.node(other)->name, spec.node(other)->name)});
  }

  Outcome operator()(const CheckConfig& call) const {
    auto spec_or_problems = backend.read_config(call.text);
    if (!spec_or_problems) return mistakes(spec_or_problems.error());
    return ok(Accepted{"the configuration is valid"});
  }
  Outcome operator()(const ApplyConfig& call) const {
    auto spec_or_problems = backend.read_config(call.text);
    if (!spec_or_problems) return mistakes(spec_or_problems.error());
    return request(core::ConfigApply{*spec_or_problems});
  }

  static Response mistakes(const std::vector<ConfigProblem>& problems) {
    Failure failure{.error = fmt::format("the configuration has {} mistake{}", problems.size(),
                                         problems.size() == 1 ? "" : "s"),
                    .help = "nothing was changed"};
    for (const ConfigProblem& problem : problems)
      failure.problems.push_back({problem.line, problem.column, problem.text});
    return refuse(422, std::move(failure));
  }
};

}  // namespace

Outcome answer(const Call& call, Backend& backend, const std::string& operator_name) {
  const core::State& state = backend.state();
  return std::visit(Answerer{backend, operator_name, state, *state.spec}, call);
}

Response response(const Refused& refused) {
  return {refused.status, to_json(refused.failure), refused.allow};
}

Response response(const core::Answer& answer, const Position& position) {
  if (answer.accepted) return ok(Accepted{answer.text});
  if (position.phase == core::Phase::kEstablished) return refuse(409, Failure{.error = answer.text});
  return refuse(503,
                Failure{.error = answer.text,
                        .help = "this node is not in an established view of the cluster: `komainu status` "
                                "says what is missing"});
}

Response response(const core::Spec& spec, NodeId self, NodeSet targets,
                  const std::vector<FenceTried>& tried) {
  return ok(fence_test(spec, self, targets, tried));
}
Response devices_are_busy() {
  return refuse(429, Failure{.error = "the fencing devices are being asked already",
                             .help = "that is over within a minute"});
}

Response unanswered(Duration waited) {
  return refuse(504,
                Failure{.error = fmt::format("the cluster did not answer within {} s", waited / 1s),
                        .help = "the request may still take effect: `komainu status` and `komainu events` "
                                "show it"});
}

std::string stream_line(const core::Spec& spec, const StampedEvent& event, std::uint64_t missed) {
  EventView view = event_view(spec, event);
  view.missed = missed;
  return to_json(view) + "\n";
}

}  // namespace komainu::api
