// Does a web server answer, with the right status and the right words?
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "drivers/agent_text.h"
#include "drivers/monitors/schedule.h"
#include "drivers/net/http.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct HttpParams {
  std::string url;
  std::vector<std::string> status{"200-299"};
  std::optional<std::string> body;
  std::optional<std::string> host;
};

struct HttpsParams : HttpParams {
  bool verify = true;
  std::filesystem::path ca_file = "/etc/ssl/certs/ca-certificates.crt";
  std::optional<std::string> server_name;
};

struct StatusRange {
  int first = 0;
  int last = 0;
};

// "200", "200-299".
std::optional<StatusRange> parse_status(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || value < 100 || value > 999)
      return std::nullopt;
    return value;
  };
  const std::size_t dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return StatusRange{*first, *last};
}

std::optional<Error> status_problem(const std::vector<std::string>& status) {
  for (const std::string& item : status)
    if (!parse_status(item))
      return Error{fmt::format("has the item \"{}\", which is no status", item),
                   "write [\"200\", \"401\"] or [\"200-299\"]"};
  if (status.empty()) return Error{"is empty", "name the statuses that are healthy, such as [\"200-299\"]"};
  return std::nullopt;
}

params::Options<std::string> url_of(Url::Scheme scheme) {
  return {.check = [scheme](const std::string& text) -> std::optional<Error> {
    const auto url = Url::parse(text);
    const std::string_view name = scheme == Url::Scheme::kHttp ? "http" : "https";
    if (!url || url->scheme != scheme)
      return Error{fmt::format("is no {} URL", name),
                   fmt::format("write \"{}://127.0.0.1:8080/health\"", name)};
    return std::nullopt;
  }};
}

std::optional<Error> header_problem(const std::string& value) {
  if (value.find_first_of(" \t\r\n") == std::string::npos) return std::nullopt;
  return Error{"must not contain spaces or line breaks", {}};
}

template <class T>
params::Declaration<T> common(std::string name, std::string text, Url::Scheme scheme) {
  return params::Declaration<T>(std::move(name), std::move(text))
      .required("url", static_cast<std::string T::*>(&T::url),
                "What is asked for, with GET. Redirects are not followed.", url_of(scheme))
      .optional("status", static_cast<std::vector<std::string> T::*>(&T::status),
                "The statuses that are healthy, and ranges of them.", {.check = status_problem})
      .optional("body", static_cast<std::optional<std::string> T::*>(&T::body),
                "A text that the first MiB of the reply must contain.")
      .optional("host", static_cast<std::optional<std::string> T::*>(&T::host),
                "The Host header, when it is not the URL's.", {.check = header_problem});
}

const params::Declaration<HttpParams>& http_declaration() {
  static const auto declared = common<HttpParams>(
      "http", "A web server answers with the right status and the right words.", Url::Scheme::kHttp);
  return declared;
}

const params::Declaration<HttpsParams>& https_declaration() {
  static const auto declared =
      common<HttpsParams>("https", "A web server answers over TLS with the right status and the right words.",
                          Url::Scheme::kHttps)
          .optional(
              "verify", &HttpsParams::verify,
              "Whether the server's certificate must be good: signed, in date, and with the right name.")
          .optional("ca_file", &HttpsParams::ca_file, "The certificates that are trusted, in PEM form.")
          .optional("server_name", &HttpsParams::server_name,
                    "The name that the certificate must have; left out, the URL's host.",
                    {.check = header_problem});
  return declared;
}

constexpr std::size_t kMaxCaFile = 4 * 1024 * 1024;

class Http final : public Check {
 public:
  Http(HttpsParams params, const Services& services) : params_(std::move(params)), services_(services) {
    request_.url = *Url::parse(params_.url);
    request_.host = params_.host;
    request_.server_name = params_.server_name.value_or(request_.url.host);
    for (const std::string& text : params_.status) statuses_.push_back(*parse_status(text));
  }

  Task<Verdict> look(Duration) override {
    if (request_.url.scheme == Url::Scheme::kHttps && !request_.tls) {
      auto load = load_trust();
      const Result<void> loaded = co_await load;
      if (!loaded) co_return Verdict{Health::kFailed, loaded.error().what};
    }
    auto get = http_get(services_, request_);
    const Result<HttpReply> reply = co_await get;
    if (!reply) co_return Verdict{Health::kFailed, fmt::format("{}: {}", params_.url, reply.error().what)};
    co_return judge(*reply);
  }

 private:
  Task<Result<void>> load_trust() {
    std::string pem;
    if (params_.verify) {
      auto read = services_.files.read(params_.ca_file.string(), kMaxCaFile, Files::Secrecy::kNormal);
      Result<std::string> text = co_await read;
      if (!text) co_return std::unexpected(text.error());
      pem = text->empty() ? "\n" : std::move(*text);
    }
    auto trusted = TlsContext::trust(pem);
    if (!trusted)
      co_return failure(fmt::format("{}: {}", params_.ca_file.string(), trusted.error().what),
                        trusted.error().help);
    request_.tls = std::move(*trusted);
    co_return Result<void>{};
  }

  Verdict judge(const HttpReply& reply) const {
    const bool good = std::ranges::any_of(statuses_, [&](const StatusRange& range) {
      return reply.status >= range.first && reply.status <= range.last;
    });
    if (!good)
      return {Health::kFailed, fmt::format("{} answers {} {}, not {}", params_.url, reply.status,
                                           first_line(reply.reason), fmt::join(params_.status, ", "))};
    if (params_.body && reply.body.find(*params_.body) == std::string::npos)
      return {Health::kFailed, fmt::format("{} answers {}, but without \"{}\": {}", params_.url, reply.status,
                                           *params_.body, first_line(reply.body))};
    return {};
  }

  HttpsParams params_;
  Services services_;
  HttpRequest request_;
  std::vector<StatusRange> statuses_;
};

Result<std::unique_ptr<Monitor>> make_http(const Params& values, const Schedule& schedule,
                                           const Services& services, const Identity&) {
  const Result<HttpParams> params = http_declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return polled(std::make_unique<Http>(HttpsParams{*params}, services), schedule, services.clock);
}

Result<std::unique_ptr<Monitor>> make_https(const Params& values, const Schedule& schedule,
                                            const Services& services, const Identity&) {
  Result<HttpsParams> params = https_declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return polled(std::make_unique<Http>(std::move(*params), services), schedule, services.clock);
}

}  // namespace

const MonitorType& http() {
  static const MonitorType type{http_declaration().schema(), &make_http};
  return type;
}

const MonitorType& https() {
  static const MonitorType type{https_declaration().schema(), &make_https};
  return type;
}

}  // namespace komainu::drivers
