// The channel on real Corosync: rings, partitions, crashes, hangs, lost links, rogues. Needs root.
#include <corosync/cpg.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <set>

#include "channel/channel.h"
#include "channel/clock.h"
#include "channel/corosync_lab.h"
#include "channel/fragment.h"
#include "wire/wire.h"

namespace komainu::channel {
namespace {

using ::testing::HasSubstr;
using testing::Lab;

constexpr NodeId kA{0}, kB{1}, kC{2};
constexpr char kGroup[] = "komainu:lab";
// Far beyond what a busy machine needs; a test that works waits for a fraction of it.
constexpr Duration kDeadline = 60s;

// One daemon: its channel, and what it was told so far.
class Member {
 public:
  Member(const Lab& lab, NodeId node) : node_(node) {
    lab.server(node).within([&] { channel_ = make_corosync({node, "lab"}).value(); });
  }

  Channel& channel() { return *channel_; }
  NodeId node() const { return node_; }

  // What it heard, in order: messages, and each change of membership.
  const std::vector<std::string>& story() const { return story_; }
  // The story with quorum and losses, for people.
  const std::vector<std::string>& log() const { return log_; }
  bool heard(const std::string& line) const { return std::ranges::find(story_, line) != story_.end(); }
  const std::vector<Delivered>& messages() const { return messages_; }
  const std::vector<core::RingChange>& changes() const { return changes_; }
  const std::vector<Lost>& losses() const { return losses_; }
  const std::vector<core::LinkChange>& links() const { return links_; }
  const std::vector<Duration>& tokens() const { return tokens_; }
  const std::vector<Misbehaved>& misbehaved() const { return misbehaved_; }
  const std::vector<Done>& done() const { return done_; }
  bool stopped() const { return stopped_; }
  // Corosync may have come later than the channel.
  void forget_losses() { losses_.clear(); }

  NodeSet members() const {
    NodeSet set;
    if (ring_)
      for (const auto& [node, process] : ring_->members) set.insert(node);
    return set;
  }
  NodeSet ring_nodes() const { return ring_ ? ring_->ring_nodes : NodeSet{}; }
  core::RingId ring() const { return ring_ ? ring_->ring : core::RingId{}; }
  // Both connections name this ring.
  bool quorate() const { return ring_ && verdict_ && verdict_->ring == ring_->ring && verdict_->quorate; }
  bool inquorate() const { return ring_ && verdict_ && verdict_->ring == ring_->ring && !verdict_->quorate; }

  void pump() {
    for (Event& event : channel_->take()) std::visit([&](auto& what) { on(what); }, event);
  }

 private:
  void on(core::RingChange& change) {
    std::string text = fmt::format("ring {}.{}:", change.ring.leader, change.ring.seq);
    for (const auto& [node, process] : change.members) text += fmt::format(" {}", node.value);
    tell(text);
    ring_ = change;
    changes_.push_back(change);
  }
  void on(core::QuorumVerdict& verdict) {
    log_.push_back(fmt::format("quorum {}.{}: {}", verdict.ring.leader, verdict.ring.seq,
                               verdict.quorate ? "yes" : "no"));
    verdict_ = verdict;
  }
  void on(Lost& lost) {
    log_.push_back("lost: " + lost.reason.what);
    ring_.reset();
    verdict_.reset();
    losses_.push_back(lost);
  }
  void on(Delivered& message) {
    tell(fmt::format("{} says {}", message.sender.node.value,
                     message.bytes.size() < 40 ? message.bytes : std::to_string(message.bytes.size())));
    messages_.push_back(std::move(message));
  }
  void on(core::LinkChange& change) { links_.push_back(change); }
  void on(QuorumDevice&) {}
  void on(RunningSettings& running) { tokens_.push_back(running.token); }
  void on(Misbehaved& what) { misbehaved_.push_back(what); }
  void on(Done& what) { done_.push_back(what); }
  void on(Stopped&) { stopped_ = true; }

  void tell(const std::string& line) {
    story_.push_back(line);
    log_.push_back(line);
  }

