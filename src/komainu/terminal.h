// Text for a terminal: colours, widths, tables. Whatever comes from applications or configurations is shown
// without its control characters, so that nobody's log line moves the operator's cursor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/effects.h"

namespace komainu::cli {

enum class Colour : std::uint8_t { kPlain, kBold, kDim, kGreen, kYellow, kRed };

struct Style {
  bool colour = false;
  std::size_t width = 0;  // of the terminal; 0: unlimited
};

Colour colour_of(core::Severity severity);
std::string paint(const Style& style, Colour colour, std::string_view text);

// Without control characters; what is no UTF-8 becomes '?'.
std::string printable(std::string_view text);

// Columns on the terminal: East Asian wide characters take two, combining marks none.
std::size_t columns(std::string_view text);

// Cut to that many columns, with "…" at its end if something was cut.
std::string cut(std::string_view text, std::size_t width);

// Rows with aligned columns, two spaces between them. The last column is cut at the terminal's edge.
class Table {
 public:
  struct Cell {
    std::string text;
    Colour colour = Colour::kPlain;
  };

  void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  void append(const Table& other) { rows_.insert(rows_.end(), other.rows_.begin(), other.rows_.end()); }
  bool empty() const { return rows_.empty(); }
  std::string text(const Style& style, std::string_view indent = "  ") const;

 private:
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace komainu::cli
