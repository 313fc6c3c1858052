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
#include "engine/files/corosync_key.h"
#include "komainu/arbiter_identity.h"
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

// Its keys are of no use once there are others: nothing of what it was before is kept.
Result<void> put_bundle(const Session& session, const std::string& path, const std::string& bytes) {
  if (auto written = engine::write_atomically(path, bytes, 0600); !written) return written;
  session.out << fmt::format("  wrote {}\n", path);
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

// ---- the arbiter's part: see arbiter_identity.h

bool has_arbiter(const core::Spec& spec) {
  return spec.quorum.arbiter == core::ArbiterType::kQnetd;
}

// Where the parts of the identity are kept on a node: two of them keep the names that the arbiter's tools
// give them, so that they can be copied as they are.
struct ArbiterFiles {
  std::string key, request, authority, certificate;

  ArbiterFiles(const Places& places, const std::string& cluster)
      : key(places.arbiter + "/key.pem"),
        request(fmt::format("{}/{}.request", places.arbiter, cluster)),
        authority(places.arbiter + "/qnetd-cacert.crt"),
        certificate(fmt::format("{}/cluster-{}.crt", places.arbiter, cluster)) {}
};

// Unset: some of it is not there yet.
Result<std::optional<ArbiterIdentity>> arbiter_in_place(const Places& places, const core::Spec& spec) {
  const ArbiterFiles files(places, spec.cluster);
  ArbiterIdentity identity;
  for (auto [path, into] : {std::pair(&files.key, &identity.key),
                            {&files.authority, &identity.authority},
                            {&files.certificate, &identity.certificate}}) {
    auto bytes = read_whole(*path, kMaxFile);
    if (!bytes) return std::unexpected(bytes.error());
    if (!*bytes) return std::nullopt;
    *into = std::move(**bytes);
    if (path == &files.key) continue;
    auto pem = certificate_pem(*into, *path);
    if (!pem) return std::unexpected(pem.error());
    *into = std::move(*pem);
  }
  if (auto good = check(identity, spec.cluster); !good) return std::unexpected(good.error());
  return identity;
}

// Leaves the key and what the arbiter has to sign, and says how to get that signed.
Result<void> ask_arbiter(const Session& session, const Places& places, const core::Spec& spec) {
  const ArbiterFiles files(places, spec.cluster);
  auto key = read_whole(files.key, kMaxFile);
  if (!key) return std::unexpected(key.error());
  if (!*key) {
    auto made = new_arbiter_key();
    if (!made) return std::unexpected(made.error());
    *key = std::move(*made);
  }
  auto request = arbiter_request(**key, spec.cluster);
  if (!request) return std::unexpected(request.error());
  if (auto done = put(session, files.key, **key, 0600); !done) return done;
  if (auto done = put(session, files.request, *request, 0644); !done) return done;
  const std::string& host = spec.quorum.arbiter_address;
  session.out << fmt::format(
      "\nThe arbiter {0} has to sign the request. With corosync-qnetd installed there, run here:\n"
      "  scp {1} root@{2}:\n"
      "  ssh root@{0} corosync-qnetd-certutil -s -c {3}.request -n {3}\n"
      "  scp root@{2}:/etc/corosync/qnetd/nssdb/{{qnetd-cacert,cluster-{3}}}.crt {4}/\n"
      "  komainu cluster init\n",
      host, files.request, host.contains(':') ? "[" + host + "]" : host, spec.cluster, places.arbiter);
  return {};
}

Result<void> put_arbiter(const Session& session, const Places& places, const std::string& cluster,
                         const ArbiterIdentity& identity) {
  const ArbiterFiles files(places, cluster);
  if (auto done = put(session, files.key, identity.key, 0600); !done) return done;
  for (const auto& [path, pem] :
       {std::pair(&files.authority, &identity.authority), {&files.certificate, &identity.certificate}})
    if (auto done = engine::write_atomically(*path, *pem, 0644); !done) return done;
  if (auto done = write_nss_database(identity, places.qdevice_database); !done) return done;
  session.out << fmt::format("  wrote {}\n", places.qdevice_database);
  return {};
}

// ---- what makes a node one of the cluster

struct Material {
  std::string config;
  std::string key;
  std::optional<ArbiterIdentity> arbiter;
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
  Material material{std::string(config->get_string()), std::move(*key_bytes), {}};
  if (const json::value* arbiter = bundle->if_contains("arbiter")) {
    ArbiterIdentity identity;
    for (auto [name, into] : {std::pair("authority", &identity.authority),
                              {"certificate", &identity.certificate},
                              {"key", &identity.key}}) {
      const json::value* part = arbiter->is_object() ? arbiter->get_object().if_contains(name) : nullptr;
      if (!part || !part->is_string()) return broken();
      *into = part->get_string();
    }
    material.arbiter = std::move(identity);
  }
  return material;
}

std::string packed(const Material& material) {
  json::object bundle{{"cluster.toml", material.config}, {"corosync-key", hex(material.key)}};
  if (const auto& arbiter = material.arbiter)
    bundle["arbiter"] = {
        {"authority", arbiter->authority}, {"certificate", arbiter->certificate}, {"key", arbiter->key}};
  return json::serialize(bundle) + "\n";
}

std::string key_file(const Places& places, const core::Spec& spec) {
  return config::corosync_key_file(spec, places.corosync_key);
}

// Is it the key that the configuration names, if it names one?
Result<void> check_key(const std::string& key, const core::Spec& spec, const std::string& where) {
  const std::string found = engine::key_fingerprint(key);
  if (spec.key.empty() || found == spec.key) return {};
  return failure(
      fmt::format("the key in {} is {}, and the configuration names {}", where, found, spec.key),
      "bring the one that it names from a node that has it (below /etc/corosync), or a newer bundle");
}

// Unset: there is none.
Result<std::optional<std::string>> key_in_place(const Places& places, const core::Spec& spec) {
  const std::string path = key_file(places, spec);
  auto key = read_whole(path, engine::kMaxCorosyncKey);
  if (!key || !*key) return key;
  if (auto good = check_key(**key, spec, path); !good) return std::unexpected(good.error());
  return key;
}

Result<Material> in_place(const Places& places) {
  auto config = read_whole(places.config, kMaxFile);
  if (!config) return std::unexpected(config.error());
  if (!*config)
    return failure("there is no " + places.config,
                   "join with the bundle of the first node: komainu cluster join FILE");
  return Material{std::move(**config), {}, {}};
}

// Configuration, Corosync's configuration and key in their places, and what the arbiter is shown.
Result<void> establish(const Session& session, const Places& places, const Material& material,
                       const core::Spec& spec) {
  warn_of_a_stranger(session, spec);
  if (auto done = put(session, places.config, material.config, 0640); !done) return done;
  if (spec.nodes.size() < 2) return {};
  if (auto done = put(session, key_file(places, spec), material.key, 0400); !done) return done;
  if (material.arbiter) {
    if (auto done = put_arbiter(session, places, spec.cluster, *material.arbiter); !done) return done;
  }
  return put(session, places.corosync_conf, config::corosync_conf(spec), 0644);
}

Result<core::Spec> own_config(const Session& session, const Places& places) {
  auto config = read_whole(places.config, kMaxFile);
  if (!config) return std::unexpected(config.error());
  if (!*config)
    return failure("there is no " + places.config, "make the cluster first: komainu cluster init, or join");
  auto spec = parsed(session, **config, places.config);
  if (spec && spec->nodes.size() < 2)
    return failure(fmt::format("cluster {} is one server: it has no key", spec->cluster));
  return spec;
}

// What `cluster new-key` leaves for the other nodes.
std::string packed_key(const std::string& cluster, const std::string& key) {
  return json::serialize(json::object{{"cluster", cluster},
                                      {"fingerprint", engine::key_fingerprint(key)},
                                      {"corosync-key", hex(key)}}) +
         "\n";
}

Result<std::string> unpack_key(const std::string& path, const std::string& cluster) {
  auto bytes = read_whole(path, kMaxFile);
  if (!bytes) return std::unexpected(bytes.error());
  if (!*bytes)
    return failure(fmt::format("there is no {}", path),
                   "copy it from the node where `komainu cluster new-key` ran");
  json::error_code error;
  const json::value value = json::parse(**bytes, error);
  const auto text = [&](std::string_view name) -> std::string {
    const json::object* bundle = error ? nullptr : value.if_object();
    const json::value* part = bundle ? bundle->if_contains(name) : nullptr;
    return part && part->is_string() ? std::string(part->get_string()) : std::string();
  };
  const auto key = from_hex(text("corosync-key"));
  if (!key || key->size() < engine::kMinCorosyncKey || key->size() > engine::kMaxCorosyncKey ||
      engine::key_fingerprint(*key) != text("fingerprint"))
    return failure(path + " is no bundle of `komainu cluster new-key`, or it is damaged", "copy it again");
  if (text("cluster") != cluster)
    return failure(fmt::format("{} holds a key of cluster '{}', and this is a node of '{}'", path,
                               text("cluster"), cluster));
  return *key;
}

std::string how_to_start(const core::Spec& spec) {
  const std::string units = spec.nodes.size() < 2 ? "komainud"
                            : has_arbiter(spec)   ? "corosync corosync-qdevice komainud"
                                                  : "corosync komainud";
  return fmt::format("\nStart it:\n  systemctl enable {0} && systemctl restart {0}\n", units);
}

}  // namespace