  NodeId node_;
  std::unique_ptr<Channel> channel_;
  std::optional<core::RingChange> ring_;
  std::optional<core::QuorumVerdict> verdict_;
  std::vector<std::string> story_, log_;
  std::vector<Delivered> messages_;
  std::vector<core::RingChange> changes_;
  std::vector<Lost> losses_;
  std::vector<core::LinkChange> links_;
  std::vector<Duration> tokens_;
  std::vector<Misbehaved> misbehaved_;
  std::vector<Done> done_;
  bool stopped_ = false;
};

using Members = std::vector<Member*>;

// Takes events as they come until the condition holds.
bool wait_until(const Members& members, const std::function<bool()>& condition,
                Duration deadline = kDeadline) {
  const LocalTime end = local_now() + deadline;
  while (true) {
    for (Member* member : members) member->pump();
    if (condition()) return true;
    if (local_now() > end) return false;
    std::vector<pollfd> fds;
    for (Member* member : members) fds.push_back({member->channel().event_fd(), POLLIN, 0});
    poll(fds.data(), fds.size(), 50);
  }
}

// All are in one quorate ring and in the group, and nobody else.
bool united(const Members& members) {
  NodeSet nodes;
  for (const Member* member : members) nodes.insert(member->node());
  return std::ranges::all_of(members, [&](const Member* member) {
    return member->quorate() && member->members() == nodes && member->ring() == members[0]->ring();
  });
}

// Says something until all have heard it. A message is dropped when the membership changes just then, which
// on a busy machine can happen at any time; the engine, too, says things again in each view.
bool says(Member& speaker, const std::string& text, const Members& members) {
  const std::string line = fmt::format("{} says {}", speaker.node().value, text);
  std::optional<std::size_t> said_after;
  return wait_until(members, [&] {
    if (std::exchange(said_after, speaker.changes().size()) != speaker.changes().size())
      speaker.channel().send(text);
    return std::ranges::all_of(members, [&](const Member* member) { return member->heard(line); });
  });
}

// Waits for the first ring; the test begins after it.
bool unite(const Members& members) {
  const bool done = wait_until(members, [&] { return united(members); });
  for (Member* member : members) member->forget_losses();
  return done;
}

// Three servers with Corosync.
struct Trio : Lab {
  explicit Trio(Options options = {}) : Lab(std::move(options)) {
    for (NodeId node : {kA, kB, kC}) start_corosync(node);
  }
};

// For the message of a failed assertion.
std::string stories(const Members& members) {
  std::string text;
  for (const Member* member : members) {
    text += fmt::format("node {}:\n", member->node().value);
    const auto& story = member->log();
    for (std::size_t i = story.size() - std::min<std::size_t>(story.size(), 20); i < story.size(); ++i)
      text += "  " + story[i] + "\n";
  }
  return text;
}

std::vector<std::string> tail(const std::vector<std::string>& story, const std::string& from) {
  auto begin = std::ranges::find(story, from);
  return {begin, story.end()};
}

TEST(Corosync, NamesOneRingOnBothConnectionsOfAllMembers) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return united({&a, &b, &c}); })) << lab.corosync_log(kA);
  for (const Member* member : {&a, &b, &c}) {
    EXPECT_EQ(member->ring_nodes(), (NodeSet{kA, kB, kC}));
    EXPECT_EQ(member->changes().back().members, a.changes().back().members);
    for (const auto& [node, process] : member->changes().back().members)
      EXPECT_EQ(process, static_cast<std::uint32_t>(getpid()));
  }
}

TEST(Corosync, DeliversAllMessagesInOneOrderToAll) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  constexpr int kEach = 300;
  for (int i = 0; i < kEach; ++i)
    for (Member* member : {&a, &b, &c}) member->channel().send(fmt::format("{}", i));
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] {
    return a.messages().size() == 3 * kEach && b.messages().size() == 3 * kEach &&
           c.messages().size() == 3 * kEach;
  }));
  const std::string start = a.story()[a.story().size() - 3 * kEach - 1];
  EXPECT_EQ(tail(b.story(), start), tail(a.story(), start));
  EXPECT_EQ(tail(c.story(), start), tail(a.story(), start));
  std::map<NodeId, int> next;
  for (const Delivered& message : a.messages())
    EXPECT_EQ(message.bytes, std::to_string(next[message.sender.node]++)) << "of one sender, in its order";
}

