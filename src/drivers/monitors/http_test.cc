#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "drivers/testing/poll_loop.h"
#include "drivers/testing/tcp_server.h"
#include "drivers/testing/world.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

using ::testing::HasSubstr;
using testing::PollLoop;
using testing::ReportLog;
using testing::Started;
using ::testing::StartsWith;
using testing::TcpServer;
using testing::World;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

struct Bench {
  PollLoop loop;
  World world;
  ReportLog reports;

  Health judge(const MonitorType& type, const Params& params, Duration timeout = 10s) {
    const Schedule schedule{
        .interval = 1h, .timeout = timeout, .retries = 0, .quiet = Schedule::Quiet::kNever};
    const auto monitor =
        type.make(params, schedule,
                  {loop, loop, world.spawner, world.files, world.systemd, world.netlink, world.log}, {});
    if (!monitor) throw std::runtime_error(monitor.error().what);
    Started<void> running((*monitor)->run(reports));
    if (!loop.run_until([&] { return reports.health().has_value(); }))
      throw std::runtime_error("no judgement");
    return *reports.health();
  }
};

Params url_of(const TcpServer& server, const char* scheme = "http") {
  return {{"url", fmt::format("{}://127.0.0.1:{}/health?deep", scheme, server.port())}};
}

TEST(Http, AsksForThePathAndReadsTheAnswer) {
  Bench bench;
  std::string request;
  {
    const TcpServer server(TcpServer::http(kOk, &request));
    Params params = url_of(server);
    params["host"] = std::string("www.example.com");
    params["body"] = std::string("hell");
    EXPECT_EQ(bench.judge(http(), params), Health::kHealthy);
  }
  EXPECT_THAT(request, StartsWith("GET /health?deep HTTP/1.1\r\nHost: www.example.com\r\n"));
}

TEST(Http, JudgesTheStatus) {
  const struct {
    const char* status;
    std::vector<std::string> healthy;
    Health health;
  } cases[] = {{"200 OK", {"200-299"}, Health::kHealthy},
               {"500 Internal Server Error", {"200-299"}, Health::kFailed},
               {"302 Found", {"200-299"}, Health::kFailed},
               {"401 Unauthorized", {"200", "401"}, Health::kHealthy}};
  for (const auto& c : cases) {
    Bench bench;
    const TcpServer server(
        TcpServer::http(fmt::format("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", c.status)));
    Params params = url_of(server);
    params["status"] = c.healthy;
    EXPECT_EQ(bench.judge(http(), params), c.health) << c.status;
    if (c.health == Health::kFailed) {
      EXPECT_THAT(bench.reports.evidence(), HasSubstr(fmt::format("answers {}, not 200-299", c.status)));
    }
  }
}

TEST(Http, LooksForTheWordsInTheBody) {
  Bench bench;
  const TcpServer server(TcpServer::http(kOk));
  Params params = url_of(server);
  params["body"] = std::string("goodbye");
  EXPECT_EQ(bench.judge(http(), params), Health::kFailed);
  EXPECT_THAT(bench.reports.evidence(), HasSubstr("answers 200, but without \"goodbye\": hello"));
}

TEST(Http, AServerThatHangsIsATimeout) {
  Bench bench;
  const TcpServer server(TcpServer::hang);
  EXPECT_EQ(bench.judge(http(), url_of(server), 100ms), Health::kFailed);
  EXPECT_EQ(bench.reports.evidence(), "no answer within 100ms");
}

TEST(Http, AServerThatHangsUpHasFailed) {
  Bench bench;
  const TcpServer server(TcpServer::http("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"));
  EXPECT_EQ(bench.judge(http(), url_of(server)), Health::kFailed);
  EXPECT_THAT(bench.reports.evidence(), HasSubstr("the reply is cut off"));
}

TEST(Http, RefusesBadParameters) {
  World world;
  const auto problem = [&](const MonitorType& type, Params params) {
    const auto made = type.make(params, {}, world.services(), {});
    return made ? std::string() : made.error().what;
  };
  EXPECT_EQ(problem(http(), {{"url", std::string("https://x/")}}), "http: `url` is no http URL");
  EXPECT_EQ(problem(https(), {{"url", std::string("http://x/")}}), "https: `url` is no https URL");
  for (const char* status : {"ok", "99", "1000", "299-200", "200-", "-200", "200 "})
    EXPECT_THAT(
        problem(http(), {{"url", std::string("http://x/")}, {"status", std::vector<std::string>{status}}}),
        HasSubstr("which is no status"))
        << status;
  EXPECT_NE(problem(http(), {{"url", std::string("http://x/")}, {"host", std::string("a\r\nX: y")}}), "");
}

