#include "config/parse.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>

#include "config/checks.h"
#include "config/document.h"
#include "config/draft.h"
#include "config/resolve.h"

namespace komainu::config {

Parsed parse(std::string_view text, const params::Registry& registry, const core::Spec* current) {
  Diagnostics diagnostics(text);
  Parsed result;
  if (const auto document = read_document(text, diagnostics)) {
    const Draft draft = read_draft(*document, registry, diagnostics);
    // With parts left out, what they define seems to be missing everywhere else.
    if (!document->incomplete) {
      core::Spec spec = resolve(draft, current, diagnostics);
      check(draft, spec, registry, diagnostics);
      spec.source = text;
      if (!diagnostics.has_errors()) result.spec = std::move(spec);
    }
  }
  result.diagnostics = diagnostics.take();
  return result;
}

Result<std::string> read_file(const std::string& path) {
  const auto cannot = [&](std::string why, std::string help = {}) {
    return failure(fmt::format("cannot read {}: {}", path, why), std::move(help));
  };
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return cannot(std::strerror(errno),
                  errno == ENOENT ? "there are examples in /usr/share/doc/komainu/examples" : "");
  if (!S_ISREG(status.st_mode)) return cannot("it is no regular file");
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  if (!file)
    return cannot(std::strerror(errno),
                  errno == EACCES ? "ask the daemon for it: komainu config show > FILE" : "");
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return cannot("the read failed");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes)
    return cannot(fmt::format("it has more than {} bytes", kMaxFileBytes), "is this the right file?");
  return text;
}

}  // namespace komainu::config
