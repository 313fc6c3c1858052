#include "engine/files/flow_stamp.h"

#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <charconv>

#include "engine/files/atomic_file.h"

namespace komainu::engine {

namespace {
constexpr std::size_t kBootDigits = 16;
constexpr std::size_t kSize = kBootDigits + 1 + 20 + 1;

std::optional<std::uint64_t> number(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}
}  // namespace

std::string FlowStamp::text(LocalTime at) const {
  return fmt::format("{:016x} {:020}\n", boot_, at.since_boot.count());
}

std::optional<LocalTime> FlowStamp::read() const {
  const auto bytes = read_whole(path_, kSize);
  if (!bytes || !*bytes || (*bytes)->size() != kSize) return std::nullopt;
  const std::string_view all = **bytes;
  const auto boot = number(all.substr(0, kBootDigits), 16);
  const auto at = number(all.substr(kBootDigits + 1, kSize - kBootDigits - 2), 10);
  if (!boot || !at || *boot != boot_) return std::nullopt;
  const LocalTime flowed{Duration{static_cast<std::int64_t>(*at)}};
  if (flowed <= LocalTime{} || flowed > boot_time() || text(flowed) != all) return std::nullopt;
  return flowed;
}

Result<void> FlowStamp::open() {
  const std::string cannot = "cannot keep " + path_ + ": ";
  const std::string help = "a daemon that crashes begins its grace anew; systemd makes /run/komainu, a tmpfs";
  struct statfs system{};
  if (::statfs(path_.substr(0, path_.rfind('/')).c_str(), &system) != 0)
    return failure(cannot + errno_text(), help);
  if (system.f_type != TMPFS_MAGIC) return failure(cannot + "its folder is not on a tmpfs", help);
  file_ = Fd{::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file_) return failure(cannot + errno_text(), help);
  return {};
}

void FlowStamp::flowed(LocalTime at) {
  if (!file_ || at - written_ < kEvery) return;
  written_ = at;
  const std::string stamp = text(at);
  [[maybe_unused]] const ssize_t n = ::pwrite(file_.get(), stamp.data(), stamp.size(), 0);
}

void FlowStamp::remove() {
  file_ = Fd{};
  ::unlink(path_.c_str());
}

}  // namespace komainu::engine
