// The budgets of the decisions (docs/architecture.md, "Budgets"), measured on the real core: recorded streams
// of real replicas, and plan() over clusters of the sizes that the budgets name.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>
#include <time.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/plan/plan.h"
#include "core/replica.h"
#include "core/testing.h"
#include "core_report.h"
#include "sim/schedule.h"
#include "sim/shape.h"

namespace komainu::bench {
namespace {

using namespace core;
using core::testing::Cluster;
using core::testing::node;

// ---- record and admit: what one replica is given while groups stop and start and monitors report

// Three replicas on one ring that delivers everything to everybody; remembers all inputs of one of them.
class Ring {
 public:
  explicit Ring(const Spec& spec) : spec_(std::make_shared<const Spec>(spec)) {
    const RingId id{1, 4};
    RingChange change{id, {}, spec.node_ids()};
    for (const auto& [node, unused] : spec.nodes) {
      change.members[node] = node.value;
      const ReplicaOptions options{.self = node, .incarnation = Cluster::incarnation(node), .plans = false};
      replicas_.emplace(node, Replica(options, spec_, Durable{}));
    }
    for (const auto& [node, unused] : spec.nodes) give(node, change);
    for (const auto& [node, unused] : spec.nodes) give(node, QuorumVerdict{id, true});
    for (const auto& [node, unused] : spec.nodes) {
      for (const auto& [group, configured] : spec.groups) {
        give(node, Observed{GroupReport{.group = group, .place = Spec::place_of(node)}});
      }
    }
    flow();
  }

  void say(NodeId from, Body body) {
    log_.push_back(replicas_.at(from).compose(std::move(body)));
    flow();
  }
  Replica& at(NodeId id) { return replicas_.at(id); }
  // From now on, what `id` is given is remembered.
  void remember(NodeId id) {
    watched_ = id;
    inputs.clear();
  }
  std::vector<Input> inputs;

 private:
  void give(NodeId id, const Input& input) {
    if (id == watched_) inputs.push_back(input);
    for (Effect& effect : at(id).step(LocalTime{1s}, input)) {
      if (auto* send = std::get_if<Send>(&effect)) log_.push_back(send->message);
      if (auto* store = std::get_if<Store>(&effect)) stores_.emplace_back(id, store->token);
    }
  }
  void flow() {
    while (!log_.empty() || !stores_.empty()) {
      if (!stores_.empty()) {
        const auto [id, token] = stores_.front();
        stores_.pop_front();
        give(id, Stored{token, true});
        continue;
      }
      const Message message = log_.front();
      log_.pop_front();
      for (const auto& [id, unused] : spec_->nodes) give(id, Delivered{message});
    }
  }

