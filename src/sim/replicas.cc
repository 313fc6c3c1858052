#include "sim/replicas.h"

#include <fmt/format.h>

#include <type_traits>

#include "base/overloaded.h"

namespace komainu::sim {
namespace {

void add_request(Digest& digest, const core::Request& request) {
  digest.word(request.number);
  add(digest, request.operator_name);
  digest.word(request.what.index());
  std::visit(Overloaded{
                 [&](const core::ConfigApply& apply) { add(digest, *apply.spec); },
                 [&](const auto& what) { add(digest, what); },
             },
             request.what);
}

void add_fact(Digest& digest, const core::Fact& fact) {
  digest.word(fact.index());
  std::visit(Overloaded{
                 [&](const core::Request& request) { add_request(digest, request); },
                 [&](const auto& what) { add(digest, what); },
             },
             fact);
}

void add_body(Digest& digest, const core::Body& body) {
  digest.word(body.index());
  std::visit(Overloaded{
                 [&](const core::Snapshot& snapshot) { digest.word(snapshot.state->digest()); },
                 [&](const core::Fact& fact) { add_fact(digest, fact); },
                 [&](const auto& what) { add(digest, what); },
             },
             body);
}

}  // namespace

std::uint64_t digest_of_message(const core::Message& message) {
  Digest digest;
  add(digest, message.from);
  add(digest, message.incarnation);
  add(digest, message.view);
  digest.word(message.sequence);
  add(digest, message.cause);
  add_body(digest, message.body);
  return digest.value();
}

std::uint64_t digest_of_input(const core::Input& input) {
  Digest digest;
  digest.word(input.index());
  std::visit(Overloaded{
                 [&](const core::RingChange& change) {
                   add(digest, change.ring);
                   add(digest, change.members);
                   add(digest, change.ring_nodes);
                 },
                 [&](const core::QuorumVerdict& verdict) {
                   add(digest, verdict.ring);
                   add(digest, verdict.quorate);
                 },
                 [&](const core::Delivered& delivered) { digest.word(digest_of_message(delivered.message)); },
                 [&](const core::Observed& observed) {
                   add_fact(digest, observed.fact);
                   add(digest, observed.cause);
                 },
                 [&](const core::Stored& stored) {
                   digest.word(stored.token);
                   add(digest, stored.ok);
                 },
                 [&](const auto&) {},
             },
             input);
  return digest.value();
}

std::string describe(const core::Message& message) {
  auto view = [](const core::ViewId& id) {
    return fmt::format("{}.{}.{}", id.ring.leader, id.ring.seq, id.round);
  };
  std::string what = std::visit(
      Overloaded{
          [&](const core::Hello& hello) {
            std::string holds;
            for (const auto& [group, activity] : hello.holds)
              holds += fmt::format(" g{}={}", group.value, static_cast<int>(activity));
            return fmt::format("Hello{{{} epoch {} position {}{}}}", hello.live ? "live" : "cold",
                               hello.lineage.epoch, hello.position, holds);
          },
          [&](const core::Snapshot& snapshot) {
            return fmt::format("Snapshot{{epoch {}}}", snapshot.state->lineage.epoch);
          },
          [&](const core::Ack& ack) {
            return fmt::format("Ack{{position {} durable {}}}", ack.position, ack.durable);
          },
          [&](const core::Suspend& suspend) { return fmt::format("Suspend{{{}}}", suspend.target.value); },
          [&](const core::Resume& resume) { return fmt::format("Resume{{{}}}", resume.target.value); },
          [&](const core::Alive& alive) { return fmt::format("Alive{{{}}}", alive.number); },
          [&](const core::Fact& fact) {
            return std::visit(
                Overloaded{
                    [&](const core::GroupReport& report) {
                      return fmt::format(
                          "GroupReport{{g{} {}{}}}", report.group.value,
                          report.activity ? fmt::format("activity {}", static_cast<int>(*report.activity))
                                          : std::string("stopped"),
                          report.order
                              ? fmt::format(" order {}@{}", view(report.order->view), report.order->position)
                              : std::string());
                    },
                    [&](const core::FenceResult& result) {
                      return fmt::format("FenceResult{{{} {}}}", result.target.value,
                                         result.confirmed ? "confirmed" : "not confirmed");
                    },
                    [&](const auto&) { return fmt::format("Fact{{{}}}", fact.index()); },
                },
                fact);
          },
          [&](const core::Proposal& proposal) {
            return std::visit(
                Overloaded{
                    [&](const core::StartGroup& start) {
                      return fmt::format("StartGroup{{g{} at {} version {}}}", start.group.value,
                                         start.place.value, start.group_version);
                    },
                    [&](const core::StopGroup& stop) {
                      return fmt::format("StopGroup{{g{} at {} version {}}}", stop.group.value,
                                         stop.place.value, stop.group_version);
                    },
                    [&](const core::FenceNode& fence) {
                      return fmt::format("FenceNode{{{} by {} version {}}}", fence.target.value,
                                         fence.executor.value, fence.node_version);
                    },
                    [&](const auto&) { return fmt::format("Proposal{{{}}}", proposal.index()); },
                },
                proposal);
          },
      },
      message.body);
  return fmt::format("{} of {} [view {} seq {}]", what, message.from.value, view(message.view),
                     message.sequence);
}

// ---- LiveReplicas

ReplicaRef LiveReplicas::start(const core::ReplicaOptions& options, DurableRef stored) {
  auto replica = std::make_unique<core::Replica>(options, spec_, durables_[stored]);
  for (ReplicaRef free = 1; free < replicas_.size(); ++free) {
    if (replicas_[free]) continue;
    replicas_[free] = std::move(replica);
    return free;
  }
  replicas_.push_back(std::move(replica));
  return static_cast<ReplicaRef>(replicas_.size() - 1);
}

void LiveReplicas::stop(ReplicaRef replica) {
  replicas_[replica].reset();
}

Outcome LiveReplicas::step(ReplicaRef replica, LocalTime now, const core::Input& input) {
  translate(replicas_[replica]->step(now, input));
  return {replica, acts_};
}

Outcome LiveReplicas::deliver(ReplicaRef replica, LocalTime now, MessageRef message) {
  return step(replica, now, core::Delivered{this->message(message)});
}

Outcome LiveReplicas::say(ReplicaRef replica, const core::Body& body) {
  core::Effects effects;
  effects.emplace_back(core::Send{replicas_[replica]->compose(body)});
  translate(std::move(effects));
  return {replica, acts_};
}

void LiveReplicas::translate(core::Effects effects) {
  acts_.clear();
  for (core::Effect& effect : effects) {
    std::visit(
        Overloaded{
            [&](core::Send& send) {
              acts_.push_back({Act::Kind::kSend, 0, next_message()});
              messages_.push_back(std::move(send.message));
            },
            [&](core::Execute& execute) {
              acts_.push_back(
                  {Act::Kind::kExecute, execute.group.value, static_cast<OrderRef>(orders_.size())});
              orders_.push_back(execute.order);
            },
            [&](core::Probe& probe) { acts_.push_back({Act::Kind::kProbe, probe.group.value}); },
            [&](core::ExecuteFence& fence) {
              acts_.push_back({Act::Kind::kFence, fence.target.value, static_cast<FenceRef>(fences_.size())});
              fences_.push_back(fence.order);
            },
            [&](core::CancelFence& cancel) {
              FenceRef ref = 0;
              for (FenceRef f = 1; f < fences_.size(); ++f)
                if (fences_[f].id == cancel.order) ref = f;
              acts_.push_back({Act::Kind::kCancelFence, cancel.target.value, ref});
            },
            [&](core::Yield&) { acts_.push_back({Act::Kind::kYield}); },
            [&](core::Store& store) {
              acts_.push_back({Act::Kind::kStore, 0, static_cast<DurableRef>(durables_.size()), store.token});
              durables_.push_back(std::move(store.durable));
            },
            [&](core::Rejoin&) { acts_.push_back({Act::Kind::kRejoin}); },
            [&](core::SpecProposed& proposed) {
              acts_.push_back({Act::Kind::kSpecProposed, 0, 0, proposed.token});
            },
            [&](core::RestartOs&) { acts_.push_back({Act::Kind::kRestartOs}); },
            [&](core::Answer& answer) { answers_.push_back(std::move(answer)); },
            [&](core::Event& event) {
              if (keeps_events_) events_.push_back(std::move(event));
            },
            [](core::Prepare&) {},
            [](core::SpecActivated&) {},
        },
        effect);
  }
}

void LiveReplicas::forget_before(MessageRef message) {
  while (first_message_ < message && !messages_.empty()) {
    messages_.pop_front();
    ++first_message_;
  }
}

}  // namespace komainu::sim
