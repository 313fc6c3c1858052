// Does something accept TCP connections, and say what it should?
#include <utility>

#include "drivers/monitors/dialogue_check.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

struct TcpParams : ServerAt<0> {
  std::optional<std::string> send;
  std::optional<std::string> expect;
};

const params::Declaration<TcpParams>& declaration() {
  static const auto declared =
      params::Declaration<TcpParams>("tcp", "Something accepts TCP connections, and says what it should.")
          .optional("host", static_cast<std::string TcpParams::*>(&TcpParams::host),
                    "The address or the name of the host.")
          .required("port", static_cast<std::uint16_t TcpParams::*>(&TcpParams::port), "The port.",
                    {.min = 1})
          .optional("send", &TcpParams::send, "A line that is said to it first.")
          .optional("expect", &TcpParams::expect, "A text that its first 64 KiB must contain.")
          .check([](const TcpParams& p) -> std::optional<Error> {
            if (p.send && !p.expect)
              return Error{"`send` without `expect`: nobody looks at the answer", "expect = \"…\""};
            return std::nullopt;
          });
  return declared;
}

Dialogue dialogue_of(const TcpParams& params) {
  Dialogue dialogue{
      .host = params.host, .port = params.port, .exchanges = {}, .answer = Dialogue::Answer::kText};
  if (params.expect)
    dialogue.exchanges = {{params.send ? "what was sent" : "the greeting",
                           params.send ? *params.send + "\r\n" : "", *params.expect}};
  return dialogue;
}

}  // namespace

const MonitorType& tcp() {
  static const MonitorType type{declaration().schema(), &make_dialogue<declaration, dialogue_of>};
  return type;
}

}  // namespace komainu::drivers
