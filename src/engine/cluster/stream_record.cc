#include "engine/cluster/stream_record.h"

#include <array>
#include <utility>

namespace komainu::engine {
namespace {

class Writer {
 public:
  void number(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
  }
  void ring(core::RingId id) {
    number(id.leader);
    number(id.seq);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what Writer wrote; after the first thing that is missing everything is zero and good() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    if (rest_.size() < 8) return fail();
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(rest_[static_cast<std::size_t>(i)]);
    rest_.remove_prefix(8);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }
  NodeId node() {
    const std::uint64_t id = number();
    if (id >= kMaxNodes) fail();
    return NodeId{static_cast<std::uint32_t>(id % kMaxNodes)};
  }
  core::RingId ring() {
    core::RingId id;
    id.leader = static_cast<std::uint32_t>(number());
    id.seq = number();
    return id;
  }
  bool good() const { return good_ && rest_.empty(); }

 private:
  std::uint64_t fail() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

void write(Writer& out, const Began& began) {
  out.number(began.self.value);
  out.number(began.incarnation.value);
  out.number(began.boot);
  out.text(began.durable);
}
void write(Writer& out, const core::RingChange& change) {
  out.ring(change.ring);
  out.number(change.ring_nodes.bits());
  out.number(change.members.size());
  for (const auto& [node, process] : change.members) {
    out.number(node.value);
    out.number(process);
  }
}
void write(Writer& out, const core::QuorumVerdict& verdict) {
  out.ring(verdict.ring);
  out.number(verdict.quorate ? 1 : 0);
}
void write(Writer&, const core::ChannelLost&) {}
void write(Writer& out, const Came& came) {
  out.number(came.from.value);
  out.text(came.bytes);
}
void write(Writer& out, const Established& established) {
  out.text(established.state);
}

void read(Reader& in, Began& began) {
  began.self = in.node();
  began.incarnation.value = in.number();
  began.boot = in.number();
  began.durable = in.text();
}
void read(Reader& in, core::RingChange& change) {
  change.ring = in.ring();
  change.ring_nodes = NodeSet::from_bits(in.number());
  for (std::uint64_t left = in.number(); left > 0 && change.members.size() < kMaxNodes; --left) {
    const NodeId node = in.node();
    change.members[node] = static_cast<std::uint32_t>(in.number());
  }
}
void read(Reader& in, core::QuorumVerdict& verdict) {
  verdict.ring = in.ring();
  verdict.quorate = in.number() != 0;
}
void read(Reader&, core::ChannelLost&) {}
void read(Reader& in, Came& came) {
  came.from = in.node();
  came.bytes = in.text();
}
void read(Reader& in, Established& established) {
  established.state = in.text();
}

template <std::size_t I = 0>
bool read_alternative(std::size_t index, Reader& in, decltype(StreamRecord::what)& what) {
  if constexpr (I == std::variant_size_v<decltype(StreamRecord::what)>) {
    return false;
  } else {
    if (index != I) return read_alternative<I + 1>(index, in, what);
    read(in, what.emplace<I>());
    return true;
  }
}

}  // namespace

std::string encode(const StreamRecord& record) {
  Writer out;
  out.number(record.what.index());
  out.number(static_cast<std::uint64_t>(record.at.since_boot.count()));
  out.number(static_cast<std::uint64_t>(record.wall_us));
  std::visit([&](const auto& what) { write(out, what); }, record.what);
  return out.take();
}

Result<StreamRecord> decode_stream_record(std::string_view bytes) {
  Reader in(bytes);
  StreamRecord record;
  const std::uint64_t index = in.number();
  record.at = {Duration{static_cast<std::int64_t>(in.number())}};
  record.wall_us = static_cast<std::int64_t>(in.number());
  if (!read_alternative(static_cast<std::size_t>(index), in, record.what) || !in.good()) {
    return failure("a record of the stream is malformed", "it was written by another version, or damaged");
  }
  return record;
}

}  // namespace komainu::engine
