#include "engine/files/ring_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/files/atomic_file.h"

namespace komainu::engine {

namespace {

constexpr std::string_view kMagic = "kmnring1";
constexpr std::string_view kAnyVersion = "kmnring";
constexpr std::size_t kHeader = kMagic.size() + sizeof(std::uint64_t);
constexpr std::size_t kRecordHeader = 2 * sizeof(std::uint32_t);

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  T value{};
  for (std::size_t i = sizeof(T); i-- > 0;)
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[at + i]));
  return value;
}
template <class T>
void put(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}
std::uint32_t crc_of(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}
// Also false of a half that stands in the other's place.
bool is_half(std::string_view bytes, std::uint64_t number) {
  return bytes.size() >= kHeader && bytes.starts_with(kMagic) &&
         number_at<std::uint64_t>(bytes, kMagic.size()) % 2 == number;
}

// The length of the part of a half that is whole.
std::size_t each_record(std::string_view bytes, const std::function<void(std::string_view)>& take) {
  std::size_t at = kHeader;
  while (bytes.size() - at >= kRecordHeader) {
    const auto length = number_at<std::uint32_t>(bytes, at);
    const auto crc = number_at<std::uint32_t>(bytes, at + 4);
    if (length > bytes.size() - at - kRecordHeader) break;
    const std::string_view record = bytes.substr(at + kRecordHeader, length);
    if (crc_of(record) != crc) break;
    if (take) take(record);
    at += kRecordHeader + length;
  }
  return at;
}

}  // namespace

std::string RingFile::half_path(std::uint64_t generation) const {
  return fmt::format("{}.{}", path_, generation % 2);
}

Result<void> RingFile::open() {
  for (std::uint64_t half = 0; half < 2; ++half) {
    auto bytes = read_whole(half_path(half), half_ + kMaxRecord + kHeader);
    if (!bytes || !*bytes || !is_half(**bytes, half)) continue;
    const auto generation = number_at<std::uint64_t>(**bytes, kMagic.size());
    if (generation <= generation_) continue;
    generation_ = generation;
    size_ = each_record(**bytes, nullptr);
  }
  if (generation_ == 0) return turn();
  file_ = Fd{::open(half_path(generation_).c_str(), O_WRONLY | O_CLOEXEC)};
  // What follows the last whole record was being written when the power went.
  if (!file_ || ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0 ||
      ::lseek(file_.get(), 0, SEEK_END) < 0) {
    return turn();
  }
  return {};
}

Result<void> RingFile::turn() {
  ++generation_;
  const std::string path = half_path(generation_);
  file_ = Fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640)};
  std::string header(kMagic);
  put(header, generation_);
  if (!file_ || ::write(file_.get(), header.data(), header.size()) != static_cast<ssize_t>(header.size())) {
    file_ = Fd{};
    return failure(fmt::format("cannot write {}: {}", path, errno_text()));
  }
  size_ = header.size();
  return {};
}

Result<void> RingFile::append(std::string_view record) {
  if (record.size() > kMaxRecord)
    return failure(fmt::format("a record of {} bytes is too long to be kept", record.size()));
  if (!file_) {
    if (Result<void> opened = open(); !opened) return opened;
  }
  if (size_ > kHeader && size_ + record.size() + kRecordHeader > half_) {
    if (Result<void> turned = turn(); !turned) return turned;
  }
  std::string header;
  put(header, static_cast<std::uint32_t>(record.size()));
  put(header, crc_of(record));
  const std::array<iovec, 2> parts{
      {{header.data(), header.size()}, {const_cast<char*>(record.data()), record.size()}}};
  const ssize_t written = ::writev(file_.get(), parts.data(), parts.size());
  if (written != static_cast<ssize_t>(header.size() + record.size())) {
    const std::string why = errno_text();
    file_ = Fd{};  // opened anew, behind the last whole record
    return failure(fmt::format("cannot write {}: {}", half_path(generation_), why));
  }
  size_ += static_cast<std::size_t>(written);
  return {};
}

namespace {

struct Half {
  std::string path;
  std::uint64_t generation = 0;
  std::string bytes;
};

RingGap damaged(std::string what) {
  return {RingGap::Why::kDamaged,
          {std::move(what), "what it held is lost for `komainu replay`; the cluster does not need it"}};
}

// Why these bytes are no half of a record of ours.
RingGap unusable(const std::string& path, std::string_view bytes) {
  if (bytes.size() < kHeader && kMagic.starts_with(bytes.substr(0, kMagic.size())))
    return {RingGap::Why::kUnfinished, {path + " ends within its header", {}}};
  if (bytes.starts_with(kAnyVersion) && !bytes.starts_with(kMagic))
    return {RingGap::Why::kDamaged,
            {fmt::format("{} was written by another version of komainu", path),
             "replay it with the version that wrote it"}};
  if (bytes.starts_with(kMagic))
    return damaged(path + " is damaged, or stands in the place of the other half");
  return damaged(path + " was not written by komainud");
}

// What is behind the last whole record of a half, if anything.
std::optional<RingGap> rest_of(const Half& half, std::size_t at, bool newest) {
  if (at == half.bytes.size()) return std::nullopt;
  const std::size_t left = half.bytes.size() - at;
  const bool cut = left < kRecordHeader || number_at<std::uint32_t>(half.bytes, at) > left - kRecordHeader;
  if (cut && newest)
    return RingGap{RingGap::Why::kUnfinished,
                   {fmt::format("{} ends within a record, at byte {}", half.path, at), {}}};
  return damaged(
      fmt::format("{} is damaged at byte {}: the {} bytes from there on are not used", half.path, at, left));
}

}  // namespace

Result<void> read_ring_file(const std::string& path, const RingReader& reader) {
  std::vector<Half> halves;
  std::vector<RingGap> gaps;
  for (std::uint64_t number = 0; number < 2; ++number) {
    const std::string half = fmt::format("{}.{}", path, number);
    auto bytes = read_whole(half, RingFile::kHalf + RingFile::kMaxRecord + kHeader);
    if (!bytes) return std::unexpected(bytes.error());
    if (!*bytes) continue;
    if (is_half(**bytes, number))
      halves.push_back({half, number_at<std::uint64_t>(**bytes, kMagic.size()), std::move(**bytes)});
    else
      gaps.push_back(unusable(half, **bytes));
  }
  if (halves.empty()) {
    const Error why =
        gaps.empty() ? Error{fmt::format("there is no {}.0 and no {}.1", path, path), {}} : gaps.back().error;
    return failure("cannot read the stream: " + why.what, "komainud keeps it in /var/lib/komainu/stream");
  }
  std::ranges::sort(halves, {}, &Half::generation);
  if (halves.size() == 2 && halves[1].generation != halves[0].generation + 1) {
    gaps.push_back(damaged(
        fmt::format("{} is no continuation of {}, which is not used", halves[1].path, halves[0].path)));
    halves.erase(halves.begin());
  }
  for (const RingGap& gap : gaps) reader.gap(gap);
  for (const Half& half : halves) {
    const std::size_t end = each_record(half.bytes, reader.take);
    if (const auto gap = rest_of(half, end, &half == &halves.back())) reader.gap(*gap);
  }
  return {};
}

}  // namespace komainu::engine