TEST(Corosync, TellsLeavingAndJoiningInsideARingInOrderWithTheMessages) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  const core::RingId ring = a.ring();
  const std::string start = a.story().back();
  const std::size_t changes = a.changes().size();
  c.channel().rejoin("its state is another");
  // While it leaves and joins, the others talk.
  int sent = 0;
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] {
    if (sent < 500)
      a.channel().send(fmt::format("a{}", sent)), b.channel().send(fmt::format("b{}", sent)), ++sent;
    return a.changes().size() >= changes + 2 && united({&a, &b, &c});
  }));
  EXPECT_EQ(c.losses().size(), 1u);
  EXPECT_EQ(c.losses()[0].reason.what, "its state is another");
  EXPECT_EQ(a.ring(), ring) << "the ring stayed";
  EXPECT_FALSE(a.changes()[changes].members.contains(kC));
  EXPECT_TRUE(a.changes()[changes].ring_nodes.contains(kC)) << "its Corosync stayed";
  ASSERT_TRUE(says(a, "the last", {&a, &b, &c})) << stories({&a, &b, &c});
  // What comes after that may be on its way to one of them still.
  const auto until_the_last = [&](const Member& member) {
    std::vector<std::string> heard = tail(member.story(), start);
    heard.erase(std::ranges::find(heard, "0 says the last"), heard.end());
    return heard;
  };
  EXPECT_EQ(until_the_last(b), until_the_last(a));

  b.channel().stop();
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return b.stopped() && a.members() == (NodeSet{kA, kC}); }));
}

TEST(Corosync, FollowsAPartitionAndAMerge) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  const core::RingId before = a.ring();
  lab.set_link(kC, 0, false);
  ASSERT_TRUE(wait_until({&a, &b, &c},
                         [&] { return united({&a, &b}) && c.members() == NodeSet{kC} && c.inquorate(); }));
  EXPECT_GT(a.ring().seq, before.seq);
  EXPECT_NE(c.ring(), a.ring());
  EXPECT_EQ(a.ring_nodes(), (NodeSet{kA, kB}));
  ASSERT_TRUE(says(a, "majority", {&a, &b})) << stories({&a, &b, &c});
  ASSERT_TRUE(says(c, "minority", {&c})) << stories({&a, &b, &c});
  const core::RingId apart = a.ring();
  lab.set_link(kC, 0, true);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return united({&a, &b, &c}); })) << stories({&a, &b, &c});
  EXPECT_GT(a.ring().seq, apart.seq);
  ASSERT_TRUE(says(a, "together", {&a, &b, &c})) << stories({&a, &b, &c});
  EXPECT_FALSE(a.heard("2 says minority"));
  EXPECT_TRUE(a.losses().empty() && b.losses().empty() && c.losses().empty());
}

TEST(Corosync, ComesBackAfterCorosyncWasKilled) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  lab.signal_corosync(kC, SIGKILL);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return !c.losses().empty(); }));
  EXPECT_THAT(c.losses()[0].reason.what, HasSubstr("Corosync"));
  c.channel().send("into the void");
  lab.start_corosync(kC);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return united({&a, &b, &c}); })) << lab.corosync_log(kC);
  ASSERT_TRUE(says(c, "back", {&a, &b, &c})) << stories({&a, &b, &c});
  EXPECT_FALSE(a.heard("2 says into the void"));
  EXPECT_EQ(c.channel().health().unsent, 0u);
}

