// Messages in pieces that Corosync carries well, and whole again.
//
// All members cut and join alike: what an Assembler makes of a stream depends on the stream since the last
// change of membership alone, so a message is delivered everywhere or nowhere.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "channel/channel.h"

namespace komainu::channel {

inline constexpr std::size_t kFragmentHeader = 20;
inline constexpr std::size_t kFragmentPayload = 60u << 10;
// Pieces of unfinished messages, of all senders together.
inline constexpr std::size_t kMaxPartialBytes = 64u << 20;

struct Fragment {
  std::uint64_t number = 0;  // of the message; rises with each one of its sender
  std::uint32_t size = 0;    // of the whole message
  std::uint32_t offset = 0;
  std::string_view payload;
};

// One message on its way out.
class Splitter {
 public:
  Splitter(std::uint64_t number, std::string bytes) : number_(number), bytes_(std::move(bytes)) {}

  bool done() const { return started_ && offset_ == bytes_.size(); }
  Fragment next() const;
  // `next` has been sent.
  void advance();

 private:
  std::uint64_t number_;
  std::string bytes_;
  std::size_t offset_ = 0;
  bool started_ = false;  // an empty message has one fragment, too
};

std::string encode_header(const Fragment& fragment);
// Views into `bytes`; the error says what is wrong.
Result<Fragment> decode_fragment(std::string_view bytes);

class Assembler {
 public:
  // More is needed, or the fragment's beginning was never seen.
  struct Incomplete {};
  struct Malformed {
    std::string what;
  };
  using Outcome = std::variant<Incomplete, std::string, Malformed>;

  Outcome add(Sender sender, const Fragment& fragment);
  // A change of membership: what was begun before it is not finished after it.
  void clear();

 private:
  struct Partial {
    std::uint64_t number = 0;
    std::uint32_t size = 0;
    std::string bytes;
  };
  void drop(Sender sender);

  std::map<Sender, Partial> partials_;
  std::size_t bytes_ = 0;
};

}  // namespace komainu::channel
