// A small HTTP/1.1 client: one request, one bounded reply, no redirects, no keep-alive. Boost.Beast reads the
// reply; the sockets are tcp.h and tls.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "drivers/net/tls.h"
#include "drivers/services.h"

namespace komainu::drivers {

struct Url {
  enum class Scheme : std::uint8_t { kHttp, kHttps } scheme = Scheme::kHttp;
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 80;
  std::string target = "/";  // path and query
  std::string authority;     // as written: "www.example.com:8080"

  // http and https; without user, password and fragment.
  static std::optional<Url> parse(std::string_view text);
};

struct HttpRequest {
  Url url;
  std::optional<std::string> host;     // the Host header, when it is not the URL's
  std::optional<TlsContext> tls;       // required for https
  std::string server_name;             // that the certificate must have
  std::size_t max_body = 1024 * 1024;  // more of it is not read
};

struct HttpReply {
  int status = 0;
  std::string reason;
  std::string body;
};

// An error: no connection, no TLS, no HTTP. The caller bounds the time.
Task<Result<HttpReply>> http_get(const Services& services, const HttpRequest& request);

// Reads a reply from its bytes, piece by piece.
class HttpReplyParser {
 public:
  explicit HttpReplyParser(std::size_t max_body);
  HttpReplyParser(HttpReplyParser&&) noexcept;
  ~HttpReplyParser();

  enum class Progress : std::uint8_t { kNeedsMore, kDone };
  Result<Progress> feed(std::string_view bytes);
  // The peer has closed: the end of a reply without a length, or an error.
  Result<void> closed();
  HttpReply take();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::string pending_;  // begun, and not yet whole enough to be read
  std::size_t max_body_;
};

}  // namespace komainu::drivers
