// A cluster with an arbiter is made: what is asked of the arbiter, what comes back, and the database that
// corosync-qdevice then reads. The arbiter's authority is played by the test; lab and tests/ have the real
// one.
#include "komainu/arbiter_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "komainu/commands.h"

namespace komainu::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kClusterWithArbiter = R"([cluster]
name = "shop"

[[node]]
name  = "guest1"
links = ["10.0.1.11", "192.168.50.11"]

[[node]]
name  = "guest2"
links = ["10.0.1.12", "192.168.50.12"]

[quorum]
arbiter = { type = "qnetd", address = "10.0.1.1" }

[[fencing]]
device = [ { type = "agent", agent = "fence_virt" } ]

[[group]]
name = "web"

  [[group.resource]]
  name = "nginx"
  type = "systemd"
  unit = "nginx.service"
)";

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path) << bytes;
}
unsigned mode(const std::string& path) {
  struct stat about{};
  return stat(path.c_str(), &about) == 0 ? about.st_mode & 0777 : 0;
}
std::string said_by(const std::string& command) {
  std::string said;
  std::array<char, 4096> buffer;
  FILE* program = popen((command + " 2>&1").c_str(), "r");
  while (std::size_t count = fread(buffer.data(), 1, buffer.size(), program))
    said.append(buffer.data(), count);
  pclose(program);
  return said;
}

// The authority of one arbiter; certificates are DER, as `corosync-qnetd-certutil -s` writes them.
class Authority {
 public:
  Authority() : key_(EVP_RSA_gen(2048)), own_(made_for(key_, "QNet CA")) {}
  ~Authority() {
    X509_free(own_);
    EVP_PKEY_free(key_);
  }

  std::string certificate() const {
    BIO* out = BIO_new(BIO_s_mem());
    BIO_puts(out, "Certificate:\n    Data: as a person reads it\n");
    PEM_write_bio_X509(out, own_);
    return taken(out);
  }
  std::string sign(const std::string& request, const std::string& name) const {
    BIO* in = BIO_new_mem_buf(request.data(), static_cast<int>(request.size()));
    X509_REQ* asked = d2i_X509_REQ_bio(in, nullptr);
    EXPECT_NE(asked, nullptr);
    X509* made = made_for(X509_REQ_get0_pubkey(asked), name);
    BIO* out = BIO_new(BIO_s_mem());
    i2d_X509_bio(out, made);
    X509_free(made);
    X509_REQ_free(asked);
    BIO_free(in);
    return taken(out);
  }

 private:
  X509* made_for(EVP_PKEY* key, const std::string& name) const {
    X509* made = X509_new();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(made), -60);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    auto add = [](X509_NAME* to, const std::string& cn) {
      X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(cn.c_str()),
                                 -1, -1, 0);
    };
    add(X509_get_subject_name(made), name);
    add(X509_get_issuer_name(made), "QNet CA");
    X509_set_pubkey(made, key);
    X509_sign(made, key_, EVP_sha256());
    return made;
  }
  static std::string taken(BIO* bio) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    std::string text(bytes, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
  }

  mutable int serial_ = 0;  // no two certificates of an authority share one
  EVP_PKEY* key_;
  X509* own_;
};

class WithAnArbiter : public ::testing::Test {
 protected:
  WithAnArbiter() {
    std::string folder = "/tmp/komainu-arbiter-XXXXXX";
    folder_ = mkdtemp(folder.data());
    for (const char* name : {"/first", "/second"}) std::filesystem::create_directory(folder_ + name);
    first_ = places(folder_ + "/first");
    second_ = places(folder_ + "/second");
    write(first_.config, kClusterWithArbiter);
  }
  ~WithAnArbiter() override { std::filesystem::remove_all(folder_); }

  static Places places(const std::string& folder) {
    return {folder + "/cluster.toml", folder + "/join.bundle", folder + "/corosync.conf",
            folder + "/authkey",      folder + "/arbiter",     folder + "/qdevice/nssdb"};
  }
  void bring_back(const Authority& by, const std::string& name = "shop") {
    write(first_.arbiter + "/qnetd-cacert.crt", by.certificate());
    write(first_.arbiter + "/cluster-shop.crt", by.sign(content(first_.arbiter + "/shop.request"), name));
  }
  Exit init() { return init_cluster(session_, first_); }

  std::string folder_;
  Places first_, second_;
  std::ostringstream out_, err_;
  Session session_{.out = out_, .err = err_, .style = {}, .err_style = {}};
  Authority authority_;
};

