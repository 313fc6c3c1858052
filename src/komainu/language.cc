#include "komainu/language.h"

#include <fmt/format.h>

#include <utility>

#include "base/duration_text.h"
#include "whatif/scenario.h"

namespace komainu::cli {
namespace {

constexpr const char* kSummary =
    "komainu keeps applications running through the failure of what is under them.\n"
    "Every command works on any node and for the whole cluster.";

constexpr const char* kExamples =
    "Examples:\n"
    "  komainu status                              the whole cluster on one screen\n"
    "  komainu group move orders-db to guest2      move a group, wait, say how long it took\n"
    "  komainu node drain guest1                   empty a node before maintenance; resume ends it\n"
    "  komainu explain orders-db                   what happened to it, and why it is where it is\n"
    "  komainu config check cluster.toml           every mistake at once, without a daemon\n"
    "  komainu simulate cluster.toml               what each fault would come to, without a daemon\n"
    "\n"
    "`komainu help COMMAND` explains a command, `komainu help exit-codes` the exit codes.";

// CLI11's help without its shouting: arguments as they are typed, types only where they say something.
class Help : public CLI::Formatter {
 public:
  Help() {
    column_width(34);
    label("SUBCOMMAND", "COMMAND");
    label("Positionals", "Arguments");
  }
  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string name = shown(option);
    return option->get_required() ? name : "[" + name + "]";
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (!option->nonpositional()) return text;
    if (option->get_items_expected_max() > 0) text += " " + shown(option);
    return text;
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += fmt::format(" (default {})", option->get_default_str());
    return text;
  }

 private:
  static std::string shown(const CLI::Option* option) {
    const std::string type = option->get_type_name();
    return type.empty() || type == "TEXT" ? option->get_name() : type.substr(0, type.find(':'));
  }
};

CLI::App* child(CLI::App& parent, const std::string& name) {
  for (CLI::App* app : parent.get_subcommands([](CLI::App*) { return true; }))
    if (app->get_name() == name) return app;
  return nullptr;
}

bool is_preposition(const std::string& word) {
  return word == "to" || word == "on";
}

}  // namespace

Language::Language(Session& session)
    : session_(session), root_(std::make_unique<CLI::App>(kSummary, "komainu")) {
  root_->require_subcommand(1);
  root_->fallthrough();
  root_->formatter(std::make_shared<Help>());
  root_->set_help_flag("-h,--help", "What this command does");
  root_->add_flag("--json", session_.json, "Results as JSON, for programs");
  root_->add_option("--socket", session_.socket, "The daemon's socket; also by the variable KOMAINU_SOCKET")
      ->envname("KOMAINU_SOCKET")
      ->type_name("PATH")
      ->capture_default_str();
  root_
      ->add_option_function<std::string>(
          "--colour",
          [this](const std::string& when) {
            if (when != "auto") session_.style.colour = session_.err_style.colour = when == "always";
          },
          "auto, always or never; NO_COLOR is respected")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
  looking();
  asking();
  configuring();
  making();
  rehearsing();
  root_->footer(kExamples);  // last: commands inherit what is set when they are added
}

const std::vector<Names>& Language::arguments(const CLI::App* command) const {
  static const std::vector<Names> none;
  auto it = arguments_.find(command);
  return it == arguments_.end() ? none : it->second;
}

CLI::App* Language::group_of(CLI::App& parent, const std::string& name, const std::string& text) {
  CLI::App* app = parent.add_subcommand(name, text);
  app->group("Commands")->require_subcommand(1);
  return app;
}

CLI::App* Language::command(CLI::App& parent, const std::string& name, const std::string& text,
                            std::vector<Names> arguments, std::function<Exit()> run) {
  CLI::App* app = parent.add_subcommand(name, text);
  app->group("Commands");
  arguments_[app] = std::move(arguments);
  app->callback([this, run = std::move(run)] { chosen_ = run; });
  return app;
}

// "to guest2", "on guest2" and "guest2" are the same.
std::optional<std::string> Language::place() const {
  return given_.where.empty() ? std::nullopt : std::optional(given_.where.back());
}

void Language::with_waiting(CLI::App* command) {
  command->add_flag_callback(
      "--no-wait", [this] { session_.wait = false; }, "Return once the cluster has accepted it");
  command
      ->add_option_function<std::string>(
          "--timeout",
          [this](const std::string& text) {
            session_.timeout = parse_duration(text);
            if (!session_.timeout)
              throw CLI::ValidationError("--timeout", "expected a duration as in 30s or 2min");
          },
          "Wait no longer than this, as in 30s or 2min; by default as long as the configuration allows")
      ->type_name("TIME");
}

