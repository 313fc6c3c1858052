#include "engine/files/corosync_key.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <array>

#include "engine/files/atomic_file.h"
#include "engine/posix.h"

namespace komainu::engine {

std::string key_fingerprint(std::string_view key) {
  constexpr std::size_t kShown = 8;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_Digest(key.data(), key.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  std::string text;
  for (std::size_t i = 0; i < kShown; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

Result<void> check_corosync_key(const std::string& path, const std::string& fingerprint) {
  const auto key = read_whole(path, kMaxCorosyncKey);
  if (!key) return std::unexpected(key.error());
  if (!*key)
    return failure(
        fmt::format("there is no {}; run there, with what `komainu cluster new-key` left: "
                    "komainu cluster take-key FILE",
                    path));
  if (const std::string found = key_fingerprint(**key); found != fingerprint)
    return failure(
        fmt::format("{} holds another key, {}; run there, with what `komainu cluster new-key` left: "
                    "komainu cluster take-key FILE",
                    path, found));
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0)
    return failure(fmt::format("cannot read {}: {}", path, errno_text()));
  if (about.st_uid != ::geteuid())
    return failure(
        fmt::format("{0} belongs to another user than root; run there, if nobody "
                    "else has it: chown root {0}",
                    path));
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return failure(
        fmt::format("others than its owner may have read {0} (mode {1:04o}); make another one with "
                    "`komainu cluster new-key`, or run there, if nobody has: chmod 0400 {0}",
                    path, about.st_mode & 07777u));
  return {};
}

}  // namespace komainu::engine
