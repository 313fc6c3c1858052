#include "drivers/net/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>

#include "base/ip.h"
#include "drivers/net/tcp.h"

namespace komainu::drivers {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t kMaxHeader = 64 * 1024;

}  // namespace

std::optional<Url> Url::parse(std::string_view text) {
  Url url;
  if (text.starts_with("https://")) {
    url.scheme = Scheme::kHttps;
    url.port = 443;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c == 0x7f || c == '#'; }))
    return std::nullopt;
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  url.authority = authority;
  if (const std::string_view rest = text.substr(end); !rest.empty())
    url.target = rest.front() == '/' ? std::string(rest) : fmt::format("/{}", rest);
  if (authority.find('@') != std::string_view::npos) return std::nullopt;
  std::optional<std::string_view> port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    url.host = authority.substr(1, close - 1);
    const auto address = IpAddress::parse(url.host);
    if (!address || address->family != IpAddress::Family::kV6) return std::nullopt;
    authority.remove_prefix(close + 1);
    if (authority.starts_with(':'))
      port = authority.substr(1);
    else if (!authority.empty())
      return std::nullopt;
  } else {
    const std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
  }
  if (url.host.empty() || url.host.front() == '-') return std::nullopt;
  if (port) {
    const auto [stop, error] = std::from_chars(port->data(), port->data() + port->size(), url.port);
    if (error != std::errc{} || stop != port->data() + port->size() || url.port == 0) return std::nullopt;
  }
  return url;
}

struct HttpReplyParser::Parser : http::response_parser<http::string_body> {};

HttpReplyParser::HttpReplyParser(std::size_t max_body)
    : parser_(std::make_unique<Parser>()), max_body_(max_body) {
  parser_->eager(true);
  parser_->header_limit(kMaxHeader);
  parser_->body_limit(boost::none);  // it is cut at max_body instead
}
HttpReplyParser::HttpReplyParser(HttpReplyParser&&) noexcept = default;
HttpReplyParser::~HttpReplyParser() = default;

Result<HttpReplyParser::Progress> HttpReplyParser::feed(std::string_view bytes) {
  pending_.append(bytes);
  while (!pending_.empty() && !parser_->is_done()) {
    boost::system::error_code error;
    const std::size_t used = parser_->put(boost::asio::const_buffer(pending_.data(), pending_.size()), error);
    pending_.erase(0, used);
    if (error == http::error::need_more || (!error && used == 0)) break;
    if (error) return failure(fmt::format("no valid HTTP reply: {}", error.message()));
    if (parser_->get().body().size() >= max_body_) return Progress::kDone;
  }
  return parser_->is_done() ? Progress::kDone : Progress::kNeedsMore;
}

Result<void> HttpReplyParser::closed() {
  boost::system::error_code error;
  if (!parser_->got_some()) return failure("the server closed the connection without a reply");
  parser_->put_eof(error);
  if (error) return failure(fmt::format("the reply is cut off: {}", error.message()));
  return {};
}

HttpReply HttpReplyParser::take() {
  auto message = parser_->release();
  HttpReply reply{static_cast<int>(message.result_int()), std::string(message.reason()),
                  std::move(message.body())};
  reply.body.resize(std::min(reply.body.size(), max_body_));
  return reply;
}

Task<Result<HttpReply>> http_get(const Services& services, const HttpRequest& request) {
  const Url& url = request.url;
  auto connect = connect_tcp(services, url.host, url.port);
  const Result<Fd> socket = co_await connect;
  if (!socket) co_return std::unexpected(socket.error());

  std::optional<TlsStream> tls;
  if (url.scheme == Url::Scheme::kHttps) {
    auto stream = TlsStream::on(*request.tls, services.readiness, socket->get(), request.server_name);
    if (!stream) co_return std::unexpected(stream.error());
    tls = std::move(*stream);
    auto greeting = tls->handshake();
    const Result<void> greeted = co_await greeting;
    if (!greeted) co_return std::unexpected(greeted.error());
  }

  const std::string text = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: komainu\r\nAccept: */*\r\nConnection: close\r\n\r\n",
      url.target, request.host.value_or(url.authority));
  auto send = tls ? tls->send(text) : send_all(services.readiness, socket->get(), text);
  const Result<void> sent = co_await send;
  if (!sent) co_return std::unexpected(sent.error());

  HttpReplyParser parser(request.max_body);
  std::array<char, 16 * 1024> buffer;
  while (true) {
    auto receive = tls ? tls->receive(buffer) : receive_some(services.readiness, socket->get(), buffer);
    const Result<std::size_t> size = co_await receive;
    if (!size) co_return std::unexpected(size.error());
    if (*size == 0) {
      if (const Result<void> ended = parser.closed(); !ended) co_return std::unexpected(ended.error());
      break;
    }
    const auto progress = parser.feed(std::string_view(buffer.data(), *size));
    if (!progress) co_return std::unexpected(progress.error());
    if (*progress == HttpReplyParser::Progress::kDone) break;
  }
  co_return parser.take();
}

}  // namespace komainu::drivers