TEST(Corosync, LeavesTheEngineAloneWhileCorosyncHangs) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  lab.signal_corosync(kC, SIGSTOP);
  const LocalTime hung = local_now();
  // More than Corosync's buffers and the channel's bounds hold: none of these calls may wait.
  for (int i = 0; i < 2 * static_cast<int>(Channel::kMaxUnsent); ++i) c.channel().send("anybody there?");
  c.channel().cancel_wait_for_all();
  EXPECT_LE(c.channel().health().unsent, Channel::kMaxUnsent);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return united({&a, &b}); })) << stories({&a, &b, &c});
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] {
    return local_now() - c.channel().health().alive > Channel::kHeartbeat;
  })) << "the thread hangs, and one can see it";
  EXPECT_LT(c.channel().health().delivery, hung + 1s);

  lab.signal_corosync(kC, SIGCONT);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return united({&a, &b, &c}); })) << stories({&a, &b, &c});
  ASSERT_TRUE(says(c, "awake", {&a, &b, &c})) << stories({&a, &b, &c});

  // Ending is not held up either.
  lab.signal_corosync(kC, SIGSTOP);
  c.channel().cancel_wait_for_all();
  ASSERT_TRUE(
      wait_until({&c}, [&] { return local_now() - c.channel().health().alive > Channel::kHeartbeat; }));
}

TEST(Corosync, TellsTheLossAndTheReturnOfOneLink) {
  Trio lab({.links = 2});
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  const core::RingId ring = a.ring();
  auto told = [](const Member& member, NodeId peer, bool up) {
    return std::ranges::count_if(member.links(), [&](const core::LinkChange& change) {
      return change.peer == peer && change.link == 1 && change.up == up;
    });
  };
  lab.set_link(kC, 1, false);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] {
    return told(a, kC, false) == 1 && told(b, kC, false) == 1 && told(c, kA, false) == 1 &&
           told(c, kB, false) == 1;
  }));
  EXPECT_EQ(a.links().size(), 1u) << "the other links work";
  lab.set_link(kC, 1, true);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] {
    return told(a, kC, true) == 1 && told(b, kC, true) == 1 && told(c, kA, true) == 1 &&
           told(c, kB, true) == 1;
  }));
  EXPECT_EQ(a.ring(), ring) << "one link is enough";
  EXPECT_TRUE(united({&a, &b, &c}));
}

TEST(Corosync, TellsItsTokenAndAnotherThatItIsGivenWhileItRuns) {
  Lab lab({.servers = 1});
  lab.start_corosync(kA);
  Member a(lab, kA);
  ASSERT_TRUE(wait_until({&a}, [&] { return a.tokens().size() == 1; })) << lab.corosync_log(kA);
  EXPECT_EQ(a.tokens()[0], 1s);
  lab.server(kA).run({"corosync-cmapctl", "-s", "totem.token", "u32", "1500"});
  ASSERT_TRUE(wait_until({&a}, [&] { return a.tokens().size() == 2; }));
  EXPECT_EQ(a.tokens()[1], 1500ms);
}

TEST(Corosync, CarriesALargeMessageWhileSmallOnesFlow) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  std::string large(wire::kMaxMessage, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  const std::size_t start = a.messages().size();
  a.channel().send(large);
  a.channel().send("after it");
  // The others say the next word when they hear their last one.
  std::map<NodeId, std::size_t> heard;
  b.channel().send("b");
  c.channel().send("c");
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] {
    for (Member* member : {&b, &c}) {
      const auto own =
          static_cast<std::size_t>(std::ranges::count_if(member->messages(), [&](const Delivered& message) {
            return message.sender.node == member->node();
          }));
      if (own > heard[member->node()]) member->channel().send("still talking");
      heard[member->node()] = own;
    }
    return std::ranges::count(a.story(), "0 says after it") == 1 &&
           std::ranges::count(b.story(), "0 says after it") == 1 &&
           std::ranges::count(c.story(), "0 says after it") == 1;
  }));
  for (const Member* member : {&a, &b, &c}) {
    auto found = std::ranges::find_if(
        member->messages(), [&](const Delivered& message) { return message.bytes.size() == large.size(); });
    ASSERT_NE(found, member->messages().end());
    EXPECT_EQ(found->bytes, large);
    EXPECT_GT(found - member->messages().begin() - static_cast<std::ptrdiff_t>(start), 10)
        << "small ones got between";
  }
}

