#include "drivers/net/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

#include "base/ip.h"
#include "drivers/net/tcp.h"

namespace komainu::drivers {
namespace {

// The oldest error of OpenSSL's queue, which is emptied.
std::string openssl_error() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error ? ERR_reason_error_string(error) : nullptr;
  return reason ? reason : "unknown error";
}

}  // namespace

Result<TlsContext> TlsContext::trust(const std::string& pem) {
  // Without this OpenSSL reads its configuration file on the loop.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (!context) return failure(fmt::format("cannot set up TLS: {}", openssl_error()));
  if (pem.empty()) return TlsContext(context);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  X509_STORE* store = SSL_CTX_get_cert_store(context.get());
  int count = 0;
  while (X509* certificate = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)) {
    count += X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
  }
  ERR_clear_error();  // the end of the text is an error to PEM_read_bio_X509
  if (count == 0) return failure("there is no certificate in it", "it must hold certificates in PEM form");
  return TlsContext(context);
}

Result<TlsStream> TlsStream::on(const TlsContext& context, Readiness& readiness, int fd,
                                const std::string& server_name) {
  const std::shared_ptr<SSL> ssl(SSL_new(context.get()), &SSL_free);
  BIO* incoming = BIO_new(BIO_s_mem());
  BIO* outgoing = BIO_new(BIO_s_mem());
  if (!ssl || !incoming || !outgoing) {
    BIO_free(incoming);
    BIO_free(outgoing);
    return failure(fmt::format("cannot set up TLS: {}", openssl_error()));
  }
  SSL_set_bio(ssl.get(), incoming, outgoing);
  SSL_set_connect_state(ssl.get());
  const bool is_address = IpAddress::parse(server_name).has_value();
  const bool named = is_address
                         ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), server_name.c_str()) == 1
                         : SSL_set1_host(ssl.get(), server_name.c_str()) == 1 &&
                               SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) == 1;
  if (!named)
    return failure(fmt::format("{} cannot be the name of a server: {}", server_name, openssl_error()));
  return TlsStream(ssl, readiness, fd);
}

Task<Result<void>> TlsStream::flush() {
  std::array<char, 4096> buffer;
  while (true) {
    const int size = BIO_read(SSL_get_wbio(ssl_.get()), buffer.data(), buffer.size());
    if (size <= 0) co_return Result<void>{};
    auto send = send_all(*readiness_, fd_, std::string_view(buffer.data(), static_cast<std::size_t>(size)));
    const Result<void> sent = co_await send;
    if (!sent) co_return sent;
  }
}

Task<Result<void>> TlsStream::move_on(int result) {
  const int wants = SSL_get_error(ssl_.get(), result);
  if (wants != SSL_ERROR_WANT_READ && wants != SSL_ERROR_WANT_WRITE) {
    const long verified = SSL_get_verify_result(ssl_.get());
    const std::string reason =
        verified != X509_V_OK ? X509_verify_cert_error_string(verified) : openssl_error();
    ERR_clear_error();
    co_return failure(
        fmt::format("TLS: {}", reason),
        verified != X509_V_OK ? "compare the server's certificate with `ca_file` and `server_name`" : "");
  }
  auto flushing = flush();
  const Result<void> flushed = co_await flushing;
  if (!flushed || wants == SSL_ERROR_WANT_WRITE) co_return flushed;
  std::array<char, 16 * 1024> buffer;
  auto receive = receive_some(*readiness_, fd_, buffer);
  const Result<std::size_t> size = co_await receive;
  if (!size) co_return std::unexpected(size.error());
  if (*size == 0) co_return failure("TLS: the server closed the connection");
  BIO_write(SSL_get_rbio(ssl_.get()), buffer.data(), static_cast<int>(*size));
  co_return Result<void>{};
}

Task<Result<void>> TlsStream::handshake() {
  while (true) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) break;
    auto moving = move_on(result);
    const Result<void> moved = co_await moving;
    if (!moved) co_return moved;
  }
  auto flushing = flush();
  co_return co_await flushing;
}

Task<Result<void>> TlsStream::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const int result =
        SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
    if (result > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(result));
      continue;
    }
    auto moving = move_on(result);
    const Result<void> moved = co_await moving;
    if (!moved) co_return moved;
  }
  auto flushing = flush();
  co_return co_await flushing;
}

Task<Result<std::size_t>> TlsStream::receive(std::span<char> buffer) {
  while (true) {
    ERR_clear_error();
    const int result = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (result > 0) co_return static_cast<std::size_t>(result);
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
    auto moving = move_on(result);
    const Result<void> moved = co_await moving;
    if (!moved) co_return std::unexpected(moved.error());
  }
}

}  // namespace komainu::drivers