void Language::looking() {
  CLI::App& root = *root_;
  CLI::App* status = command(root, "status", "The whole cluster on one screen", {}, [this] {
    return given_.watch ? watch_status(session_) : show_status(session_);
  });
  status->add_flag("--watch,-w", given_.watch, "Stay, also while komainud restarts, and show every change");

  CLI::App* events = command(root, "events", "What happened, as this node saw it", {},
                             [this] { return show_events(session_, given_.follow, given_.last); });
  events->add_flag("--follow,-f", given_.follow, "Stay, and show what happens");
  events->add_option("--last,-n", given_.last, "Only the last so many")
      ->type_name("NUMBER")
      ->check([](const std::string& text) {
        const bool number = text.find_first_not_of("0123456789") == text.npos && text.size() < 8;
        return number && std::stoul("0" + text) > 0 ? "" : "expected a number of events, as in 20";
      });
  events->footer(
      "Every node remembers the last 4096 since its daemon started; `komainu replay` goes further back.");

  CLI::App* explain = command(root, "explain", "What happened to a group, and why it is where it is",
                              {Names::kGroup}, [this] { return explain_group(session_, given_.group); });
  explain->add_option("GROUP", given_.group, "The group")->required();
  explain->footer("Times are relative to the first symptom, or to the request, that began it.");
}

void Language::asking() {
  CLI::App* group = group_of(*root_, "group", "Start, stop, move groups");
  const auto group_argument = [this](CLI::App* app) {
    app->add_option("GROUP", given_.group, "The group")->required();
  };
  const auto node_argument = [this](CLI::App* app, const std::string& text) {
    app->add_option("NODE", given_.where, text)->type_name("[to] NODE")->expected(0, 2);
    app->parse_complete_callback([this] {
      if (given_.where.size() == 1 && is_preposition(given_.where[0]))
        throw CLI::ValidationError("NODE", fmt::format("{} which node?", given_.where[0]));
      if (given_.where.size() == 2 && !is_preposition(given_.where[0]))
        throw CLI::ValidationError(
            "NODE", fmt::format("expected one node, not '{}' and '{}'", given_.where[0], given_.where[1]));
    });
  };

  CLI::App* start =
      command(*group, "start", "Start a group, and keep it running from now on",
              {Names::kGroup, Names::kNode}, [this] { return start_group(session_, given_.group, place()); });
  group_argument(start);
  node_argument(start, "Where; by default on the best node");
  start->footer("Its failures are forgotten. It ends `group stop`.");
  with_waiting(start);

  CLI::App* stop = command(*group, "stop", "Stop a group, and keep it stopped until it is started",
                           {Names::kGroup}, [this] { return stop_group(session_, given_.group); });
  group_argument(stop);
  with_waiting(stop);

  CLI::App* move = command(*group, "move", "Move a group to another node", {Names::kGroup, Names::kNode},
                           [this] { return move_group(session_, given_.group, place()); });
  group_argument(move);
  node_argument(move, "Where to; by default the best other node");
  move->footer("It is stopped, and then started there. If it cannot start there, it comes back.");
  with_waiting(move);

  CLI::App* clear = command(*group, "clear", "Forget a group's failures, after what failed was repaired",
                            {Names::kGroup}, [this] { return clear_group(session_, given_.group); });
  group_argument(clear);

  CLI::App* node = group_of(*root_, "node", "Empty a node for maintenance, and take it back");
  const auto which_node = [this](CLI::App* app) {
    app->add_option("NODE", given_.node, "The node")->required();
  };
  CLI::App* drain = command(*node, "drain", "Move every group off that can run elsewhere; none comes",
                            {Names::kNode}, [this] { return drain_node(session_, given_.node); });
  which_node(drain);
  drain->footer("What no other node can run stays, and is named; the exit code is then 1.");
  with_waiting(drain);
  CLI::App* standby = command(*node, "standby", "Run nothing there: what cannot run elsewhere is stopped",
                              {Names::kNode}, [this] { return standby_node(session_, given_.node); });
  which_node(standby);
  with_waiting(standby);
  which_node(command(*node, "resume", "Let groups run there again", {Names::kNode},
                     [this] { return resume_node(session_, given_.node); }));

  CLI::App* monitor = group_of(*root_, "monitor", "Suspend a monitor, and let it count again");
  const auto which_monitor = [this](CLI::App* app) {
    app->add_option("MONITOR", given_.monitor, "The monitor")->required();
  };
  which_monitor(command(*monitor, "suspend", "Do nothing about what it finds, on every node",
                        {Names::kMonitor}, [this] { return suspend_monitor(session_, given_.monitor); }));
  which_monitor(command(*monitor, "resume", "Act on it again", {Names::kMonitor},
                        [this] { return resume_monitor(session_, given_.monitor); }));

  CLI::App* fence =
      group_of(*root_, "fence", "Switch a node off, vouch that one is off, ask the fencing devices");
  command(*fence, "status", "Fencers, nodes that have to be fenced, and the brake", {},
          [this] { return show_fencing(session_); });
  CLI::App* test = command(*fence, "test", "Ask the fencing devices whether this node could fence the others",
                           {Names::kNode}, [this] { return test_fencing(session_, given_.target); });
  test->add_option_function<std::string>(
          "NODE", [this](const std::string& target) { given_.target = target; }, "Only this one")
      ->type_name("NODE");
  test->footer(
      "Nothing is switched off. Each node asks for itself: run it on all of them. The exit code is 0 if each "
      "node can be fenced from here by one of the levels at least.");
  CLI::App* confirm =
      command(*fence, "confirm", "Vouch that a node is off, so that its groups may start elsewhere",
              {Names::kNode}, [this] { return confirm_fence(session_, given_.node, given_.yes); });
  which_node(confirm);
  confirm->add_flag("--yes", given_.yes, "Do not ask");
  confirm->footer("Look before you say so: if the node runs, its groups will be active twice.");
  CLI::App* off = command(*fence, "off", "Switch a node off now, by its fencing devices", {Names::kNode},
                          [this] { return switch_off(session_, given_.node, given_.yes); });
  which_node(off);
  off->add_flag("--yes", given_.yes, "Do not ask");
  off->footer(
      "For a node that hangs or misbehaves; another node does it. The brakes do not hold it back. Its groups "
      "start elsewhere once it is confirmed off. It is tried for two minutes; what then follows is an "
      "alarm.");
  with_waiting(off);
}