Exit init_cluster(const Session& session, const Places& places) {
  auto config = read_whole(places.config, kMaxFile);
  if (!config) return fail(session, config.error());
  if (!*config)
    return fail(
        session,
        Error{
            "there is no " + places.config,
            "write it first: `komainu config reference` shows what belongs there, and there are examples in "
            "/usr/share/doc/komainu/examples"});
  Material material{std::move(**config), {}, {}};
  auto spec = parsed(session, material.config, places.config);
  if (!spec) return fail(session, spec.error());
  auto key = key_in_place(places, *spec);
  if (!key) return fail(session, key.error());
  if (!*key) {
    if (!spec->key.empty())
      return fail(session, Error{fmt::format("there is no {}, and {} names that key", key_file(places, *spec),
                                             places.config),
                                 "komainu cluster take-key FILE, with what `komainu cluster new-key` left"});
    auto made = new_key();
    if (!made) return fail(session, made.error());
    *key = std::move(*made);
  }
  material.key = std::move(**key);
  if (has_arbiter(*spec)) {
    auto identity = arbiter_in_place(places, *spec);
    if (!identity) return fail(session, identity.error());
    if (!*identity) {
      if (auto asked = ask_arbiter(session, places, *spec); !asked) return fail(session, asked.error());
      return fail(session, Error{"the arbiter has not signed this cluster's request yet",
                                 "do what is shown above; nothing else was written"});
    }
    material.arbiter = std::move(*identity);
  }
  const auto conf = read_whole(places.corosync_conf, kMaxFile);
  const bool was_made = conf && *conf == config::corosync_conf(*spec);
  if (auto done = establish(session, places, material, *spec); !done) return fail(session, done.error());
  if (spec->nodes.size() < 2) {
    session.out << fmt::format("cluster {} is one server: it needs no Corosync\n{}", spec->cluster,
                               how_to_start(*spec));
    return Exit::kDone;
  }
  if (auto done = put_bundle(session, places.bundle, packed(material)); !done)
    return fail(session, done.error());
  session.out
      << fmt::format("cluster {} is made of {} nodes\n", spec->cluster, spec->nodes.size())
      << (was_made ? "" : how_to_start(*spec))
      << fmt::format(
             "\nOn each other node, with a copy of {} (it holds the cluster's keys: keep it secret):\n"
             "  komainu cluster join FILE\n",
             places.bundle);
  return Exit::kDone;
}