// ---- TLS

// A key, and a certificate for it that it signed itself.
struct Identity {
  explicit Identity(const std::string& alternative_name) {
    key.reset(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    certificate.reset(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name.c_str());
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
  }
  std::string pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_X509(bio.get(), certificate.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
  }
  // Greets, reads a request and answers it.
  std::function<void(int)> server(std::string reply) const {
    return [key = key, certificate = certificate, reply = std::move(reply)](int fd) {
      const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
      SSL_CTX_use_certificate(context.get(), certificate.get());
      SSL_CTX_use_PrivateKey(context.get(), key.get());
      const std::shared_ptr<SSL> ssl(SSL_new(context.get()), &SSL_free);
      SSL_set_fd(ssl.get(), fd);
      char buffer[4096];
      if (SSL_accept(ssl.get()) != 1 || SSL_read(ssl.get(), buffer, sizeof buffer) <= 0) return;
      SSL_write(ssl.get(), reply.data(), static_cast<int>(reply.size()));
      SSL_shutdown(ssl.get());
    };
  }
  std::shared_ptr<EVP_PKEY> key;
  std::shared_ptr<X509> certificate;
};

Params https_params(const TcpServer& server) {
  Params params = url_of(server, "https");
  params["ca_file"] = std::string("/etc/test/ca.pem");
  return params;
}

TEST(Https, TrustsAServerWhoseCertificateIsGood) {
  Bench bench;
  const Identity identity("IP:127.0.0.1");
  bench.world.files.content["/etc/test/ca.pem"] = identity.pem();
  const TcpServer server(identity.server("HTTP/1.1 200 OK\r\n\r\n" + std::string(200'000, 'x') + "end"));
  Params params = https_params(server);
  params["body"] = std::string("xend");
  EXPECT_EQ(bench.judge(https(), params), Health::kHealthy) << bench.reports.evidence();
}

TEST(Https, ComparesTheName) {
  const Identity identity("DNS:www.example.com");
  const TcpServer server(identity.server(kOk));
  for (const auto& [name, health] :
       {std::pair{"www.example.com", Health::kHealthy}, {"example.com", Health::kFailed}}) {
    Bench bench;
    bench.world.files.content["/etc/test/ca.pem"] = identity.pem();
    Params params = https_params(server);
    params["server_name"] = std::string(name);
    EXPECT_EQ(bench.judge(https(), params), health) << bench.reports.evidence();
    if (health == Health::kFailed) {
      EXPECT_THAT(bench.reports.evidence(), HasSubstr("TLS: hostname mismatch"));
    }
  }
}

TEST(Https, DoesNotTrustWhatNobodySigned) {
  Bench bench;
  const Identity identity("IP:127.0.0.1"), other("IP:127.0.0.1");
  bench.world.files.content["/etc/test/ca.pem"] = other.pem();
  const TcpServer server(identity.server(kOk));
  EXPECT_EQ(bench.judge(https(), https_params(server)), Health::kFailed);
  EXPECT_THAT(bench.reports.evidence(), HasSubstr("TLS: "));
}

TEST(Https, ChecksNothingWhenToldSo) {
  Bench bench;
  const Identity identity("DNS:elsewhere");
  const TcpServer server(identity.server(kOk));
  Params params = https_params(server);
  params["verify"] = false;
  EXPECT_EQ(bench.judge(https(), params), Health::kHealthy);
}

TEST(Https, SaysWhenTheServerSpeaksNoTls) {
  Bench bench;
  bench.world.files.content["/etc/test/ca.pem"] = Identity("IP:127.0.0.1").pem();
  const TcpServer server([](int fd) { (void)!::send(fd, "220 mail ESMTP\r\n", 16, MSG_NOSIGNAL); });
  EXPECT_EQ(bench.judge(https(), https_params(server)), Health::kFailed);
  EXPECT_THAT(bench.reports.evidence(), HasSubstr("TLS: wrong version number"));
}

TEST(Https, WithoutCertificatesNobodyIsTrusted) {
  for (const char* content : {"", "no certificate"}) {
    Bench bench;
    const Identity identity("IP:127.0.0.1");
    bench.world.files.content["/etc/test/ca.pem"] = content;
    const TcpServer server(identity.server(kOk));
    EXPECT_EQ(bench.judge(https(), https_params(server)), Health::kFailed);
    EXPECT_EQ(bench.reports.evidence(), "/etc/test/ca.pem: there is no certificate in it");
  }
}

}  // namespace
}  // namespace komainu::drivers
