#include "config/corosync_conf.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/parse.h"
#include "config/testing.h"

namespace komainu::config {
namespace {

core::Spec spec_of(const std::string& text) {
  Parsed parsed = parse(text, testing::registry());
  EXPECT_TRUE(parsed.spec) << render(parsed.diagnostics, "test.toml", text);
  return parsed.spec.value_or(core::Spec{});
}

std::string four_nodes(const std::string& profile) {
  std::string text = "[cluster]\nname = \"four\"\nprofile = \"" + profile + "\"\n";
  for (int i = 1; i <= 4; ++i) {
    text += "[[node]]\nname = \"n" + std::to_string(i) + "\"\nlinks = [";
    for (int link = 1; link <= 8; ++link)
      text += "\"10.0." + std::to_string(link) + "." + std::to_string(i) + "\",";
    text += "]\n";
  }
  return text + "[quorum]\narbiter = { type = \"qnetd\", address = \"arbiter.example\" }\n" +
         "[[fencing]]\ndevice = [ { type = \"agent\", agent = \"fence_virt\" } ]\n";
}

std::string with_ipv6() {
  return "[timing]\nwatchdog = \"10s\"\n[cluster]\nname = \"six\"\n[[node]]\nname = \"a\"\nid = 64\nlinks = "
         "[\"fd00::1\", \"10.0.0.1\"]\n"
         "[[node]]\nname = \"b\"\nlinks = [\"fd00::2\", \"10.0.0.2\"]\n"
         "[[node]]\nname = \"c\"\nlinks = [\"fd00::3\", \"10.0.0.3\"]\n";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(CorosyncConf, OfTwoNodes) {
  EXPECT_EQ(corosync_conf(spec_of(testing::two_nodes())),
            R"(# Written by komainu from cluster.toml. Changes made here are lost.
totem {
  version: 2
  cluster_name: shop
  transport: knet
  link_mode: active
  crypto_model: openssl
  crypto_cipher: aes256
  crypto_hash: sha256
  keyfile: /etc/corosync/authkey
  token: 1000
  token_coefficient: 0
  consensus: 1200
  fail_recv_const: 50
  interface {
    linknumber: 0
    knet_ping_interval: 200
    knet_ping_timeout: 600
    knet_pong_count: 2
  }
  interface {
    linknumber: 1
    knet_ping_interval: 200
    knet_ping_timeout: 600
    knet_pong_count: 2
  }
}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
nodelist {
  node {
    nodeid: 1
    name: guest1
    ring0_addr: 10.0.1.11
    ring1_addr: 192.168.50.11
  }
  node {
    nodeid: 2
    name: guest2
    ring0_addr: 10.0.1.12
    ring1_addr: 192.168.50.12
  }
}
logging {
  to_stderr: no
  to_logfile: no
  to_syslog: yes
}
)");
}

TEST(CorosyncConf, AQuorumDeviceAndTwoNodeExcludeEachOther) {
  const std::string text = corosync_conf(
      spec_of(testing::two_nodes("[quorum]\narbiter = { type = \"qnetd\", address = \"10.0.1.1\" }\n")));
  EXPECT_FALSE(has(text, "two_node"));
  EXPECT_TRUE(has(text,
                  "  device {\n    model: net\n    votes: 1\n    timeout: 2000\n    sync_timeout: 5000\n"
                  "    net {\n      host: 10.0.1.1\n      algorithm: ffsplit\n      tls: required\n"));
}

TEST(CorosyncConf, NamesTheFileOfTheKeyThatIsNamed) {
  core::Spec spec = spec_of(testing::two_nodes());
  spec.key = "2b7e151628aed2a6";
  EXPECT_TRUE(has(corosync_conf(spec), "  keyfile: /etc/corosync/authkey.2b7e151628aed2a6\n"));
  EXPECT_EQ(corosync_key_file(spec, "/elsewhere/key"), "/elsewhere/key.2b7e151628aed2a6");
}

// `corosync -t` wants the key file to exist and this machine to be one of the nodes: it is given a key, and
// the first node gets this machine's name.
class RealCorosync : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/usr/sbin/corosync")) GTEST_SKIP() << "corosync is not installed";
    std::string pattern = ::testing::TempDir() + "komainu_corosync_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    std::ofstream(directory_ / "authkey") << std::string(256, 'k');
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // What corosync says if it does not accept the file; empty if it does.
  std::string complaint(std::string text) {
    const std::size_t key = text.find(kCorosyncKey);
    EXPECT_NE(key, std::string::npos);
    text.replace(key, std::string_view(kCorosyncKey).size(), (directory_ / "authkey").string());
    const std::size_t name = text.find("    name: ") + 10;
    std::array<char, 256> hostname{};
    EXPECT_EQ(gethostname(hostname.data(), hostname.size() - 1), 0);
    text.replace(name, text.find('\n', name) - name, hostname.data());
    // It says what is wrong on its standard error.
    text.replace(text.find("to_stderr: no"), 13, "to_stderr: yes");
    std::ofstream(directory_ / "corosync.conf") << text;
    const std::string output = directory_ / "output";
    const std::string command =
        "/usr/sbin/corosync -t -c " + (directory_ / "corosync.conf").string() + " >" + output + " 2>&1";
    const int status = std::system(command.c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    std::ifstream said(output);
    return "exit " + std::to_string(status) + ": " + std::string(std::istreambuf_iterator<char>(said), {});
  }

  std::filesystem::path directory_;
};

TEST_F(RealCorosync, AcceptsWhatIsWritten) {
  for (const char* profile : {"fast", "lan", "wan"})
    EXPECT_EQ(complaint(corosync_conf(spec_of(four_nodes(profile)))), "") << profile;
  EXPECT_EQ(complaint(corosync_conf(spec_of(testing::two_nodes()))), "");
  EXPECT_EQ(complaint(corosync_conf(spec_of(with_ipv6()))), "");
}

TEST_F(RealCorosync, WouldSayIfItDidNot) {
  std::string text = corosync_conf(spec_of(testing::two_nodes()));
  text.replace(text.find("link_mode: active"), 18, "link_mode: sideways");
  EXPECT_NE(complaint(text), "");
}

}  // namespace
}  // namespace komainu::config