Exit join_cluster(const Session& session, const Places& places, const std::optional<std::string>& bundle) {
  auto material = bundle ? unpack(*bundle) : in_place(places);
  if (!material) return fail(session, material.error());
  auto spec = parsed(session, material->config, bundle.value_or(places.config));
  if (!spec) return fail(session, spec.error());
  if (!bundle && spec->nodes.size() > 1) {
    auto key = key_in_place(places, *spec);
    if (!key) return fail(session, key.error());
    if (!*key)
      return fail(session, Error{"there is no " + key_file(places, *spec),
                                 "join with the bundle of the first node: komainu cluster join FILE"});
    material->key = std::move(**key);
  }
  if (bundle) {
    if (auto good = check_key(material->key, *spec, *bundle); !good) return fail(session, good.error());
  }
  if (has_arbiter(*spec) && !bundle) {
    auto identity = arbiter_in_place(places, *spec);
    if (!identity) return fail(session, identity.error());
    material->arbiter = std::move(*identity);
  }
  if (has_arbiter(*spec) && !material->arbiter)
    return fail(session, Error{"the key and certificates for the arbiter are missing",
                               "join with the bundle of the first node: komainu cluster join FILE"});
  if (material->arbiter) {
    if (auto good = check(*material->arbiter, spec->cluster); !good) return fail(session, good.error());
  }
  if (auto done = establish(session, places, *material, *spec); !done) return fail(session, done.error());
  session.out << fmt::format("this server is ready to join cluster {}\n", spec->cluster)
              << how_to_start(*spec);
  if (bundle) session.out << fmt::format("then remove {}: it holds the cluster's keys\n", *bundle);
  return Exit::kDone;
}

