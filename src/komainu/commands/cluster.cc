// Making a cluster: the files of Corosync out of cluster.toml, and what the next node needs of the first.
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "config/corosync_conf.h"
#include "config/diagnostic.h"
#include "config/parse.h"
#include "drivers/driver.h"
#include "engine/files/atomic_file.h"
#include "komainu/commands.h"

namespace komainu::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kKeyBytes = 256;  // corosync-keygen(8)'s default
constexpr std::size_t kMaxFile = 2 * 1024 * 1024;

using engine::read_whole;

std::string hex(std::string_view bytes) {
  std::string text;
  for (unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned char byte = 0;
    const char* end = text.data() + std::min(i + 2, text.size());
    auto [read, error] = std::from_chars(text.data() + i, end, byte, 16);
    if (error != std::errc() || read != text.data() + i + 2) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

Result<std::string> new_key() {
  std::array<char, kKeyBytes> key;
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return failure("the kernel gives no random bytes for Corosync's key");
  return std::string(key.data(), key.size());
}

Result<core::Spec> parsed(const Session& session, const std::string& text, const std::string& name) {
  params::Registry registry;
  drivers::declare_types(registry);
  config::Parsed parsed = config::parse(text, registry);
  if (!parsed.diagnostics.empty()) session.err << config::render(parsed.diagnostics, name, text);
  if (!parsed.spec) return failure(name + " has mistakes", "nothing was changed");
  return std::move(*parsed.spec);
}

// Puts the file there and says so; what stood there before and is another's is kept beside it.
Result<void> put(const Session& session, const std::string& path, const std::string& bytes, mode_t mode) {
  auto before = read_whole(path, kMaxFile);
  if (!before) return std::unexpected(before.error());
  if (*before == bytes) {
    session.out << fmt::format("  {} is as it should be\n", path);
    return {};
  }
  if (*before) {
    if (auto kept = engine::write_atomically(path + ".before-komainu", **before, mode); !kept) return kept;
  }
  std::error_code ignored;  // writing says what is wrong with the folder
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (auto written = engine::write_atomically(path, bytes, mode); !written) return written;
  session.out << fmt::format("  wrote {}{}\n", path,
                             *before ? " (the old one is beside it: .before-komainu)" : "");
  return {};
}

Exit fail(const Session& session, const Error& error) {
  return fail(session, Exit::kRefused, error.what,
              error.help.empty() && geteuid() != 0 ? "making a cluster needs root: sudo" : error.help);
}

// The daemon finds itself in the configuration by the host's name.
void warn_of_a_stranger(const Session& session, const core::Spec& spec) {
  std::array<char, 256> buffer{};
  gethostname(buffer.data(), buffer.size() - 1);
  const std::string host = buffer.data();
  const std::string brief = host.substr(0, host.find('.'));
  std::string names;
  for (const auto& [id, node] : spec.nodes) {
    if (node.name == host || node.name == brief) return;
    names += (names.empty() ? "" : ", ") + node.name;
  }
  session.err << fmt::format(
      "warning: this host is called '{}', and the nodes are {}: the daemon does not know which of them it "
      "is\n"
      "  rename the host (hostnamectl hostname NAME) or the node, or start komainud with --node NAME\n",
      host, names);
}

struct Material {
  std::string config;
  std::string key;
};

Result<Material> unpack(const std::string& path) {
  auto bytes = read_whole(path, kMaxFile);
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes)
    return failure(fmt::format("there is no {}", path),
                   "copy it from the node where `komainu cluster init` ran");
  auto broken = [&] {
    return failure(path + " is no bundle of `komainu cluster init`, or it is damaged", "copy it again");
  };
  json::error_code error;
  const json::value value = json::parse(**bytes, error);
  const json::object* bundle = error ? nullptr : value.if_object();
  if (!bundle) return broken();
  const json::value* config = bundle->if_contains("cluster.toml");
  const json::value* key = bundle->if_contains("corosync-key");
  if (!config || !config->is_string() || !key || !key->is_string()) return broken();
  auto key_bytes = from_hex(std::string_view(key->get_string()));
  if (!key_bytes || key_bytes->empty()) return broken();
  return Material{std::string(config->get_string()), std::move(*key_bytes)};
}

Result<Material> in_place(const Places& places) {
  auto config = read_whole(places.config, kMaxFile);
  if (!config) return std::unexpected(config.error());
  if (!*config)
    return failure("there is no " + places.config,
                   "join with the bundle of the first node: komainu cluster join FILE");
  auto key = read_whole(places.corosync_key, kMaxFile);
  if (!key) return std::unexpected(key.error());
  if (!*key)
    return failure("there is no " + places.corosync_key,
                   "join with the bundle of the first node: komainu cluster join FILE");
  return Material{std::move(**config), std::move(**key)};
}

// Configuration, Corosync's configuration and key in their places.
Result<core::Spec> establish(const Session& session, const Places& places, const Material& material,
                             const std::string& name) {
  auto spec = parsed(session, material.config, name);
  if (!spec) return spec;
  warn_of_a_stranger(session, *spec);
  if (auto done = put(session, places.config, material.config, 0640); !done)
    return std::unexpected(done.error());
  if (spec->nodes.size() < 2) return spec;
  if (auto done = put(session, places.corosync_key, material.key, 0400); !done)
    return std::unexpected(done.error());
  if (auto done = put(session, places.corosync_conf, config::corosync_conf(*spec), 0644); !done)
    return std::unexpected(done.error());
  return spec;
}

constexpr std::string_view kStartAlone =
    "\nStart it:\n  systemctl enable komainud && systemctl restart komainud\n";
constexpr std::string_view kStart =
    "\nStart it:\n  systemctl enable corosync komainud && systemctl restart corosync komainud\n";

}  // namespace

