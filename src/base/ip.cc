#include "base/ip.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace komainu {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
  address.family = Family::kV6;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

IpAddress IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  IpAddress address;
  address.family = bytes.size() == 4 ? Family::kV4 : Family::kV6;
  std::copy_n(bytes.begin(), std::min(bytes.size(), address.bytes.size()), address.bytes.begin());
  return address;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(family == Family::kV4 ? AF_INET : AF_INET6, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  std::uint8_t length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!address || digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      length > address->bits())
    return std::nullopt;
  return IpPrefix{*address, length};
}

bool IpPrefix::contains(const IpAddress& other) const {
  if (other.family != address.family) return false;
  const std::size_t whole = length / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.bytes.begin()))
    return false;
  if (length % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - length % 8));
  return (address.bytes[whole] & mask) == (other.bytes[whole] & mask);
}

std::string IpPrefix::text() const {
  return fmt::format("{}/{}", address.text(), length);
}

std::string MacAddress::text() const {
  return fmt::format("{:02x}", fmt::join(bytes, ":"));
}

}  // namespace komainu