TEST(Corosync, DeliversALargeMessageToAllOrNoneWhenTheGroupChanges) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  const std::string start = a.story().back();
  const std::size_t changes = a.changes().size();
  a.channel().send(std::string(wire::kMaxMessage, 'x'));
  c.channel().rejoin("in the middle");
  ASSERT_TRUE(
      wait_until({&a, &b, &c}, [&] { return a.changes().size() >= changes + 2 && united({&a, &b, &c}); }));
  ASSERT_TRUE(says(a, "next", {&a, &b, &c})) << stories({&a, &b, &c});
  EXPECT_EQ(tail(b.story(), start), tail(a.story(), start));
  EXPECT_TRUE(a.misbehaved().empty() && b.misbehaved().empty() && c.misbehaved().empty());
  EXPECT_TRUE(a.losses().empty() && b.losses().empty());
}

// What the process started by `rogue` below does: speaks in the group, but not our language.
int be_rogue(const std::string& group) {
  static bool joined = false;
  cpg_callbacks_t callbacks{};
  callbacks.cpg_confchg_fn = [](cpg_handle_t, const cpg_name*, const cpg_address*, std::size_t,
                                const cpg_address*, std::size_t, const cpg_address*,
                                std::size_t) { joined = true; };
  cpg_handle_t handle = 0;
  if (cpg_initialize(&handle, &callbacks) != CS_OK) return 1;
  cpg_name name{};
  name.length = static_cast<std::uint32_t>(group.size());
  std::memcpy(name.value, group.data(), group.size());
  cs_error_t code = CS_ERR_TRY_AGAIN;
  while ((code = cpg_join(handle, &name)) == CS_ERR_TRY_AGAIN) usleep(10'000);
  if (code != CS_OK) return 2;
  while (!joined)
    if (cpg_dispatch(handle, CS_DISPATCH_ONE) != CS_OK) return 3;
  const std::vector<std::string> speeches = {
      "",
      "x",
      "GET / HTTP/1.1\r\n\r\n",
      std::string(1000, '\xff'),
      std::string(2'000'000, 'x'),  // libcpg cuts it itself
      encode_header({1, 0xffffffff, 0, {}}) + "a message of 4 GiB",
      encode_header({1, 10, 20, {}}) + "beyond its end",
      encode_header({2, 1000, 0, {}}) + "a beginning",
      encode_header({2, 1000, 500, {}}) + "and a hole",
      encode_header({3, 5, 0, {}}) + "whole",  // well cut, but no message of ours
  };
  for (const std::string& speech : speeches) {
    const iovec part{const_cast<char*>(speech.data()), speech.size()};
    while ((code = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1)) == CS_ERR_TRY_AGAIN) usleep(1'000);
    if (code != CS_OK) return 4;
  }
  cpg_dispatch(handle, CS_DISPATCH_BLOCKING);  // until it is killed
  return 0;
}

class Rogue {
 public:
  Rogue(const Lab& lab, NodeId node) : pid_(lab.server(node).spawn({"/proc/self/exe", "--rogue", kGroup})) {}
  ~Rogue() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

TEST(Corosync, CountsAndNamesARogueMemberAndGoesOn) {
  Trio lab;
  Member a(lab, kA), b(lab, kB);
  ASSERT_TRUE(unite({&a, &b})) << stories({&a, &b});
  Rogue rogue(lab, kC);
  ASSERT_TRUE(wait_until({&a, &b}, [&] {
    return std::ranges::count(a.story(), "2 says whole") == 1 &&
           std::ranges::count(b.story(), "2 says whole") == 1;
  }));
  for (Member* member : {&a, &b}) {
    EXPECT_GE(member->channel().health().misbehaved, 7u);
    ASSERT_FALSE(member->misbehaved().empty());
    EXPECT_EQ(member->misbehaved()[0].sender.node, kC);
    EXPECT_THAT(member->misbehaved()[0].what, HasSubstr("fragment"));
  }
  const auto refused = wire::decode_message(a.messages().back().bytes, kC);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr("a message from node 2"));
  ASSERT_TRUE(says(a, "undisturbed", {&a, &b})) << stories({&a, &b});
}

TEST(Corosync, DoesNotListenToASecondProcessOfANode) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  const auto daemons = a.changes().back().members;
  Rogue rogue(lab, kC);
  if (rogue.pid() < getpid()) {  // the system's numbers have begun anew, and the lowest is the daemon's
    ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return !c.losses().empty(); }));
    EXPECT_THAT(c.losses()[0].reason.what, HasSubstr("another process of this server"));
    return;
  }
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return a.channel().health().misbehaved >= 9; }));
  EXPECT_EQ(a.misbehaved()[0].what, "it is not the daemon of its node");
  EXPECT_EQ(a.changes().back().members, daemons);
  EXPECT_TRUE(a.messages().empty());
  EXPECT_TRUE(c.losses().empty());
}

