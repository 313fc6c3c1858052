#include "config/corosync_conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "config/timing.h"

namespace komainu::config {
namespace {

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

// After so many rotations of the token in which a member still misses the same message, Corosync takes it out
// of its ring and forms a new one. Corosync 3.1.7 does not clear my_retrans_flg_count when the recovery of a
// ring is given up (exec/totemsrp.c, memb_state_recovery_enter clears its companion my_install_seq): if two
// loss-ridden recoveries follow each other, a member takes the second for complete with messages missing, and
// from then on each of the two asks for what the other ignores while the token goes round. Only this constant
// ends that; with its default of 2500 (corosync.conf(5)) after minutes, because a token without new messages
// rests at every round for `hold`, about token / 5: 50 are then some 8 tokens. A message that is merely lost
// is asked for from the fifth rotation on, so that 50 leave it 45 chances.
constexpr int kFailReceive = 50;

// The token is as long as it is told to be, whatever the number of nodes: the other times are proved from it.
// Consensus may not be less than 1.2 × token.
std::string totem(const core::Spec& spec) {
  const std::int64_t token = milliseconds(spec.timing.token);
  std::string text = fmt::format(
      "totem {{\n"
      "  version: 2\n"
      "  cluster_name: {}\n"
      "  transport: knet\n"
      "  link_mode: active\n"
      "  crypto_model: openssl\n"
      "  crypto_cipher: aes256\n"
      "  crypto_hash: sha256\n"
      "  keyfile: {}\n"
      "  token: {}\n"
      "  token_coefficient: 0\n"
      "  consensus: {}\n"
      "  fail_recv_const: {}\n",
      spec.cluster, corosync_key_file(spec), token, token * 6 / 5, kFailReceive);
  // Every packet goes over every link, so that the loss of one costs no token, however late it is noticed.
  // knet looks at its links every 200 ms (KNET_THREADS_TIMER_RES), whatever the interval: a timeout near that
  // takes a live link for dead between two pings, as Corosync's default of token / 2 does with a short token.
  const std::int64_t link_timeout = std::max<std::int64_t>(600, token / 2);
  const std::size_t links = spec.nodes.begin()->second.links.size();
  for (std::size_t link = 0; link < links; ++link)
    text += fmt::format(
        "  interface {{\n"
        "    linknumber: {}\n"
        "    knet_ping_interval: {}\n"
        "    knet_ping_timeout: {}\n"
        "    knet_pong_count: 2\n"
        "  }}\n",
        link, link_timeout / 3, link_timeout);
  return text + "}\n";
}

std::string quorum(const core::Spec& spec) {
  std::string text = "quorum {\n  provider: corosync_votequorum\n";
  if (spec.two_node()) text += "  two_node: 1\n";  // implies wait_for_all
  if (spec.quorum.arbiter == core::ArbiterType::kQnetd) {
    const QuorumDeviceTimes times = quorum_device_times(spec.profile);
    text += fmt::format(
        "  device {{\n"
        "    model: net\n"
        "    votes: {}\n"
        "    timeout: {}\n"
        "    sync_timeout: {}\n"
        "    net {{\n"
        "      host: {}\n"
        "      algorithm: ffsplit\n"
        "      tls: required\n"
        "    }}\n"
        "  }}\n",
        spec.arbiter_votes(), milliseconds(times.timeout), milliseconds(times.sync_timeout),
        spec.quorum.arbiter_address);
  }
  return text + "}\n";
}

std::string nodelist(const core::Spec& spec) {
  std::string text = "nodelist {\n";
  for (const auto& [id, node] : spec.nodes) {
    text += fmt::format("  node {{\n    nodeid: {}\n    name: {}\n", id.value + 1, node.name);
    for (std::size_t link = 0; link < node.links.size(); ++link)
      text += fmt::format("    ring{}_addr: {}\n", link, node.links[link]);
    text += "  }\n";
  }
  return text + "}\n";
}

}  // namespace

std::string corosync_key_file(const core::Spec& spec, const std::string& unnamed) {
  return spec.key.empty() ? unnamed : unnamed + "." + spec.key;
}

std::string corosync_conf(const core::Spec& spec) {
  return "# Written by komainu from cluster.toml. Changes made here are lost.\n" + totem(spec) +
         quorum(spec) + nodelist(spec) +
         "logging {\n"
         "  to_stderr: no\n"
         "  to_logfile: no\n"
         "  to_syslog: yes\n"
         "}\n";
}

}  // namespace komainu::config
