#include "komainud/identity.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/digest.h"
#include "engine/posix.h"

namespace komainu {

Result<NodeId> find_self(const core::Spec& spec, const std::string& given) {
  std::string name = given;
  if (name.empty()) {
    char host[256] = {};
    ::gethostname(host, sizeof host - 1);
    name = host;
  }
  const std::string_view first = std::string_view(name).substr(0, name.find('.'));
  std::string names;
  for (const auto& [id, node] : spec.nodes) {
    if (node.name == name || node.name == first) return id;
    names += (names.empty() ? "" : ", ") + node.name;
  }
  return failure(
      fmt::format("this machine is '{}', and no [[node]] has that name (there is {})", name, names),
      "give the node the machine's host name, or start komainud with --node NAME");
}

std::uint64_t boot_identity() {
  const std::string boot_id = engine::read_kernel_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id");
  const std::string stat = engine::read_kernel_file(AT_FDCWD, "/proc/1/stat");
  // Field 22 is the start time; the fields are counted behind the command's name, which may hold anything
  // (proc(5)).
  std::string_view rest = stat;
  rest.remove_prefix(std::min(rest.size(), rest.rfind(')') + 1));
  for (int field = 3; field < 22 && !rest.empty(); ++field) {
    rest.remove_prefix(std::min(rest.size(), rest.find(' ', 1)));
  }
  Digest digest;
  add(digest, std::string_view(boot_id));
  add(digest, rest.substr(0, rest.find(' ', 1)));
  return digest.value();
}

}  // namespace komainu