void Language::configuring() {
  CLI::App* config = group_of(*root_, "config", "Check, show and apply the configuration");
  const auto which_file = [this](CLI::App* app) {
    given_.file = Places{}.config;
    app->add_option("FILE", given_.file, "The configuration")->capture_default_str();
  };
  CLI::App* check = command(*config, "check", "Every mistake in a file, in one run; no daemon is needed",
                            {Names::kFile}, [this] { return check_config(session_, given_.file); });
  which_file(check);
  CLI::App* timing = command(*config, "timing",
                             "How long each kind of failover takes at worst, and why; no daemon is needed",
                             {Names::kFile}, [this] { return config_timing(session_, given_.file); });
  which_file(timing);
  timing->footer(
      "Worst means that every agent uses its whole time limit. Below stands what has to hold between the "
      "times, "
      "and does.");
  CLI::App* evidence = command(*config, "evidence",
                               "What makes a node healthy, degraded, stalled or down; no daemon is needed",
                               {}, [this] { return config_evidence(session_); });
  evidence->footer(
      "The first row that fits decides. `komainu status` shows the verdict, and groups prefer better places; "
      "nothing is fenced or stopped because of it. Down is said only of a node that runs nothing for sure: "
      "it "
      "left, or was fenced and its power read back as off, or its lease is over, or an operator vouched for "
      "it.");
  CLI::App* reference =
      command(*config, "reference", "Every section, key and type that a configuration may have",
              {Names::kAnything}, [this] { return config_reference(session_, given_.topic); });
  reference->add_option(
      "TOPIC", given_.topic,
      "A section or a type only, or the beginning of its name, as in: monitor, floating-ip");
  CLI::App* show = command(*config, "show", "The active configuration", {},
                           [this] { return show_config(session_, given_.full); });
  show->add_flag("--full", given_.full, "With every key, also those that have their default");
  which_file(command(*config, "diff", "What a file would change", {Names::kFile},
                     [this] { return diff_config(session_, given_.file); }));
  CLI::App* apply = command(*config, "apply", "Make a file the configuration of all nodes, or of none",
                            {Names::kFile}, [this] { return apply_config(session_, given_.file); });
  which_file(apply);
}

