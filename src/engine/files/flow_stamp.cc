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
constexpr std::size_t kTimeDigits = 20;
constexpr std::size_t kSize = kBootDigits + 2 * (1 + kTimeDigits) + 1;
// Longer than any lease that a configuration may name.
constexpr Duration kLongestLease = 1h;

std::optional<std::uint64_t> number(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}
}  // namespace

std::string FlowStamp::text(const Flow& flow) const {
  const Duration lease = flow.lease_until ? flow.lease_until->since_boot : Duration::zero();
  return fmt::format("{:016x} {:020} {:020}\n", boot_, flow.at.since_boot.count(), lease.count());
}

std::optional<Flow> FlowStamp::read() const {
  const auto bytes = read_whole(path_, kSize);
  if (!bytes || !*bytes || (*bytes)->size() != kSize) return std::nullopt;
  const std::string_view all = **bytes;
  const auto boot = number(all.substr(0, kBootDigits), 16);
  const auto at = number(all.substr(kBootDigits + 1, kTimeDigits), 10);
  const auto lease = number(all.substr(kBootDigits + kTimeDigits + 2, kTimeDigits), 10);
  if (!boot || !at || !lease || *boot != boot_) return std::nullopt;
  Flow flow{.at{Duration{static_cast<std::int64_t>(*at)}}, .lease_until = {}};
  if (*lease != 0) flow.lease_until = LocalTime{Duration{static_cast<std::int64_t>(*lease)}};
  const LocalTime now = boot_time();
  if (flow.at <= LocalTime{} || flow.at > now || text(flow) != all) return std::nullopt;
  if (flow.lease_until && *flow.lease_until > now + kLongestLease) return std::nullopt;
  return flow;
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

void FlowStamp::flowed(const Flow& flow) {
  if (!file_ || flow.at - written_ < kEvery) return;
  written_ = flow.at;
  const std::string stamp = text(flow);
  [[maybe_unused]] const ssize_t n = ::pwrite(file_.get(), stamp.data(), stamp.size(), 0);
}

void FlowStamp::remove() {
  file_ = Fd{};
  ::unlink(path_.c_str());
}

}  // namespace komainu::engine
