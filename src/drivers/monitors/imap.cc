// Does a mailbox server greet, and take commands? (RFC 9051)
#include "drivers/monitors/dialogue_check.h"
#include "drivers/types.h"

namespace komainu::drivers {
namespace {

struct ImapParams : ServerAt<143> {};

const params::Declaration<ImapParams>& declaration() {
  static const auto declared =
      of_server<ImapParams>("imap", "An IMAP server greets and lists its capabilities.");
  return declared;
}

Dialogue dialogue_of(const ImapParams& params) {
  return {.host = params.host,
          .port = params.port,
          .exchanges = {{"the greeting", "", "* OK"},
                        {"CAPABILITY", "a1 CAPABILITY\r\n", "a1 OK"},
                        {"LOGOUT", "a2 LOGOUT\r\n", "a2 OK"}},
          .answer = Dialogue::Answer::kTagged};
}

}  // namespace

const MonitorType& imap() {
  static const MonitorType type{declaration().schema(), &make_dialogue<declaration, dialogue_of>};
  return type;
}

}  // namespace komainu::drivers
