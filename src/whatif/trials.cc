#include "whatif/trials.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace komainu::whatif {
namespace {

constexpr Duration kLongestTrial = 2h;
constexpr Duration kPowerAway = 10s;

// Faults that are there before anything shows them.
bool is_latent(Kind kind) {
  return kind == Kind::kBmcDead || kind == Kind::kStartFails || kind == Kind::kStopFails;
}

class Lister {
 public:
  explicit Lister(const core::Spec& spec) : spec_(spec), several_(spec.nodes.size() > 1) {}

  void servers() {
    for (const auto& [id, node] : spec_.nodes) {
      for (Kind kind :
           {Kind::kPowerOff, Kind::kOsCrash, Kind::kFreeze, Kind::kDaemonCrash, Kind::kDaemonHang})
        add({.kind = kind, .node = id});
      if (several_) add({.kind = Kind::kCorosyncHang, .node = id});
    }
  }
  void networks() {
    const auto links = static_cast<std::uint32_t>(spec_.nodes.begin()->second.links.size());
    for (const auto& [id, node] : spec_.nodes) {
      if (!several_) break;
      add({.kind = Kind::kLinkDown, .node = id});
      for (std::uint32_t link = 0; links > 1 && link < links; ++link)
        add({.kind = Kind::kLinkDown, .node = id, .link = link});
    }
    for (std::uint32_t link = 0; several_ && links > 1 && link < links; ++link)
      add({.kind = Kind::kLinkDown, .link = link});
    if (several_) add({.kind = Kind::kLinkDown});
    for (const std::string& interface : watched<std::string>("nic-link", "interface"))
      for (const auto& [id, node] : spec_.nodes) add({.kind = Kind::kNicDown, .node = id, .name = interface});
    for (const std::string& address : watched<std::vector<std::string>>("ping", "targets")) {
      for (const auto& [id, node] : spec_.nodes)
        if (several_) add({.kind = Kind::kUnreachable, .node = id, .name = address});
      add({.kind = Kind::kUnreachable, .name = address});
    }
    if (spec_.quorum.arbiter != core::ArbiterType::kNone) add({.kind = Kind::kArbiterLost});
  }
  void applications() {
    for (const auto& [id, group] : spec_.groups) {
      for (std::uint32_t resource = 0; resource < group.resources.size(); ++resource) {
        add({.kind = Kind::kAppDies, .group = id, .resource = resource});
        if (group.resources[resource].type == "floating-ip") continue;  // no process that could hang
        add({.kind = Kind::kAppHangs, .group = id, .resource = resource});
        add({.kind = Kind::kAppWrong, .group = id, .resource = resource});
      }
    }
  }
  void devices() {
    for (const auto& [id, node] : spec_.nodes)
      if (!spec_.fencing.empty()) add({.kind = Kind::kBmcDead, .node = id});
  }
  // They show when the group is next started or stopped.
  void agents() {
    for (const auto& [id, group] : spec_.groups)
      for (std::uint32_t resource = 0; resource < group.resources.size(); ++resource)
        for (Kind kind : {Kind::kStartFails, Kind::kStopFails})
          add({.kind = kind, .group = id, .resource = resource});
  }
  void power() {
    const auto lost = [&](NodeSet missing) {
      const Action loss{.kind = Kind::kPowerLoss};
      const Action back{.kind = Kind::kPowerBack, .missing = missing};
      trials_.push_back({{{0s, loss}, {kPowerAway, back}},
                         Trial::Sort::kFault,
                         describe(spec_, loss) + "; " + describe(spec_, back)});
    };
    lost({});
    for (const auto& [id, node] : spec_.nodes)
      if (several_) lost({id});
  }
  void maintenance() {
    if (!several_) return;
    for (const auto& [id, group] : spec_.groups)
      add({.kind = Kind::kGroupMove, .group = id}, Trial::Sort::kMaintenance);
    for (const auto& [id, node] : spec_.nodes) {
      add({.kind = Kind::kNodeDrain, .node = id}, Trial::Sort::kMaintenance);
      add({.kind = Kind::kShutdown, .node = id}, Trial::Sort::kMaintenance);
    }
  }

