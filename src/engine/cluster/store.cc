#include "engine/cluster/store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/consistent.h"
#include "engine/files/atomic_file.h"
#include "wire/wire.h"

namespace komainu::engine {
namespace {

using Remedy = StoreProblem::Remedy;

std::unexpected<StoreProblem> person(std::string what, std::string help) {
  return std::unexpected(StoreProblem{Remedy::kPerson, {std::move(what), std::move(help)}});
}

std::unexpected<StoreProblem> damaged(const std::string& path, const std::string& why) {
  return person(fmt::format("the store {} is damaged: {}", path, why),
                "if another node of the cluster is running, remove the file: this node then gets everything "
                "from there");
}

}  // namespace

std::expected<std::optional<core::Durable>, StoreProblem> read_store(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode)) return damaged(path, "it is no regular file");
    if (static_cast<std::uintmax_t>(status.st_size) > wire::kMaxMessage)
      return damaged(path, fmt::format("{} bytes are more than any store has", status.st_size));
  }
  auto bytes = read_whole(path, wire::kMaxMessage);
  if (!bytes) return std::unexpected(StoreProblem{Remedy::kTryAgain, bytes.error()});
  if (!*bytes) return std::nullopt;
  Result<core::Durable> durable = wire::decode_durable(**bytes);
  if (!durable) {
    if (const std::optional<unsigned> version = wire::other_version(**bytes))
      return person(
          fmt::format("the store {} was written by another version of komainu: format {}, and this "
                      "one reads format {}",
                      path, *version, wire::format_version()),
          "install the version that wrote it; or, if another node of the cluster is running, remove "
          "the file: this node then gets everything from there");
    return damaged(path, durable.error().what);
  }
  if (const std::string problem = core::inconsistency(*durable->spec); !problem.empty())
    return damaged(path, "its configuration does not fit together: " + problem);
  return std::optional(std::move(*durable));
}

std::expected<void, StoreProblem> belongs_to(const core::Durable& durable, const std::string& cluster,
                                             const std::string& path) {
  if (durable.spec->cluster != cluster)
    return person(
        fmt::format("the store {} belongs to cluster '{}', not to '{}'", path, durable.spec->cluster,
                    cluster),
        fmt::format(
            "if this machine has moved to another cluster, remove {} and {}, which are the old one's; "
            "otherwise correct the name in cluster.toml",
            path, path.substr(0, path.rfind('/') + 1) + "stream.*"));
  return {};
}

}  // namespace komainu::engine
