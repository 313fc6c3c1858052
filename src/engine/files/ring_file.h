// The last records of a stream on disk, bounded: two halves, of which the older is overwritten. For
// diagnosis, not for safety: it is not synced, and a record that cannot be written is dropped and counted.
//
//   PATH.0 and PATH.1:   "kmnring1"   generation: u64   { length: u32   crc32: u32   bytes }…
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/posix.h"

namespace komainu::engine {

// Used by one thread: the Writer's.
class RingFile {
 public:
  static constexpr std::size_t kHalf = 8u << 20;
  static constexpr std::size_t kMaxRecord = 8u << 20;

  explicit RingFile(std::string path, std::size_t half = kHalf) : path_(std::move(path)), half_(half) {}

  // Opens the half that was written last, on the first call, and turns to the other one when it is full.
  Result<void> append(std::string_view record);

 private:
  Result<void> open();
  Result<void> turn();
  std::string half_path(std::uint64_t generation) const;

  std::string path_;
  std::size_t half_;
  std::uint64_t generation_ = 0;
  std::size_t size_ = 0;
  Fd file_;
};

// Where records are missing.
struct RingGap {
  enum class Why : std::uint8_t {
    kUnfinished,  // at the end of the file: still being written, or the power went
    kDamaged,
  };
  Why why = Why::kDamaged;
  Error error;  // names the file and the place in it
};

struct RingReader {
  std::function<void(std::string_view record)> take;
  // Called between the records that it stands between. What follows cannot be understood from what came
  // before.
  std::function<void(const RingGap&)> gap;
};

// The records, the oldest first. A damaged record ends its half: what follows cannot be trusted; nor can a
// half that the other one does not continue. The error says that neither half can be read.
Result<void> read_ring_file(const std::string& path, const RingReader& reader);

}  // namespace komainu::engine