TEST_F(WithAnArbiter, TheFirstNodeAsksForASignatureAndSaysHowToGetIt) {
  ASSERT_EQ(init(), Exit::kRefused);
  EXPECT_THAT(out_.str(), HasSubstr("ssh root@10.0.1.1 corosync-qnetd-certutil -s -c shop.request -n shop"));
  EXPECT_THAT(err_.str(), HasSubstr("has not signed"));
  EXPECT_EQ(mode(first_.arbiter + "/key.pem"), 0600u);
  EXPECT_FALSE(std::filesystem::exists(first_.corosync_conf));
  const std::string request = content(first_.arbiter + "/shop.request");
  const std::string key = content(first_.arbiter + "/key.pem");
  ASSERT_EQ(init(), Exit::kRefused) << "asked again, it asks for the same key";
  EXPECT_EQ(content(first_.arbiter + "/shop.request"), request);
  EXPECT_EQ(content(first_.arbiter + "/key.pem"), key);
}

TEST_F(WithAnArbiter, BothNodesGetADatabaseWithTheClustersKey) {
  ASSERT_EQ(init(), Exit::kRefused);
  bring_back(authority_);
  ASSERT_EQ(init(), Exit::kDone) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("systemctl enable corosync corosync-qdevice komainud"));
  EXPECT_THAT(content(first_.corosync_conf), HasSubstr("tls: required"));
  EXPECT_EQ(mode(first_.bundle), 0600u);
  ASSERT_EQ(join_cluster(session_, second_, first_.bundle), Exit::kDone) << err_.str();
  for (const Places& node : {first_, second_}) {
    EXPECT_THAT(said_by("certutil -L -d sql:" + node.qdevice_database), HasSubstr("QNet CA"));
    EXPECT_THAT(said_by("certutil -K -d sql:" + node.qdevice_database), HasSubstr("Cluster Cert"));
    EXPECT_EQ(said_by("certutil -V -u C -n 'Cluster Cert' -d sql:" + node.qdevice_database),
              "certutil: certificate is valid\n");
    EXPECT_EQ(mode(node.qdevice_database), 0700u);
    for (const auto& file : std::filesystem::directory_iterator(node.qdevice_database)) {
      EXPECT_EQ(mode(file.path()), 0600u) << file.path();
      EXPECT_THAT(file.path().filename(), ::testing::AnyOf("cert9.db", "key4.db", "pkcs11.txt"));
    }
    EXPECT_EQ(mode(node.arbiter + "/key.pem"), 0600u);
  }
  EXPECT_EQ(init(), Exit::kDone) << "it can be run again";
  EXPECT_EQ(join_cluster(session_, second_, std::nullopt), Exit::kDone)
      << "with all files in place: " << err_.str();
}

TEST_F(WithAnArbiter, WhatDoesNotBelongTogetherIsRefusedAndNothingWritten) {
  ASSERT_EQ(init(), Exit::kRefused);
  const struct {
    std::function<void()> break_it;
    const char* told;
  } cases[] = {
      {[&] { bring_back(authority_, "other"); }, "is for the cluster \"other\""},
      {[&] {
         bring_back(authority_);
         write(first_.arbiter + "/qnetd-cacert.crt", Authority().certificate());
       },
       "has not signed the cluster's certificate"},
      {[&] {
         bring_back(authority_);
         write(first_.arbiter + "/key.pem", new_arbiter_key().value());
       },
       "is for another key"},
      {[&] { write(first_.arbiter + "/cluster-shop.crt", "no certificate"); }, "is no certificate"},
  };
  const std::string key = content(first_.arbiter + "/key.pem");
  for (const auto& [break_it, told] : cases) {
    write(first_.arbiter + "/key.pem", key);
    break_it();
    err_.str("");
    EXPECT_EQ(init(), Exit::kRefused);
    EXPECT_THAT(err_.str(), HasSubstr(told));
    EXPECT_FALSE(std::filesystem::exists(first_.corosync_conf));
    EXPECT_FALSE(std::filesystem::exists(first_.qdevice_database));
  }
}

TEST_F(WithAnArbiter, ABundleWithoutItsIdentityIsRefused) {
  ASSERT_EQ(init(), Exit::kRefused);
  bring_back(authority_);
  ASSERT_EQ(init(), Exit::kDone) << err_.str();
  const std::string bundle = content(first_.bundle);
  for (const char* part : {"\"arbiter\"", "\"authority\"", "\"certificate\"", "\"key\""}) {
    std::string broken = bundle;
    broken.replace(broken.find(part), std::string(part).size(), "\"other\"");
    write(folder_ + "/broken", broken);
    EXPECT_EQ(join_cluster(session_, second_, folder_ + "/broken"), Exit::kRefused) << part;
  }
  EXPECT_FALSE(std::filesystem::exists(second_.config));
}

}  // namespace
}  // namespace komainu::cli
