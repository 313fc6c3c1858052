// A conversation with a server in its own protocol: what is said to it, and what it must answer. It tells
// apart a server that is down or refuses, one that hangs, and one that answers something else, and says which
// and where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/driver.h"
#include "drivers/services.h"

namespace komainu::drivers {

struct Exchange {
  std::string what;    // for people, "EHLO", "the greeting"; holds no secret
  std::string say;     // as it is sent; empty: the server speaks first
  std::string expect;  // see Dialogue::Answer
};

struct Dialogue {
  std::string host;
  std::uint16_t port = 0;
  std::vector<Exchange> exchanges;
  enum class Answer : std::uint8_t {
    kLine,    // one line, which begins with what is expected
    kReply,   // of "220-" lines the last, "220 ", as SMTP (RFC 5321, 4.2.1) and FTP (RFC 959, 4.2) have them
    kTagged,  // the first line without "*", unless that is expected, as IMAP has it (RFC 9051, 2.2.2)
    kText,    // anything with the expected text in its first 64 KiB
  } answer = Answer::kLine;
};

class Conversation {
 public:
  explicit Conversation(const Services& services) : services_(services) {}

  // From the connection to the last answer: healthy, or failed with the evidence. One after the other; the
  // caller bounds the time.
  Task<Verdict> hold(Dialogue dialogue);
  // Where the one stands that is being held, or was when its time was over: "10.0.0.7 port 25 takes
  // connections, but does not answer EHLO".
  std::string where() const;

 private:
  Task<std::string> problem();
  Task<std::string> problem_with(const Exchange& exchange, int fd);
  std::optional<std::string> next_answer(std::string_view expect);
  std::optional<std::string> next_line();
  bool counts(std::string_view line, std::string_view expect);
  std::string wrong(const Exchange& exchange, std::string_view answer) const;
  std::string server() const;

  const Services services_;
  Dialogue dialogue_;
  const Exchange* asked_ = nullptr;
  std::string came_;   // and was not taken yet
  std::string reply_;  // the code of one that goes on
};

}  // namespace komainu::drivers
