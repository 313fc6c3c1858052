// TLS over a connected socket, as a client (OpenSSL on memory buffers: it never touches the socket itself).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "drivers/services.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace komainu::drivers {

// What is trusted. Made once for each monitor: reading the certificates takes milliseconds.
class TlsContext {
 public:
  // Trusts the certificates in `pem` (a CA file's text); an empty text: anybody's, without any check.
  static Result<TlsContext> trust(const std::string& pem);

  SSL_CTX* get() const { return context_.get(); }

 private:
  explicit TlsContext(std::shared_ptr<SSL_CTX> context) : context_(std::move(context)) {}
  std::shared_ptr<SSL_CTX> context_;
};

class TlsStream {
 public:
  // `server_name` is asked for (SNI) and, where anything is checked, must be in the certificate; an address
  // is checked as such. Does not own the socket.
  static Result<TlsStream> on(const TlsContext& context, Readiness& readiness, int fd,
                              const std::string& server_name);

  Task<Result<void>> handshake();
  Task<Result<void>> send(std::string_view bytes);
  // 0: the peer has closed.
  Task<Result<std::size_t>> receive(std::span<char> buffer);

 private:
  TlsStream(std::shared_ptr<SSL> ssl, Readiness& readiness, int fd)
      : ssl_(std::move(ssl)), readiness_(&readiness), fd_(fd) {}

  // Moves what OpenSSL wants sent, and what has come, after a call that returned `result`. No error: try
  // again.
  Task<Result<void>> move_on(int result);
  Task<Result<void>> flush();

  std::shared_ptr<SSL> ssl_;
  Readiness* readiness_;
  int fd_;
};

}  // namespace komainu::drivers
