// Does an FTP server greet, and take commands? (RFC 959)
#include "drivers/monitors/dialogue_check.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

struct FtpParams : ServerAt<21> {};

const params::Declaration<FtpParams>& declaration() {
  static const auto declared = of_server<FtpParams>("ftp", "An FTP server greets and takes its leave.");
  return declared;
}

Dialogue dialogue_of(const FtpParams& params) {
  return {.host = params.host,
          .port = params.port,
          .exchanges = {{"the greeting", "", "220"}, {"QUIT", "QUIT\r\n", "221"}},
          .answer = Dialogue::Answer::kReply};
}

}  // namespace

const MonitorType& ftp() {
  static const MonitorType type{declaration().schema(), &make_dialogue<declaration, dialogue_of>};
  return type;
}

}  // namespace komainu::drivers
