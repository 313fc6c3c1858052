#include "sim/interned.h"

#include <algorithm>
#include <cassert>

#include "base/overloaded.h"

namespace komainu::sim {
namespace {

// The kinds of `what`, so that their digests are never taken for each other.
enum class What : std::uint64_t { kInput = 1, kMessage, kBody };

std::uint64_t key(What what, std::uint64_t now, std::uint64_t content) {
  Digest digest;
  add(digest, what);
  digest.word(now);
  digest.word(content);
  return digest.value();
}

bool refers(Act::Kind kind) {
  return kind == Act::Kind::kSend || kind == Act::Kind::kExecute || kind == Act::Kind::kFence ||
         kind == Act::Kind::kCancelFence || kind == Act::Kind::kStore;
}

}  // namespace

std::size_t InternedReplicas::ImagesHash::operator()(const Images& images) const {
  std::size_t hash = 0;
  for (std::uint32_t image : images) hash = (hash ^ image) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 31);
}

InternedReplicas::InternedReplicas(core::SpecPtr spec, std::vector<Renaming> renamings)
    : spec_(std::move(spec)), renamings_(std::move(renamings)) {
  assert(!renamings_.empty() && renamings_.size() <= kMaxRenamings);
  // Row and thing number one: the empty store of a machine that never ran.
  Images empty{};
  std::fill_n(empty.begin(), renamings_.size(), durables_.intern(digest_of(core::Durable{}), {}));
  durables_.row(empty);
}

InternedReplicas::Counts InternedReplicas::counts() const {
  return {replicas_.size() - 1, messages_.size() - 1, singles_.size(), asymmetries_};
}

std::uint32_t InternedReplicas::intern(core::Replica replica) {
  Member member;
  member.standpoint.established = replica.phase() == core::Phase::kEstablished;
  member.standpoint.view = replica.view();
  member.standpoint.position = replica.position();
  member.standpoint.state = replica.state().digest();
  const std::uint64_t digest = replica.digest();
  member.replica = std::make_shared<const core::Replica>(std::move(replica));
  return replicas_.intern(digest, std::move(member));
}

ReplicaRef InternedReplicas::start(const core::ReplicaOptions& options, DurableRef stored) {
  Images images{};
  for (std::size_t r = 0; r < renamings_.size(); ++r) {
    const std::uint32_t disk = durables_.images(stored == 0 ? 1 : stored)[r];
    if (disk == 0) continue;
    core::ReplicaOptions renamed = options;
    renamed.self = renamings_[r](options.self);
    renamed.incarnation = renamings_[r](options.incarnation);
    renamed.boot = renamings_[r](core::Incarnation{options.boot}).value;
    images[r] = intern(core::Replica(renamed, spec_, durables_[disk]));
  }
  return replicas_.row(images);
}

Outcome InternedReplicas::step(ReplicaRef replica, LocalTime now, const core::Input& input) {
  const auto at = static_cast<std::uint64_t>(now.since_boot.count());
  const std::uint64_t what = key(What::kInput, at, digest_of_input(input));
  return combine(replica, what, [&](std::size_t r, std::uint32_t image) -> const Single* {
    const core::Input renamed = renamings_[r](input);
    return &single(image, key(What::kInput, at, digest_of_input(renamed)),
                   [&](core::Replica& copy) { return copy.step(now, renamed); });
  });
}

Outcome InternedReplicas::deliver(ReplicaRef replica, LocalTime now, MessageRef message) {
  const auto at = static_cast<std::uint64_t>(now.since_boot.count());
  return combine(replica, key(What::kMessage, at, message),
                 [&](std::size_t r, std::uint32_t image) -> const Single* {
                   const std::uint32_t delivered = messages_.images(message)[r];
                   if (delivered == 0) return nullptr;
                   return &single(image, key(What::kMessage, at, delivered), [&](core::Replica& copy) {
                     return copy.step(now, core::Delivered{messages_[delivered]});
                   });
                 });
}

Outcome InternedReplicas::say(ReplicaRef replica, const core::Body& body) {
  auto content = [](const core::Body& said) { return digest_of_message(core::Message{.body = said}); };
  return combine(replica, key(What::kBody, 0, content(body)),
                 [&](std::size_t r, std::uint32_t image) -> const Single* {
                   const core::Body renamed = renamings_[r](body);
                   return &single(image, key(What::kBody, 0, content(renamed)), [&](core::Replica& copy) {
                     core::Effects effects;
                     effects.emplace_back(core::Send{copy.compose(renamed)});
                     return effects;
                   });
                 });
}

