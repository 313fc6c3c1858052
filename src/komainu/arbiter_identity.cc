#include "komainu/arbiter_identity.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string_view>

#include "engine/files/atomic_file.h"
#include "komainu/tool.h"

namespace komainu::cli {
namespace {

constexpr unsigned kKeyBits = 3072;  // NIST SP 800-57, for use beyond 2030

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using SigningRequest = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using Bag = std::unique_ptr<PKCS12, Freer<PKCS12_free>>;

std::unexpected<Error> refused(std::string_view what) {
  std::array<char, 256> why{};
  ERR_error_string_n(ERR_get_error(), why.data(), why.size());
  ERR_clear_error();
  return failure(fmt::format("cannot {}: {}", what, why.data()));
}

Bio reader(const std::string& bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}
std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

Certificate certificate_of(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
}
Key key_of(const std::string& pem) {
  return Key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
}

std::string common_name(const X509* certificate) {
  std::array<char, 256> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(), name.size());
  return name.data();
}

// For certutil and pk12util; their NSS takes keys from nothing else.
Result<std::string> pkcs12(const ArbiterIdentity& identity, const std::string& password) {
  Key key = key_of(identity.key);
  Certificate certificate = certificate_of(identity.certificate);
  if (!key || !certificate) return refused("read the cluster's key and certificate for the arbiter");
  // The nickname by which corosync-qdevice finds it (net_nss_client_cert_nickname).
  Bag bag(
      PKCS12_create(password.c_str(), "Cluster Cert", key.get(), certificate.get(), nullptr, 0, 0, 0, 0, 0));
  Bio out(BIO_new(BIO_s_mem()));
  if (!bag || i2d_PKCS12_bio(out.get(), bag.get()) != 1)
    return refused("pack the cluster's key for the arbiter");
  return text_of(out.get());
}

std::string random_word() {
  std::array<unsigned char, 16> bytes{};
  std::string word;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return word;
  for (unsigned char byte : bytes) word += fmt::format("{:02x}", byte);
  return word;
}

Result<void> fill(const ArbiterIdentity& identity, const std::string& folder) {
  static const std::string kHelp = "install it: apt install corosync-qdevice";
  const std::string password = random_word();
  if (password.empty()) return refused("draw a password");
  auto bag = pkcs12(identity, password);
  if (!bag) return std::unexpected(bag.error());
  const std::string database = "sql:" + folder;
  const std::string authority = folder + "/authority.pem", key = folder + "/cluster.p12",
                    secret = folder + "/password";
  for (const auto& [path, bytes] :
       {std::pair(authority, identity.authority), {key, *bag}, {secret, password}})
    if (auto written = engine::write_atomically(path, bytes, 0600); !written) return written;
  for (const std::vector<std::string>& words : {
           std::vector<std::string>{"certutil", "-N", "-d", database, "--empty-password"},
           {"certutil", "-A", "-d", database, "-a", "-n", "QNet CA", "-t", "CT,c,c", "-i", authority},
           {"pk12util", "-d", database, "-i", key, "-w", secret, "-K", ""},
       })
    if (auto done = run_tool(words, kHelp); !done) return done;
  for (const std::string& path : {authority, key, secret}) std::filesystem::remove(path);
  return {};
}

}  // namespace

Result<std::string> new_arbiter_key() {
  Key key(EVP_RSA_gen(kKeyBits));
  Bio out(BIO_new(BIO_s_mem()));
  if (!key || PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return refused("make the cluster's key for the arbiter");
  return text_of(out.get());
}

Result<std::string> arbiter_request(const std::string& key_pem, const std::string& cluster) {
  Key key = key_of(key_pem);
  if (!key) return refused("read the cluster's key for the arbiter");
  SigningRequest request(X509_REQ_new());
  X509_NAME* name = X509_REQ_get_subject_name(request.get());
  Bio out(BIO_new(BIO_s_mem()));
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(cluster.c_str()), -1, -1, 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0 ||
      i2d_X509_REQ_bio(out.get(), request.get()) != 1)
    return refused("make the request to the arbiter");
  return text_of(out.get());
}

Result<std::string> certificate_pem(const std::string& bytes, const std::string& file) {
  Certificate certificate = certificate_of(bytes);
  if (!certificate) certificate.reset(d2i_X509_bio(reader(bytes).get(), nullptr));
  ERR_clear_error();
  Bio out(BIO_new(BIO_s_mem()));
  if (!certificate || PEM_write_bio_X509(out.get(), certificate.get()) != 1)
    return failure(file + " is no certificate, or it is damaged", "copy it from the arbiter again");
  return text_of(out.get());
}

Result<void> check(const ArbiterIdentity& identity, const std::string& cluster) {
  Certificate authority = certificate_of(identity.authority);
  Certificate certificate = certificate_of(identity.certificate);
  Key key = key_of(identity.key);
  if (!authority || !certificate || !key)
    return refused("read the cluster's key and certificates for the arbiter");
  if (X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) != 1) {
    ERR_clear_error();
    return failure("the arbiter's authority has not signed the cluster's certificate",
                   "copy both from the same arbiter");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return failure("the certificate that the arbiter signed is for another key than this cluster's",
                   "let it sign the request that is there now");
  }
  if (const std::string name = common_name(certificate.get()); name != cluster)
    return failure(
        fmt::format("the certificate that the arbiter signed is for the cluster \"{}\", and this is \"{}\"",
                    name, cluster),
        "let it sign the request that is there now");
  return {};
}

Result<void> write_nss_database(const ArbiterIdentity& identity, const std::string& folder) {
  namespace fs = std::filesystem;
  const std::string fresh = folder + ".new";
  std::error_code error;
  fs::remove_all(fresh, error);
  fs::create_directories(fs::path(folder).parent_path(), error);
  const mode_t before = umask(0077);
  const bool made = fs::create_directory(fresh, error);
  auto done = made ? fill(identity, fresh)
                   : Result<void>(failure(fmt::format("cannot make {}: {}", fresh, error.message())));
  umask(before);
  if (done) {
    fs::remove_all(folder, error);
    fs::rename(fresh, folder, error);
    if (error) done = failure(fmt::format("cannot put {} in its place: {}", folder, error.message()));
  }
  if (!done) fs::remove_all(fresh, error);
  return done;
}

}  // namespace komainu::cli
