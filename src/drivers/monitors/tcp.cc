// Does something accept TCP connections?
#include <fmt/format.h>

#include "drivers/monitors/schedule.h"
#include "drivers/net/tcp.h"
#include "drivers/types.h"
#include "params/declaration.h"

namespace komainu::drivers {
namespace {

struct TcpParams {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

const params::Declaration<TcpParams>& declaration() {
  static const auto declared = params::Declaration<TcpParams>("tcp", "Something accepts TCP connections.")
                                   .optional("host", &TcpParams::host, "The address or the name of the host.")
                                   .required("port", &TcpParams::port, "The port.", {.min = 1});
  return declared;
}

class Tcp final : public Check {
 public:
  Tcp(TcpParams params, const Services& services) : params_(std::move(params)), services_(services) {}

  Task<Verdict> look(Duration) override {
    auto connect = connect_tcp(services_, params_.host, params_.port);
    const Result<Fd> connected = co_await connect;
    if (!connected) co_return Verdict{Health::kFailed, connected.error().what};
    co_return Verdict{};
  }

 private:
  TcpParams params_;
  Services services_;
};

Result<std::unique_ptr<Monitor>> make(const Params& values, const Schedule& schedule,
                                      const Services& services, const Identity&) {
  Result<TcpParams> params = declaration().read(values);
  if (!params) return std::unexpected(params.error());
  return polled(std::make_unique<Tcp>(std::move(*params), services), schedule, services.clock);
}

}  // namespace

const MonitorType& tcp() {
  static const MonitorType type{declaration().schema(), &make};
  return type;
}

}  // namespace komainu::drivers