void Language::making() {
  CLI::App* cluster = group_of(*root_, "cluster", "Make a cluster, and start it without the others");
  command(*cluster, "status", "Quorum, view and nodes", {}, [this] { return show_membership(session_); });
  CLI::App* init = command(*cluster, "init", "On the first node: make Corosync's files from cluster.toml", {},
                           [this] { return init_cluster(session_, {}); });
  init->footer("Leaves /etc/komainu/join.bundle, which the other nodes join with.");
  CLI::App* join = command(
      *cluster, "join", "On every other node: take over configuration and key", {Names::kFile}, [this] {
        return join_cluster(session_, {}, given_.file.empty() ? std::nullopt : std::optional(given_.file));
      });
  join->add_option_function<std::string>(
      "BUNDLE", [this](const std::string& file) { given_.file = file; },
      "What `cluster init` left; without it, configuration and key must be in place");
  join->preparse_callback([this](std::size_t) { given_.file.clear(); });
  command(*cluster, "new-key", "On one node: make another key for Corosync, and say how it comes into use",
          {}, [this] { return make_key(session_, {}); })
      ->footer("Leaves /etc/komainu/key.bundle for the other nodes. Nothing uses the key yet.");
  command(*cluster, "take-key", "On every other node: put the new key in its place", {Names::kFile},
          [this] { return take_key(session_, {}, given_.file); })
      ->add_option("FILE", given_.file, "What `cluster new-key` left")
      ->required();
  CLI::App* disarm = command(*cluster, "disarm", "Nothing is started, fenced or reset for a while", {},
                             [this] { return disarm_cluster(session_, given_.length, given_.why); });
  disarm->add_option("--for", given_.length, "How long, as in 30min or 1h; at most 24h")
      ->type_name("TIME")
      ->required();
  disarm->add_option("--why", given_.why, "The reason, for whoever finds it so")
      ->type_name("REASON")
      ->required();
  disarm->footer(
      "For work on what is below: the network, the hypervisor, Corosync. What runs goes on, also where there "
      "is no quorum, and no watchdog is fed. It ends by itself. Faults meanwhile are told, and not "
      "answered.");
  command(*cluster, "arm", "End `cluster disarm`", {}, [this] { return arm_cluster(session_); });
  CLI::App* alone =
      command(*cluster, "start-alone", "Let this one of two nodes act without the other: both were off", {},
              [this] { return start_alone(session_, given_.yes); });
  alone->add_flag("--yes", given_.yes, "Do not ask");
  alone->footer(
      "For a cold start while the other node of two is off: this one no longer waits to see it. What the "
      "other may "
      "run still has to be fenced, or confirmed off: `komainu fence confirm NODE`.");

  CLI::App* replayed =
      command(*root_, "replay", "Run the decisions over a recorded stream again, and show what happened",
              {Names::kFile}, [this] { return replay(session_, given_.file); });
  replayed->add_option_function<std::string>(
      "FILE", [this](const std::string& file) { given_.file = file; },
      "The record; by default this node's, /var/lib/komainu/stream");
  replayed->preparse_callback([this](std::size_t) { given_.file = "/var/lib/komainu/stream"; });
}

void Language::rehearsing() {
  CLI::App* simulated = command(
      *root_, "simulate", "What happens if: the real decisions on a virtual cluster; no daemon is needed",
      {Names::kFile, Names::kFile}, [this] {
        return simulate(session_, given_.cluster, given_.scenario,
                        given_.pairs ? Tries::kPairs : Tries::kSingle);
      });
  simulated->add_option("CLUSTER", given_.cluster, "The configuration")
      ->required()
      ->type_name("CLUSTER.toml");
  simulated
      ->add_option_function<std::string>(
          "SCENARIO", [this](const std::string& file) { given_.scenario = file; },
          "What happens when; without it, or without steps in it, every single fault is tried")
      ->type_name("SCENARIO.toml");
  simulated->add_flag("--pairs", given_.pairs, "Every two faults at once instead of every single one");
  simulated->footer(
      "A scenario, for example:\n"
      "  [[step]]\n"
      "  at   = \"10s\"\n"
      "  do   = \"power-off\"\n"
      "  node = \"guest1\"\n"
      "\n" +
      whatif::scenario_reference());
}

Language::Position Language::follow(const std::vector<std::string>& words) {
  Position at{.command = root_.get()};
  const auto takes_value = [&](const std::string& word) {
    for (CLI::App* app = at.command; app != nullptr; app = app->get_parent())
      if (const CLI::Option* option = app->get_option_no_throw(word))
        return option->get_items_expected_min() > 0;
    return false;
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with('-')) {
      if (word.find('=') == word.npos && takes_value(word)) at.wants_value = ++i == words.size();
      continue;
    }
    if (CLI::App* next = child(*at.command, word)) {
      at.command = next;
      at.arguments = 0;
    } else if (at.command->get_require_subcommand_min() > 0) {
      if (!at.unknown) at.unknown = word;
    } else if (!is_preposition(word)) {
      ++at.arguments;
    }
  }
  return at;
}

}  // namespace komainu::cli
