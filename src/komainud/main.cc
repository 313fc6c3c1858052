// The daemon: wiring only. What is made first is what must not hang later: the spawner is forked before there
// is a thread, the configuration is read before the loop runs.
#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <expected>
#include <iostream>
#include <memory>
#include <optional>
#include <vector>

#include "api/server.h"
#include "channel/channel.h"
#include "config/corosync_conf.h"
#include "config/parse.h"
#include "drivers/driver.h"
#include "engine/cluster/abandoned.h"
#include "engine/cluster/node.h"
#include "engine/cluster/outgoing.h"
#include "engine/cluster/store.h"
#include "engine/files/atomic_file.h"
#include "engine/files/corosync_key.h"
#include "engine/files/flow_stamp.h"
#include "engine/files/ring_file.h"
#include "engine/files/writer.h"
#include "engine/loop/loop.h"
#include "engine/report/alert.h"
#include "engine/report/journal.h"
#include "engine/report/notify.h"
#include "engine/services/netlink.h"
#include "engine/services/systemd.h"
#include "engine/spawner/spawner.h"
#include "engine/watchdog/feeder.h"
#include "komainud/backend.h"
#include "komainud/decision_version.h"
#include "komainud/identity.h"
#include "komainud/options.h"
#include "komainud/yield.h"
#include "wire/wire.h"

namespace komainu {
namespace {

// For what is not a stop of a group: those have time limits of their own, and are waited for.
constexpr Duration kLeavePatience = 60s;
// While it leaves, systemd is asked to wait: less often than that, and for longer.
constexpr Duration kStillLeaving = 5s;
constexpr std::chrono::milliseconds kFlushPatience = 2s;
// How often a node that is held back looks whether it may begin, and says that it may not.
constexpr Duration kLookAgain = 100ms;
constexpr Duration kRepeat = 60s;
// What systemd does with an exit is said in packaging/komainud.service.
constexpr int kExitFailed = 1;     // what failed may pass: it is started again
using engine::kExitMisconfigured;  // it is not, as only a person can help
constexpr std::size_t kMaxConfig = 4u << 20;

// Nothing is destroyed: threads may run already. What the groups run here runs on.
[[noreturn]] void die(int code, const Error& error) {
  std::cerr << "komainud: " << error.what << '\n';
  if (!error.help.empty()) std::cerr << "          " << error.help << '\n';
  std::cerr
      << (code == kExitMisconfigured
              ? "          it is not started again by itself: mend this, then 'systemctl start komainud'\n"
              : "          systemd starts it again, as this may pass\n");
  std::_Exit(code);
}
template <class T>
T need(Result<T> result) {
  if (!result) die(kExitFailed, result.error());
  return std::move(*result);
}

struct ConfigProblem {
  int exit_code;
  std::string diagnostics;  // for people, with places; may be empty
  Error error;
};

std::expected<core::SpecPtr, ConfigProblem> read_config(const std::string& path,
                                                        const params::Registry& registry) {
  const auto wrong = [](Error error, std::string diagnostics = {}) {
    return std::unexpected(ConfigProblem{kExitMisconfigured, std::move(diagnostics), std::move(error)});
  };
  const Result<std::optional<std::string>> text = engine::read_whole(path, kMaxConfig);
  if (!text) return std::unexpected(ConfigProblem{kExitFailed, {}, text.error()});
  if (!*text)
    return wrong(
        {"there is no " + path,
         "write one ('komainu config reference' lists what it may say), then 'komainu cluster init'"});
  config::Parsed parsed = config::parse(**text, registry);
  if (!parsed.spec)
    return wrong({path + " is wrong", "'komainu config check' reads it without the daemon"},
                 config::render(parsed.diagnostics, path, **text));
  auto spec = std::make_shared<const core::Spec>(std::move(*parsed.spec));
  if (const std::optional<Error> problem = engine::too_large(spec)) return wrong(*problem);
  return spec;
}

[[noreturn]] void die(const engine::StoreProblem& problem) {
  die(problem.remedy == engine::StoreProblem::Remedy::kPerson ? kExitMisconfigured : kExitFailed,
      problem.error);
}
std::optional<core::Durable> read_store(const std::string& path) {
  auto store = engine::read_store(path);
  if (!store) die(store.error());
  return std::move(*store);
}

class Daemon {
 public:
  explicit Daemon(const Options& options, std::unique_ptr<engine::Spawner> spawner)
      : options_(options), spawner_(std::move(spawner)), journal_("komainud"), writer_(loop_.io()) {
    drivers::declare_types(registry_);
  }

