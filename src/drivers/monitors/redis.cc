// Does Redis answer? (its protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/, inline
// commands)
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "drivers/monitors/dialogue_check.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

struct RedisParams : ServerAt<6379> {
  std::optional<params::SecretFile> secret;
};

const params::Declaration<RedisParams>& declaration() {
  static const auto declared =
      of_server<RedisParams>("redis", "Redis, or what speaks its protocol, answers PING.")
          .optional(
              "secret", &RedisParams::secret,
              "A file with the password, or the user and the password with a space between them, that AUTH "
              "needs. It belongs to root, and nobody else may read it.");
  return declared;
}

constexpr std::size_t kMaxSecret = 4096;

class Redis final : public Check {
 public:
  Redis(RedisParams params, const Services& services)
      : params_(std::move(params)), services_(services), conversation_(services) {}

  Task<Verdict> look(Duration) override {
    Dialogue dialogue{
        .host = params_.host, .port = params_.port, .exchanges = {{"PING", "PING\r\n", "+PONG"}}};
    if (params_.secret) {
      waits_for_secret_ = true;
      auto read = services_.files.read(params_.secret->path.string(), kMaxSecret, Files::Secrecy::kSecret);
      const Result<std::string> secret = co_await read;
      waits_for_secret_ = false;
      if (!secret) co_return Verdict{Health::kFailed, secret.error().what};
      const std::string_view line(secret->data(), std::min(secret->find_first_of("\r\n"), secret->size()));
      dialogue.exchanges.insert(dialogue.exchanges.begin(),
                                Exchange{"AUTH", fmt::format("AUTH {}\r\n", line), "+OK"});
    }
    auto talk = conversation_.hold(std::move(dialogue));
    co_return co_await talk;
  }
  std::string waits_for() const override {
    return waits_for_secret_ ? fmt::format("{} cannot be read", params_.secret->path.string())
                             : conversation_.where();
  }

 private:
  RedisParams params_;
  Services services_;
  Conversation conversation_;
  bool waits_for_secret_ = false;
};

Result<std::unique_ptr<Monitor>> make(const Params& values, const Schedule& schedule,
                                      const Services& services, const Identity&) {
  Result<RedisParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return polled(std::make_unique<Redis>(std::move(*params), services), schedule, services.clock);
}

}  // namespace

const MonitorType& redis() {
  static const MonitorType type{declaration().schema(), &make};
  return type;
}

}  // namespace komainu::drivers
