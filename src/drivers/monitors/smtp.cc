// Does a mail server greet, and take commands? (RFC 5321)
#include <fmt/format.h>

#include "drivers/monitors/dialogue_check.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

struct SmtpParams : ServerAt<25> {
  std::string hello = "localhost";
};

std::optional<Error> word_problem(const std::string& text) {
  if (!text.empty() && text.find_first_of(" \t\r\n") == std::string::npos) return std::nullopt;
  return Error{"must be one word", "write a host name, such as \"monitor.example.com\""};
}

const params::Declaration<SmtpParams>& declaration() {
  static const auto declared = of_server<SmtpParams>("smtp", "A mail server greets and answers EHLO.")
                                   .optional("hello", &SmtpParams::hello,
                                             "What komainu calls itself in EHLO.", {.check = word_problem});
  return declared;
}

Dialogue dialogue_of(const SmtpParams& params) {
  return {.host = params.host,
          .port = params.port,
          .exchanges = {{"the greeting", "", "220"},
                        {"EHLO", fmt::format("EHLO {}\r\n", params.hello), "250"},
                        {"QUIT", "QUIT\r\n", "221"}},
          .answer = Dialogue::Answer::kReply};
}

}  // namespace

const MonitorType& smtp() {
  static const MonitorType type{declaration().schema(), &make_dialogue<declaration, dialogue_of>};
  return type;
}

}  // namespace komainu::drivers
