#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/posix.h"

namespace komainu::engine {

namespace {
std::unexpected<Error> cannot(std::string_view verb, const std::string& path) {
  return failure(fmt::format("cannot {} {}: {}", verb, path, errno_text()));
}
std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}
}  // namespace

Result<void> write_atomically(const std::string& path, std::string_view bytes, mode_t mode) {
  const std::string beside = path + ".new";
  {
    Fd file{::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)};
    if (!file) return cannot("create", beside);
    if (::fchmod(file.get(), mode) != 0 || !write_all(file.get(), bytes) || ::fsync(file.get()) != 0) {
      return cannot("write", beside);
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return cannot("replace", path);
  const std::string folder = folder_of(path);
  Fd directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory || ::fsync(directory.get()) != 0) return cannot("sync", folder);
  return {};
}

Result<std::optional<std::string>> read_whole(const std::string& path, std::size_t max_size) {
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return cannot("read", path);
  std::string bytes;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot("read", path);
    if (n == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(n));
    if (bytes.size() > max_size) return failure(fmt::format("{} is larger than {} bytes", path, max_size));
  }
}

}  // namespace komainu::engine
