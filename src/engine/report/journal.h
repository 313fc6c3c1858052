// The daemon's log: the journal's native protocol over a non-blocking socket of our own, standard error where
// there is no journal. A line that nobody takes at once is dropped and counted: the loop never waits for its
// log. https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "drivers/services.h"
#include "engine/posix.h"

namespace komainu::engine {

class Journal final : public drivers::Log {
 public:
  explicit Journal(std::string identifier);

  void info(std::string_view text) override { write(6, text); }
  void warning(std::string_view text) override { write(4, text); }
  void alarm(std::string_view text) { write(1, text); }

  std::uint64_t dropped() const { return dropped_; }

 private:
  void write(int priority, std::string_view text);

  const std::string identifier_;
  Fd socket_;  // none: standard error
  std::uint64_t dropped_ = 0;
};

}  // namespace komainu::engine