  void warn(const Error& error) {
    journal_.warning(error.help.empty() ? error.what : error.what + ": " + error.help);
  }

  void run() {
    std::optional<core::Durable> stored = read_store(options_.store());
    core::SpecPtr spec = choose_config(stored);
    const Result<NodeId> found = find_self(*spec, options_.node);
    if (!found) die(kExitMisconfigured, found.error());
    const NodeId self = *found;

    netlink_ = need(engine::Netlink::open(loop_));
    systemd_ = std::make_unique<engine::Systemd>(loop_);
    const drivers::Services services{loop_, loop_, *spawner_, *spawner_, *systemd_, *netlink_, journal_};
    channel_ = make_channel(*spec, self);
    if (Result<void> kept = stamp_.open(); !kept) warn(kept.error());
    // Alone there is nobody who could have taken over meanwhile.
    const std::optional<engine::Flow> last_flow = spec->nodes.size() > 1 ? stamp_.read() : std::nullopt;
    node_ = std::make_unique<engine::Node>(parts(services, last_flow), self, boot_, spec,
                                           stored ? std::move(*stored) : core::Durable{});
    loop_.on_pause([this] { node_->was_paused(); });
    alert_ = std::make_unique<engine::Alert>(services);
    if (!config_warning_.empty()) {
      tell({.severity = core::Severity::kWarning,
            .kind = core::EventKind::kConfig,
            .cause = {},
            .node = self,
            .group = {},
            .monitor = {},
            .text = config_warning_});
    }
    watch_over(*spec);
    Backend backend(*node_, *channel_, registry_, events_, [this] { return counters(); });
    api::ServerOptions server_options;
    server_options.path = options_.socket;
    server_options.warn = [this](const std::string& text) { journal_.warning(text); };
    api::Server server = need(api::Server::listen(loop_.io(), backend, std::move(server_options)));

    spawner_->attach(
        loop_.io(), [this](const engine::spawner::Ready& ready) { begin(ready); },
        [this](const std::string& why) {
          journal_.alarm("the spawner is gone: " + why);
          exit_code_ = kExitFailed;
          loop_.stop();
        });
    boost::asio::signal_set signals(loop_.io(), SIGTERM, SIGINT);
    signals.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) leave();
    });
    notify_.ready();
    beat();
    beat_watchdog();
    loop_.run();
  }

  // What waits is not ended piece by piece: it waits for the world, some of it in vain. What must not be lost
  // is written, the group is left, agents under way are killed and awaited; the kernel takes the rest.
  // Applications live on.
  [[noreturn]] void end() {
    if (!writer_.flush(kFlushPatience)) journal_.warning("not everything could be written before the end");
    channel_.reset();
    spawner_.reset();
    std::_Exit(exit_code_);
  }

 private:
  // What the cluster agreed on is used, whatever has become of the file meanwhile: a daemon that crashed
  // while somebody edits it comes back.
  core::SpecPtr choose_config(const std::optional<core::Durable>& stored) {
    const auto configured = read_config(options_.config, registry_);
    if (!configured) {
      const ConfigProblem& problem = configured.error();
      std::cerr << problem.diagnostics;
      if (!stored) die(problem.exit_code, problem.error);
      config_warning_ =
          problem.error.what +
          ": the configuration that the cluster agreed on is used; 'komainu config show' prints it";
      return stored->spec;
    }
    if (!stored) return *configured;
    const auto belongs = engine::belongs_to(*stored, (*configured)->cluster, options_.store());
    if (!belongs) die(belongs.error());
    if (stored->spec->source != (*configured)->source) {
      config_warning_ = options_.config +
                        " differs from the configuration that the cluster agreed on, which is used: "
                        "'komainu config apply' makes it the cluster's";
    }
    return stored->spec;
  }

  std::unique_ptr<channel::Channel> make_channel(const core::Spec& spec, NodeId self) {
    if (spec.nodes.size() == 1) return channel::make_solo(self);
    return need(channel::make_corosync({.self = self, .cluster = spec.cluster}));
  }

  engine::NodeParts parts(const drivers::Services& services, std::optional<engine::Flow> last_flow) {
    return {
        .loop = loop_,
        .channel = *channel_,
        .services = services,
        .write_store = [this](const core::Durable& durable,
                              const std::function<void(bool)>& done) { store(durable, done); },
        .keep = [this](std::string record) { keep(std::move(record)); },
        .publish_config =
            [this](const core::Spec& spec) {
              publish(spec);
              watchdog_->want(node_->disarmed() ? Duration{0} : spec.timing.watchdog);
            },
        .tell = [this](const core::Event& event) { tell(event); },
        .write_corosync = [this](const core::Spec& spec,
                                 std::function<void(bool)> done) { write_corosync(spec, std::move(done)); },
        .decision_version = decision_version,
        .last_flow = last_flow,
        .flowed = [this](const engine::Flow& flow) { stamp_.flowed(flow); },
        .prepare = [this](const core::Spec& spec,
                          std::function<void(const Result<void>&)> done) { prepare(spec, std::move(done)); }};
  }

  // That it is fed from here proves that the loop lives; what else must hold is asked of the node.
  void watch_over(const core::Spec& spec) {
    watchdog_.emplace(engine::FeederParts{
        .open = [this] { return engine::open_watchdog(watchdog_path()); },
        .idle = [this] { return node_->idle() || node_->disarmed(); },
        .tell = [this](std::optional<Duration> timeout) { node_->guarded(timeout); },
        .alarm =
            [this](const Error& error) {
              tell({.severity = core::Severity::kAlarm,
                    .kind = core::EventKind::kNode,
                    .cause = {},
                    .node = node_->replica().self(),
                    .group = {},
                    .monitor = {},
                    .text = error.help.empty() ? error.what : error.what + ": " + error.help});
            },
        .log = journal_});
    watchdog_->require([this](LocalTime now) { return node_->runs_against_its_right(now); });
    watchdog_->want(spec.timing.watchdog);
  }
  std::string watchdog_path() const {
    const core::Replica& replica = node_->replica();
    const core::Node* self = replica.state().spec->node(replica.self());
    return self ? self->watchdog : std::string();
  }
  void beat_watchdog() {
    const bool disarmed = node_->disarmed();
    if (disarmed != std::exchange(disarmed_, disarmed))
      watchdog_->want(disarmed ? Duration{0} : node_->replica().state().spec->timing.watchdog);
    feed_.set_after(watchdog_->beat(loop_.now()), [this] { beat_watchdog(); });
  }

  void store(const core::Durable& durable, std::function<void(bool)> done) {
    const std::string path = options_.store();
    auto write = [path, bytes = wire::encode(durable)] {
      return engine::write_atomically(path, bytes, 0600);
    };
    writer_.put(path, std::move(write), [this, done = std::move(done)](const Result<void>& result) {
      // It is tried again, and again: told when it changes.
      const std::string problem = result ? "" : result.error().what;
      if (problem != store_problem_) journal_.alarm(result ? "the store is written again" : problem);
      store_problem_ = problem;
      done(result.has_value());
    });
  }

  void keep(std::string record) {
    const std::size_t size = record.size();
    auto append = [this, record = std::move(record)] { return ring_file_.append(record); };
    const bool queued = writer_.submit(
        std::move(append), [this](const Result<void>& result) { records_dropped_ += !result; }, size);
    records_dropped_ += !queued;
  }

  // The administrator's file follows the active configuration, on every node.
  void publish(const core::Spec& spec) {
    auto write = [path = options_.config, source = spec.source] {
      return engine::write_atomically(path, source, 0640);
    };
    writer_.put(options_.config, std::move(write), [this](const Result<void>& result) {
      if (!result) journal_.warning(result.error().what);
    });
  }

  void prepare(const core::Spec& spec, std::function<void(const Result<void>&)> done) {
    if (const Result<void> guarded = watchdog_->prepare(spec.timing.watchdog); !guarded) return done(guarded);
    if (spec.key.empty()) return done({});
    if (!writer_.submit([spec] { return has_key(spec); }, done))
      done(failure("its disk does not keep up, so that nobody knows whether it has the key"));
  }
  // What `cluster init` made has no name that it could be held against.
  static Result<void> has_key(const core::Spec& spec) {
    if (spec.key.empty() || spec.nodes.size() < 2) return {};
    return engine::check_corosync_key(config::corosync_key_file(spec), spec.key);
  }

  // What somebody wrote below ours stays while ours does. A file that names a key that is not there would
  // keep Corosync from starting.
  void write_corosync(const core::Spec& spec, std::function<void(bool)> done) {
    auto write = [path = options_.corosync_conf, spec]() -> Result<void> {
      if (Result<void> key = has_key(spec); !key) return key;
      const std::string conf = config::corosync_conf(spec);
      const auto before = engine::read_whole(path, kMaxConfig);
      if (before && *before && (*before)->starts_with(conf)) return {};
      return engine::write_atomically(path, conf, 0644);
    };
    writer_.put(options_.corosync_conf, std::move(write),
                [this, done = std::move(done)](const Result<void>& result) {
                  // It is tried again, and again: told when it changes.
                  const std::string problem = result ? "" : result.error().what;
                  if (problem != corosync_problem_)
                    journal_.alarm(result ? "corosync.conf is written again" : problem);
                  corosync_problem_ = problem;
                  done(result.has_value());
                });
  }

  void tell(const core::Event& event) {
    const auto wall = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    events_.append(loop_.now(), wall, event);
    switch (event.severity) {
      case core::Severity::kInfo:
        journal_.info(event.text);
        break;
      case core::Severity::kWarning:
        journal_.warning(event.text);
        break;
      case core::Severity::kAlarm:
        journal_.alarm(event.text);
        alert_->raise(*node_->replica().state().spec, event);
        break;
    }
  }

  void begin(const engine::spawner::Ready& ready) {
    if (ready.contained) {
      journal_.info(ready.containment);
    } else {
      journal_.warning(ready.containment);
    }
    for (const std::string& label : ready.stuck)
      journal_.warning("of an earlier run this has survived SIGKILL: " + label);
    if (!begin_alone()) node_->hold();
  }

  // A survivor of an earlier run may still start or stop something: what is seen meanwhile does not last. So
  // nothing is looked at, or told to the others, until it has gone, however long that takes.
  bool begin_alone() {
    std::vector<std::string> acting = spawner_->stuck_agents();
    std::erase_if(acting, [](const std::string& label) { return !engine::may_act(label); });
    if (acting.empty()) {
      if (!held_by_.empty()) journal_.alarm("the last of an earlier run has gone: this node takes part now");
      held_by_.clear();
      began_ = true;
      node_->start();
      return true;
    }
    if (acting != held_by_ || loop_.now() >= repeat_) {
      held_by_ = acting;
      repeat_ = loop_.now() + kRepeat;
      std::string names;
      for (const std::string& label : acting) names += (names.empty() ? "" : ", ") + label;
      const std::string text =
          "this node takes no part until what an earlier run left has ended: " + names +
          "; it waits in the kernel, probably for a dead disk: restart this machine if that stays";
      journal_.alarm(text);
      notify_.status(text);
    }
    hold_.set_after(kLookAgain, [this] { begin_alone(); });
    return false;
  }

  void beat() {
    if (std::optional<Duration> every = notify_.watchdog()) {
      notify_.alive();
      beat_.set_after(*every, [this] { beat(); });
    }
  }

  void leave() {
    notify_.stopping();
    hold_.cancel();
    if (!began_) {
      watchdog_->end();
      return loop_.stop();  // what an earlier run left is for `komainud --yield`
    }
    still_leaving();
    node_->leave(kLeavePatience, [this] {
      feed_.cancel();
      watchdog_->end();
      if (node_->replica().holds().empty()) stamp_.remove();
      channel_->stop();
      loop_.stop();
    });
  }

  // A stop that has failed is not worth waiting for: systemd then ends this.
  void still_leaving() {
    if (node_->busy()) notify_.extend_timeout(4 * kStillLeaving);
    leave_.set_after(kStillLeaving, [this] { still_leaving(); });
  }

  std::map<std::string, std::uint64_t> counters() const {
    const engine::LoopDelay& delay = loop_.delay();
    return {{"loop_delay_max_us", static_cast<std::uint64_t>(delay.max.count())},
            {"loop_delay_recent_max_us", static_cast<std::uint64_t>(delay.recent_max.count())},
            {"agents_running", spawner_->running()},
            {"agents_stuck", spawner_->stuck()},
            {"log_lines_dropped", journal_.dropped()},
            {"writes_waiting", writer_.waiting()},
            {"records_dropped", records_dropped_},
            {"alerts_dropped", alert_->dropped()}};
  }

  const Options options_;
  std::unique_ptr<engine::Spawner> spawner_;
  params::Registry registry_;
  engine::Loop loop_;
  engine::Journal journal_;
  engine::Notify notify_;
  engine::RingFile ring_file_{options_.state + "/stream"};
  engine::Writer writer_;
  const std::uint64_t boot_ = boot_identity();
  engine::FlowStamp stamp_{options_.flow_stamp(), boot_};
  api::EventLog events_;
  std::unique_ptr<engine::Netlink> netlink_;
  std::unique_ptr<engine::Systemd> systemd_;
  std::unique_ptr<channel::Channel> channel_;
  std::unique_ptr<engine::Node> node_;
  std::unique_ptr<engine::Alert> alert_;
  std::optional<engine::WatchdogFeeder> watchdog_;
  bool disarmed_ = false;  // as the watchdog knows it
  engine::Loop::Timer beat_{loop_};
  engine::Loop::Timer feed_{loop_};
  engine::Loop::Timer hold_{loop_};
  engine::Loop::Timer leave_{loop_};
  bool began_ = false;
  std::vector<std::string> held_by_;
  LocalTime repeat_;
  std::uint64_t records_dropped_ = 0;
  std::string config_warning_;  // of the file beside the store; empty: none
  std::string store_problem_;   // empty: it can be written
  std::string corosync_problem_;
  int exit_code_ = 0;
};

}  // namespace
}  // namespace komainu

