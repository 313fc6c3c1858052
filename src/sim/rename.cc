#include "sim/rename.h"

#include <algorithm>
#include <cstdlib>

#include "base/overloaded.h"

namespace komainu::sim {

NodeSet Renaming::operator()(NodeSet nodes) const {
  NodeSet renamed;
  for (NodeId node : nodes) renamed.insert((*this)(node));
  return renamed;
}

core::RingId Renaming::operator()(core::RingId ring) const {
  if (ring.seq == 0) return ring;  // no ring
  return {static_cast<std::uint32_t>((*this)(NodeSet::from_bits(ring.leader)).bits()), ring.seq};
}

core::Incarnation Renaming::operator()(core::Incarnation incarnation) const {
  if (incarnation.value == 0) return incarnation;
  const std::uint64_t node = (incarnation.value - 1) % 8;
  return {incarnation.value - node + to[node]};
}

core::OrderId Renaming::operator()(core::OrderId order) const {
  order.view.ring = (*this)(order.view.ring);
  return order;
}

core::Input Renaming::operator()(const core::Input& input) const {
  core::Input renamed = input;
  std::visit(Overloaded{
                 [&](core::RingChange& change) {
                   change.ring = (*this)(change.ring);
                   change.ring_nodes = (*this)(change.ring_nodes);
                   std::map<NodeId, std::uint32_t> members;
                   for (const auto& [node, process] : change.members) members[(*this)(node)] = process;
                   change.members = members;
                 },
                 [&](core::QuorumVerdict& verdict) { verdict.ring = (*this)(verdict.ring); },
                 [&](core::Observed& observed) {
                   if (auto* report = std::get_if<core::GroupReport>(&observed.fact)) {
                     report->place = (*this)(report->place);
                     if (report->order) report->order = (*this)(*report->order);
                   } else if (auto* result = std::get_if<core::FenceResult>(&observed.fact)) {
                     result->target = (*this)(result->target);
                     result->order = (*this)(result->order);
                   } else if (auto* failed = std::get_if<core::ResourceFailed>(&observed.fact)) {
                     failed->place = (*this)(failed->place);
                   } else {
                     std::abort();  // the exploration makes no other facts
                   }
                 },
                 [](core::Delivered&) { std::abort(); },  // messages have images of their own
                 [](auto&) {},
             },
             renamed);
  return renamed;
}

core::Body Renaming::operator()(const core::Body& body) const {
  core::Body renamed = body;
  if (auto* suspend = std::get_if<core::Suspend>(&renamed)) {
    suspend->target = (*this)(suspend->target);
  } else if (auto* resume = std::get_if<core::Resume>(&renamed)) {
    resume->target = (*this)(resume->target);
  } else if (auto* proposal = std::get_if<core::Proposal>(&renamed)) {
    if (auto* start = std::get_if<core::StartGroup>(proposal)) {
      start->place = (*this)(start->place);
      start->incarnation = (*this)(start->incarnation);
    } else if (auto* stop = std::get_if<core::StopGroup>(proposal)) {
      stop->place = (*this)(stop->place);
    } else if (auto* fence = std::get_if<core::FenceNode>(proposal)) {
      fence->target = (*this)(fence->target);
      fence->incarnation = (*this)(fence->incarnation);
      fence->executor = (*this)(fence->executor);
    } else {
      std::abort();
    }
  } else {
    std::abort();  // the exploration says nothing else
  }
  return renamed;
}

Renaming identity() {
  Renaming same;
  for (std::uint8_t i = 0; i < kMaxMachines; ++i) same.to[i] = same.from[i] = i;
  return same;
}

std::vector<Renaming> renamings(std::uint32_t nodes) {
  std::vector<Renaming> all;
  Renaming renaming = identity();
  do {
    for (std::uint8_t i = 0; i < nodes; ++i) renaming.from[renaming.to[i]] = i;
    all.push_back(renaming);
  } while (std::next_permutation(renaming.to.begin(), renaming.to.begin() + nodes));
  return all;
}

}  // namespace komainu::sim
