// Strong ids. A NodeId is not a GroupId, and neither is a number: mixing them up does not compile.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <initializer_list>

namespace komainu {

template <class Tag>
struct Id {
  std::uint32_t value = 0;

  constexpr Id() = default;
  constexpr explicit Id(std::uint32_t v) : value(v) {}
  auto operator<=>(const Id&) const = default;
};

using NodeId = Id<struct NodeTag>;    // a server running komainu; 0 … 63
using PlaceId = Id<struct PlaceTag>;  // where a group can run; a node's own place has the node's number
using GroupId = Id<struct GroupTag>;
using MonitorId = Id<struct MonitorTag>;

// The most nodes and the most places of one cluster: sets of them are one machine word.
inline constexpr std::uint32_t kMaxNodes = 64;

// An ordered set of small ids in one word; iterates in ascending order, so every replica walks it alike.
template <class IdType>
class IdSet {
 public:
  class iterator {
   public:
    using value_type = IdType;
    using difference_type = std::ptrdiff_t;
    constexpr iterator() = default;
    constexpr explicit iterator(std::uint64_t rest) : rest_(rest) {}
    constexpr IdType operator*() const { return IdType{static_cast<std::uint32_t>(std::countr_zero(rest_))}; }
    constexpr iterator& operator++() {
      rest_ &= rest_ - 1;
      return *this;
    }
    constexpr iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    constexpr bool operator==(const iterator&) const = default;

   private:
    std::uint64_t rest_ = 0;
  };

  constexpr IdSet() = default;
  constexpr IdSet(std::initializer_list<IdType> ids) {
    for (IdType id : ids) insert(id);
  }
  static constexpr IdSet from_bits(std::uint64_t bits) {
    IdSet set;
    set.bits_ = bits;
    return set;
  }

  constexpr void insert(IdType id) { bits_ |= bit(id); }
  constexpr void erase(IdType id) { bits_ &= ~bit(id); }
  constexpr void clear() { bits_ = 0; }
  constexpr bool contains(IdType id) const { return id.value < kMaxNodes && (bits_ & bit(id)) != 0; }
  constexpr bool includes(IdSet other) const { return (other.bits_ & ~bits_) == 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::uint32_t size() const { return static_cast<std::uint32_t>(std::popcount(bits_)); }
  constexpr IdType first() const { return *begin(); }
  constexpr std::uint64_t bits() const { return bits_; }

  constexpr iterator begin() const { return iterator{bits_}; }
  constexpr iterator end() const { return iterator{0}; }

  friend constexpr IdSet operator|(IdSet a, IdSet b) { return from_bits(a.bits_ | b.bits_); }
  friend constexpr IdSet operator&(IdSet a, IdSet b) { return from_bits(a.bits_ & b.bits_); }
  friend constexpr IdSet operator-(IdSet a, IdSet b) { return from_bits(a.bits_ & ~b.bits_); }
  constexpr IdSet& operator|=(IdSet other) { return *this = *this | other; }
  constexpr IdSet& operator-=(IdSet other) { return *this = *this - other; }
  auto operator<=>(const IdSet&) const = default;

 private:
  static constexpr std::uint64_t bit(IdType id) { return std::uint64_t{1} << (id.value & 63); }
  std::uint64_t bits_ = 0;
};

using NodeSet = IdSet<NodeId>;
using PlaceSet = IdSet<PlaceId>;

}  // namespace komainu
