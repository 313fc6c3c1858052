// Replicas for the exploration: each distinct replica, message and step exists once (hash consing), with its
// images under every renaming of the nodes.
//
// An image is not computed from the replica: it is what the same code makes of the renamed inputs. Where the
// code prefers a node by its name (the lowest of equal donors), an image does something else than the
// original; it is then dropped, and the worlds that contain it are not merged by that renaming.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/rename.h"
#include "sim/replicas.h"

namespace komainu::sim {

inline constexpr std::size_t kMaxRenamings = 6;  // of three nodes

class InternedReplicas final : public Replicas {
 public:
  InternedReplicas(core::SpecPtr spec, std::vector<Renaming> renamings);

  ReplicaRef start(const core::ReplicaOptions& options, DurableRef stored) override;
  Outcome step(ReplicaRef replica, LocalTime now, const core::Input& input) override;
  Outcome deliver(ReplicaRef replica, LocalTime now, MessageRef message) override;
  Outcome say(ReplicaRef replica, const core::Body& body) override;
  void stop(ReplicaRef) override {}

  const core::Replica& at(ReplicaRef replica) const override { return *replicas_.of(replica).replica; }
  const core::Message& message(MessageRef message) const override { return messages_.of(message); }
  const core::Order& order(OrderRef order) const override { return orders_.of(order); }
  const core::FenceOrder& fence(FenceRef fence) const override { return fences_.of(fence); }

  std::span<const Renaming> renamings() const { return renamings_; }

  // Digests of an image; zero: it was dropped.
  std::uint64_t replica_digest(ReplicaRef ref, std::size_t renaming) const {
    return replicas_.digest(ref, renaming);
  }
  std::uint64_t message_digest(MessageRef ref, std::size_t renaming) const {
    return messages_.digest(ref, renaming);
  }
  std::uint64_t order_digest(OrderRef ref, std::size_t renaming) const {
    return orders_.digest(ref, renaming);
  }
  std::uint64_t fence_digest(FenceRef ref, std::size_t renaming) const {
    return fences_.digest(ref, renaming);
  }
  std::uint64_t durable_digest(DurableRef ref, std::size_t renaming) const {
    return durables_.digest(ref, renaming);
  }

  // What rule 4 compares.
  struct Standpoint {
    bool established = false;
    core::ViewId view;
    std::uint64_t position = 0;
    std::uint64_t state = 0;  // digest
  };
  const Standpoint& standpoint(ReplicaRef replica) const { return replicas_.of(replica).standpoint; }

  struct Counts {
    std::size_t replicas = 0;
    std::size_t messages = 0;
    std::size_t steps = 0;        // computed; all others were looked up
    std::size_t asymmetries = 0;  // images dropped
  };
  Counts counts() const;

 private:
  // Numbers of a thing and of its images; zero: dropped.
  using Images = std::array<std::uint32_t, kMaxRenamings>;
  struct ImagesHash {
    std::size_t operator()(const Images& images) const;
  };

  // Distinct things, and distinct rows of images of them. Number zero is nothing.
  template <class T>
  class Table {
   public:
    std::uint32_t intern(std::uint64_t digest, T thing) {
      auto [it, fresh] = numbers_.try_emplace(digest, static_cast<std::uint32_t>(things_.size()));
      if (fresh) {
        things_.push_back(std::move(thing));
        digests_.push_back(digest);
      }
      return it->second;
    }
    std::uint32_t row(const Images& images) {
      auto [it, fresh] = row_numbers_.try_emplace(images, static_cast<std::uint32_t>(rows_.size()));
      if (fresh) rows_.push_back(images);
      return it->second;
    }
    const T& operator[](std::uint32_t number) const { return things_[number]; }
    const Images& images(std::uint32_t row) const { return rows_[row]; }
    const T& of(std::uint32_t row) const { return things_[rows_[row][0]]; }
    std::uint64_t digest(std::uint32_t row, std::size_t renaming) const {
      return digests_[rows_[row][renaming]];
    }
    std::size_t rows() const { return rows_.size(); }
    std::size_t size() const { return things_.size(); }

   private:
    std::deque<T> things_{1};
    std::vector<std::uint64_t> digests_{0};
    std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
    std::vector<Images> rows_{1};
    std::unordered_map<Images, std::uint32_t, ImagesHash> row_numbers_;
  };

  struct Member {
    std::shared_ptr<const core::Replica> replica;
    Standpoint standpoint;
  };
  // What one image does; Act::ref is a thing, not a row.
  struct Single {
    std::uint32_t replica = 0;
    std::vector<Act> acts;
  };
  struct Step {
    ReplicaRef replica = kNoReplica;
    std::vector<Act> acts;
  };
  struct Key {
    std::uint64_t who = 0;
    std::uint64_t what = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return (key.who * 0x9e3779b97f4a7c15ULL) ^ (key.what * 0xc2b2ae3d27d4eb4fULL);
    }
  };

  std::uint32_t intern(core::Replica replica);
  Single settle(core::Replica replica, core::Effects effects);
  template <class F>
  const Single& single(std::uint32_t replica, std::uint64_t what, F compute);
  template <class F>
  Outcome combine(ReplicaRef replica, std::uint64_t what, F image);
  bool alike(const Act& original, const Act& image, const Renaming& renaming) const;
  std::uint32_t join(const Act& act, const Images& refs);

  core::SpecPtr spec_;
  std::vector<Renaming> renamings_;
  Table<Member> replicas_;
  Table<core::Message> messages_;
  Table<core::Order> orders_;
  Table<core::FenceOrder> fences_;
  Table<core::Durable> durables_;
  std::unordered_map<Key, Single, KeyHash> singles_;
  std::unordered_map<Key, Step, KeyHash> steps_;
  std::size_t asymmetries_ = 0;
};

}  // namespace komainu::sim
