// Renaming nodes: two worlds that differ only by which node has which name have the same future, so the
// exploration visits one of them (symmetry reduction, as in Clarke, Emerson, Jha, Sistla: "Symmetry
// reductions in model checking", CAV 1998).
#pragma once

#include <vector>

#include "core/message.h"
#include "core/replica.h"
#include "sim/test_channel.h"

namespace komainu::sim {

// A permutation of the nodes 0 … n-1.
struct Renaming {
  PerMachine<std::uint8_t> to{};    // old name → new name
  PerMachine<std::uint8_t> from{};  // new name → old name

  NodeId operator()(NodeId node) const { return NodeId{to[node.value]}; }
  PlaceId operator()(PlaceId place) const { return PlaceId{to[place.value]}; }
  NodeSet operator()(NodeSet nodes) const;
  core::RingId operator()(core::RingId ring) const;
  core::Incarnation operator()(core::Incarnation incarnation) const;
  core::OrderId operator()(core::OrderId order) const;
  core::Input operator()(const core::Input& input) const;
  core::Body operator()(const core::Body& body) const;
};

// Boots and incarnations name their node, so that no two are equal.
constexpr std::uint64_t run_number(std::uint32_t run, NodeId node) {
  return std::uint64_t{run} * 8 + node.value + 1;
}

// All renamings of n nodes; the first one changes nothing.
std::vector<Renaming> renamings(std::uint32_t nodes);
Renaming identity();

}  // namespace komainu::sim