TEST(Corosync, LeavesTheGroupWhenTheEngineDoesNotKeepUp) {
  Trio lab;
  Member a(lab, kA), b(lab, kB), c(lab, kC);
  ASSERT_TRUE(unite({&a, &b, &c})) << stories({&a, &b, &c});
  // C takes nothing while A and B talk.
  ASSERT_TRUE(wait_until({&a, &b}, [&] {
    for (int i = 0; i < 100; ++i)
      if (a.channel().health().unsent < 1000) a.channel().send("blah");
    return a.members() == (NodeSet{kA, kB});
  }));
  EXPECT_EQ(a.ring_nodes(), (NodeSet{kA, kB, kC}));
  EXPECT_LE(c.channel().health().waiting, Channel::kMaxWaiting + 8);
  ASSERT_TRUE(wait_until({&a, &b, &c}, [&] { return united({&a, &b, &c}); })) << "it has caught up";
  ASSERT_EQ(c.losses().size(), 1u);
  EXPECT_THAT(c.losses()[0].reason.what, HasSubstr("does not keep up"));
}

TEST(Corosync, IsQuorateAloneOnlyAfterAnOperatorSaidSo) {
  Lab lab({.servers = 2, .quorum = "  two_node: 1\n"});
  lab.start_corosync(kA);
  Member a(lab, kA);
  ASSERT_TRUE(wait_until({&a}, [&] { return a.inquorate() && a.members() == NodeSet{kA}; }));
  a.channel().cancel_wait_for_all();
  ASSERT_TRUE(wait_until({&a}, [&] { return a.quorate(); }));
  ASSERT_EQ(a.done().size(), 1u);
  EXPECT_TRUE(a.done()[0].result.has_value());
}

TEST(Corosync, SaysWhatIsWrongUntilItCanConnect) {
  Lab lab({.servers = 1});
  Member a(lab, kA);
  ASSERT_TRUE(wait_until({&a}, [&] { return !a.losses().empty(); }));
  EXPECT_THAT(a.losses()[0].reason.what, HasSubstr("cannot connect to Corosync"));
  EXPECT_THAT(a.losses()[0].reason.help, HasSubstr("systemctl status corosync"));
  a.channel().cancel_wait_for_all();
  ASSERT_TRUE(wait_until({&a}, [&] { return !a.done().empty(); }));
  EXPECT_FALSE(a.done()[0].result.has_value());
  lab.start_corosync(kA);
  ASSERT_TRUE(wait_until({&a}, [&] { return a.quorate(); }));
}

TEST(Corosync, RefusesAServerWhoseNumberIsAnother) {
  Lab lab({.servers = 1});
  lab.start_corosync(kA);
  std::unique_ptr<Channel> channel;
  lab.server(kA).within([&] { channel = make_corosync({kB, "lab"}).value(); });
  std::string told;
  const LocalTime end = local_now() + kDeadline;
  while (told.find("nodeid") == std::string::npos && local_now() < end) {
    pollfd fd{channel->event_fd(), POLLIN, 0};
    poll(&fd, 1, 50);
    for (const Event& event : channel->take())
      if (auto* lost = std::get_if<Lost>(&event)) told = lost->reason.what;
  }
  EXPECT_THAT(told, HasSubstr("Corosync's nodeid of this server is 1, but its number in the cluster is 2"));
}

TEST(Corosync, RefusesAClusterNameThatDoesNotFit) {
  auto channel = make_corosync({kA, std::string(120, 'n')});
  ASSERT_FALSE(channel.has_value());
  EXPECT_THAT(channel.error().what, HasSubstr("is too long: at most 119 bytes"));
}

}  // namespace
}  // namespace komainu::channel

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--rogue") == 0) return komainu::channel::be_rogue(argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