  std::vector<Trial> take() { return std::move(trials_); }

 private:
  void add(Action action, Trial::Sort sort = Trial::Sort::kFault) {
    std::string text = describe(spec_, action);
    trials_.push_back({{{0s, std::move(action)}}, sort, std::move(text)});
  }
  template <class T>
  std::set<std::string> watched(std::string_view type, const char* param) const {
    std::set<std::string> found;
    for (const auto& [id, monitor] : spec_.monitors) {
      const auto given = monitor.params.find(param);
      if (monitor.type != type || given == monitor.params.end()) continue;
      if (const auto* one = std::get_if<std::string>(&given->second)) found.insert(*one);
      if (const auto* many = std::get_if<std::vector<std::string>>(&given->second))
        found.insert(many->begin(), many->end());
    }
    return found;
  }

  const core::Spec& spec_;
  const bool several_;
  std::vector<Trial> trials_;
};

// Two faults of one server are one; nothing follows from two that only show later.
bool makes_a_pair(const Action& one, const Action& other) {
  if (is_latent(one.kind) && is_latent(other.kind)) return false;
  const auto of_server = [](const Action& action) { return action.kind <= Kind::kCorosyncHang; };
  if (of_server(one) && of_server(other) && one.node == other.node) return false;
  const auto of_application = [](const Action& action) {
    return action.kind == Kind::kAppDies || action.kind == Kind::kAppHangs || action.kind == Kind::kAppWrong;
  };
  return !(of_application(one) && of_application(other) && one.group == other.group);
}

// ---- what came of it

// Deeds of all groups in one sentence for each thing that was done.
class Telling {
 public:
  explicit Telling(const Rehearsal& rehearsal) : rehearsal_(rehearsal), spec_(rehearsal.spec()) {}

  std::vector<std::string> run() {
    for (const Deed& deed : rehearsal_.deeds()) node_deed(deed);
    for (const auto& [id, group] : spec_.groups) group_deeds(id);
    for (const auto& [what, groups] : by_what_) sentences_.push_back(subject(groups) + " " + what);
    return std::move(sentences_);
  }

 private:
  std::string name(NodeId node) const { return spec_.nodes.at(node).name; }
  std::string name(GroupId group) const { return spec_.groups.at(group).name; }

  void node_deed(const Deed& deed) {
    std::string text;
    if (deed.what == Deed::What::kFence)
      text = name(deed.node) + " is fenced";
    else if (deed.what == Deed::What::kFenceFailed)
      text = name(deed.node) + " cannot be fenced";
    else if (deed.what == Deed::What::kYield)
      text = name(deed.node) + " gives up its groups";
    if (!text.empty() && std::ranges::find(sentences_, text) == sentences_.end())
      sentences_.push_back(std::move(text));
  }
  void group_deeds(GroupId id) {
    std::size_t restarts = 0;
    std::optional<NodeId> started;
    for (const Deed& deed : rehearsal_.deeds()) {
      if (deed.group != id) continue;
      if (deed.what == Deed::What::kRestart) ++restarts;
      if (deed.what == Deed::What::kStart) started = deed.node;
    }
    if (restarts > 0)
      say(id, restarts == 1 ? "restarts in place" : fmt::format("restarts {} times", restarts));
    if (started) say(id, "starts on " + name(*started));
    const core::State* known = rehearsal_.state();
    if (known && known->groups.at(id).given_up) say(id, "is stopped for good");
  }
  void say(GroupId group, std::string what) {
    for (auto& [known, groups] : by_what_)
      if (known == what) return groups.push_back(name(group));
    by_what_.push_back({std::move(what), {name(group)}});
  }
  static std::string subject(const std::vector<std::string>& groups) {
    constexpr std::size_t kNamed = 3;
    if (groups.size() <= kNamed) return fmt::format("{}", fmt::join(groups, ", "));
    return fmt::format("{} and {} more", groups.front(), groups.size() - 1);
  }