// ---- another key for a cluster that runs

Exit make_key(const Session& session, const Places& places) {
  auto spec = own_config(session, places);
  if (!spec) return fail(session, spec.error());
  auto key = new_key();
  if (!key) return fail(session, key.error());
  const std::string old = key_file(places, *spec);
  spec->key = engine::key_fingerprint(*key);
  if (auto done = put(session, key_file(places, *spec), *key, 0400); !done)
    return fail(session, done.error());
  if (auto done = put_bundle(session, places.key_bundle, packed_key(spec->cluster, *key)); !done)
    return fail(session, done.error());
  session.out << fmt::format(
      "\nNothing uses the new key yet.\n"
      "1. On each other node, with a copy of {0} (it holds the key: keep it secret):\n"
      "     komainu cluster take-key FILE\n"
      "2. Name it in {1}, below [cluster]:\n"
      "     key = \"{2}\"\n"
      "3. Here:\n"
      "     komainu config apply\n"
      "When `komainu events` says that Corosync runs by that configuration on all nodes, remove\n"
      "{0} and its copies and, on all nodes, the old key: {3}\n"
      "What stands in {4} is of no use then; `komainu cluster init` renews it.\n",
      places.key_bundle, places.config, spec->key, old, places.bundle);
  return Exit::kDone;
}

Exit take_key(const Session& session, const Places& places, const std::string& bundle) {
  auto spec = own_config(session, places);
  if (!spec) return fail(session, spec.error());
  auto key = unpack_key(bundle, spec->cluster);
  if (!key) return fail(session, key.error());
  spec->key = engine::key_fingerprint(*key);
  if (auto done = put(session, key_file(places, *spec), *key, 0400); !done)
    return fail(session, done.error());
  session.out << fmt::format(
      "this server has key {}: nothing uses it before the configuration names it\n"
      "now remove {}: it holds the key\n",
      spec->key, bundle);
  return Exit::kDone;
}

}  // namespace komainu::cli
