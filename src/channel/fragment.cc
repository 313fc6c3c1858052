#include "channel/fragment.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/wire.h"

namespace komainu::channel {
namespace {

// Also tells fragments of a later format apart.
constexpr std::uint32_t kMagic = 0x31664d4b;  // "KMf1"

template <class T>
void append(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
}
template <class T>
T extract(std::string_view& bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  bytes.remove_prefix(sizeof value);
  return value;
}

}  // namespace

Fragment Splitter::next() const {
  return {number_, static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(offset_),
          std::string_view(bytes_).substr(offset_, kFragmentPayload)};
}

void Splitter::advance() {
  offset_ += next().payload.size();
  started_ = true;
}

std::string encode_header(const Fragment& fragment) {
  std::string header;
  header.reserve(kFragmentHeader);
  append(header, kMagic);
  append(header, fragment.number);
  append(header, fragment.size);
  append(header, fragment.offset);
  return header;
}

Result<Fragment> decode_fragment(std::string_view bytes) {
  if (bytes.size() < kFragmentHeader)
    return failure(fmt::format("a fragment of only {} bytes", bytes.size()));
  if (extract<std::uint32_t>(bytes) != kMagic)
    return failure("bytes that are no fragment of a komainu message, or one of a later version");
  Fragment fragment;
  fragment.number = extract<std::uint64_t>(bytes);
  fragment.size = extract<std::uint32_t>(bytes);
  fragment.offset = extract<std::uint32_t>(bytes);
  fragment.payload = bytes;
  if (fragment.size > wire::kMaxMessage)
    return failure(
        fmt::format("a message of {} bytes; at most {} are allowed", fragment.size, wire::kMaxMessage));
  if (fragment.offset > fragment.size || bytes.size() > fragment.size - fragment.offset)
    return failure(fmt::format("a fragment of bytes {} to {} of a message of {} bytes", fragment.offset,
                               fragment.offset + bytes.size(), fragment.size));
  if (bytes.empty() && fragment.size > 0)
    return failure(fmt::format("an empty fragment of a message of {} bytes", fragment.size));
  return fragment;
}

Assembler::Outcome Assembler::add(Sender sender, const Fragment& fragment) {
  auto found = partials_.find(sender);
  if (fragment.offset == 0) {
    // Whatever of this sender was unfinished will never be: it sends one message after the other.
    drop(sender);
    if (fragment.payload.size() == fragment.size) return std::string(fragment.payload);
    found = partials_.insert_or_assign(sender, Partial{fragment.number, fragment.size, {}}).first;
  }
  if (found == partials_.end()) return Incomplete{};
  Partial& partial = found->second;
  if (partial.number != fragment.number || partial.size != fragment.size ||
      partial.bytes.size() != fragment.offset) {
    Malformed malformed{fmt::format("bytes from {} of message {} where bytes from {} of message {} were due",
                                    fragment.offset, fragment.number, partial.bytes.size(), partial.number)};
    drop(sender);  // and `partial` with it
    return malformed;
  }
  if (fragment.payload.size() > kMaxPartialBytes - bytes_) {
    drop(sender);
    return Malformed{fmt::format("more than {} bytes of unfinished messages", kMaxPartialBytes)};
  }
  partial.bytes += fragment.payload;
  bytes_ += fragment.payload.size();
  if (partial.bytes.size() < partial.size) return Incomplete{};
  std::string whole = std::move(partial.bytes);
  bytes_ -= whole.size();
  partials_.erase(found);
  return whole;
}

void Assembler::drop(Sender sender) {
  auto found = partials_.find(sender);
  if (found == partials_.end()) return;
  bytes_ -= found->second.bytes.size();
  partials_.erase(found);
}

void Assembler::clear() {
  partials_.clear();
  bytes_ = 0;
}

}  // namespace komainu::channel