Exit init_cluster(const Session& session, const Places& places, bool new_key_wanted) {
  auto config = read_whole(places.config, kMaxFile);
  if (!config) return fail(session, config.error());
  if (!*config)
    return fail(
        session,
        Error{
            "there is no " + places.config,
            "write it first: `komainu config reference` shows what belongs there, and there are examples in "
            "/usr/share/doc/komainu/examples"});
  auto key = read_whole(places.corosync_key, kMaxFile);
  if (!key) return fail(session, key.error());
  if (!*key || new_key_wanted) {
    auto made = new_key();
    if (!made) return fail(session, made.error());
    *key = std::move(*made);
  }
  const Material material{std::move(**config), std::move(**key)};
  auto spec = establish(session, places, material, places.config);
  if (!spec) return fail(session, spec.error());
  if (spec->nodes.size() < 2) {
    session.out << fmt::format("cluster {} is one server: it needs no Corosync\n{}", spec->cluster,
                               kStartAlone);
    return Exit::kDone;
  }
  const json::object bundle{{"cluster.toml", material.config}, {"corosync-key", hex(material.key)}};
  if (auto done = put(session, places.bundle, json::serialize(bundle) + "\n", 0600); !done)
    return fail(session, done.error());
  session.out << fmt::format("cluster {} is made of {} nodes\n", spec->cluster, spec->nodes.size()) << kStart
              << fmt::format(
                     "\nOn each other node, with a copy of {} (it holds the cluster's key: keep it secret):\n"
                     "  komainu cluster join FILE\n",
                     places.bundle);
  return Exit::kDone;
}

Exit join_cluster(const Session& session, const Places& places, const std::optional<std::string>& bundle) {
  auto material = bundle ? unpack(*bundle) : in_place(places);
  if (!material) return fail(session, material.error());
  auto spec = establish(session, places, *material, bundle.value_or(places.config));
  if (!spec) return fail(session, spec.error());
  session.out << fmt::format("this server is ready to join cluster {}\n", spec->cluster)
              << (spec->nodes.size() < 2 ? kStartAlone : kStart);
  if (bundle) session.out << fmt::format("then remove {}: it holds the cluster's key\n", *bundle);
  return Exit::kDone;
}

}  // namespace komainu::cli