int main(int argc, char** argv) {
  komainu::Options options;
  CLI::App app{"komainud: the komainu daemon. It is started by systemd; `komainu help` has everything else."};
  app.set_version_flag("--version", KOMAINU_VERSION);
  app.add_option("--config", options.config, "the cluster's configuration")->capture_default_str();
  app.add_option("--state", options.state, "folder of the store and the stream's record")
      ->capture_default_str();
  app.add_option("--runtime", options.runtime, "folder of what lasts until the next boot; on a tmpfs")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "the local API's socket")->capture_default_str();
  app.add_option("--corosync-conf", options.corosync_conf, "Corosync's configuration, kept up to date")
      ->capture_default_str();
  app.add_option("--node", options.node, "this node's name; default: the host name");
  bool yields = false;
  app.add_flag("--yield", yields,
               "for systemd, after the daemon's end: stop this node's groups where nobody fences it and the "
               "daemon does not come back");
  CLI11_PARSE(app, argc, argv);
  if (yields) return komainu::yield(options);

  // Both before there is a thread: a fork copies only one, and their stacks are locked whole.
  auto spawner = komainu::need(
      komainu::engine::Spawner::fork({.memory = komainu::engine::Spawner::Options::Memory::kLocked}));
  const komainu::Result<void> locked = komainu::engine::lock_memory();
  komainu::Daemon daemon(options, std::move(spawner));
  if (!locked) daemon.warn(locked.error());
  daemon.run();
  daemon.end();
}
