// What is wrong with a configuration, and where: as values, and as a good compiler would print them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <boost/json/fwd.hpp>

namespace komainu::config {

enum class Severity : std::uint8_t {
  kError,    // the configuration is refused
  kWarning,  // it is accepted, and probably not what was meant
  kNote,     // worth knowing
};

// Lines and columns count characters from 1; the end is one past the last. Line 0: the file as a whole.
struct Region {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t end_line = 0;
  std::uint32_t end_column = 0;
  auto operator<=>(const Region&) const = default;
  auto fields() const { return std::tie(line, column, end_line, end_column); }
};

struct Diagnostic {
  Severity severity = Severity::kError;
  Region at;
  std::string what;      // one line: `unknown key "adress" in resource "orders/web"`
  std::string found;     // the offending text
  std::string expected;  // what should stand there; may be empty
  std::string help;      // what to do; may be empty
  bool operator==(const Diagnostic&) const = default;
  auto fields() const { return std::tie(severity, at, what, found, expected, help); }
};

// Collects diagnostics of one text. A file of nothing but mistakes must not cost more than it is worth: only
// the first kMax are kept, and the last one then says how many more there are.
class Diagnostics {
 public:
  static constexpr std::size_t kMax = 100;

  explicit Diagnostics(std::string_view text);

  void error(const Region& at, std::string what, std::string expected = {}, std::string help = {});
  void warning(const Region& at, std::string what, std::string help = {});
  void note(const Region& at, std::string what, std::string help = {});

  bool has_errors() const { return errors_ > 0; }
  // No more are kept: callers may spare the work of finding the nearest name.
  bool full() const { return kept_.size() >= kMax; }
  std::vector<Diagnostic> take();  // by place

 private:
  void add(Diagnostic diagnostic);

  std::vector<std::string_view> lines_;
  std::vector<Diagnostic> kept_;
  std::size_t errors_ = 0;
  std::size_t dropped_ = 0;
};

enum class Colour : std::uint8_t { kNever, kAlways };

// One diagnostic with the line it is about and a caret, for a person; ends with a newline. Control characters
// of the text are never passed on to the terminal.
std::string render(const Diagnostic& diagnostic, std::string_view filename, std::string_view text,
                   Colour colour = Colour::kNever);

// All of them, and a last line that counts them.
std::string render(const std::vector<Diagnostic>& diagnostics, std::string_view filename,
                   std::string_view text, Colour colour = Colour::kNever);

// {"severity": "error", "line": 1, "column": 1, "end_line": …, "end_column": …, "what": …, "found": …,
//  "expected": …, "help": …}
boost::json::object to_json(const Diagnostic& diagnostic);

}  // namespace komainu::config
