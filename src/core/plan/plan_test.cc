// Properties of plan() over random clusters and histories; what it decides in each case is said by the tests
// beside it (placement_test.cc, groups_test.cc, nodes_test.cc).
#include "core/plan/plan.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/admit/admit.h"
#include "core/plan/groups.h"
#include "core/plan/placement.h"
#include "core/plan/sentences.h"
#include "core/record/record.h"
#include "core/testing.h"

namespace komainu::core {
namespace {

using testing::Cluster;
using testing::node;

// Decisions drawn from what RapidCheck generates, so that it can shrink them; zeros when it has run out.
class Draw {
 public:
  explicit Draw(std::vector<std::uint32_t> words) : words_(std::move(words)) {}
  std::uint32_t below(std::uint32_t bound) { return next() % bound; }
  bool one_in(std::uint32_t odds) { return below(odds) == odds - 1; }
  bool is_empty() const { return at_ >= words_.size(); }

 private:
  std::uint32_t next() { return is_empty() ? 0 : words_[at_++]; }
  std::vector<std::uint32_t> words_;
  std::size_t at_ = 0;
};

Draw any_draw(std::size_t words) {
  const auto word = rc::gen::inRange<std::uint32_t>(0, 1 << 16);
  return Draw(
      *rc::gen::resize(rc::kNominalSize, rc::gen::container<std::vector<std::uint32_t>>(words, word)));
}

// A cluster with every feature of placement, none of which is rare.
Cluster any_cluster(Draw& draw) {
  Cluster cluster(1 + draw.below(4));
  const auto any_node = [&] {
    return node(1 + draw.below(static_cast<std::uint32_t>(cluster.spec.nodes.size())));
  };
  const std::uint32_t groups = 1 + draw.below(6);
  for (std::uint32_t number = 1; number <= groups; ++number) {
    Group& group = cluster.group("g" + std::to_string(number));
    const auto earlier = [&] { return GroupId{1 + draw.below(number - 1)}; };
    for (std::uint32_t i = draw.below(3); i > 0; --i) {
      const PlaceId place = Spec::place_of(any_node());
      if (std::ranges::find(group.prefer, place) == group.prefer.end()) group.prefer.push_back(place);
    }
    if (draw.one_in(4)) group.strictness = Strictness::kPreferredOnly;
    if (draw.one_in(2)) group.failback = Failback::kAutomatic;
    if (draw.one_in(6)) group.autostart = false;
    if (draw.one_in(3)) group.holds_data = true;
    group.priority = static_cast<std::int32_t>(draw.below(3));
    group.needs["memory"] = draw.below(4);
    if (number > 1 && draw.one_in(3)) group.apart.push_back(earlier());
    if (number > 1 && draw.one_in(3)) group.near.push_back(earlier());
    if (number > 1 && draw.one_in(3)) {
      group.after.push_back(
          {earlier(), draw.one_in(2) ? Dependency::Where::kSamePlace : Dependency::Where::kAnywhere});
    }
    group.on_failure = {.restart = draw.below(3),
                        .failover = draw.below(3),
                        .then = static_cast<FinalAction>(draw.below(5)),
                        .forget_after = 20s};
  }
  for (const auto& [id, unused] : cluster.spec.nodes) {
    if (draw.one_in(2)) cluster.spec.capacity[id]["memory"] = 2 + draw.below(6);
  }
  for (std::uint32_t i = draw.below(3); i > 0; --i) {
    Monitor& monitor = cluster.monitor("m" + std::to_string(i), {});
    for (const auto& [id, unused] : cluster.spec.groups) {
      if (draw.one_in(2)) monitor.affects.push_back(id);
    }
  }
  if (draw.one_in(2)) cluster.monitor_of("answers", GroupId{1 + draw.below(groups)});
  if (!draw.one_in(4)) cluster.has_fencer();
  cluster.spec.brakes = {.fences = 1 + draw.below(3), .window = 30s};
  cluster.spec.timing.lost_after = 5s;
  cluster.spec.timing.daemon_restart = 5s;
  return cluster;
}

// One replica's state under messages, as src/core/replica.cc applies them.
class History {
 public:
  explicit History(State first) : state(std::move(first)) {}

