#include "params/codec.h"

#include <fmt/format.h>

#include <algorithm>

namespace komainu::params {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

std::optional<Error> text_problem(std::string_view text) {
  if (text.empty()) return Error{"must not be empty", "leave the line out if there is nothing to say"};
  if (text.size() > kMaxTextBytes)
    return Error{fmt::format("is {} bytes long; at most {} are allowed", text.size(), kMaxTextBytes), {}};
  if (std::ranges::any_of(text, [](char c) { return is_control(c) && c != '\n' && c != '\t'; }))
    return Error{"contains a control character", "only tab and newline are allowed"};
  return std::nullopt;
}

std::optional<Error> path_problem(std::string_view text) {
  if (auto error = text_problem(text)) return error;
  if (std::ranges::any_of(text, is_control)) return Error{"contains a control character", {}};
  if (!text.starts_with('/'))
    return Error{"must be an absolute path", "komainu runs in no particular directory: begin with \"/\""};
  return std::nullopt;
}

}  // namespace komainu::params
