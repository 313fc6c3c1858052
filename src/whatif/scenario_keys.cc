#include "whatif/scenario_keys.h"

#include "core/state.h"
#include "whatif/scenario.h"

namespace komainu::whatif {

using params::Declaration;
using params::Options;

const Declaration<ScenarioKeys>& scenario_section() {
  static const auto declaration =
      Declaration<ScenarioKeys>("scenario", "The file as a whole.")
          .optional("until", &ScenarioKeys::until,
                    "How long to look, from the beginning; left out, until nothing more happens.",
                    {.min = 1s, .max = kLongest});
  return declaration;
}

const Declaration<Assumptions>& assume_section() {
  static const auto declaration = [] {
    const Options<Duration> bounds{.min = 0s, .max = 1h};
    return Declaration<Assumptions>("assume", "How long things take that komainu does not decide.")
        .optional("boot", &Assumptions::boot, "A server's boot, from power to Corosync.", bounds)
        .optional("daemon", &Assumptions::daemon, "The start of komainud, also after a crash.", bounds)
        .optional("daemon_hang", &Assumptions::daemon_hang,
                  "How long komainud hangs before systemd's watchdog kills it.", bounds)
        .optional("fence", &Assumptions::fence, "From the order to switch a node off to the confirmation.",
                  bounds)
        .optional("fence_gives_up", &Assumptions::fence_gives_up,
                  "How long it takes to find that a fencing device does not answer.", bounds)
        .optional("network", &Assumptions::network, "A message, until all members have it.",
                  {.min = 1us, .max = 1s})
        .optional("store", &Assumptions::store, "A write that a decision waits for.", {.min = 0s, .max = 1s})
        .optional("arbiter", &Assumptions::arbiter, "The arbiter's vote, once the membership has changed.",
                  bounds);
  }();
  return declaration;
}

const Declaration<InitialKeys>& initial_section() {
  static const auto declaration =
      Declaration<InitialKeys>("initial",
                               "How things stand at first; what is not said is as the cluster has it "
                               "when all is well.")
          .optional("stopped", &InitialKeys::stopped, "Groups that the operator has stopped.")
          .optional("off", &InitialKeys::off, "Nodes that have been shut down in order.")
          .optional("drained", &InitialKeys::drained, "Nodes that are drained.")
          .optional("standby", &InitialKeys::standby, "Nodes on standby.")
          .optional("suspended", &InitialKeys::suspended, "Monitors that are suspended.");
  return declaration;
}

const Declaration<StepKeys>& step_section() {
  static const auto declaration = [] {
    Options<Kind> choices;
    for (const KindRow& row : kinds()) choices.choices.emplace_back(std::string(row.word), row.kind);
    return Declaration<StepKeys>("step", "Something that happens at a time.")
        .required("at", &StepKeys::at, "When, from the beginning.", {.min = 0s, .max = kLongest})
        .required("do", &StepKeys::kind, "What happens.", choices)
        .optional("node", &StepKeys::node, "A node's name.")
        .optional("peer", &StepKeys::peer, "The node at the other end of a link.")
        .optional("link", &StepKeys::link,
                  "A link of the cluster, from 0, as `links` of the nodes list them.")
        .optional("parts", &StepKeys::parts,
                  "The parts of a partition, each a list of nodes: [\"guest1\", \"guest2 guest3\"].")
        .optional("interface", &StepKeys::interface, "A network interface that a nic-link monitor watches.")
        .optional("address", &StepKeys::address, "An address that a ping monitor asks.")
        .optional("group", &StepKeys::group, "A group's name.")
        .optional("resource", &StepKeys::resource, "A resource, as \"group/resource\".")
        .optional("monitor", &StepKeys::monitor, "A monitor's name.")
        .optional("level", &StepKeys::level, "A level of fencing, from 1.", {.min = 1})
        .optional("after", &StepKeys::after, "How long it takes.", {.min = 0s, .max = 1h})
        .optional("missing", &StepKeys::missing, "Nodes that stay off.")
        .optional("evidence", &StepKeys::evidence, "What the monitor says.",
                  {.check = [](const std::string& text) -> std::optional<Error> {
                    if (text.size() <= core::kMaxEvidence) return std::nullopt;
                    return Error{"is longer than " + std::to_string(core::kMaxEvidence) + " bytes", {}};
                  }});
  }();
  return declaration;
}

}  // namespace komainu::whatif