  void apply(NodeId from, Body body) {
    Message message{
        .from = from, .incarnation = {}, .view = {}, .sequence = 0, .cause = {}, .body = std::move(body)};
    if (const NodeState* known = state.node(from)) message.incarnation = known->incarnation;
    dirty.note(state, message);
    ++position_;
    const Context context{
        from, from, message.incarnation, {{}, position_}, {from, message.incarnation, position_}};
    if (const Fact* fact = std::get_if<Fact>(&message.body)) record(state, *fact, context, effects_);
    if (const Proposal* proposal = std::get_if<Proposal>(&message.body)) {
      refusal = admit(state, *proposal, context, effects_);
    }
  }
  // A change that comes with the view, not with a message.
  void change(NodeId id, auto edit) {
    NodeState& known = state.nodes.at(id);
    edit(known);
    known.since = state.clock;
    ++known.version;
    dirty.all();
  }

  State state;
  DirtyGroups dirty;
  std::optional<Refusal> refusal;

 private:
  std::uint64_t position_ = 0;
  Effects effects_;
};

void come_back(NodeState& known) {
  known.standing = Standing::kMember;
  known.suspended = false;
  known.leaving = false;
}

template <class Map>
auto any_key(Draw& draw, const Map& map) {
  return std::next(map.begin(), draw.below(static_cast<std::uint32_t>(map.size())))->first;
}

std::optional<NodeId> planner_of(const State& state) {
  for (const auto& [id, known] : state.nodes) {
    if (known.standing == Standing::kMember && !known.suspended) return id;
  }
  return std::nullopt;
}

Fact any_report(Draw& draw, const State& state) {
  const GroupId id = any_key(draw, state.groups);
  GroupReport report{.group = id, .place = Spec::place_of(any_key(draw, state.nodes))};
  if (!draw.one_in(4)) report.activity = static_cast<Activity>(draw.below(6));
  const GroupState& known = state.groups.at(id);
  if (known.order && !draw.one_in(3)) {
    report.place = known.order->place;
    report.order = known.order->id;
    if (known.order->kind == OrderKind::kStop) report.activity.reset();
    if (known.order->kind != OrderKind::kStop)
      report.activity = draw.one_in(3) ? Activity::kFailed : Activity::kOnline;
  }
  return report;
}

Request any_request(Draw& draw, const State& state) {
  const GroupId group = any_key(draw, state.groups);
  const NodeId node = any_key(draw, state.nodes);
  const std::optional<PlaceId> place = draw.one_in(2) ? std::optional(Spec::place_of(node)) : std::nullopt;
  Request request{.number = 1, .operator_name = "root"};
  switch (draw.below(9)) {
    case 0:
      request.what = GroupStart{group, place};
      break;
    case 1:
      request.what = GroupStop{group};
      break;
    case 2:
      request.what = GroupMove{group, place};
      break;
    case 3:
      request.what = GroupClear{group};
      break;
    case 4:
      request.what = NodeDuty{node, static_cast<Duty>(draw.below(3))};
      break;
    case 5:
      request.what = FenceConfirm{node};
      break;
    case 6:
      request.what = ClusterDisarm{draw.below(3) * Duration{3s}, "a new switch"};
      break;
    case 7:
      request.what = FenceOff{node};
      break;
    default:
      if (state.monitors.empty()) return any_request(draw, state);
      request.what = MonitorSuspend{any_key(draw, state.monitors), draw.one_in(2)};
  }
  return request;
}

Proposal any_proposal(Draw& draw, const State& state) {
  const GroupId id = any_key(draw, state.groups);
  const GroupState& known = state.groups.at(id);
  const NodeId node = any_key(draw, state.nodes);
  const PlaceId place = known.at.empty() ? Spec::place_of(node) : known.at.begin()->first;
  const Incarnation incarnation = Cluster::incarnation(Spec::node_of(place));
  switch (draw.below(3)) {
    case 0:
      return StartGroup{id, place, known.version, incarnation, state.spec->version};
    case 1:
      return StopGroup{id, place, known.version, "chance", draw.one_in(2), draw.one_in(8)};
    default:
      return RestartGroup{id, place, 0, known.version, incarnation};
  }
}

void happen(Draw& draw, History& history) {
  const State& state = history.state;
  const NodeId from = any_key(draw, state.nodes);
  switch (draw.below(12)) {
    case 0:
    case 1:
    case 2: {
      const Fact report = any_report(draw, state);
      return history.apply(Spec::node_of(std::get<GroupReport>(report).place), report);
    }
    case 3:
      return history.apply(from, Fact{ResourceFailed{any_key(draw, state.groups), Spec::place_of(from)}});
    case 4:
      if (state.monitors.empty()) return;
      return history.apply(from, Fact{MonitorResult{any_key(draw, state.monitors), Spec::place_of(from),
                                                    static_cast<Health>(draw.below(4))}});
    case 5:
      return history.apply(from, Fact{Tick{state.ticks + 1, Duration{1s} * (1 + draw.below(5))}});
    case 6:
      return history.apply(from, Fact{any_request(draw, state)});
    case 7:
      return history.apply(from, any_proposal(draw, state));
    case 8:
      for (const auto& [target, known] : state.nodes) {
        if (known.fences.empty()) continue;
        const auto& [executor, order] = *known.fences.begin();
        return history.apply(executor, Fact{FenceResult{target, order.id, !draw.one_in(3)}});
      }
      return;
    case 9:
      switch (draw.below(6)) {
        case 0:
        case 1: {
          if (state.members().size() < 2) return;
          const Standing absent = draw.one_in(2) ? Standing::kUnknown : Standing::kLost;
          return history.change(from, [&](NodeState& known) { known.standing = absent; });
        }
        case 2:
          return history.change(from, [](NodeState& known) {
            known.suspended = known.standing == Standing::kMember && !known.suspended;
          });
        default:
          return history.change(from, come_back);
      }
    case 10:
      return history.apply(from, Fact{LinkChange{any_key(draw, state.nodes), 0, draw.one_in(2)}});
    default: {
      const std::optional<NodeId> planner = planner_of(state);
      if (!planner) return;
      for (const Planned& planned : plan(state, *planner).due) history.apply(*planner, planned.proposal);
    }
  }
}

std::vector<std::string> sentences(const State& state, const std::vector<Planned>& plans) {
  std::vector<std::string> lines;
  for (const Planned& planned : plans) lines.push_back(testing::to_sentence(state, planned));
  return lines;
}

// Nobody could fence it: it takes groups again.
TEST(Plan, LooksAtEverythingWhenAFenceThatAnOperatorWantedHasTakenTooLong) {
  Cluster cluster(2);
  cluster.has_fencer();
  cluster.stands(node(2), Standing::kSettled);
  const Group& web = cluster.group("web");
  cluster.is_wanted_off(node(1));
  History history(cluster.state());
  const auto plans = [&] {
    const std::vector<Planned> due = plan(history.state, node(1), history.dirty).due;
    history.dirty.planned(due);
    return due;
  };
  EXPECT_TRUE(plans().empty());
  for (std::uint64_t tick = 1; history.state.nodes.at(node(1)).fence_wish; ++tick) {
    ASSERT_LE(tick, 200u);
    history.apply(node(1), Fact{Tick{tick, 1s}});
  }
  const std::vector<Planned> due = plans();
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(std::get<StartGroup>(due[0].proposal).group, web.id);
}

TEST(Plan, OfWhatChangedEqualsThePlanOfAll) {
  EXPECT_TRUE(rc::check("the incremental plan is the full plan", [] {
    Draw draw = any_draw(400);
    History history(any_cluster(draw).state());
    while (!draw.is_empty()) {
      happen(draw, history);
      const std::optional<NodeId> planner = planner_of(history.state);
      if (!planner) continue;
      const std::vector<Planned> full = plan(history.state, *planner).due;
      const std::vector<Planned> incremental = plan(history.state, *planner, history.dirty).due;
      RC_ASSERT(sentences(history.state, full) == sentences(history.state, incremental));
      RC_ASSERT(full == incremental);
      history.dirty.planned(incremental);
    }
  }));
}

TEST(Plan, HasAtMostOneProposalForAGroupAndOneForANode) {
  EXPECT_TRUE(rc::check("one each", [] {
    Draw draw = any_draw(300);
    History history(any_cluster(draw).state());
    while (!draw.is_empty()) happen(draw, history);
    const std::optional<NodeId> planner = planner_of(history.state);
    if (!planner) return;
    std::set<GroupId> groups;
    std::set<NodeId> nodes;
    for (const Planned& planned : plan(history.state, *planner).due) {
      std::visit(
          [&](const auto& proposal) {
            if constexpr (requires { proposal.place; }) RC_ASSERT(groups.insert(proposal.group).second);
            if constexpr (requires { proposal.target; }) RC_ASSERT(nodes.insert(proposal.target).second);
            if constexpr (requires { proposal.node; }) RC_ASSERT(nodes.insert(proposal.node).second);
          },
          planned.proposal);
    }
  }));
}

// plan knows what admit forbids: nothing that it proposes is refused, one proposal after the other.
TEST(Plan, ProposesOnlyWhatIsAdmitted) {
  EXPECT_TRUE(rc::check("nothing is refused", [] {
    Draw draw = any_draw(300);
    History history(any_cluster(draw).state());
    while (!draw.is_empty()) happen(draw, history);
    const std::optional<NodeId> planner = planner_of(history.state);
    if (!planner) return;
    for (const Planned& planned : plan(history.state, *planner).due) {
      history.apply(*planner, planned.proposal);
      if (history.refusal)
        RC_LOG() << testing::to_sentence(history.state, planned) << ": " << history.refusal->reason;
      RC_ASSERT(!history.refusal);
    }
  }));
}

constexpr std::uint32_t kMostRounds = 120;

using Broken = std::set<std::pair<GroupId, PlaceId>>;

// Carries out everything that was ordered; starts fail where they are `broken`. Returns the number of rounds
// after which nothing was planned any more.
std::uint32_t settle_down(History& history, const Broken& broken = {}) {
  for (std::uint32_t round = 0; round < kMostRounds; ++round) {
    const NodeSet members = history.state.members();
    for (const auto& [id, known] : State(history.state).groups) {
      for (const auto& [place, activity] : known.at) {
        GroupReport report{.group = id, .place = place};
        const bool ordered = known.order && known.order->place == place;
        if (ordered) report.order = known.order->id;
        if (ordered && known.order->kind != OrderKind::kStop) {
          report.activity = broken.contains({id, place}) ? Activity::kFailed : Activity::kOnline;
        }
        const bool unclear = activity == Activity::kUnknown || activity == Activity::kStarting;
        if (ordered || unclear) history.apply(Spec::node_of(place), Fact{report});
      }
    }
    for (const auto& [target, known] : State(history.state).nodes) {
      for (const auto& [executor, order] : known.fences) {
        history.apply(executor, Fact{FenceResult{target, order.id, true}});
      }
    }
    const std::vector<Planned> plans = plan(history.state, *planner_of(history.state)).due;
    const bool open = std::ranges::any_of(history.state.groups, [&](const auto& entry) {
      return entry.second.order && members.contains(entry.second.order->executor);
    });
    if (plans.empty() && !open) return round;
    for (const Planned& planned : plans) history.apply(*planner_of(history.state), planned.proposal);
  }
  return kMostRounds;
}

// A history after which at least one node answers and many do.
History any_past(Draw& draw) {
  History history(any_cluster(draw).state());
  while (!draw.is_empty()) happen(draw, history);
  for (const auto& [id, known] : State(history.state).nodes) {
    const bool away =
        known.standing != Standing::kMember && id.value % 2 == 0 && history.state.members().size() > 0;
    if (!away) history.change(id, come_back);
  }
  history.state.disarmed.reset();
  history.dirty.all();
  return history;
}

// Why a group that should run does not: the reasons that are no fault of plan().
bool may_be_down(const State& state, const Group& group, const GroupState& known) {
  if (!state.may_run(group.id).empty()) return true;  // nobody can or may fence
  for (const Dependency& dependency : group.after) {
    const GroupState& other = *state.group(dependency.other);
    if (!other.online() || wish_of(*state.spec->group(dependency.other), other) == Wish::kStop) return true;
  }
  const Board board(state);
  return !Placement(board, group, known).best();
}

TEST(Plan, ComesToRestWithEveryGroupOnlineThatCanBe) {
  EXPECT_TRUE(rc::check("faults end, and so does the work", [] {
    Draw draw = any_draw(300);
    History history = any_past(draw);
    RC_ASSERT(settle_down(history) < kMostRounds);
    const State& state = history.state;
    for (const auto& [id, group] : state.spec->groups) {
      const GroupState& known = state.groups.at(id);
      if (wish_of(group, known) != Wish::kRun || known.online()) continue;
      RC_LOG() << group.name;
      // A ladder may end with a group that is left as it is.
      const bool left_failed =
          group.on_failure.then != FinalAction::kStopGroup &&
          known.activity(known.at.empty() ? PlaceId{} : known.at.begin()->first) == Activity::kFailed;
      RC_ASSERT(left_failed || may_be_down(state, group, known));
    }
  }));
}

TEST(Plan, EndsItsLaddersWhenStartsKeepFailing) {
  EXPECT_TRUE(rc::check("failures end in final actions", [] {
    Draw draw = any_draw(300);
    Broken broken;
    for (std::uint32_t group = 1; group <= 6; ++group) {
      for (std::uint32_t place = 1; place <= 4; ++place) {
        if (draw.one_in(2)) broken.insert({GroupId{group}, testing::place(place)});
      }
    }
    History history = any_past(draw);
    RC_ASSERT(settle_down(history, broken) < kMostRounds);
  }));
}

}  // namespace
}  // namespace komainu::core