  const Rehearsal& rehearsal_;
  const core::Spec& spec_;
  std::vector<std::string> sentences_;
  std::vector<std::pair<std::string, std::vector<std::string>>> by_what_;
};

// Nothing that komainu could do would help: what all nodes lose alike.
bool is_shared(const Trial& trial) {
  return std::ranges::any_of(trial.steps, [](const Step& step) {
    return step.action.kind == Kind::kUnreachable && !step.action.node;
  });
}

}  // namespace

std::string_view to_string(Symbol symbol) {
  static constexpr std::string_view kSigns[] = {"◎", "○", "△", "×"};
  return kSigns[static_cast<int>(symbol)];
}

std::string_view word_of(Symbol symbol) {
  static constexpr std::string_view kWords[] = {"continues", "continues-after-boot", "continues-with-limits",
                                                "stops"};
  return kWords[static_cast<int>(symbol)];
}

std::vector<Trial> single_faults(const core::Spec& spec) {
  Lister lister(spec);
  lister.servers();
  lister.networks();
  lister.applications();
  lister.devices();
  lister.power();
  lister.maintenance();
  return lister.take();
}

std::vector<Trial> fault_pairs(const core::Spec& spec) {
  Lister lister(spec);
  lister.devices();
  lister.agents();
  lister.servers();
  lister.networks();
  lister.applications();
  const std::vector<Trial> singles = lister.take();
  std::vector<Trial> pairs;
  for (std::size_t i = 0; i < singles.size(); ++i) {
    for (std::size_t j = i + 1; j < singles.size(); ++j) {
      if (!makes_a_pair(singles[i].steps[0].action, singles[j].steps[0].action)) continue;
      pairs.push_back({{singles[i].steps[0], singles[j].steps[0]},
                       Trial::Sort::kFault,
                       singles[i].text + " + " + singles[j].text});
    }
  }
  return pairs;
}

Outcome outcome_of(const Rehearsal& rehearsal, const Trial& trial) {
  Outcome outcome;
  outcome.detection = rehearsal.detection();
  outcome.deeds = Telling(rehearsal).run();
  outcome.downtime = Duration{0};
  bool after_boot = false;
  bool down = false;
  for (const auto& [id, service] : rehearsal.services()) {
    GroupOutcome group{
        id, service.downtime(rehearsal.now()), {}, !service.outages.empty() && !service.served()};
    if (service.served()) group.served_by = service.served_by.first();
    outcome.twice |= service.twice;
    down |= group.down;
    outcome.downtime = std::max(*outcome.downtime, group.downtime);
    for (const Outage& outage : service.outages)
      after_boot |= group.served_by && rehearsal.booted(*group.served_by) >= outage.from;
    outcome.groups.push_back(group);
  }
  if (down) outcome.downtime.reset();
  const bool noticed = outcome.detection || trial.sort == Trial::Sort::kMaintenance;
  outcome.symbol = down || outcome.twice          ? Symbol::kStops
                   : after_boot                   ? Symbol::kAfterBoot
                   : !noticed || is_shared(trial) ? Symbol::kLimits
                                                  : Symbol::kContinues;
  return outcome;
}

Result<Outcome> run_trial(const core::SpecPtr& spec, const Scenario& setting, const Trial& trial) {
  Rehearsal rehearsal(spec, setting.assume);
  if (auto begun = rehearsal.begin(setting.initial); !begun) return std::unexpected(begun.error());
  for (const Step& step : trial.steps) {
    rehearsal.run_until(step.at);
    rehearsal.perform(step.action);
  }
  rehearsal.run_to_rest(kLongestTrial);
  return outcome_of(rehearsal, trial);
}

}  // namespace komainu::whatif