  SpecPtr spec_;
  std::map<NodeId, Replica> replicas_;
  std::deque<Message> log_;
  std::deque<std::pair<NodeId, std::uint64_t>> stores_;
  NodeId watched_;
};

Cluster small_cluster() {
  Cluster cluster(3);
  cluster.has_fencer();
  for (int i = 0; i < 20; ++i) {
    Group& group = cluster.group(fmt::format("service-{}", i), {node(1 + i % 3), node(1 + (i + 1) % 3)});
    group.resources.resize(3, group.resources[0]);
    group.needs = {{"cpu", 1}, {"memory", 4}};
  }
  for (NodeId id : {node(1), node(2), node(3)}) cluster.spec.capacity[id] = {{"cpu", 20}, {"memory", 80}};
  for (const char* name : {"business-lan", "interconnect", "gateway", "disk"}) {
    Monitor& monitor = cluster.monitor(name, {});
    for (const auto& [id, group] : cluster.spec.groups) monitor.affects.push_back(id);
  }
  for (const auto& [id, group] : cluster.spec.groups) cluster.monitor_of(group.name + "-answers", id);
  return cluster;
}

std::optional<std::uint64_t> order_of(const Replica& replica, GroupId group) {
  const std::optional<Order>& order = replica.state().groups.at(group).order;
  return order ? std::optional(order->id.position) : std::nullopt;
}

// Every group starts; a monitor says that it is well, warns, and is well again; it stops. Over and over.
void live(Ring& ring, int rounds) {
  const Replica& replica = ring.at(node(1));
  const Spec& spec = *replica.state().spec;
  for (int round = 0; round < rounds; ++round) {
    for (const auto& [id, group] : spec.groups) {
      const PlaceId place = group.prefer[0];
      const NodeId executor = Spec::node_of(place);
      const auto version = [&, id = id] { return replica.state().groups.at(id).version; };
      const auto report = [&, id = id](std::optional<Activity> activity) {
        if (!order_of(replica, id)) throw std::logic_error("a proposal was refused");
        ring.say(executor, Fact{GroupReport{.group = id,
                                            .place = place,
                                            .order = replica.state().groups.at(id).order->id,
                                            .activity = activity}});
      };
      ring.say(node(1),
               Proposal{StartGroup{id, place, version(), Cluster::incarnation(executor), spec.version}});
      report(Activity::kOnline);
      for (Health health : {Health::kHealthy, Health::kWarning, Health::kHealthy}) {
        ring.say(executor, Fact{MonitorResult{MonitorId{4 + id.value}, place, health, "1.2 s"}});
      }
      ring.say(node(1), Proposal{StopGroup{id, place, version(), "the operator wants it"}});
      report(std::nullopt);
    }
    ring.say(node(1), Fact{Tick{replica.state().ticks + 1, 250ms}});
  }
}

bool decides(const Input& input) {
  const auto* delivered = std::get_if<Delivered>(&input);
  return delivered && (std::holds_alternative<Fact>(delivered->message.body) ||
                       std::holds_alternative<Proposal>(delivered->message.body));
}

// Of this thread: what else the machine does must not count.
double seconds_of_cpu() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// The time of everything that a replica does with a stretch of the stream, acknowledgements and checkpoints
// included, for each fact and proposal in it.
void apply_message(benchmark::State& bench) {
  Ring ring(small_cluster().spec);
  live(ring, 1);
  const Replica before = ring.at(node(2));
  ring.remember(node(2));
  live(ring, 5);
  const auto messages = std::ranges::count_if(ring.inputs, decides);
  for (auto _ : bench) {
    Replica replica = before;
    const double start = seconds_of_cpu();
    for (const Input& input : ring.inputs) benchmark::DoNotOptimize(replica.step(LocalTime{1s}, input));
    bench.SetIterationTime((seconds_of_cpu() - start) / static_cast<double>(messages));
    if (replica.state().digest() != ring.at(node(2)).state().digest())
      bench.SkipWithError("the replica went astray");
  }
}
BENCHMARK(apply_message)->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(40);

void copy_message(benchmark::State& bench) {
  const Message message{.from = node(1),
                        .incarnation = {},
                        .view = {},
                        .sequence = 1,
                        .cause = {},
                        .body = Fact{MonitorResult{MonitorId{1}, PlaceId{1}, Health::kWarning, "1.2 s"}}};
  for (auto _ : bench) {
    Message copy = message;
    benchmark::DoNotOptimize(copy);
  }
}
BENCHMARK(copy_message)->Unit(benchmark::kMicrosecond);

// ---- plan

struct Size {
  std::uint32_t places;
  std::uint32_t groups;
};
constexpr Size kSmall{3, 20};
constexpr Size kMiddle{32, 2000};
constexpr Size kLarge{64, 8000};

constexpr std::uint32_t kFirst = 0;  // the lowest node id: 64 nodes have the ids 0 … 63

// Virtual machines on hosts, three quarters full: preferences, capacities, pairs that are kept apart, and
// monitors of every host that judge all of them.
Cluster virtual_machines(Size size) {
  Cluster cluster(size.places, kFirst);
  cluster.has_fencer();
  const std::uint32_t per_place = size.groups / size.places + 1;
  for (const auto& [id, unused] : cluster.spec.nodes) {
    cluster.spec.capacity[id] = {{"cpu", per_place * 4}, {"memory", per_place * 16}};
  }
  for (std::uint32_t i = 0; i < size.groups; ++i) {
    const auto at = [&](std::uint32_t offset) { return node(kFirst + (i + offset) % size.places); };
    Group& group = cluster.group(fmt::format("vm-{:04}.example.org", i), {at(0), at(1), at(2 + i % 5)});
    group.resources[0] = {.name = "vm",
                          .type = "vm",
                          .params = {{"definition", "/srv/datastore/vm-" + std::to_string(i) + "/domain.xml"},
                                     {"uuid", fmt::format("6f3a9c52-7f0b-4b57-9d0e-{:012}", i)}}};
    group.needs = {{"cpu", 1 + i % 5}, {"memory", 4 + i % 17}};
    group.priority = static_cast<std::int32_t>(i % 3);
    if (i % 8 == 1) group.apart = {GroupId{i}};  // the one before it
    cluster.runs(group.id, at(0));
  }
  for (const char* name : {"business-lan", "vmkernel-lan", "storage-path", "datastore"}) {
    Monitor& monitor = cluster.monitor(name, {});
    for (const auto& [id, group] : cluster.spec.groups) monitor.affects.push_back(id);
    for (const auto& [id, unused] : cluster.spec.nodes) cluster.reports(monitor.id, id, Health::kHealthy);
  }
  return cluster;
}

// Built once: the large ones take longer to build than to plan.
template <Size kSize>
const State& nothing_to_do() {
  static const State state = virtual_machines(kSize).state();
  return state;
}
template <Size kSize>
const State& place_lost() {
  static const State state = [] {
    Cluster cluster = virtual_machines(kSize);
    cluster.loses(node(kFirst));
    return cluster.state();
  }();
  return state;
}
template <Size kSize>
const State& place_fenced() {
  static const State state = [] {
    Cluster cluster = virtual_machines(kSize);
    cluster.stands(node(kFirst), Standing::kSettled);
    for (auto& [id, group] : cluster.edit().groups) group.at.erase(PlaceId{kFirst});
    return cluster.state();
  }();
  return state;
}

void plan_of(benchmark::State& bench, const State& state, std::size_t least_proposals) {
  std::size_t proposals = 0;
  for (auto _ : bench) {
    const std::vector<Planned> planned = plan(state, node(kFirst + 1)).due;
    benchmark::DoNotOptimize(planned.data());
    proposals = planned.size();
  }
  bench.counters["proposals"] = static_cast<double>(proposals);
  if (proposals < least_proposals) bench.SkipWithError("plan() found nothing to do");
}

template <Size kSize>
void plan_quiet(benchmark::State& bench) {
  plan_of(bench, nothing_to_do<kSize>(), 0);
}
// After a message that left nothing to do.
template <Size kSize>
void plan_clean(benchmark::State& bench) {
  const State& state = nothing_to_do<kSize>();
  DirtyGroups dirty;
  dirty.planned({});
  for (auto _ : bench) benchmark::DoNotOptimize(plan(state, node(kFirst + 1), dirty));
}
template <Size kSize>
void plan_lost(benchmark::State& bench) {
  plan_of(bench, place_lost<kSize>(), 1);
}
template <Size kSize>
void plan_fenced(benchmark::State& bench) {
  plan_of(bench, place_fenced<kSize>(), kSize.groups / kSize.places);
}

// The floor: whatever plans for all groups must at least look at each.
template <Size kSize>
void read_groups(benchmark::State& bench) {
  const State& state = nothing_to_do<kSize>();
  for (auto _ : bench) {
    std::uint64_t sum = 0;
    for (const auto& [id, group] : state.groups) sum += group.version + group.at.size();
    benchmark::DoNotOptimize(sum);
  }
}

// ---- simulation: the price of one message in a whole cluster, its latencies, its world and its judge
// included

void simulate_message(benchmark::State& bench) {
  constexpr std::size_t kSchedules = 20;
  constexpr std::uint32_t kAggressiveness = 100;
  const sim::Workloads& workloads = sim::default_workloads();
  std::vector<sim::Schedule> schedules;
  for (std::uint64_t seed = 1; schedules.size() < kSchedules; ++seed) {
    sim::Random random(seed);
    const sim::Shape shape = draw_shape(random, seed);
    if (shape.spec->nodes.size() == 3 && shape.spec->groups.size() == 5)
      schedules.push_back(sim::draw_schedule(seed, workloads, kAggressiveness));
  }
  for (auto _ : bench) {
    std::uint64_t messages = 0;
    const double start = seconds_of_cpu();
    for (const sim::Schedule& schedule : schedules) {
      const sim::ScheduleReport report = run_schedule(schedule, workloads);
      messages += report.delivered;
      if (report.violation) bench.SkipWithError(report.violation->c_str());
    }
    bench.SetIterationTime((seconds_of_cpu() - start) / static_cast<double>(messages));
  }
}
BENCHMARK(simulate_message)->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(2);

std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// The state and the configuration that is part of it.
void memory_of_state(benchmark::State& bench) {
  const Cluster cluster = virtual_machines(kLarge);
  std::size_t bytes = 0;
  for (auto _ : bench) {
    const std::size_t before = allocated();
    State state = Cluster(cluster).state();  // the copy's configuration is the state's own
    bytes = allocated() - before;
    benchmark::DoNotOptimize(state);
  }
  bench.counters["MiB"] = static_cast<double>(bytes) / (1024.0 * 1024.0);
}

BENCHMARK_TEMPLATE(read_groups, kSmall)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(read_groups, kMiddle)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(read_groups, kLarge)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_quiet, kSmall)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_quiet, kMiddle)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_quiet, kLarge)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_clean, kLarge)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_lost, kSmall)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_lost, kMiddle)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_lost, kLarge)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_fenced, kSmall)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_fenced, kMiddle)->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(plan_fenced, kLarge)->Unit(benchmark::kMicrosecond);
BENCHMARK(memory_of_state)->Unit(benchmark::kMicrosecond)->Iterations(1);

