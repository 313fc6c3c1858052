#include "wire/frame.h"

#include <fmt/format.h>

#include <cstring>

#include "base/digest.h"

namespace komainu::wire {
namespace {

constexpr std::string_view kMagic = "kmn";
constexpr std::size_t kHeaderSize = kMagic.size() + 2;
constexpr std::size_t kChecksumSize = 8;

std::size_t payload_offset(Kind kind) {
  return kHeaderSize + (kind == Kind::kDurable ? kChecksumSize : 0);
}

std::string checksum(std::string_view payload) {
  std::uint64_t digest = digest_of(payload);
  std::string bytes(kChecksumSize, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(digest & 0xff);
    digest >>= 8;
  }
  return bytes;
}

}  // namespace

std::string begin_frame(Kind kind) {
  std::string bytes(kMagic);
  bytes += static_cast<char>(kind);
  bytes += static_cast<char>(kVersion);
  bytes.resize(payload_offset(kind));
  return bytes;
}

void finish_frame(Kind kind, std::string& bytes) {
  if (kind != Kind::kDurable) return;
  const auto payload = std::string_view(bytes).substr(payload_offset(kind));
  bytes.replace(kHeaderSize, kChecksumSize, checksum(payload));
}

std::optional<unsigned> other_version(Kind kind, std::string_view bytes) {
  if (bytes.size() < payload_offset(kind) || !bytes.starts_with(kMagic) ||
      bytes[kMagic.size()] != static_cast<char>(kind))
    return std::nullopt;
  const auto version = static_cast<std::uint8_t>(bytes[kMagic.size() + 1]);
  return version == kVersion ? std::nullopt : std::optional<unsigned>(version);
}

Result<std::string_view> open_frame(Kind kind, std::string_view bytes) {
  if (bytes.size() < payload_offset(kind))
    return failure(fmt::format("only {} bytes, cut off", bytes.size()));
  if (!bytes.starts_with(kMagic) || bytes[kMagic.size()] != static_cast<char>(kind))
    return failure("not written by komainu, or something else than what belongs here");
  if (const std::optional<unsigned> version = other_version(kind, bytes))
    return failure(fmt::format("format version {}; this komainu reads version {}", *version, kVersion),
                   "Run versions of komainu that are at most one step apart.");
  const std::string_view payload = bytes.substr(payload_offset(kind));
  if (kind == Kind::kDurable && bytes.substr(kHeaderSize, kChecksumSize) != checksum(payload))
    return failure("the checksum does not fit: damaged or cut off");
  return payload;
}

}  // namespace komainu::wire