template <class F>
const InternedReplicas::Single& InternedReplicas::single(std::uint32_t replica, std::uint64_t what,
                                                         F compute) {
  auto [it, fresh] = singles_.try_emplace(Key{replica, what});
  if (fresh) {
    core::Replica copy = *replicas_[replica].replica;
    core::Effects effects = compute(copy);
    it->second = settle(std::move(copy), std::move(effects));
  }
  return it->second;
}

InternedReplicas::Single InternedReplicas::settle(core::Replica replica, core::Effects effects) {
  Single done;
  for (core::Effect& effect : effects) {
    std::visit(
        Overloaded{
            [&](core::Send& send) {
              const std::uint64_t digest = digest_of_message(send.message);
              done.acts.push_back({Act::Kind::kSend, 0, messages_.intern(digest, std::move(send.message))});
            },
            [&](core::Execute& execute) {
              done.acts.push_back({Act::Kind::kExecute, execute.group.value,
                                   orders_.intern(digest_of(execute.order), execute.order)});
            },
            [&](core::Probe& probe) { done.acts.push_back({Act::Kind::kProbe, probe.group.value}); },
            [&](core::ExecuteFence& fence) {
              done.acts.push_back({Act::Kind::kFence, fence.target.value,
                                   fences_.intern(digest_of(fence.order), fence.order)});
            },
            [&](core::CancelFence& cancel) {
              std::uint32_t number = 0;
              for (std::uint32_t f = 1; f < fences_.size(); ++f)
                if (fences_[f].id == cancel.order && fences_[f].executor == replica.self()) number = f;
              done.acts.push_back({Act::Kind::kCancelFence, cancel.target.value, number});
            },
            [&](core::Yield&) { done.acts.push_back({Act::Kind::kYield}); },
            [&](core::Store& store) {
              const std::uint64_t digest = digest_of(store.durable);
              done.acts.push_back(
                  {Act::Kind::kStore, 0, durables_.intern(digest, std::move(store.durable)), store.token});
            },
            [&](core::Rejoin&) { done.acts.push_back({Act::Kind::kRejoin}); },
            [&](core::SpecProposed& proposed) {
              done.acts.push_back({Act::Kind::kSpecProposed, 0, 0, proposed.token});
            },
            [&](core::RestartOs&) { done.acts.push_back({Act::Kind::kRestartOs}); },
            [](auto&) {},
        },
        effect);
  }
  done.replica = intern(std::move(replica));
  return done;
}

bool InternedReplicas::alike(const Act& original, const Act& image, const Renaming& renaming) const {
  const bool about_node = original.kind == Act::Kind::kFence || original.kind == Act::Kind::kCancelFence;
  const std::uint32_t subject = about_node ? renaming(NodeId{original.subject}).value : original.subject;
  return original.kind == image.kind && subject == image.subject && original.token == image.token;
}

std::uint32_t InternedReplicas::join(const Act& act, const Images& refs) {
  switch (act.kind) {
    case Act::Kind::kSend:
      return messages_.row(refs);
    case Act::Kind::kExecute:
      return orders_.row(refs);
    case Act::Kind::kFence:
    case Act::Kind::kCancelFence:
      return fences_.row(refs);
    case Act::Kind::kStore:
      return durables_.row(refs);
    default:
      return 0;
  }
}

// Steps every image, and joins what they do into one outcome.
template <class F>
Outcome InternedReplicas::combine(ReplicaRef replica, std::uint64_t what, F image) {
  auto [it, fresh] = steps_.try_emplace(Key{replica, what});
  Step& step = it->second;
  if (!fresh) return {step.replica, step.acts};

  const Images before = replicas_.images(replica);
  std::array<const Single*, kMaxRenamings> singles{};
  Images after{};
  for (std::size_t r = 0; r < renamings_.size(); ++r) {
    if (before[r] == 0) continue;
    singles[r] = image(r, before[r]);
    if (!singles[r]) continue;
    const Single& original = *singles[0];
    const bool same = std::ranges::equal(original.acts, singles[r]->acts, [&](const Act& a, const Act& b) {
      return alike(a, b, renamings_[r]);
    });
    if (!same) {
      singles[r] = nullptr;
      ++asymmetries_;
      continue;
    }
    after[r] = singles[r]->replica;
  }
  for (std::size_t a = 0; a < singles[0]->acts.size(); ++a) {
    Act act = singles[0]->acts[a];
    if (refers(act.kind)) {
      Images refs{};
      for (std::size_t r = 0; r < renamings_.size(); ++r)
        if (singles[r]) refs[r] = singles[r]->acts[a].ref;
      act.ref = join(act, refs);
    }
    step.acts.push_back(act);
  }
  step.replica = replicas_.row(after);
  return {step.replica, step.acts};
}

}  // namespace komainu::sim