const std::vector<Budget> kBudgets = {
    {"apply_message", "record + admit of one message, 3 nodes, 20 groups", 5, "us", "copy_message"},
    {"plan_lost<kSmall>", "plan when a node is lost, 3 nodes, 20 groups", 50, "us", "read_groups<kSmall>"},
    {"plan_fenced<kSmall>", "plan once it is fenced", 50, "us", "read_groups<kSmall>"},
    {"plan_lost<kMiddle>", "plan when a place is lost, 32 places, 2,000 groups", 10'000, "us",
     "read_groups<kMiddle>"},
    {"plan_fenced<kMiddle>", "plan once it is fenced", 10'000, "us", "read_groups<kMiddle>"},
    {"plan_lost<kLarge>", "plan when a place is lost, 64 places, 8,000 VMs", 40'000, "us",
     "read_groups<kLarge>"},
    {"plan_fenced<kLarge>", "plan once it is fenced", 40'000, "us", "read_groups<kLarge>"},
    // 300,000 a second and core.
    {"simulate_message", "one message of a simulated cluster, 3 nodes, 5 groups", 1e6 / 300'000, "us",
     "copy_message"},
    {"memory_of_state", "memory of that state and its configuration", 64, "MiB", ""},
};

int run(int argc, char** argv) {
  bool json = false;
  std::vector<char*> arguments(argv, argv + argc);
  std::erase_if(arguments, [&](const char* argument) {
    const bool ours = std::string_view(argument) == "--json";
    json = json || ours;
    return ours;
  });
  std::string repetitions = "--benchmark_repetitions=7";
  std::string interleaving = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, {repetitions.data(), interleaving.data()});
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  Report report;
  benchmark::RunSpecifiedBenchmarks(&report);
  return (json ? report.show_json(kBudgets) : report.show_table(kBudgets)) ? 0 : 1;
}

}  // namespace
}  // namespace komainu::bench

int main(int argc, char** argv) {
  return komainu::bench::run(argc, argv);
}
