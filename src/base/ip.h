// IP and Ethernet addresses as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sockaddr;

namespace komainu {

struct IpAddress {
  enum class Family : std::uint8_t { kV4, kV6 };
  Family family = Family::kV4;
  std::array<std::uint8_t, 16> bytes{};  // network order; an IPv4 address uses the first four

  static std::optional<IpAddress> parse(std::string_view text);
  static IpAddress from_bytes(std::span<const std::uint8_t> bytes);  // 4 or 16 of them
  std::size_t size() const { return family == Family::kV4 ? 4 : 16; }
  std::uint8_t bits() const { return family == Family::kV4 ? 32 : 128; }
  std::span<const std::uint8_t> span() const { return {bytes.data(), size()}; }
  std::string text() const;
  auto operator<=>(const IpAddress&) const = default;
};

// "192.0.2.7/24": an address and the length of its network's prefix.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;

  static std::optional<IpPrefix> parse(std::string_view text);
  bool contains(const IpAddress& other) const;
  std::string text() const;
  auto operator<=>(const IpPrefix&) const = default;
};

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  std::string text() const;
  auto operator<=>(const MacAddress&) const = default;
};

}  // namespace komainu
